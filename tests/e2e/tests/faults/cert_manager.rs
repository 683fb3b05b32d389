//! cert-manager makes the webhook's certificate, and renews it while it is asked.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mcp_cluster::{Cache, CertManager, Kubectl, repository};
use mcp_e2e::{Operator, eventually};
use serde_json::{Value, json};

use crate::askers::Askers;
use crate::certificates::expirations;
use crate::world::World;

const NAMESPACE: &str = "mcp-operator-system";
const CERTIFICATE: &str = "mcp-operator-serving-cert";
const SECRET: &str = "webhook-server-cert";
/// Long: a busy machine is no error.
const SOON: Duration = Duration::from_mins(2);

/// Writes a Secret into a folder as the kubelet does: each content into a folder of its own, to which the link `..data` is
/// moved; the files are links through that one.
struct Mount {
    folder: PathBuf,
    written: Option<Value>,
    count: usize,
}

impl Mount {
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            written: None,
            count: 0,
        }
    }

    fn sync(&mut self, kubectl: &Kubectl) -> Result<()> {
        let secret = kubectl.json(&["get", "secret", SECRET, "--namespace", NAMESPACE])?;
        let data = &secret["data"];
        if self.written.as_ref() == Some(data) {
            return Ok(());
        }
        self.count += 1;
        let content = format!("..{}", self.count);
        fs::create_dir(self.folder.join(&content))?;
        for (name, value) in data.as_object().context("no data")? {
            let value = STANDARD.decode(value.as_str().unwrap_or_default())?;
            fs::write(self.folder.join(&content).join(name), value)?;
            let link = self.folder.join(name);
            if !link.is_symlink() {
                symlink(Path::new("..data").join(name), link)?;
            }
        }
        let new = self.folder.join("..data_tmp");
        symlink(&content, &new)?;
        fs::rename(new, self.folder.join("..data"))?;
        self.written = Some(data.clone());
        Ok(())
    }
}

/// Keeps a [`Mount`] in step until it is dropped.
struct Kubelet {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Kubelet {
    fn start(mut mount: Mount, kubectl: Kubectl) -> Self {
        let done = Arc::<AtomicBool>::default();
        let stop = done.clone();
        let thread = thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                // The next look is soon.
                let _ = mount.sync(&kubectl);
                thread::sleep(Duration::from_millis(500));
            }
        });
        Self {
            done,
            thread: Some(thread),
        }
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// The manifests of the component, for an address in the place of the Service.
fn install(kubectl: &Kubectl) -> Result<()> {
    let file = repository().join("deploy/components/cert-manager/certificate.yaml");
    kubectl.run(&["apply", "--filename", &file.to_string_lossy()])?;
    let addresses = json!({ "spec": { "ipAddresses": ["127.0.0.1"] } }).to_string();
    let patch = [
        "patch",
        "certificate",
        CERTIFICATE,
        "--namespace",
        NAMESPACE,
    ];
    kubectl.run(&[&patch[..], &["--type=merge", "--patch", &addresses]].concat())?;
    let from = format!("cert-manager.io/inject-ca-from={NAMESPACE}/{CERTIFICATE}");
    for kind in [
        "mutatingwebhookconfiguration",
        "validatingwebhookconfiguration",
    ] {
        kubectl.run(&["annotate", kind, "mcp-operator", &from])?;
    }
    Ok(())
}

/// The revision of a certificate that is ready, and is for the address.
fn revision(kubectl: &Kubectl) -> Result<i64> {
    let found = kubectl.json(&["get", "certificate", CERTIFICATE, "--namespace", NAMESPACE])?;
    let conditions = found["status"]["conditions"].as_array();
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready")
        .context("no condition Ready")?;
    let is_of = ready["observedGeneration"] == found["metadata"]["generation"];
    ensure!(is_of && ready["status"] == "True", "{ready}");
    let revision = found["status"]["revision"].as_i64();
    revision.ok_or_else(|| anyhow!("no revision"))
}

/// As `cmctl renew` does it.
fn renew(kubectl: &Kubectl) -> Result<()> {
    let found = kubectl.json(&["get", "certificate", CERTIFICATE, "--namespace", NAMESPACE])?;
    let mut conditions = found["status"]["conditions"].clone();
    let issuing = json!({
        "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "a test",
        "lastTransitionTime": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    conditions
        .as_array_mut()
        .context("no conditions")?
        .push(issuing);
    let patch = json!({ "status": { "conditions": conditions } }).to_string();
    let command = [
        "patch",
        "certificate",
        CERTIFICATE,
        "--namespace",
        NAMESPACE,
    ];
    let status = ["--subresource=status", "--type=merge", "--patch", &patch];
    kubectl.run(&[&command[..], &status[..]].concat()).map(drop)
}

#[test]
fn two_renewals_by_cert_manager_lose_no_request() -> Result<()> {
    let world = World::start("cert-manager")?;
    let kubectl = world.kubectl();
    let cert_manager = CertManager::build(&Cache::open()?)?;
    let log = world.own.environment.logs.join("cert-manager.log");
    let _cert_manager = cert_manager.start(kubectl, &log)?;
    install(kubectl)?;
    let first = eventually("a certificate", SOON, || revision(kubectl))?;
    let folder = tempfile::tempdir()?;
    let mut mount = Mount::new(folder.path());
    mount.sync(kubectl)?;
    let _kubelet = Kubelet::start(mount, kubectl.clone());

    let files = folder.path().to_string_lossy().into_owned();
    let options = ["--webhook-cert-dir", &files];
    let environment = &world.own.environment;
    let operator =
        Operator::start_with(environment, "cert-manager", kubectl.kubeconfig(), &options)?;
    // The certificate and its authority.
    let mut served = expirations(&operator)?;
    ensure!(served.len() == 2, "{served:?}");
    let askers = Askers::start(&world);
    let mut renew_all = || -> Result<()> {
        for renewal in 1..=2 {
            renew(kubectl)?;
            eventually("the next revision", SOON, || {
                let found = revision(kubectl)?;
                ensure!(found == first + renewal, "revision {found}");
                Ok(())
            })?;
            served = eventually("the next certificate is served", SOON, || {
                let found = expirations(&operator)?;
                ensure!(found != served, "still {served:?}");
                Ok(found)
            })?;
        }
        Ok(())
    };
    let renewed = renew_all();
    askers.finish(1000)?;
    renewed
}
