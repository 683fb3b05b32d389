//! Credentials for registries, as Docker's configuration and Secrets of the type `kubernetes.io/dockerconfigjson` have them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use crate::reference::Reference;

/// What a registry is shown, if it asks. It has no `Debug` and no `Display`: nothing can show it.
#[derive(Clone, Default)]
pub enum Credentials {
    /// Nothing.
    #[default]
    Anonymous,
    /// A name and a password, or a token in its place.
    Password {
        /// The name.
        username: String,
        /// The password.
        password: String,
    },
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize)]
struct Auth {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default, rename = "auth")]
    encoded: String,
}

impl Credentials {
    /// Those of a registry, from the content of a Docker configuration.
    ///
    /// # Errors
    /// When it cannot be read, or has none for this registry. Nothing of its values is told.
    pub fn from_docker_config(config: &[u8], reference: &Reference) -> Result<Self, String> {
        let config: DockerConfig = serde_json::from_slice(config)
            .map_err(|_| "is no Docker configuration with auths in JSON".to_owned())?;
        let registry = normal(reference.registry());
        let name = format!("{registry}/{}", reference.repository());
        let matching = config.auths.iter().filter_map(|(key, auth)| {
            let key = normal(key);
            let is_for = name == key || name.starts_with(&format!("{key}/"));
            is_for.then_some((key.len(), auth))
        });
        // The closest one, as the kubelet takes it.
        let closest = matching.max_by_key(|(length, _)| *length);
        let Some((_, auth)) = closest else {
            let known: Vec<&str> = config.auths.keys().map(String::as_str).collect();
            let known = if known.is_empty() {
                "it has none".to_owned()
            } else {
                format!("it has some for {}", known.join(", "))
            };
            return Err(format!(
                "has no credentials for {}; {known}",
                reference.registry()
            ));
        };
        auth.credentials().ok_or_else(|| {
            format!(
                "has an entry for {} without username and password: credential helpers and identity tokens are not supported",
                reference.registry()
            )
        })
    }

    /// `Basic ...`, marked as sensitive.
    pub(crate) fn basic(&self) -> Option<HeaderValue> {
        let Self::Password { username, password } = self else {
            return None;
        };
        let encoded = STANDARD.encode(format!("{username}:{password}"));
        let mut header = HeaderValue::try_from(format!("Basic {encoded}")).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

impl Auth {
    fn credentials(&self) -> Option<Credentials> {
        if !self.username.is_empty() && !self.password.is_empty() {
            return Some(Credentials::Password {
                username: self.username.clone(),
                password: self.password.clone(),
            });
        }
        let decoded = STANDARD.decode(self.encoded.trim()).ok()?;
        let decoded = String::from_utf8(decoded).ok()?;
        // Docker pads some with zeros.
        let (username, password) = decoded.trim_end_matches('\0').split_once(':')?;
        let is_complete = !username.is_empty() && !password.is_empty();
        is_complete.then(|| Credentials::Password {
            username: username.to_owned(),
            password: password.to_owned(),
        })
    }
}

/// Keys are hosts, hosts with paths, or URLs of an API that is long gone.
fn normal(key: &str) -> String {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest);
    let key = key.trim_end_matches('/');
    let key = key
        .strip_suffix("/v1")
        .or_else(|| key.strip_suffix("/v2"))
        .unwrap_or(key);
    match key {
        "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(config: &str, reference: &str) -> Result<(String, String), String> {
        let reference = reference.parse().unwrap();
        match Credentials::from_docker_config(config.as_bytes(), &reference)? {
            Credentials::Anonymous => unreachable!(),
            Credentials::Password { username, password } => Ok((username, password)),
        }
    }

    #[test]
    fn the_closest_entry_is_taken() {
        let config = r#"{"auths": {
            "ghcr.io": {"username": "host", "password": "p"},
            "ghcr.io/acme": {"auth": "YWNtZTpwOnE="},
            "https://index.docker.io/v1/": {"username": "hub", "password": "p"},
            "empty.test": {"auth": ""},
            "helper.test": {"identitytoken": "t"}
        }}"#;
        let user = |reference| found(config, reference).unwrap().0;
        assert_eq!(user("ghcr.io/other/rule:1"), "host");
        assert_eq!(
            found(config, "ghcr.io/acme/rule:1").unwrap(),
            ("acme".into(), "p:q".into())
        );
        assert_eq!(user("ghcr.io/acmeother/rule:1"), "host");
        assert_eq!(user("docker.io/acme/rule:1"), "hub");
        assert_eq!(user("index.docker.io/acme/rule:1"), "hub");
        let error = found(config, "quay.io/acme/rule:1").unwrap_err();
        assert!(
            error.starts_with("has no credentials for quay.io; it has some for "),
            "{error}"
        );
        for host in ["empty.test", "helper.test"] {
            let error = found(config, &format!("{host}/rule:1")).unwrap_err();
            assert!(error.contains("without username and password"), "{error}");
        }
        let error = found("secret", "ghcr.io/rule:1").unwrap_err();
        assert_eq!(error, "is no Docker configuration with auths in JSON");
        assert_eq!(
            found("{}", "ghcr.io/rule:1").unwrap_err(),
            "has no credentials for ghcr.io; it has none"
        );
    }
}
