//! Addresses at which clouds give their machines an identity. No pod of a server reaches them, whatever its specification
//! and its platform allow: who reads there is the node.

use std::net::IpAddr;
use std::sync::LazyLock;

use mcp_operator_api::cidr::{self, IpNet};

use crate::field::{ErrorType, FieldError};

/// Link-local addresses of both families, among them those of AWS, Google and Azure (169.254.169.254) and of ECS
/// (169.254.170.2), the same behind NAT64, and what clouds have besides: AWS and Google by IPv6, Azure's WireServer, Alibaba.
const RANGES: [&str; 9] = [
    "169.254.0.0/16",
    "168.63.129.16/32",
    "100.100.100.200/32",
    "fe80::/10",
    "fd00:ec2::/32",
    "fd20:ce::254/128",
    "64:ff9b::a9fe:0/112",
    "64:ff9b::a83f:8110/128",
    "64:ff9b::6464:64c8/128",
];

static PARSED: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    RANGES
        .iter()
        .filter_map(|range| cidr::parse(range))
        .collect()
});

/// Whether this is one of them, also as IPv6 writes addresses of IPv4.
pub fn is_metadata_address(address: IpAddr) -> bool {
    let address = address.to_canonical();
    PARSED.iter().any(|range| range.contains(&address))
}

/// Those inside a range, which a NetworkPolicy has to leave out of it. None: it has none of them.
pub(super) fn inside(cidr: &str) -> Option<Vec<String>> {
    let range = cidr::parse(cidr)?;
    let inside: Vec<String> = PARSED
        .iter()
        .filter(|metadata| range.contains(*metadata))
        .map(ToString::to_string)
        .collect();
    (!inside.is_empty()).then_some(inside)
}

/// What is wrong with the ranges of `spec.networkPolicy.egress`: one that is none, and one of which nothing is left. What is
/// no text is the schema's business.
pub fn errors<'a>(cidrs: impl IntoIterator<Item = Option<&'a str>>) -> Vec<FieldError> {
    cidrs
        .into_iter()
        .enumerate()
        .filter_map(|(index, cidr)| {
            let cidr = cidr?;
            let (message, code) = complaint(cidr)?;
            Some(FieldError {
                field: format!("spec.networkPolicy.egress[{index}].cidr"),
                error_type: ErrorType::Invalid,
                bad_value: Some(cidr.into()),
                message: message.into(),
                code: code.into(),
            })
        })
        .collect()
}

fn complaint(cidr: &str) -> Option<(&'static str, &'static str)> {
    let Some(range) = cidr::parse(cidr) else {
        return Some((
            "must be a range of addresses such as 10.0.0.0/8 or fd00::/8; write IPv4 as IPv4",
            "egress-cidr",
        ));
    };
    PARSED
        .iter()
        .any(|metadata| metadata.contains(&range))
        .then_some((
            "is where a cloud keeps the identity of its machines: no server may reach it, and no annotation allows it",
            "egress-metadata",
        ))
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn every_range_is_one() {
        assert_eq!(PARSED.len(), RANGES.len());
        for (range, parsed) in RANGES.iter().zip(PARSED.iter()) {
            assert_eq!(parsed.trunc(), *parsed, "{range}");
        }
    }

    #[test]
    fn what_covers_metadata_leaves_it_out() {
        for (cidr, expected) in [
            ("0.0.0.0/0", &RANGES[..3]),
            ("128.0.0.0/1", &RANGES[..2]),
            ("169.254.0.0/15", &RANGES[..1]),
            ("100.64.0.0/10", &RANGES[2..3]),
            ("::/0", &RANGES[3..]),
            ("fd00::/8", &RANGES[4..6]),
            ("64:ff9b::/96", &RANGES[6..]),
        ] {
            assert_eq!(inside(cidr).unwrap(), expected, "{cidr}");
        }
        for cidr in ["10.0.0.0/8", "2000::/3"] {
            assert_eq!(inside(cidr), None, "{cidr}");
        }
    }

    #[test]
    fn metadata_itself_is_refused_in_every_spelling() {
        for cidr in [
            "169.254.169.254/32",
            "169.254.0.0/16",
            "169.254.128.0/17",
            "169.254.1.1/16",
            "fd00:ec2::254/128",
            "fe80::/10",
            "fe80::/64",
            "168.63.129.16/32",
            "64:ff9b::a9fe:a9fe/128",
            "64:ff9b::168.63.129.16/128",
            "64:ff9b::6464:64c8/128",
            "64:ff9b::169.254.169.254/128",
        ] {
            let found = errors([Some("10.0.0.0/8"), Some(cidr)]);
            assert_eq!(found.len(), 1, "{cidr}");
            assert_eq!(found[0].field, "spec.networkPolicy.egress[1].cidr");
            assert_eq!(found[0].code, "egress-metadata", "{cidr}");
        }
        for cidr in [
            "::ffff:169.254.169.254/128",
            "::ffff:a9fe:a9fe/128",
            "0251.254.169.254/32",
            "169.254.169.254",
        ] {
            assert_eq!(errors([Some(cidr)])[0].code, "egress-cidr", "{cidr}");
        }
    }
}
