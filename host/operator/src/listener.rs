//! Listeners, on IPv4 and IPv6 alike: clusters have either, or both.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tracing::info;

/// Connections that wait to be accepted, as Go and tokio have it.
const BACKLOG: i32 = 1024;

/// Listens on an address; on `[::]`, that is on every address of both families, whatever the system's default for that is.
/// A machine without IPv6 has those of IPv4 only.
///
/// # Errors
/// When it cannot, for example because the port is taken.
pub(crate) fn listen(bind: SocketAddr) -> Result<TcpListener> {
    let listener = match open(bind) {
        Err(error) if is_every_address(bind) && is_without_ipv6(&error) => {
            info!(%error, "no IPv6 on this machine: listening on IPv4 only");
            open((Ipv4Addr::UNSPECIFIED, bind.port()).into())
        }
        opened => opened,
    };
    listener.with_context(|| format!("cannot listen on {bind}"))
}

fn open(bind: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(bind), Type::STREAM, Some(Protocol::TCP))?;
    if is_every_address(bind) {
        socket.set_only_v6(false)?;
    }
    // The port of a process that has just ended.
    socket.set_reuse_address(true)?;
    socket.bind(&bind.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

fn is_every_address(bind: SocketAddr) -> bool {
    bind.is_ipv6() && bind.ip().is_unspecified()
}

/// Whether the kernel has no IPv6, or has it switched off.
fn is_without_ipv6(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable
        || Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn both_families_are_served_and_one_address_is_only_itself() {
        let listener = listen("[::]:0".parse().unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut families = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
        let has_ipv6 = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
        families.extend(has_ipv6.then_some(IpAddr::from(Ipv6Addr::LOCALHOST)));
        for address in families {
            TcpStream::connect((address, port)).await.unwrap();
        }
        let narrow = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(narrow.local_addr().unwrap().ip(), Ipv4Addr::LOCALHOST);
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let taken = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = taken.local_addr().unwrap();
        let error = listen(address).unwrap_err().to_string();
        assert_eq!(error, format!("cannot listen on {address}"));
    }
}
