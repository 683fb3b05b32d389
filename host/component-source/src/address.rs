//! Addresses that are never asked for a component. The operator fetches from inside of the cluster: who names a source must
//! not reach by it what only the machine or the cloud should reach.

use std::net::{IpAddr, SocketAddr};

use mcp_operator_core::build::is_metadata_address;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Why an address is not asked, if it is not.
fn refusal(address: IpAddr, may_be_loopback: bool) -> Option<&'static str> {
    let address = address.to_canonical();
    if is_metadata_address(address) {
        return Some("is where a cloud gives its machines their identity");
    }
    if address.is_unspecified() || address.is_multicast() {
        return Some("is the address of no server");
    }
    if address.is_loopback() && !may_be_loopback {
        return Some("is this machine itself, which only a source that names it so may be");
    }
    None
}

/// Whether the host of a URL is written as this machine itself.
pub(crate) fn is_loopback_name(url: &Url) -> bool {
    match literal(url) {
        Some(address) => address.to_canonical().is_loopback(),
        None => url.host_str() == Some("localhost"),
    }
}

/// Why the host of a URL is not asked, where it is an address. Names are judged when they are resolved.
pub(crate) fn refused_literal(url: &Url, may_be_loopback: bool) -> Option<String> {
    let address = literal(url)?;
    refusal(address, may_be_loopback).map(|why| format!("{address} {why}"))
}

fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// Resolves names by the system, and gives no address that is not to be asked: a name says nothing about where it leads.
pub(crate) struct GuardedResolver {
    pub(crate) may_be_loopback: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let may_be_loopback = self.may_be_loopback;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            for address in &found {
                if let Some(why) = refusal(address.ip(), may_be_loopback) {
                    return Err(format!(
                        "{} leads to {}, which {why}",
                        name.as_str(),
                        address.ip()
                    )
                    .into());
                }
            }
            Ok::<Addrs, _>(Box::new(found.into_iter()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str, may_be_loopback: bool) -> bool {
        refused_literal(&Url::parse(url).unwrap(), may_be_loopback).is_some()
    }

    #[test]
    fn some_addresses_are_never_asked_however_they_are_written() {
        for url in [
            "https://169.254.169.254/v2",
            "https://0xa9fea9fe/",
            "https://2852039166/",
            "https://[::ffff:169.254.169.254]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://[fe80::1]/",
            "https://[fd00:ec2::254]/",
            "https://168.63.129.16/",
            "https://0.0.0.0/",
            "https://[::]/",
            "https://224.0.0.1/",
        ] {
            assert!(refused(url, true), "{url}");
        }
        for url in [
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://127.1/",
            "https://[::ffff:7f00:1]/",
        ] {
            assert!(refused(url, false) && !refused(url, true), "{url}");
        }
        // Registries of companies have private addresses.
        for url in [
            "https://10.0.0.1/",
            "https://192.168.1.1/",
            "https://[fd12::1]/",
            "https://93.184.216.34/",
        ] {
            assert!(!refused(url, false), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused() {
        let resolve = async |may_be_loopback| {
            let resolver = GuardedResolver { may_be_loopback };
            resolver
                .resolve("localhost".parse().unwrap())
                .await
                .map(Iterator::count)
        };
        let refused = resolve(false).await.unwrap_err().to_string();
        assert!(refused.contains("localhost leads to"), "{refused}");
        assert!(resolve(true).await.unwrap() > 0);
    }
}
