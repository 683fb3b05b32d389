//! What a source has now: what it is called and by whom it is signed, and its bytes, where they are needed.

use mcp_component_source::{
    Artifact, ComponentError, Credentials, Download, FETCH_LIMIT, LOOK_LIMIT, Reference, Registry,
    Transport, verify, verify_detached, within_limit,
};
use mcp_operator_api::v1alpha1::{ConfigMapKey, McpPluginSpec, OciSource, PluginSource};
use mcp_plugin_host::Digest;

use crate::loader::PluginLoader;
use crate::provenance::Provenance;
use crate::source::{self, Local, SourceError};

const OCI: &str = "spec.source.oci";
const URL: &str = "spec.source.url";
/// What Secrets of registries have.
const DOCKER_CONFIG: &str = ".dockerconfigjson";
const INVALID_PULL_SECRET: &str = "InvalidPullSecret";
const INVALID_AUTHORITIES: &str = "InvalidAuthorities";

/// A component that a source has, verified; the bytes of one in a registry are not fetched yet.
pub(crate) struct Found {
    pub(crate) digest: Digest,
    pub(crate) provenance: Provenance,
    content: Content,
}

enum Content {
    Here(Vec<u8>),
    InRegistry {
        registry: Box<Registry>,
        artifact: Artifact,
    },
}

impl Found {
    fn here(component: Vec<u8>, signed_by: Vec<String>) -> Self {
        Self {
            digest: Digest::of(&component),
            provenance: Provenance {
                resolved_reference: None,
                signed_by,
            },
            content: Content::Here(component),
        }
    }

    /// The component, of at most so many bytes.
    pub(crate) async fn bytes(self, limit: usize) -> Result<Vec<u8>, SourceError> {
        match self.content {
            Content::Here(component) => Ok(component),
            Content::InRegistry { registry, artifact } => {
                let fetch = registry.component(&artifact, limit);
                let fetched = within_limit(&artifact.pinned, FETCH_LIMIT, fetch).await;
                fetched.map_err(|error| SourceError::component(OCI, error))
            }
        }
    }
}

/// Whether what a source names may become something else without anybody changing the MCPPlugin, or telling the cluster.
pub fn may_move(spec: &McpPluginSpec) -> bool {
    let PluginSource { oci, url, .. } = &spec.source;
    let is_tag = |oci: &OciSource| {
        let reference = oci.reference.parse::<Reference>();
        reference.is_ok_and(|reference| reference.digest().is_none())
    };
    oci.as_ref().is_some_and(is_tag) || (url.is_some() && spec.sha256.is_none())
}

/// What is wrong with the reference of `spec.source.oci`, which no schema can say.
pub(crate) fn invalid_reference(oci: &OciSource) -> Option<(&'static str, String)> {
    match oci.reference.parse::<Reference>() {
        Err(reason) => Some(("spec.source.oci.reference", reason)),
        Ok(reference) if oci.plain_http && !reference.is_loopback() => Some((
            "spec.source.oci.plainHttp",
            format!(
                "only a registry at the operator's own address, such as localhost:5000, is asked without TLS, and not {}",
                reference.registry()
            ),
        )),
        Ok(_) => None,
    }
}

impl PluginLoader {
    /// What the source of an MCPPlugin has now.
    pub(crate) async fn find(&self, spec: &McpPluginSpec) -> Result<Found, SourceError> {
        let limit = self.host.max_component_bytes();
        match &spec.source {
            PluginSource {
                builtin: Some(name),
                ..
            } => {
                let component = source::read_builtin(&self.builtin, name, limit).await?;
                Ok(Found::here(component, Vec::new()))
            }
            PluginSource {
                file: Some(path), ..
            } => {
                let local = source::read_file(path, limit).await?;
                self.verified(spec, "spec.source.file", local).await
            }
            PluginSource {
                config_map: Some(named),
                ..
            } => {
                let local = source::read_config_map(&*self.maps, named).await?;
                self.verified(spec, "spec.source.configMap", local).await
            }
            PluginSource { oci: Some(oci), .. } => self.in_registry(spec, oci).await,
            PluginSource { url: Some(url), .. } => {
                let transport = self.transport(&spec.source, false).await?;
                let local =
                    within_limit(url, FETCH_LIMIT, self.download(spec, url, transport, limit))
                        .await;
                let local = local.map_err(|error| SourceError::component(URL, error))?;
                self.verified(spec, URL, local).await
            }
            _ => Err(SourceError::Nothing),
        }
    }

    async fn verified(
        &self,
        spec: &McpPluginSpec,
        field: &'static str,
        local: Local,
    ) -> Result<Found, SourceError> {
        let required = self.required_keys(spec).await?;
        let place = source::describe(&spec.source);
        let signature = local.signature.as_deref();
        let signed_by = verify_detached(&place, &local.component, signature, &required);
        let signed_by = signed_by.map_err(|error| SourceError::component(field, error))?;
        let signed_by = signed_by.iter().map(ToString::to_string).collect();
        Ok(Found::here(local.component, signed_by))
    }

    async fn download(
        &self,
        spec: &McpPluginSpec,
        url: &str,
        transport: Transport,
        limit: usize,
    ) -> Result<Local, ComponentError> {
        let download = Download::open(url, transport, spec.sha256.is_some())?;
        let component = download.component(limit).await?;
        let is_signed = spec.source.verify.is_some() || self.signature_keys.is_some();
        let signature = if is_signed {
            download.signature().await?
        } else {
            None
        };
        Ok(Local {
            component,
            signature,
        })
    }

