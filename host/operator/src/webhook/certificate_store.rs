//! Where the webhook's certificates are kept: in a Secret that all replicas share, or with this process.

use anyhow::{Result, bail};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::field_managers;
use mcp_operator_api::names::installation::WEBHOOK_SECRET as SECRET;
use mcp_operator_runtime::{obtain_shared_secret, request};

use super::certificate::KeyPairPem;
use super::rotation::Certificates;

/// What cert-manager writes on the Secrets that are its own.
const CERT_MANAGER: &str = "cert-manager.io/certificate-name";
const END: &str = "-----END CERTIFICATE-----\n";

const AUTHORITIES: &str = "ca.crt";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const NEXT_CERTIFICATE: &str = "next.crt";
const NEXT_KEY: &str = "next.key";

/// Where certificates are kept.
pub(super) enum CertificateStore {
    /// The Secret, in the operator's namespace.
    Shared { client: Client, namespace: String },
    /// Only here: for an address that is this process' own.
    Own,
}

/// What is kept, and which version of it.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// Nothing, if it cannot be read.
    pub(super) certificates: Option<Certificates>,
    version: Option<String>,
}

impl Stored {
    fn own(certificates: Certificates) -> Self {
        Self {
            certificates: Some(certificates),
            version: None,
        }
    }

    fn of(secret: &Secret) -> Result<Self> {
        if secret.annotations().contains_key(CERT_MANAGER) {
            bail!(
                "Secret {SECRET} is cert-manager's: mount it, and name the folder with --webhook-cert-dir"
            );
        }
        Ok(Self {
            certificates: read(secret),
            version: secret.resource_version(),
        })
    }
}

impl CertificateStore {
    /// What is kept; what `make` gives if there is nothing yet.
    ///
    /// # Errors
    /// When the Secret can be neither read nor made, or is somebody else's.
    pub(super) async fn obtain(&self, make: impl Fn() -> Result<Certificates>) -> Result<Stored> {
        match self {
            Self::Own => make().map(Stored::own),
            Self::Shared { client, namespace } => {
                let make = || make().map(|new| secret(&new));
                let found = obtain_shared_secret(client, namespace, SECRET, make).await?;
                Stored::of(&found)
            }
        }
    }

    /// Keeps these in the place of what was read, and gives what is kept then: of several replicas that do so at the same
    /// time one succeeds, and the others get what that has written.
    ///
    /// # Errors
    /// When the Secret cannot be written.
    pub(super) async fn replace(&self, old: &Stored, new: Certificates) -> Result<Stored> {
        match self {
            Self::Own => Ok(Stored::own(new)),
            Self::Shared { client, namespace } => {
                let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
                let mut secret = secret(&new);
                secret.metadata.resource_version.clone_from(&old.version);
                let params = PostParams {
                    field_manager: Some(field_managers::WEBHOOK.into()),
                    ..PostParams::default()
                };
                let action = || format!("update Secret {namespace}/{SECRET}");
                match request(action, api.replace(SECRET, &params, &secret)).await {
                    Ok(answer) => Stored::of(&answer),
                    Err(error) if error.is_conflict() => self.obtain(|| Ok(new.clone())).await,
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}

fn secret(certificates: &Certificates) -> Secret {
    let (serving, next) = (&certificates.serving, certificates.next.as_ref());
    let texts = [
        (AUTHORITIES, Some(certificates.trusted())),
        (CERTIFICATE, Some(serving.certificate.clone())),
        (KEY, Some(serving.key.clone())),
        (NEXT_CERTIFICATE, next.map(|next| next.certificate.clone())),
        (NEXT_KEY, next.map(|next| next.key.clone())),
    ];
    let data = texts
        .into_iter()
        .filter_map(|(key, text)| Some((key.to_owned(), ByteString(text?.into_bytes()))));
    Secret {
        metadata: ObjectMeta {
            name: Some(SECRET.into()),
            ..ObjectMeta::default()
        },
        type_: Some("kubernetes.io/tls".into()),
        data: Some(data.collect()),
        ..Secret::default()
    }
}

fn read(secret: &Secret) -> Option<Certificates> {
    let data = secret.data.as_ref()?;
    let text = |key: &str| {
        let ByteString(bytes) = data.get(key)?;
        String::from_utf8(bytes.clone()).ok()
    };
    let pair = |certificate: &str, key: &str| {
        Some(KeyPairPem {
            certificate: text(certificate)?,
            key: text(key)?,
        })
    };
    let authorities = text(AUTHORITIES)?;
    Some(Certificates {
        authorities: authorities
            .split_inclusive(END)
            .map(str::to_owned)
            .collect(),
        serving: pair(CERTIFICATE, KEY)?,
        next: pair(NEXT_CERTIFICATE, NEXT_KEY),
    })
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::super::rotation::Policy;
    use super::*;

    #[test]
    fn a_secret_holds_all_of_it() {
        let policy = Policy {
            names: vec!["a".into()],
            lifetime: SignedDuration::from_hours(3),
        };
        let first = Certificates::new(&policy, Timestamp::now()).unwrap();
        assert_eq!(read(&secret(&first)), Some(first.clone()));
        let later = Timestamp::now() + SignedDuration::from_hours(2);
        let published = first
            .step(&policy, true, later)
            .unwrap()
            .unwrap()
            .certificates;
        assert_eq!(published.authorities.len(), 2);
        assert_eq!(read(&secret(&published)), Some(published));
        assert_eq!(read(&Secret::default()), None);
    }

    #[test]
    fn a_secret_of_cert_manager_is_left_to_it() {
        let mut secret = Secret::default();
        secret
            .annotations_mut()
            .insert(CERT_MANAGER.into(), "webhook".into());
        let error = Stored::of(&secret).unwrap_err().to_string();
        assert!(error.contains("--webhook-cert-dir"), "{error}");
    }
}
