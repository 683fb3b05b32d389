//! Two replicas behind the Service of the webhook, and what happens to them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use mcp_chaos::referee::Window;
use mcp_chaos::{Fault, Kind};
use mcp_e2e::{Clock, Environment, Operator, Proxy, eventually, other_version};
use tempfile::TempDir;

use crate::service::WebhookService;
use crate::users::PATIENCE;

/// A volume for compiled components of a few plugins: MiB.
const VOLUME: u64 = 96;
/// Seconds for which certificates are valid while they are renewed. A third of it is left when a certificate is renewed: more
/// than what the faults of the other lanes, one after the other, keep the operator from writing.
const SHORT: &str = "120";
/// Who asked a replica that is back still waits for its answer for so long.
const ANSWER: SignedDuration = SignedDuration::from_secs(2);

struct Replica {
    number: usize,
    name: &'static str,
    environment: Environment,
    way: Arc<Proxy>,
    clock: Clock,
    service: WebhookService,
    operator: Option<Operator>,
    /// How often it was started.
    starts: u32,
    /// With what it was started last.
    options: Vec<String>,
}

/// At most one of them is away at a time.
pub(crate) struct Replicas {
    all: [Replica; 2],
    taken_away: Vec<Window>,
    /// Built-in plugins of this version, and of another one.
    plugins: [PathBuf; 2],
    _folder: TempDir,
}

impl Replicas {
    pub(crate) fn start(environment: &Environment, service: &WebhookService) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let plugins = environment.artifacts.plugins.clone();
        let others = folder.path().join("others");
        fs::create_dir_all(&others)?;
        other_version(&plugins, &others, 9)?;
        let replica =
            |number, name| Replica::new(number, name, environment, service, folder.path());
        let mut all = [replica(0, "first")?, replica(1, "second")?];
        for replica in &mut all {
            replica.start(&[])?;
        }
        Ok(Self {
            all,
            taken_away: Vec::new(),
            plugins: [plugins, others],
            _folder: folder,
        })
    }

    /// Their ways to the API server.
    pub(crate) fn ways(&self) -> Vec<Arc<Proxy>> {
        self.all.iter().map(|replica| replica.way.clone()).collect()
    }

    /// Whether both run and are ready, and the Service knows it: a rollout looks at what the cluster knows.
    pub(crate) fn run(&self) -> Result<()> {
        for replica in &self.all {
            let operator = replica.operator.as_ref();
            let is_ready = operator.is_some_and(Operator::is_ready);
            ensure!(
                is_ready && replica.service.leads_to(replica.number),
                "{} is not ready",
                replica.name
            );
        }
        Ok(())
    }

    /// When one was taken away from those who asked it.
    pub(crate) fn taken_away(&self) -> Vec<Window> {
        self.taken_away.clone()
    }

    pub(crate) fn suffer(&mut self, fault: &Fault) -> Result<()> {
        let lasts = Duration::from_millis(fault.lasts);
        let began = Timestamp::now();
        let replica = &mut self.all[fault.replica];
        match fault.kind {
            Kind::Kill => {
                replica.kill();
                sleep(lasts);
                replica.start(&[])?;
            }
            Kind::Stop => {
                replica.signal("STOP")?;
                sleep(lasts);
                replica.signal("CONT")?;
            }
            Kind::Partition => {
                replica.way.part();
                sleep(lasts);
                replica.way.join();
            }
            Kind::Upgrade | Kind::Rollback => {
                let plugins = self.plugins[usize::from(fault.kind == Kind::Upgrade)].clone();
                for replica in &mut self.all {
                    replica.environment.artifacts.plugins.clone_from(&plugins);
                }
                self.restart(&[])?;
            }
            Kind::ClockStep => {
                let step = if fault.variant.is_multiple_of(2) {
                    "+26h"
                } else {
                    "-26h"
                };
                replica.clock.step(step)?;
                sleep(lasts);
                replica.clock.step("+0")?;
            }
            Kind::CertificateRotation => {
                self.restart(&["--webhook-certificate-lifetime-seconds", SHORT])?;
                sleep(lasts);
                self.restart(&[])?;
            }
            Kind::CacheFull => {
                self.wait_until_ready()?;
                self.all[fault.replica].on_a_full_volume()?;
            }
            other => bail!("{other:?} is none of a replica's"),
        }
        if fault.kind.takes_a_replica_away() {
            let until = match fault.kind {
                // Whoever comes later is refused, and goes to the other.
                Kind::Kill => began,
                _ => Timestamp::now(),
            };
            self.taken_away.push(Window {
                from: began,
                until: until + ANSWER,
            });
        }
        self.wait_until_ready()
    }

    /// As a rollout does: no pod is taken away before the others are ready.
    fn restart(&mut self, options: &[&str]) -> Result<()> {
        for number in 0..self.all.len() {
            self.wait_until_ready()?;
            self.all[number].restart(options)?;
        }
        Ok(())
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        eventually("both replicas are ready", PATIENCE, || {
            for replica in &mut self.all {
                replica.start_again_if_ended()?;
            }
            self.run()
        })
    }
}

