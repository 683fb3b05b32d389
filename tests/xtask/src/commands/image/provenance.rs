//! How an image was made: a statement of in-toto with SLSA's provenance, as a file that can be signed and attached.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use mcp_cluster::capture;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What the sources are.
pub(super) struct Revision {
    commit: Option<String>,
    /// Whether something is not committed.
    pub(super) is_changed: bool,
    /// `SOURCE_DATE_EPOCH`, else the time of the commit: what is made carries no other time.
    pub(super) seconds: i64,
}

/// What is said something about.
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    /// Of the image's manifest.
    pub(super) digest: &'a str,
    pub(super) archive: &'a Path,
    pub(super) sbom: &'a Path,
}

impl Revision {
    pub(super) fn of(checkout: &Path) -> Result<Self> {
        let git = |arguments: &[&str]| {
            let answer = capture(Command::new("git").current_dir(checkout).args(arguments)).ok()?;
            Some(answer.trim().to_owned())
        };
        // A tree without git, such as an archive of the sources, has no revision.
        let commit = git(&["rev-parse", "HEAD"]);
        let changes = git(&["status", "--porcelain", "--untracked-files=no"]);
        let seconds = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(seconds) => Some(seconds),
            Err(_) => git(&["log", "-1", "--format=%ct"]),
        };
        let seconds = seconds.as_deref().unwrap_or("0").parse();
        Ok(Self {
            commit,
            is_changed: changes.is_none_or(|changes| !changes.is_empty()),
            seconds: seconds.context("SOURCE_DATE_EPOCH is no number of seconds")?,
        })
    }

    /// The commit, if that says everything.
    pub(super) fn clean_commit(&self) -> Option<&str> {
        self.commit.as_deref().filter(|_| !self.is_changed)
    }
}

/// Writes the statement. It has no times of its own: the same sources make the same statement.
pub(super) fn write(
    checkout: &Path,
    revision: &Revision,
    subject: &Subject,
    output: &Path,
) -> Result<()> {
    let rustc = capture(Command::new("rustc").current_dir(checkout).arg("--version"))?;
    let version = rustc.split_whitespace().nth(1);
    let mut dependencies = vec![
        json!({ "uri": format!("pkg:generic/rustc@{}", version.unwrap_or_default()) }),
        file(checkout, "Cargo.lock")?,
        file(checkout, "plugins/Cargo.lock")?,
        file(checkout, "rust-toolchain.toml")?,
    ];
    if let Some(commit) = revision.clean_commit() {
        dependencies.push(json!({ "name": "sources", "digest": { "gitCommit": commit } }));
    }
    let digest = subject.digest.trim_start_matches("sha256:");
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            { "name": subject.name, "digest": { "sha256": digest } },
            described(subject.archive)?,
            described(subject.sbom)?,
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://mcp.litellm.ai/builds/cargo-xtask-image/v1",
                "externalParameters": { "name": subject.name, "profile": "release" },
                "internalParameters": {
                    "SOURCE_DATE_EPOCH": revision.seconds, "sourcesChanged": revision.is_changed,
                },
                "resolvedDependencies": dependencies,
            },
            "runDetails": { "builder": { "id": "https://mcp.litellm.ai/builders/checkout" } },
        },
    });
    let text = serde_json::to_string_pretty(&statement)? + "\n";
    std::fs::write(output, text).with_context(|| format!("cannot write {}", output.display()))
}

fn file(checkout: &Path, name: &str) -> Result<Value> {
    let described = described(&checkout.join(name))?;
    Ok(json!({ "name": name, "digest": described["digest"] }))
}

fn described(file: &Path) -> Result<Value> {
    let content = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let digest = hex::encode(Sha256::digest(content));
    Ok(json!({ "name": name, "digest": { "sha256": digest } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_names_what_it_is_about() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [
            "Cargo.lock",
            "rust-toolchain.toml",
            "image.tar",
            "sbom.json",
        ] {
            std::fs::write(at(name), name).unwrap();
        }
        std::fs::create_dir(at("plugins")).unwrap();
        std::fs::write(at("plugins/Cargo.lock"), "").unwrap();
        let revision = Revision {
            commit: Some("c0ffee".into()),
            is_changed: false,
            seconds: 7,
        };
        let subject = Subject {
            name: "x:1",
            digest: "sha256:abc",
            archive: &at("image.tar"),
            sbom: &at("sbom.json"),
        };
        let output = at("out.json");
        write(folder.path(), &revision, &subject, &output).unwrap();
        let statement: Value = serde_json::from_slice(&std::fs::read(&output).unwrap()).unwrap();
        assert_eq!(statement["subject"][0]["digest"]["sha256"], "abc");
        assert_eq!(statement["subject"][1]["name"], "image.tar");
        let made_of = &statement["predicate"]["buildDefinition"]["resolvedDependencies"];
        assert!(
            made_of[0]["uri"]
                .as_str()
                .unwrap()
                .starts_with("pkg:generic/rustc@1.")
        );
        assert_eq!(made_of[4]["digest"]["gitCommit"], "c0ffee");
    }

    /// What is not committed cannot be found again by a commit.
    #[test]
    fn changed_sources_have_no_commit() {
        let revision = Revision {
            commit: Some("c0ffee".into()),
            is_changed: true,
            seconds: 0,
        };
        assert_eq!(revision.clean_commit(), None);
    }
}
