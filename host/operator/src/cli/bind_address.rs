//! Addresses as operators in Go take them.

use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Where an endpoint listens, if it does: `:8080`, `127.0.0.1:8080`, `[::1]:8080`, or `0` for nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindAddress(pub Option<SocketAddr>);

impl FromStr for BindAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "0" {
            return Ok(Self(None));
        }
        let address = match text.strip_prefix(':') {
            // Every address of both families.
            Some(port) => port
                .parse()
                .ok()
                .map(|port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))),
            None => text.parse().ok(),
        };
        let address = address.ok_or_else(|| {
            format!("{text} is no address: write one with a port, such as `:8080` or `127.0.0.1:8080`, or `0` to switch it off")
        })?;
        Ok(Self(Some(address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_operators_in_go_take() {
        let parsed = |text: &str| text.parse::<BindAddress>().map(|it| it.0);
        assert_eq!(parsed("0"), Ok(None));
        assert_eq!(parsed(":8080"), Ok("[::]:8080".parse().ok()));
        assert_eq!(parsed("127.0.0.1:1"), Ok("127.0.0.1:1".parse().ok()));
        assert_eq!(parsed("[::1]:1"), Ok("[::1]:1".parse().ok()));
        for wrong in ["", "8080", ":", ":70000", "localhost:8080"] {
            let error = parsed(wrong).unwrap_err();
            assert!(error.contains("`0` to switch it off"), "{error}");
        }
    }
}
