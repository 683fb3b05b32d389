//! A proxy on the way to an API server, to break the links.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};

/// Passes bytes on to an API server, until told otherwise. It ends when this is dropped.
pub struct Proxy {
    address: SocketAddr,
    kubeconfig: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    links: Mutex<Vec<Link>>,
    parted: AtomicBool,
    ended: AtomicBool,
}

/// One connection of a client, and ours for it.
struct Link {
    ends: [TcpStream; 2],
    frozen: Arc<AtomicBool>,
}

impl Proxy {
    /// Starts one for the API server of a kubeconfig; its own kubeconfig goes into the folder.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read, or no port is free.
    pub fn start(kubeconfig: &Path, folder: &Path) -> Result<Self> {
        Self::start_at(Ipv4Addr::LOCALHOST, kubeconfig, folder)
    }

    /// The same at another address of this machine.
    ///
    /// # Errors
    /// As [`Proxy::start`].
    pub fn start_at(address: Ipv4Addr, kubeconfig: &Path, folder: &Path) -> Result<Self> {
        let config = std::fs::read_to_string(kubeconfig)?;
        let server = config
            .lines()
            .find_map(|line| line.trim().strip_prefix("server: https://"))
            .context("no server in the kubeconfig")?;
        let target: SocketAddr = server.parse().context("the server has no address")?;
        let listener = TcpListener::bind((address, 0))?;
        let address = listener.local_addr()?;
        let own = folder.join(format!("kubeconfig-proxy-{}", address.port()));
        std::fs::write(
            &own,
            config.replace(
                &format!("server: https://{server}"),
                // The certificate is for the address that it had.
                &format!(
                    "server: https://{address}\n    tls-server-name: {}",
                    target.ip()
                ),
            ),
        )?;
        let shared = Arc::<Shared>::default();
        let accepting = shared.clone();
        thread::spawn(move || accept(&listener, target, &accepting));
        Ok(Self {
            address,
            kubeconfig: own,
            shared,
        })
    }

    /// The way through the proxy.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Ends all connections that there are, and says how many. New ones are welcome.
    pub fn cut(&self) -> usize {
        let links = std::mem::take(&mut *self.shared.links());
        for end in links.iter().flat_map(|link| &link.ends) {
            // It may have ended by itself.
            let _ = end.shutdown(Shutdown::Both);
        }
        links.len()
    }

    /// From now on, connections that there are pass nothing on any more and do not end, as when a firewall has forgotten
    /// them. New ones are welcome.
    pub fn freeze(&self) {
        for link in self.shared.links().iter() {
            link.frozen.store(true, Ordering::SeqCst);
        }
    }
}

impl Proxy {
    /// From now on nothing passes, and nobody is told: links that there are stay, and new ones are taken and lead nowhere.
    pub fn part(&self) {
        self.shared.parted.store(true, Ordering::SeqCst);
        self.freeze();
    }

    /// From now on new links pass again. Those that led nowhere end.
    pub fn join(&self) {
        self.shared.parted.store(false, Ordering::SeqCst);
        self.cut();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn links(&self) -> std::sync::MutexGuard<'_, Vec<Link>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept(listener: &TcpListener, target: SocketAddr, shared: &Shared) {
    for client in listener.incoming().flatten() {
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        let is_parted = shared.parted.load(Ordering::SeqCst);
        // An API server that is away: the client's connection ends, too.
        let Ok(link) =
            TcpStream::connect(target).and_then(|server| connect(client, server, is_parted))
        else {
            continue;
        };
        let mut links = shared.links();
        // Those that have ended are not kept.
        links.retain(|link| Arc::strong_count(&link.frozen) > 1);
        links.push(link);
    }
}

fn connect(client: TcpStream, server: TcpStream, is_frozen: bool) -> std::io::Result<Link> {
    let frozen = Arc::new(AtomicBool::new(is_frozen));
    for (from, to) in [(&client, &server), (&server, &client)] {
        let (from, to, frozen) = (from.try_clone()?, to.try_clone()?, frozen.clone());
        thread::spawn(move || pass_on(from, to, &frozen));
    }
    Ok(Link {
        ends: [client, server],
        frozen,
    })
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, frozen: &AtomicBool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if frozen.load(Ordering::SeqCst) {
            continue;
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // A frozen link does not tell one end that the other has gone.
    if !frozen.load(Ordering::SeqCst) {
        let _ = to.shutdown(Shutdown::Both);
    }
}
