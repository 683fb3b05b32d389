//! cert-manager itself: its controllers of Certificates and its cainjector, built from its Go module.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cache::{Cache, content_key, make_folder, read, repository, write};
use crate::command::{capture, run_logged};
use crate::kubectl::Kubectl;
use crate::machine;
use crate::process::Process;

const MODULE: &str = "github.com/cert-manager/cert-manager";
/// Its definitions, as files of the module.
const DEFINITIONS: [&str; 4] = [
    "cert-manager.io_certificaterequests.yaml",
    "cert-manager.io_certificates.yaml",
    "cert-manager.io_clusterissuers.yaml",
    "cert-manager.io_issuers.yaml",
];

/// The program of `tests/cert-manager`.
#[derive(Debug, Clone)]
pub struct CertManager {
    folder: PathBuf,
}

impl CertManager {
    /// Builds it, unless it is there.
    ///
    /// # Errors
    /// When Go is missing, or its modules cannot be downloaded.
    pub fn build(cache: &Cache) -> Result<Self> {
        let source = repository().join("tests/cert-manager");
        let files = ["go.mod", "go.sum", "main.go"].map(|file| read(&source.join(file)));
        let files = files.into_iter().collect::<Result<Vec<_>>>()?;
        let key = content_key(files.iter().map(Vec::as_slice));
        let folder = cache.root().join("go/cert-manager").join(key);
        let this = Self { folder };
        let _lock = cache.lock("cert-manager")?;
        if !this.program().is_file() {
            machine::ensure_go()?;
            make_folder(&this.folder)?;
            this.copy_definitions(&source)?;
            let unfinished = this.folder.join("unfinished");
            let mut command = Command::new("go");
            command
                .current_dir(source)
                .env("CGO_ENABLED", "0")
                .args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
                .arg(&unfinished);
            run_logged(&mut command, &this.folder.join("build.log"))?;
            std::fs::rename(unfinished, this.program()).context("cannot rename cert-manager")?;
        }
        Ok(this)
    }

    /// Starts it, with its definitions installed.
    ///
    /// # Errors
    /// When the cluster refuses them, or it cannot be started.
    pub fn start(&self, kubectl: &Kubectl, log: &Path) -> Result<Process> {
        for file in DEFINITIONS {
            let file = self.folder.join(file);
            let file = file.to_string_lossy();
            kubectl.run(&["apply", "--server-side", "--filename", &file])?;
        }
        kubectl.run(&[
            "wait",
            "--for=condition=Established",
            "crd/certificates.cert-manager.io",
            "crd/certificaterequests.cert-manager.io",
            "crd/issuers.cert-manager.io",
            "crd/clusterissuers.cert-manager.io",
        ])?;
        let kubeconfig = kubectl.kubeconfig();
        Process::start(
            &self.program(),
            |command| {
                command.arg("-kube").arg(kubeconfig);
            },
            log,
        )
    }

    fn program(&self) -> PathBuf {
        self.folder.join("cert-manager")
    }

    fn copy_definitions(&self, source: &Path) -> Result<()> {
        let mut list = Command::new("go");
        list.current_dir(source)
            .args(["list", "-mod=mod", "-m", "-f", "{{.Dir}}", MODULE]);
        let module = capture(&mut list)?;
        ensure!(!module.trim().is_empty(), "{MODULE} is not downloaded");
        for file in DEFINITIONS {
            let definition = Path::new(module.trim()).join("deploy/crds").join(file);
            write(&self.folder.join(file), read(&definition)?)?;
        }
        Ok(())
    }
}
