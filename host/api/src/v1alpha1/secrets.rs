//! Secrets and the identity that pods have in AWS.

use serde::{Deserialize, Serialize};

/// One secret, fetched from the secret store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    /// Name of the secret; key in the Kubernetes Secret. For example `github-token`.
    #[cfg_attr(
        feature = "crd",
        schemars(regex(pattern = r"^[-._a-zA-Z0-9]+$"), length(max = 253))
    )]
    pub name: String,

    /// Key in AWS Secrets Manager (or in whatever the secret store reads): `mcp/github/token`.
    /// Required unless the secret is optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(max = 512)))]
    pub aws_secret_key: Option<String>,

    /// Property inside the secret's value, if that is a JSON document: `token`. Default: the whole
    /// value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(max = 256)))]
    pub property: Option<String>,

    /// The server also starts without it. Default: false.
    #[serde(default)]
    pub optional: bool,

    /// Environment variable that carries it. Default: the name in upper case with underscores,
    /// `github-token` becomes `GITHUB_TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 256), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))
    )]
    pub env_var: Option<String>,
}

/// Where secrets come from: a store of External Secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SecretStore {
    /// Name of the store. Default: the operator's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(max = 253)))]
    pub name: Option<String>,

    /// `ClusterSecretStore` or `SecretStore`. Default: the operator's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 18), regex(pattern = "^(Cluster)?SecretStore$"))
    )]
    pub kind: Option<String>,

    /// How often the store is asked, for example `1h` (there is no unit for days). Default: the operator's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "crd",
        schemars(
            length(max = 32),
            regex(pattern = r"^(0|([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+)$")
        )
    )]
    pub refresh_interval: Option<String>,
}

/// Identity in AWS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Aws {
    /// IAM role that the pods assume (IRSA): `arn:aws:iam::123456789012:role/mcp-github`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "crd",
        schemars(
            length(max = 2048),
            regex(pattern = r"^arn:aws[a-z-]*:iam::[^:]+:role/.+$")
        )
    )]
    pub iam_role: Option<String>,
}
