//! The operator's own account. Beside a cluster it runs as that too, so that every test proves the permissions that are
//! shipped, and their confinement.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mcp_cluster::Kubectl;
use serde_json::{Value, json};

/// The service account, which has the name of the Deployment.
pub const OPERATOR_ACCOUNT: &str = "mcp-operator-controller-manager";

/// Who the operator is to the API server.
pub const OPERATOR_USER: &str =
    "system:serviceaccount:mcp-operator-system:mcp-operator-controller-manager";

/// A kubeconfig for the operator's service account, at the API server that another kubeconfig names; it goes into the folder.
///
/// # Errors
/// When there is no such account, or the file cannot be written.
pub fn operator_kubeconfig(kubectl: &Kubectl, way: &Path, folder: &Path) -> Result<PathBuf> {
    let token = kubectl.run(&[
        "create",
        "token",
        OPERATOR_ACCOUNT,
        "--namespace=mcp-operator-system",
        "--duration=24h",
    ])?;
    let admin = Kubectl::new(kubectl.program().to_owned(), way.to_owned());
    let mut config = admin.json(&["config", "view", "--raw", "--flatten", "--minify"])?;
    let user = config["users"][0]["user"].as_object_mut();
    *user.context("no user in the kubeconfig")? = [("token".to_owned(), Value::from(token.trim()))]
        .into_iter()
        .collect();
    // Operators of one program may talk to several API servers.
    let server = config["clusters"][0]["cluster"]["server"].as_str();
    let port = server.and_then(|server| server.rsplit(':').next());
    let port = port.unwrap_or_default().trim_matches('/');
    let file = folder.join(format!("kubeconfig-operator-{port}"));
    fs::write(&file, config.to_string())
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// Writes into the webhook configurations where the API server finds a webhook beside its cluster. The operator itself may
/// fill in its certificate authority only.
///
/// # Errors
/// When there are no such configurations.
pub(crate) fn point_webhooks(kubectl: &Kubectl, address: &str) -> Result<()> {
    for kind in [
        "mutatingwebhookconfiguration",
        "validatingwebhookconfiguration",
    ] {
        let found = kubectl.json(&["get", kind, "mcp-operator"])?;
        let webhooks = found["webhooks"].as_array().context("no webhooks")?;
        let patch: Vec<Value> = webhooks
            .iter()
            .enumerate()
            .flat_map(|(index, webhook)| point(index, &webhook["clientConfig"], address))
            .collect();
        let patch = Value::from(patch).to_string();
        kubectl.run(&[
            "patch",
            kind,
            "mcp-operator",
            "--type=json",
            "--patch",
            &patch,
        ])?;
    }
    point_conversion(kubectl, address)
}

/// The same for the definition of MCPServers, if there is anything to convert.
///
/// # Errors
/// When there is no such definition.
pub fn point_conversion(kubectl: &Kubectl, address: &str) -> Result<()> {
    let name = "mcpservers.mcp.litellm.ai";
    let found = kubectl.json(&["get", "crd", name])?;
    let versions = found["spec"]["versions"].as_array();
    if versions.is_none_or(|versions| versions.len() < 2) {
        return Ok(());
    }
    let client = json!({ "url": format!("https://{address}/convert") });
    let webhook = json!({ "clientConfig": client, "conversionReviewVersions": ["v1"] });
    let conversion = json!({ "strategy": "Webhook", "webhook": webhook });
    let patch = json!([{ "op": "add", "path": "/spec/conversion", "value": conversion }]);
    let patch = format!("--patch={patch}");
    kubectl
        .run(&["patch", "crd", name, "--type=json", &patch])
        .map(drop)
}

fn point(index: usize, client: &Value, address: &str) -> Vec<Value> {
    let at = |member: &str| format!("/webhooks/{index}/clientConfig/{member}");
    let service = client["service"]["path"].as_str();
    // Of an earlier operator: `https://address/path`.
    let path = service.or_else(|| client["url"].as_str()?.splitn(4, '/').nth(3));
    let path = path.unwrap_or_default().trim_start_matches('/');
    let url = format!("https://{address}/{path}");
    let add = json!({ "op": "add", "path": at("url"), "value": url });
    if service.is_some() {
        vec![json!({ "op": "remove", "path": at("service") }), add]
    } else {
        vec![add]
    }
}
