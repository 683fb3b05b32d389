//! Field paths in the notation of Kubernetes' own errors.

use std::fmt;

/// A field path: `spec.secrets[0].awsSecretKey`, `metadata.labels[team]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// A member of the object itself.
    pub fn new(member: &str) -> Self {
        Self(member.into())
    }

    /// A member of this field: `.member`.
    #[must_use]
    pub fn child(mut self, member: &str) -> Self {
        self.0.push('.');
        self.0.push_str(member);
        self
    }

    /// An item of this list: `[0]`.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.bracket(&index.to_string());
        self
    }

    /// An entry of this map: `[key]`.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.bracket(key);
        self
    }

    fn bracket(&mut self, inside: &str) {
        for part in ["[", inside, "]"] {
            self.0.push_str(part);
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn paths_read_as_those_of_kubernetes() {
        let secret = Path::new("spec")
            .child("secrets")
            .index(0)
            .child("awsSecretKey");
        assert_eq!(secret.to_string(), "spec.secrets[0].awsSecretKey");
        assert_eq!(
            Path::new("metadata")
                .child("labels")
                .key("team")
                .to_string(),
            "metadata.labels[team]"
        );
    }
}