    async fn in_registry(
        &self,
        spec: &McpPluginSpec,
        oci: &OciSource,
    ) -> Result<Found, SourceError> {
        let invalid = |reason| SourceError::Reference {
            field: "spec.source.oci.reference".to_owned(),
            reason,
            category: "InvalidSpec",
        };
        let reference: Reference = oci.reference.parse().map_err(invalid)?;
        let credentials = self.credentials(oci, &reference).await?;
        let transport = self.transport(&spec.source, oci.plain_http).await?;
        let required = self.required_keys(spec).await?;
        let look = async {
            let registry = Registry::open(&reference, credentials, transport)?;
            let artifact = registry.resolve().await?;
            let signed_by = verify(&registry, &artifact, &required).await?;
            Ok::<_, ComponentError>((registry, artifact, signed_by))
        };
        let found = within_limit(&oci.reference, LOOK_LIMIT, look).await;
        let (registry, artifact, signed_by) = found.map_err(|error| SourceError::Component {
            field: OCI,
            remedy: if SourceError::is_access_denied(&error) {
                match &oci.pull_secret {
                    None => "; name a Secret with some in spec.source.oci.pullSecret".to_owned(),
                    Some(name) => format!(
                        ": they are those of Secret {}/{name}",
                        self.secrets.namespace()
                    ),
                }
            } else {
                String::new()
            },
            error,
        })?;
        let digest = artifact.component.hex().parse();
        let digest = digest.map_err(|_| SourceError::Nothing)?;
        Ok(Found {
            digest,
            provenance: Provenance {
                resolved_reference: Some(artifact.pinned.clone()),
                signed_by: signed_by.iter().map(ToString::to_string).collect(),
            },
            content: Content::InRegistry {
                registry: Box::new(registry),
                artifact,
            },
        })
    }

    async fn credentials(
        &self,
        oci: &OciSource,
        reference: &Reference,
    ) -> Result<Credentials, SourceError> {
        let Some(name) = &oci.pull_secret else {
            return Ok(Credentials::Anonymous);
        };
        let field = "spec.source.oci.pullSecret";
        let config = self
            .secret_key(field, name, DOCKER_CONFIG, INVALID_PULL_SECRET)
            .await?;
        let credentials = Credentials::from_docker_config(&config, reference);
        credentials.map_err(|reason| SourceError::Reference {
            field: field.to_owned(),
            reason: format!("Secret {}/{name} {reason}", self.secrets.namespace()),
            category: INVALID_PULL_SECRET,
        })
    }

    async fn transport(
        &self,
        source: &PluginSource,
        plain_http: bool,
    ) -> Result<Transport, SourceError> {
        let authorities = match (&source.ca_bundle, &source.ca_config_map) {
            (Some(bundle), _) => Some(bundle.clone()),
            (None, Some(key)) => {
                let field = "spec.source.caConfigMap";
                let pem = self.config_map_key(field, key, INVALID_AUTHORITIES).await?;
                Some(String::from_utf8_lossy(&pem).into_owned())
            }
            (None, None) => None,
        };
        Ok(Transport {
            authorities,
            plain_http,
        })
    }

    /// A key of a Secret of the operator's namespace: whoever may create MCPPlugins could use those of others otherwise.
    pub(crate) async fn secret_key(
        &self,
        field: &str,
        name: &str,
        key: &str,
        category: &'static str,
    ) -> Result<Vec<u8>, SourceError> {
        let namespace = self.secrets.namespace();
        let failed = |reason: String, category| SourceError::Reference {
            field: field.to_owned(),
            reason,
            category,
        };
        let found = self.secrets.secret(name).await;
        let found = found.map_err(|reason| failed(reason, "SourceUnavailable"))?;
        let secret = found.ok_or_else(|| {
            failed(
                format!("there is no Secret {name} in the operator's namespace {namespace}"),
                category,
            )
        })?;
        let value = secret.data.unwrap_or_default().remove(key);
        let missing = || {
            failed(
                format!("Secret {namespace}/{name} has no key {key}"),
                category,
            )
        };
        value.map(|value| value.0).ok_or_else(missing)
    }

    /// A key of a ConfigMap of the operator's namespace.
    pub(crate) async fn config_map_key(
        &self,
        field: &str,
        reference: &ConfigMapKey,
        category: &'static str,
    ) -> Result<Vec<u8>, SourceError> {
        let failed = |reason: String, category| SourceError::Reference {
            field: field.to_owned(),
            reason,
            category,
        };
        let ConfigMapKey { name, key } = reference;
        let namespace = self.operator_namespace.as_deref().ok_or_else(|| {
            failed(
                format!("ConfigMap {name} is in the operator's namespace, which is not known without a cluster"),
                category,
            )
        })?;
        let found = self.maps.config_map(namespace, name).await;
        let found = found.map_err(|reason| {
            failed(
                format!("cannot read ConfigMap {namespace}/{name}: {reason}"),
                "SourceUnavailable",
            )
        })?;
        let map = found.ok_or_else(|| {
            failed(
                format!("there is no ConfigMap {name} in the operator's namespace {namespace}"),
                category,
            )
        })?;
        let text = map
            .data
            .unwrap_or_default()
            .remove(key)
            .map(String::into_bytes);
        let binary = || Some(map.binary_data.unwrap_or_default().remove(key)?.0);
        text.or_else(binary).ok_or_else(|| {
            failed(
                format!("ConfigMap {namespace}/{name} has no key {key}"),
                category,
            )
        })
    }
}
