//! What a connection authenticates with.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use mcp_operator_api::v1alpha1::SecretKeyReference;
use reqwest::header::HeaderValue;

/// A credential, as bytes that no formatting shows.
pub(super) struct Credential {
    /// The token itself: what must not be seen in an answer.
    pub(super) token: String,
    /// `Bearer <token>`, marked as sensitive.
    pub(super) header: HeaderValue,
}

impl Credential {
    /// Reads it.
    pub(super) async fn read(
        client: &kube::Client,
        named: &SecretKeyReference,
    ) -> Result<Self, String> {
        let SecretKeyReference {
            namespace,
            name,
            key,
        } = named;
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let found = api.get_opt(name).await.map_err(|error| match error {
            kube::Error::Api(status) => {
                format!("cannot read Secret {namespace}/{name}: {}", status.message)
            }
            other => format!("cannot read Secret {namespace}/{name}: {other}"),
        })?;
        let data = found
            .ok_or_else(|| {
                format!(
                    "there is no Secret {namespace}/{name}: create it, or correct spec.connections"
                )
            })?
            .data
            .unwrap_or_default();
        let bytes = data
            .get(key)
            .ok_or_else(|| format!("Secret {namespace}/{name} has no key {key}"))?;
        let unusable = || {
            format!(
                "key {key} of Secret {namespace}/{name} is no bearer token: it must be one line of ASCII"
            )
        };
        // A file that was made by an editor ends with a line break.
        let token = std::str::from_utf8(&bytes.0)
            .map_err(|_| unusable())?
            .trim()
            .to_owned();
        if token.is_empty() {
            return Err(unusable());
        }
        let mut header =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| unusable())?;
        header.set_sensitive(true);
        Ok(Self { token, header })
    }
}
