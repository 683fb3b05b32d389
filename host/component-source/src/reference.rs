//! Names of artifacts in registries.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

use crate::address;
use crate::digest::Digest;

/// Longest name of a repository, by the specification of registries.
const LONGEST_REPOSITORY: usize = 255;
const LONGEST_TAG: usize = 128;

/// `registry/repository:tag`, `registry/repository@sha256:...`, or with both, where the digest decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Host, and a port where it is not the usual one.
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Host of the registry, with its port if one is named.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Name in the registry, without tag and digest.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// What the registry is asked for: the digest if there is one.
    pub(crate) fn version(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.clone().unwrap_or_default(),
        }
    }

    /// The digest that it is pinned to.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The tag, where one is named.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The same artifact by its digest alone.
    pub fn pinned(&self, digest: Digest) -> String {
        format!("{}/{}@{digest}", self.registry, self.repository)
    }

    /// Whether the registry is named by an address of this machine.
    pub fn is_loopback(&self) -> bool {
        let url = Url::parse(&format!("https://{}", self.registry));
        url.is_ok_and(|url| address::is_loopback_name(&url))
    }

    /// The host that answers for the registry: that of Docker Hub has another name.
    pub(crate) fn api_host(&self) -> &str {
        match self.registry.as_str() {
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            other => other,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix("oci://").unwrap_or(text);
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse::<Digest>()?)),
            None => (text, None),
        };
        let (registry, path) = name.split_once('/').filter(|(registry, _)| is_registry(registry)).ok_or(
            "it must begin with the host of a registry, as in ghcr.io/acme/rule:1.0.0; Docker Hub is docker.io",
        )?;
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None => (path, None),
        };
        if repository.len() > LONGEST_REPOSITORY || !repository.split('/').all(is_component) {
            return Err("its repository must be of lower-case letters, digits and separators (. _ -), in parts between /".to_owned());
        }
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(format!(
                "its tag must be of at most {LONGEST_TAG} letters, digits and separators (. _ -), and begin with no separator but _"
            ));
        }
        if tag.is_none() && digest.is_none() {
            return Err("it must have a tag or a digest, as in ghcr.io/acme/rule:1.0.0".to_owned());
        }
        let is_hub = matches!(registry, "docker.io" | "index.docker.io");
        let repository = if is_hub && !repository.contains('/') {
            format!("library/{repository}")
        } else {
            repository.to_owned()
        };
        Ok(Self {
            registry: registry.to_owned(),
            repository,
            tag,
            digest,
        })
    }
}

/// Whether this can only be a host: other programs take `acme/rule` as a name at Docker Hub.
fn is_registry(text: &str) -> bool {
    let looks_like_host = text.contains(['.', ':']) || text == "localhost";
    let url = Url::parse(&format!("https://{text}/"));
    // What a browser would read as another host, or with a user or a path, is none.
    let is_plain = url.is_ok_and(|url| {
        let host = url.host_str().unwrap_or_default();
        let port = url.port().map(|port| format!(":{port}"));
        let usual = format!("{host}:443");
        text == format!("{host}{}", port.unwrap_or_default()) || text == usual
    });
    looks_like_host && is_plain
}

fn is_component(part: &str) -> bool {
    let is_letter = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let bytes = part.as_bytes();
    bytes.first().copied().is_some_and(is_letter)
        && bytes.last().copied().is_some_and(is_letter)
        && bytes
            .iter()
            .all(|letter| is_letter(*letter) || matches!(letter, b'.' | b'_' | b'-'))
}

fn is_tag(tag: &str) -> bool {
    let is_letter = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'_';
    tag.len() <= LONGEST_TAG
        && tag.bytes().next().is_some_and(is_letter)
        && tag
            .bytes()
            .all(|letter| is_letter(letter) || matches!(letter, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_reference_is_read_as_other_programs_read_it() {
        for (text, registry, repository, version) in [
            (
                "ghcr.io/acme/rules/team:1.0.0",
                "ghcr.io",
                "acme/rules/team",
                "1.0.0",
            ),
            ("oci://ghcr.io/acme/rule:v1", "ghcr.io", "acme/rule", "v1"),
            (
                "registry.acme.io:5000/rule:1",
                "registry.acme.io:5000",
                "rule",
                "1",
            ),
            ("localhost/rule:1", "localhost", "rule", "1"),
            ("127.0.0.1:5000/rule:1", "127.0.0.1:5000", "rule", "1"),
            ("[::1]:5000/rule:1", "[::1]:5000", "rule", "1"),
            ("docker.io/rule:1", "docker.io", "library/rule", "1"),
            ("docker.io/acme/rule:1", "docker.io", "acme/rule", "1"),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.registry(), registry);
            assert_eq!(reference.repository(), repository);
            assert_eq!(reference.version(), version);
        }
        let both: Reference = format!("ghcr.io/acme/rule:1@{DIGEST}").parse().unwrap();
        assert_eq!((both.version().as_str(), both.tag()), (DIGEST, Some("1")));
        assert_eq!(
            both.pinned(both.digest().unwrap()),
            format!("ghcr.io/acme/rule@{DIGEST}")
        );
        assert_eq!(both.to_string(), format!("ghcr.io/acme/rule:1@{DIGEST}"));
        assert_eq!(
            "docker.io/a:1".parse::<Reference>().unwrap().api_host(),
            "registry-1.docker.io"
        );
    }

    #[test]
    fn what_is_no_reference_says_what_is_missing() {
        for (text, said) in [
            ("acme/rule:1", "begin with the host of a registry"),
            ("rule:1", "begin with the host of a registry"),
            (
                "https://ghcr.io/rule:1",
                "begin with the host of a registry",
            ),
            ("user@ghcr.io/rule:1", "a digest is sha256:"),
            ("ghcr.io\\@evil.test/rule:1", "a digest is sha256:"),
            ("0x7f.1/rule:1", "begin with the host of a registry"),
            ("ghcr.io/Rule:1", "its repository must be"),
            ("ghcr.io/../rule:1", "its repository must be"),
            ("ghcr.io/a//b:1", "its repository must be"),
            ("ghcr.io/a?b:1", "its repository must be"),
            ("ghcr.io/rule:-1", "its tag must be"),
            ("ghcr.io/rule:a/b", "its tag must be"),
            ("ghcr.io/rule", "a tag or a digest"),
            ("ghcr.io/rule@sha512:00", "a digest is sha256:"),
            ("ghcr.io/rule@sha256:00", "a digest is sha256:"),
        ] {
            let error = text.parse::<Reference>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
