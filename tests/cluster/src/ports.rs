//! Free ports on loopback.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// `N` different ports that are free now. Another program may take one before it is used, so who starts a server on
/// one tries again with others when the server says so.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    // All are held until all are known, so that they differ.
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
        *port = listener
            .local_addr()
            .context("cannot read the number of a free port")?
            .port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// A port on loopback that is free now, for a server that a test starts itself.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    free_ports::<1>().map(|[port]| port)
}
