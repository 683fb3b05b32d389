//! MCPServers in a version that is not the one that is stored: as the API server does it, they are decoded by their own schema,
//! converted, and judged as what is stored.

use anyhow::{Result, anyhow};
use mcp_operator_api::conversion::convert;
use mcp_operator_api::names::{API_VERSION, BETA_API_VERSION, SERVER_KIND};
use mcp_operator_api::v1beta1;
use serde_json::value::to_raw_value;

use crate::definition::Definition;
use crate::documents::Document;

/// In the version that is stored.
///
/// # Errors
/// The fields that its version does not have.
pub(crate) fn stored(mut document: Document) -> Result<Document> {
    if !document.is(BETA_API_VERSION, SERVER_KIND) {
        return Ok(document);
    }
    let source = document.source.clone();
    let wrong = |why: String| anyhow!("{source}: {why}");
    let definition = Definition::of::<v1beta1::McpServer>()?;
    let decoded = definition.decode(&document.object).map_err(wrong)?;
    let converted = convert(&to_raw_value(&decoded)?, API_VERSION).map_err(wrong)?;
    document.object = serde_json::from_str(converted.get())?;
    Ok(document)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::documents::parse;

    fn document(version: &str, spec: &str) -> Document {
        let text = format!(
            "{{apiVersion: {version}, kind: MCPServer, metadata: {{name: a}}, spec: {spec}}}"
        );
        parse("a.yaml", &text).unwrap().remove(0)
    }

    #[test]
    fn the_newer_version_is_read_and_its_mistakes_have_its_own_names() {
        let spec = "{image: {repository: a}, litellm: {accessGroups: [a]}}";
        let found = stored(document(BETA_API_VERSION, spec)).unwrap();
        assert!(found.is(API_VERSION, SERVER_KIND));
        let groups = &found.object["spec"]["litellm"]["allowedUserGroups"];
        assert_eq!(*groups, json!(["a"]));
        let spec = "{image: {repository: a}, litellm: {allowedUserGroups: [a]}}";
        let error = stored(document(BETA_API_VERSION, spec)).err().unwrap();
        let error = error.to_string();
        let wanted = "MCPServer in version \"v1beta1\" cannot be handled as a MCPServer: strict decoding error: unknown field \"spec.litellm.allowedUserGroups\"";
        assert_eq!(error, format!("a.yaml: {wanted}"));
        let same = stored(document(API_VERSION, spec)).unwrap();
        assert!(same.is(API_VERSION, SERVER_KIND));
    }
}
