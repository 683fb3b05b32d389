//! Free ports on loopback.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result};

/// Below those that the kernel gives to connections: one of these may be taken before a server has it.
const FIRST: u16 = 16_000;
const COUNT: u16 = 16_000;

/// `N` different ports that are free now. This program gives each only once, for as long as there are others. Another
/// program may take one before it is used, so who starts a server on one tries again with others when the server says so.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut ports = [0; N];
    for port in &mut ports {
        *port = free_port()?;
    }
    Ok(ports)
}

/// A port on loopback that is free now, for a server that a test starts itself.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    // Somewhere else in each program.
    let next = NEXT.get_or_init(|| {
        let [low, high, ..] = RandomState::new().hash_one(()).to_ne_bytes();
        AtomicU16::new(u16::from_ne_bytes([low, high]))
    });
    (0..COUNT)
        .map(|_| FIRST + next.fetch_add(1, Ordering::Relaxed) % COUNT)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no free port on 127.0.0.1")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ports_are_free_and_each_is_given_once() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port().unwrap() + 1));
        let ports: BTreeSet<u16> = (0..100).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 100);
        assert!(
            ports
                .iter()
                .all(|port| (FIRST..FIRST + COUNT).contains(port))
        );
        if let Ok(taken) = taken {
            assert!(!ports.contains(&taken.local_addr().unwrap().port()));
        }
    }
}
