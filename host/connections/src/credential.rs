//! What a connection authenticates with.

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Secret;
use mcp_operator_api::v1alpha1::ConnectionSecretKey;
use reqwest::header::HeaderValue;
use thiserror::Error;

/// Finds the Secrets that hold credentials: those of the operator's own namespace.
pub trait SecretLookup: Send + Sync {
    /// The namespace that is looked in.
    fn namespace(&self) -> &str;

    /// The Secret; nothing if it is not there.
    ///
    /// # Errors
    /// Why nobody can say whether it is there, as one sentence.
    fn secret<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>>;
}

/// Why a credential cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CredentialError {
    /// Nobody can say whether the Secret is there.
    #[error("{0}")]
    Unreadable(String),
    #[error(
        "there is no Secret {name} in the operator's namespace {namespace}: create it there, or correct spec.connections"
    )]
    NoSecret { namespace: String, name: String },
    #[error("Secret {namespace}/{name} has no key {key}")]
    NoKey {
        namespace: String,
        name: String,
        key: String,
    },
    #[error(
        "key {key} of Secret {namespace}/{name} is no bearer token: it must be one line of ASCII"
    )]
    NotAToken {
        namespace: String,
        name: String,
        key: String,
    },
}

/// A credential. It has no `Debug` and no `Display`: nothing can show it.
#[derive(Clone)]
pub(crate) struct Credential {
    /// The token itself: what must not be seen in an answer.
    pub(crate) token: String,
    /// `Bearer <token>`, marked as sensitive.
    pub(crate) header: HeaderValue,
}

impl Credential {
    pub(crate) async fn read(
        secrets: &dyn SecretLookup,
        reference: &ConnectionSecretKey,
    ) -> Result<Self, CredentialError> {
        let ConnectionSecretKey { name, key } = reference.clone();
        let namespace = secrets.namespace().to_owned();
        let found = secrets.secret(&name).await;
        let Some(secret) = found.map_err(CredentialError::Unreadable)? else {
            return Err(CredentialError::NoSecret { namespace, name });
        };
        match secret.data.unwrap_or_default().get(&key) {
            None => Err(CredentialError::NoKey {
                namespace,
                name,
                key,
            }),
            Some(bytes) => Self::from_bytes(&bytes.0).ok_or(CredentialError::NotAToken {
                namespace,
                name,
                key,
            }),
        }
    }

    /// The token that these bytes hold; nothing if they hold none.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        // A file that was made by an editor ends with a line break.
        let token = std::str::from_utf8(bytes).ok()?.trim().to_owned();
        if token.is_empty() {
            return None;
        }
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        header.set_sensitive(true);
        Some(Self { token, header })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use k8s_openapi::ByteString;

    use super::*;

    /// What a lookup answers, whatever it is asked.
    struct Answer(Result<Option<Secret>, String>);

    impl SecretLookup for Answer {
        fn namespace(&self) -> &'static str {
            "mcp-operator-system"
        }

        fn secret<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>> {
            futures::future::ready(self.0.clone()).boxed()
        }
    }

    fn secret(key: &str, value: &[u8]) -> Secret {
        let data = [(key.to_owned(), ByteString(value.to_vec()))];
        Secret {
            data: Some(data.into()),
            ..Secret::default()
        }
    }

    async fn read(answer: Result<Option<Secret>, String>) -> Result<Credential, CredentialError> {
        let reference = ConnectionSecretKey {
            name: "master".into(),
            key: "key".into(),
        };
        Credential::read(&Answer(answer), &reference).await
    }

    #[tokio::test]
    async fn a_token_may_end_with_a_line_break() {
        let credential = read(Ok(Some(secret("key", b"sk-1\n")))).await.ok().unwrap();
        assert_eq!(credential.token, "sk-1");
        assert_eq!(credential.header.to_str().unwrap(), "Bearer sk-1");
        assert!(credential.header.is_sensitive());
    }

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let forbidden = "cannot read Secret mcp-operator-system/master: forbidden";
        for (answer, expected) in [
            (Err(forbidden.to_owned()), forbidden),
            (
                Ok(None),
                "there is no Secret master in the operator's namespace mcp-operator-system: create it there, or correct spec.connections",
            ),
            (
                Ok(Some(secret("other", b"a"))),
                "Secret mcp-operator-system/master has no key key",
            ),
            (
                Ok(Some(secret("key", b" \n"))),
                "key key of Secret mcp-operator-system/master is no bearer token: it must be one line of ASCII",
            ),
            (
                Ok(Some(secret("key", b"two\nlines"))),
                "key key of Secret mcp-operator-system/master is no bearer token: it must be one line of ASCII",
            ),
            (
                Ok(Some(secret("key", b"\xff"))),
                "key key of Secret mcp-operator-system/master is no bearer token: it must be one line of ASCII",
            ),
        ] {
            let error = read(answer).await.err().unwrap();
            assert_eq!(error.to_string(), expected);
        }
    }
}
