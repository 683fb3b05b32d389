//! A real OCI registry on this machine: the CNCF's distribution, over TLS, for one user.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::cache::{Cache, make_folder, read, remove_folder, write};
use crate::pki;
use crate::ports::free_port;
use crate::process::Process;
use crate::tools::registry_tools;

/// How long it may take until it answers.
const START: Duration = Duration::from_secs(30);
/// The user's name, and the bcrypt hash of [`OciRegistry::PASSWORD`] at the lowest cost.
const LOGIN: &str = "robot:$2a$04$XI8zMLSrZGR1tq0/S0EM/.JGwpi3nUaUlpDduIylAJVWmdTcovOR2";

/// A registry, which can be stopped and started again with what it has.
pub struct OciRegistry {
    program: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    process: Option<Process>,
}

impl OciRegistry {
    /// Who may read and write.
    pub const USER: &str = "robot";
    /// That user's password.
    pub const PASSWORD: &str = "of-the-robot";

    /// Starts an empty one on the loopback whose data and log are in a folder of its own.
    ///
    /// # Errors
    /// When it cannot be built or started.
    pub fn start(cache: &Cache, folder: &Path) -> Result<Self> {
        Self::start_on(cache, folder, Ipv4Addr::LOCALHOST)
    }

    /// The same on another address of this machine.
    ///
    /// # Errors
    /// When it cannot be built or started.
    pub fn start_on(cache: &Cache, folder: &Path, address: Ipv4Addr) -> Result<Self> {
        let program = registry_tools(cache)?.path("registry");
        // What a run before has pushed, and signed, would be there otherwise.
        remove_folder(folder)?;
        make_folder(folder)?;
        let address = SocketAddr::from((address, free_port()?));
        pki::write_server(folder, "registry", address.ip())?;
        write(&folder.join("htpasswd"), LOGIN)?;
        let at = folder.display();
        let config = format!(
            "version: 0.1
storage: {{filesystem: {{rootdirectory: {at}/data}}}}
auth: {{htpasswd: {{realm: test, path: {at}/htpasswd}}}}
http:
  addr: {address}
  secret: of-a-test
  tls: {{certificate: {at}/registry.crt, key: {at}/registry.key}}
"
        );
        write(&folder.join("config.yaml"), config)?;
        let mut registry = Self {
            program,
            folder: folder.to_owned(),
            address,
            process: None,
        };
        registry.resume()?;
        Ok(registry)
    }

    /// As references begin: its address and port.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// File with the authority of its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// That authority, in PEM.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn ca(&self) -> Result<String> {
        String::from_utf8(read(&self.ca_file())?).context("the certificate is no text")
    }

    /// Stops it; nobody answers at its address then.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn resume(&mut self) -> Result<()> {
        let config = self.folder.join("config.yaml");
        let log = self.folder.join("registry.log");
        let process = Process::start(
            &self.program,
            |command| {
                // Otherwise it sends traces to whoever listens on this machine.
                command.env("OTEL_TRACES_EXPORTER", "none");
                command.arg("serve").arg(config);
            },
            &log,
        )?;
        self.process = Some(process);
        let began = Instant::now();
        while TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_err() {
            ensure!(
                began.elapsed() < START,
                "the registry does not answer, {} says why",
                log.display()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}
