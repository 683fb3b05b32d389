//! cosign itself: it signs artifacts by a key, and says who has signed them. Nobody is asked but the registry.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cache::{Cache, make_folder, remove_folder};
use crate::command::capture;
use crate::oci_registry::OciRegistry;
use crate::tools::signing_tools;

/// The program, as a user of a registry has it.
#[derive(Debug, Clone)]
pub struct Cosign {
    program: PathBuf,
    /// Where keys are, and what it keeps.
    folder: PathBuf,
    authority: PathBuf,
}

/// Where a signature is put in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureLayout {
    /// A bundle that refers to the artifact: what cosign does since version 3.
    Bundle,
    /// Under a tag that is made of the artifact's digest: what it did before.
    Tag,
}

/// A pair of keys that cosign has made; the private one is encrypted.
#[derive(Debug, Clone)]
pub struct CosignKey {
    /// File of the private key.
    pub private: PathBuf,
    /// File of the public key.
    pub public: PathBuf,
}

impl Cosign {
    /// Builds it, unless it is there; it has no keys yet.
    ///
    /// # Errors
    /// When Go is missing, or its modules cannot be downloaded.
    pub fn build(cache: &Cache, registry: &OciRegistry, folder: &Path) -> Result<Self> {
        // It makes no key over one of a run before.
        remove_folder(folder)?;
        make_folder(folder)?;
        Ok(Self {
            program: signing_tools(cache)?.path("cosign"),
            folder: folder.to_owned(),
            authority: registry.ca_file(),
        })
    }

    /// `cosign generate-key-pair`
    ///
    /// # Errors
    /// When it fails.
    pub fn generate_key(&self, name: &str) -> Result<CosignKey> {
        let prefix = self.folder.join(name);
        let mut command = self.command("generate-key-pair");
        command.arg("--output-key-prefix").arg(&prefix);
        capture(&mut command)?;
        Ok(CosignKey {
            private: prefix.with_extension("key"),
            public: prefix.with_extension("pub"),
        })
    }

    /// `cosign sign --key`, without a public log.
    ///
    /// # Errors
    /// When it fails.
    pub fn sign(&self, key: &CosignKey, reference: &str, layout: SignatureLayout) -> Result<()> {
        let mut command = self.at_registry("sign");
        let is_bundle = layout == SignatureLayout::Bundle;
        command
            .args(["--yes", "--tlog-upload=false", "--use-signing-config=false"])
            .arg(format!("--new-bundle-format={is_bundle}"))
            .arg("--key")
            .arg(&key.private)
            .arg(reference);
        capture(&mut command).map(drop)
    }

    /// `cosign verify --key`, without a public log: what it says of the signatures, in whatever layout they are.
    ///
    /// # Errors
    /// When none is by this key.
    pub fn verify(&self, public: &Path, reference: &str) -> Result<String> {
        let mut command = self.at_registry("verify");
        command
            .args(["--insecure-ignore-tlog", "--key"])
            .arg(public)
            .arg(reference);
        capture(&mut command)
    }

    fn at_registry(&self, subcommand: &str) -> Command {
        let mut command = self.command(subcommand);
        command
            .args(["--registry-username", OciRegistry::USER])
            .args(["--registry-password", OciRegistry::PASSWORD])
            .arg("--registry-cacert")
            .arg(&self.authority);
        command
    }

    /// Nothing of the user who runs it is used.
    fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg(subcommand)
            .env_clear()
            .env("HOME", &self.folder)
            .env("COSIGN_PASSWORD", "of-the-key")
            .current_dir(&self.folder);
        command
    }
}
