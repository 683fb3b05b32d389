//! Where the components of plugins come from, and who must have signed them.

use serde::{Deserialize, Serialize};

use super::ConnectionSecretKey;

/// Where a component comes from. Exactly one of `builtin`, `file`, `configMap`, `oci` and `url` must be given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
#[cfg_attr(
    feature = "crd",
    x_kube(validation = kube::core::Rule::new(
        "[has(self.builtin), has(self.file), has(self.configMap), has(self.oci), has(self.url)].filter(x, x).size() == 1")
        .message("exactly one of builtin, file, configMap, oci and url must be given")),
    x_kube(validation = kube::core::Rule::new(
        "has(self.oci) || has(self.url) || (!has(self.caBundle) && !has(self.caConfigMap))")
        .message("caBundle and caConfigMap are for oci and url")),
    x_kube(validation = kube::core::Rule::new("!(has(self.caBundle) && has(self.caConfigMap))")
        .message("only one of caBundle and caConfigMap can be given")),
    x_kube(validation = kube::core::Rule::new("!(has(self.builtin) && has(self.verify))")
        .message("verify is for what comes from outside of the operator's image")),
)]
#[serde(rename_all = "camelCase")]
pub struct PluginSource {
    /// Name of a plugin that comes with the operator: `validation`, `compliance`, `tenancy`, `cel`,
    /// `rego`, `litellm-configmap`, `litellm-admin-api`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))
    )]
    pub builtin: Option<String>,

    /// Path of a file in the operator's container: `/extra-plugins/rule.wasm`. It is looked at every
    /// five seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(max = 4096)))]
    pub file: Option<String>,

    /// A key of a ConfigMap: `{namespace: mcp-operator-system, name: rule}`. A ConfigMap holds at
    /// most 1 MiB. One that is not in the operator's namespace must be pinned by `sha256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapSource>,

    /// An artifact of an OCI registry: `{reference: "ghcr.io/acme/rules/team-label:1.2.0"}`. What a tag
    /// stands for is looked at again every few minutes; a registry that does not answer changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci: Option<OciSource>,

    /// HTTPS URL of a component: `https://rules.acme.io/team-label-1.2.0.wasm`. It is looked at again every
    /// few minutes, unless `sha256` pins it. A redirect to another host is followed only with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 2048), regex(pattern = "^https://[^/].*$"))
    )]
    pub url: Option<String>,

    /// Certificate authorities of the registry or server, in PEM. Default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(max = 262_144)))]
    pub ca_bundle: Option<String>,

    /// The same from a ConfigMap of the operator's namespace: `{name: company-ca, key: ca.crt}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_config_map: Option<ConfigMapKey>,

    /// By whom the component must be signed. Default: by nobody, unless the operator runs with
    /// `--require-signatures`, whose keys it must be signed by in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<SourceVerification>,
}

/// A key of a ConfigMap that holds a component (`kubectl create configmap NAME --from-file=rule.wasm`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapSource {
    /// Namespace of the ConfigMap.
    #[cfg_attr(feature = "crd", schemars(length(max = 63)))]
    pub namespace: String,
    /// Name of the ConfigMap.
    #[cfg_attr(feature = "crd", schemars(length(max = 253)))]
    pub name: String,
    /// Key, for example `plugin.wasm`. Default: the only key there is, besides one with `.sig` after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(max = 253)))]
    pub key: Option<String>,
}

/// An artifact of an OCI registry that holds a component in one layer, as `mcp-operator plugin push`, `wkg oci push` and
/// `oras push` make it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OciSource {
    /// Registry, name, and tag or digest: `ghcr.io/acme/rules/team-label:1.2.0`, or with
    /// `@sha256:...`. With both, the digest decides.
    #[cfg_attr(feature = "crd", schemars(length(min = 1, max = 1024)))]
    pub reference: String,

    /// Name of a Secret of the type `kubernetes.io/dockerconfigjson` in the operator's namespace, with
    /// the credentials for the registry. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(min = 1, max = 253)))]
    pub pull_secret: Option<String>,

    /// HTTP without TLS: only for a registry at the operator's own address, such as
    /// `localhost:5000`. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain_http: bool,
}

/// A key of a ConfigMap in the operator's own namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub struct ConfigMapKey {
    /// Name of the ConfigMap.
    #[cfg_attr(feature = "crd", schemars(length(max = 253)))]
    pub name: String,
    /// Key in its data.
    #[cfg_attr(feature = "crd", schemars(length(max = 253)))]
    pub key: String,
}

/// By whom a component must be signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SourceVerification {
    /// Keys of which one must have signed; an old one and a new one stand side by side while one
    /// takes the place of the other. An artifact of a registry is signed by `cosign sign --key` or
    /// `mcp-operator plugin push --sign`; for anything else, the signature lies beside it with
    /// `.sig` after its name.
    #[cfg_attr(feature = "crd", schemars(length(min = 1, max = 16)))]
    pub public_keys: Vec<PublicKeySource>,
}

/// A public key in PEM, or several: ECDSA on P-256, as `cosign generate-key-pair` makes it, or Ed25519.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
#[cfg_attr(
    feature = "crd",
    x_kube(validation = kube::core::Rule::new(
        "[has(self.pem), has(self.secretKeyRef), has(self.configMapKeyRef)].filter(x, x).size() == 1")
        .message("exactly one of pem, secretKeyRef and configMapKeyRef must be given"))
)]
#[serde(rename_all = "camelCase")]
pub struct PublicKeySource {
    /// The text itself: `-----BEGIN PUBLIC KEY-----`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(max = 16_384)))]
    pub pem: Option<String>,
    /// A key of a Secret of the operator's namespace: `{name: cosign, key: cosign.pub}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<ConnectionSecretKey>,
    /// A key of a ConfigMap of the operator's namespace: `{name: rule-signers, key: acme.pub}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKey>,
}
