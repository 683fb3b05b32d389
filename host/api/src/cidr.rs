//! Ranges of addresses in CIDR notation.

use std::net::IpAddr;

pub use ipnet::IpNet;

/// Reads `10.0.0.0/8` or `fd00::/8`, without the spellings that programs read differently: leading zeros, and IPv4 in the
/// clothes of IPv6 (`::ffff:10.0.0.0/104`), which some take for the one and some for the other.
pub fn parse(text: &str) -> Option<IpNet> {
    let (address, prefix) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u8 = prefix.parse().ok()?;
    let is_mapped = matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some());
    (length.to_string() == prefix && !is_mapped)
        .then(|| IpNet::new(address, length).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_of_a_range_is_read() {
        for good in [
            "10.0.0.0/8",
            "10.1.2.3/8",
            "0.0.0.0/0",
            "::/0",
            "fd00:ec2::254/128",
        ] {
            assert!(parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "010.0.0.0/8",
            "10.0.0/8",
            "::/129",
            "::ffff:169.254.0.0/112",
            "::ffff:a9fe:a9fe/128",
            "fe80::1%eth0/64",
            "10.0.0.0/8 ",
            "all",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
