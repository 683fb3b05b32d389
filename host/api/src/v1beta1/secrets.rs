//! Secrets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One secret, fetched from the secret store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    /// Name of the secret; key in the Kubernetes Secret. For example `github-token`.
    #[schemars(regex(pattern = r"^[-._a-zA-Z0-9]+$"), length(max = 253))]
    pub name: String,

    /// Key in what the secret store reads, such as AWS Secrets Manager: `mcp/github/token`.
    /// Required unless the secret is optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub key: Option<String>,

    /// Property inside the secret's value, if that is a JSON document: `token`. Default: the whole
    /// value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub property: Option<String>,

    /// The server also starts without it. Default: false.
    #[serde(default)]
    pub optional: bool,

    /// Environment variable that carries it. Default: the name in upper case with underscores,
    /// `github-token` becomes `GITHUB_TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub env_var: Option<String>,
}