impl Replica {
    fn new(
        number: usize,
        name: &'static str,
        environment: &Environment,
        service: &WebhookService,
        folder: &Path,
    ) -> Result<Self> {
        let logs = environment.logs.join(format!("chaos-{name}"));
        let components = logs.join("components");
        fs::create_dir_all(&components)?;
        // A full one of a run that was ended in the middle.
        while Volume::unmount(&components) {}
        // What other tests had compiled.
        for compiled in fs::read_dir(environment.logs.join("components"))
            .into_iter()
            .flatten()
        {
            let compiled = compiled?;
            fs::copy(compiled.path(), components.join(compiled.file_name()))
                .with_context(|| format!("cannot copy into {}", components.display()))?;
        }
        let clocks = folder.join(name);
        fs::create_dir_all(&clocks)?;
        Ok(Self {
            number,
            name,
            way: Arc::new(Proxy::start(environment.kubectl.kubeconfig(), &logs)?),
            clock: Clock::new(&clocks)?,
            service: service.clone(),
            operator: None,
            starts: 0,
            options: Vec::new(),
            environment: Environment {
                logs,
                ..environment.clone()
            },
        })
    }

    /// Starts it, and waits until it is ready.
    fn start(&mut self, options: &[&str]) -> Result<()> {
        self.options = options.iter().map(|option| (*option).to_owned()).collect();
        self.spawn()?;
        eventually("the replica is ready", PATIENCE, || {
            self.start_again_if_ended()?;
            let is_ready = self.operator.as_ref().is_some_and(Operator::is_ready);
            ensure!(is_ready, "{} is not ready", self.name);
            Ok(())
        })
    }

    /// What the one before has logged is kept, by a number.
    fn spawn(&mut self) -> Result<()> {
        let log = |end: &str| {
            let name = format!("operator-{}{end}.log", self.name);
            self.environment.logs.join(name)
        };
        if self.starts > 0 && log("").exists() {
            fs::rename(log(""), log(&format!("-{}", self.starts)))?;
        }
        self.starts += 1;
        let mut options = vec!["--registry-resync-seconds", "5"];
        options.extend(self.options.iter().map(String::as_str));
        let operator = eventually("the replica is started", PATIENCE, || {
            Operator::start_behind_service(
                &self.environment,
                self.name,
                self.way.kubeconfig(),
                &options,
                &self.clock,
            )
        })?;
        self.service.is_at(self.number, &operator)?;
        self.operator = Some(operator);
        Ok(())
    }

    /// As a kubelet does.
    fn start_again_if_ended(&mut self) -> Result<()> {
        let operator = self.operator.as_mut().context("it does not run")?;
        if operator.has_ended() {
            let log = fs::read_to_string(operator.log())?;
            let end: Vec<&str> = log.lines().rev().take(3).collect();
            eprintln!(
                "{} ended by itself, and is started again: {end:?}",
                self.name
            );
            self.spawn()?;
        }
        Ok(())
    }

    /// It is asked to end, and the next one begins.
    fn restart(&mut self, options: &[&str]) -> Result<()> {
        drop(self.operator.take());
        self.start(options)
    }

    fn kill(&mut self) {
        if let Some(mut operator) = self.operator.take() {
            operator.kill();
        }
    }

    fn signal(&self, signal: &str) -> Result<()> {
        self.operator
            .as_ref()
            .context("it does not run")?
            .signal(signal)
    }

    fn on_a_full_volume(&mut self) -> Result<()> {
        let volume = Volume::mount(self.environment.logs.join("components"))?;
        drop(self.operator.take());
        volume.fill()?;
        self.start(&[])?;
        drop(self.operator.take());
        drop(volume);
        self.start(&[])
    }
}

/// A volume of its own at a folder, where that may be mounted.
struct Volume {
    folder: PathBuf,
    is_mounted: bool,
}

impl Volume {
    fn mount(folder: PathBuf) -> Result<Self> {
        let is_mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={VOLUME}m,mode=0755"),
                "chaos",
            ])
            .arg(&folder)
            .status()?
            .success();
        if !is_mounted {
            eprintln!("left out: a volume of its own takes root");
        }
        Ok(Self { folder, is_mounted })
    }

    fn fill(&self) -> Result<()> {
        if !self.is_mounted {
            return Ok(());
        }
        let filler = vec![0_u8; usize::try_from((VOLUME + 1) << 20)?];
        let filled = fs::write(self.folder.join("filler"), filler);
        ensure!(filled.is_err(), "the volume of {VOLUME} MiB is not full");
        Ok(())
    }

    /// Whether there was one. A compiler of the replica that was there may have it open for a moment longer.
    fn unmount(folder: &Path) -> bool {
        let ended = Command::new("umount").arg("--lazy").arg(folder).output();
        ended.is_ok_and(|ended| ended.status.success())
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if self.is_mounted && !Self::unmount(&self.folder) {
            eprintln!("{} is still mounted", self.folder.display());
        }
    }
}
