//! The Service of the webhook, on a control plane that has no node to route it: the API server asks for its address by an egress
//! selector, and is connected with a replica that is ready, as kube-proxy would.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mcp_e2e::Operator;
use serde_json::{Value, json};

/// Between two probes of a replica's readiness.
const PERIOD: Duration = Duration::from_millis(500);
/// After which a probe has failed.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Where Services are. Who asks for something else asks in vain.
const SERVICES: &str = "10.96.";

/// Routes connections of the API server to replicas. It ends with the tests.
#[derive(Clone)]
pub(crate) struct WebhookService {
    socket: PathBuf,
    endpoints: Arc<Mutex<Vec<Endpoint>>>,
}

struct Endpoint {
    replica: usize,
    webhook: SocketAddr,
    health: SocketAddr,
    is_ready: bool,
    links: Vec<UnixStream>,
}

impl WebhookService {
    /// Starts it, with its socket in a folder.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let socket = folder.join("webhook.sock");
        let listener = UnixListener::bind(&socket)?;
        let service = Self {
            socket,
            endpoints: Arc::default(),
        };
        let routing = service.clone();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let routing = routing.clone();
                // Who hangs up is served.
                thread::spawn(move || routing.route(stream, number).ok());
            }
        });
        let probing = service.clone();
        thread::spawn(move || {
            loop {
                probing.probe();
                thread::sleep(PERIOD);
            }
        });
        Ok(service)
    }

    /// What tells the API server to come here.
    pub(crate) fn egress(&self) -> Value {
        json!({
            "apiVersion": "apiserver.k8s.io/v1beta1", "kind": "EgressSelectorConfiguration",
            "egressSelections": [{
                "name": "cluster",
                "connection": {
                    "proxyProtocol": "HTTPConnect", "transport": { "uds": { "udsName": self.socket } },
                },
            }],
        })
    }

    /// From now on, this is where a replica is. It is asked when it is ready.
    pub(crate) fn is_at(&self, replica: usize, operator: &Operator) -> Result<()> {
        let endpoint = Endpoint {
            replica,
            webhook: operator.webhook_address().parse()?,
            health: operator.health_address().parse()?,
            is_ready: false,
            links: Vec::new(),
        };
        let mut endpoints = self.endpoints();
        endpoints.retain(|endpoint| endpoint.replica != replica);
        endpoints.push(endpoint);
        Ok(())
    }

    /// Whether requests go to a replica.
    pub(crate) fn leads_to(&self, replica: usize) -> bool {
        let endpoints = self.endpoints();
        let mut of_replica = endpoints.iter().filter(|it| it.replica == replica);
        of_replica.any(|endpoint| endpoint.is_ready)
    }

    fn endpoints(&self) -> MutexGuard<'_, Vec<Endpoint>> {
        self.endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn probe(&self) {
        let all: Vec<_> = self
            .endpoints()
            .iter()
            .map(|endpoint| endpoint.health)
            .collect();
        for health in all {
            let answer = ask(health);
            let mut endpoints = self.endpoints();
            let found = endpoints
                .iter_mut()
                .find(|endpoint| endpoint.health == health);
            let Some(endpoint) = found else { continue };
            endpoint.is_ready = answer.as_ref().is_ok_and(|is_ready| *is_ready);
            // Who answers drains by itself; who does not is cut off, as a node that is gone is.
            if answer.is_err() {
                for link in endpoint.links.drain(..) {
                    let _ = link.shutdown(Shutdown::Both);
                }
            }
        }
    }

    /// Connects whoever says `CONNECT` with a replica that is ready.
    fn route(&self, mut stream: UnixStream, number: usize) -> Result<()> {
        let target = read_target(&mut stream)?;
        if !target.starts_with(SERVICES) {
            stream.write_all(b"HTTP/1.1 502 Nobody is there\r\n\r\n")?;
            bail!("nobody is at {target}");
        }
        let ready: Vec<SocketAddr> = self
            .endpoints()
            .iter()
            .filter(|endpoint| endpoint.is_ready)
            .map(|endpoint| endpoint.webhook)
            .collect();
        let start = number % ready.len().max(1);
        // One that has just gone refuses: the next is tried.
        let found = ready[start..]
            .iter()
            .chain(&ready[..start])
            .find_map(|address| {
                Some((*address, TcpStream::connect_timeout(address, TIMEOUT).ok()?))
            });
        let Some((address, server)) = found else {
            stream.write_all(b"HTTP/1.1 503 No replica is ready\r\n\r\n")?;
            bail!("no replica is ready");
        };
        stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
        let kept = stream.try_clone()?;
        if let Some(endpoint) = self
            .endpoints()
            .iter_mut()
            .find(|endpoint| endpoint.webhook == address)
        {
            endpoint.links.push(kept);
        }
        let (from, to) = (stream.try_clone()?, server.try_clone()?);
        thread::spawn(move || {
            pass_on(&from, &to);
            let _ = to.shutdown(Shutdown::Both);
        });
        pass_on(&server, &stream);
        let _ = stream.shutdown(Shutdown::Both);
        Ok(())
    }
}

/// Passes on what comes, until one of both ends.
fn pass_on<'a, Source, Sink>(mut from: &'a Source, mut to: &'a Sink)
where
    &'a Source: Read,
    &'a Sink: Write,
{
    // Errors end it as the end does.
    let _ = std::io::copy(&mut from, &mut to);
}

/// Reads to the end of the head, and no byte further.
fn read_target(stream: &mut UnixStream) -> Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
        ensure!(head.len() < 4096, "no head");
    }
    let head = String::from_utf8_lossy(&head);
    let target = head
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split(' ').next());
    target
        .map(str::to_owned)
        .with_context(|| format!("not CONNECT: {head}"))
}

/// Whether a replica says that it is ready; an error where it says nothing.
fn ask(health: SocketAddr) -> Result<bool> {
    let mut stream = TcpStream::connect_timeout(&health, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.contains(" 200 "))
}
