//! What a NetworkPolicy opens. Policies add up: what is opened here is open, whatever else the platform closes.
//!
//! That the addresses of cloud metadata are never among it is a rule of the operator itself, which no setting changes.

use std::collections::BTreeSet;

use mcp_operator_api::authority::Authority;
use mcp_operator_api::cidr::{self, IpNet};
use mcp_plugin_sdk::{Finding, McpServer, Path};

use super::{not_allowed, spec};
use crate::tenant::Tenant;

pub(crate) const RANGE: &str = "egress";
pub(crate) const TRACES: &str = "trace-egress";
pub(crate) const REQUIRED: &str = "network-policy";
const ANNOTATION: &str = "egress";

/// What a private network and a service on the Internet need, at most: `10.0.0.0/8`, the allocation of one organisation.
const SHORTEST_IPV4: u8 = 8;
const SHORTEST_IPV6: u8 = 32;
/// How many of the widest ranges all ranges of one family together may be: all private networks are less than two, and one
/// short of `0.0.0.0/0` in many pieces is 256.
const MOST_WIDEST: u128 = 4;

pub(crate) fn required(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let policy = server.spec.network_policy.as_ref();
    let is_remote = server.spec.remote.is_some();
    if is_remote
        || !tenant.settings.require_network_policy
        || policy.is_some_and(|policy| policy.enabled)
    {
        return Vec::new();
    }
    let field = spec().child("networkPolicy").child("enabled");
    let message = "must be true: without a NetworkPolicy each pod of the cluster calls this server past LiteLLM; list in egress what the server itself calls";
    vec![Finding::required(REQUIRED, field, message)]
}

pub(crate) fn ranges(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let Some(policy) = server.spec.network_policy.as_ref() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let mut asked = Vec::new();
    for (index, rule) in policy.egress.iter().enumerate() {
        let field = spec()
            .child("networkPolicy")
            .child("egress")
            .index(index)
            .child("cidr");
        match cidr::parse(&rule.cidr) {
            Some(range) => asked.push((field, rule.cidr.as_str(), range)),
            // The operator itself says the same, in the same words.
            None => findings.push(Finding::invalid(
                "egress-cidr",
                field,
                &rule.cidr,
                "must be a range of addresses such as 10.0.0.0/8 or fd00::/8; write IPv4 as IPv4",
            )),
        }
    }
    if asked.is_empty() {
        return findings;
    }
    match allowed(tenant) {
        Ok(Some(allowed)) => findings.extend(outside(tenant, &allowed, asked)),
        Ok(None) => findings.extend(wide(tenant, asked)),
        Err(malformed) => {
            let refused =
                |(field, cidr, _)| Finding::invalid(RANGE, field, cidr, malformed.as_str());
            findings.extend(asked.into_iter().map(refused));
        }
    }
    findings
}

/// The ranges of the annotation or of the settings. None: there are none of both.
fn allowed(tenant: &Tenant<'_>) -> Result<Option<Vec<IpNet>>, String> {
    let settings = tenant.settings.egress.as_deref();
    if tenant.annotation(ANNOTATION).is_none() && settings.is_none() {
        return Ok(None);
    }
    let list = tenant.allowed(ANNOTATION, settings.unwrap_or_default())?;
    let range = |text: &String| {
        cidr::parse(text).ok_or_else(|| {
            tenant.malformed(
                ANNOTATION,
                &format!("{text:?} is no range of addresses such as 10.0.0.0/8"),
            )
        })
    };
    list.patterns
        .iter()
        .map(range)
        .collect::<Result<_, _>>()
        .map(Some)
}

fn outside(
    tenant: &Tenant<'_>,
    allowed: &[IpNet],
    asked: Vec<(Path, &str, IpNet)>,
) -> Vec<Finding> {
    let list: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    let is_outside = |range: &IpNet| !allowed.iter().any(|allowed| allowed.contains(range));
    let finding = |(field, cidr, _)| {
        let now = if list.is_empty() {
            "nothing".to_owned()
        } else {
            list.join(", ")
        };
        let with_cidr = [&list[..], &[String::from(cidr)]].concat().join(",");
        let remedy = tenant.remedy(ANNOTATION, &with_cidr);
        let message = format!("the namespace {} may reach {now}; {remedy}", tenant.name());
        Finding::invalid(RANGE, field, cidr, message)
    };
    asked
        .into_iter()
        .filter(|(_, _, range)| is_outside(range))
        .map(finding)
        .collect()
}

/// Ranges that are too wide, each by itself or all of one family together.
fn wide(tenant: &Tenant<'_>, asked: Vec<(Path, &str, IpNet)>) -> Vec<Finding> {
    // What is too wide by itself says nothing against the others.
    let of_family = |is_ipv4: bool| {
        let ranges = asked.iter().map(|(_, _, range)| range.trunc());
        ranges
            .filter(|range| range.addr().is_ipv4() == is_ipv4)
            .filter(|range| range.prefix_len() >= shortest(is_ipv4))
            .collect::<BTreeSet<_>>()
    };
    let too_many = |is_ipv4: bool| {
        let bits: u32 = if is_ipv4 { 32 } else { 128 };
        let size = |range: &IpNet| {
            1u128
                .checked_shl(bits - u32::from(range.prefix_len()))
                .unwrap_or(u128::MAX)
        };
        let sum = of_family(is_ipv4)
            .iter()
            .map(size)
            .fold(0u128, u128::saturating_add);
        sum > MOST_WIDEST << (bits - u32::from(shortest(is_ipv4)))
    };
    let (ipv4, ipv6) = (too_many(true), too_many(false));
    let finding = |(field, cidr, range): &(Path, &str, IpNet)| {
        let is_ipv4 = range.addr().is_ipv4();
        let shortest = shortest(is_ipv4);
        let why = if range.prefix_len() < shortest {
            format!("is wider than /{shortest}")
        } else if if is_ipv4 { ipv4 } else { ipv6 } {
            format!("is one of ranges that together are more than {MOST_WIDEST} of /{shortest}")
        } else {
            return None;
        };
        let remedy = tenant.remedy(ANNOTATION, cidr);
        let message = format!("{why}: list what the server needs; {remedy}");
        Some(Finding::invalid(RANGE, field.clone(), cidr, message))
    };
    asked.iter().filter_map(finding).collect()
}

fn shortest(is_ipv4: bool) -> u8 {
    if is_ipv4 {
        SHORTEST_IPV4
    } else {
        SHORTEST_IPV6
    }
}

/// A NetworkPolicy opens the namespace of the collector that the server names, on the port that it names.
pub(crate) fn traces(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let tracing = &server.spec.observability.tracing;
    let is_closed = server
        .spec
        .network_policy
        .as_ref()
        .is_some_and(|policy| policy.enabled);
    let endpoint = tracing
        .jaeger_endpoint
        .as_deref()
        .filter(|_| is_closed && tracing.enabled);
    let opened = endpoint
        .and_then(|endpoint| Authority::of(endpoint).namespace_in_any_cluster(tenant.name()));
    let Some(namespace) = opened.filter(|namespace| *namespace != tenant.name()) else {
        return Vec::new();
    };
    let field = spec()
        .child("observability")
        .child("tracing")
        .child("jaegerEndpoint");
    let allowed = tenant.allowed("tracing-namespaces", &tenant.settings.tracing_namespaces);
    // The value that is judged is the namespace; the one that is shown is what the user wrote.
    let findings = not_allowed(TRACES, allowed, [(field, namespace)]);
    let shown = |finding: Finding| Finding {
        bad_value: endpoint.map(Into::into),
        message: format!(
            "its NetworkPolicy would open the namespace {namespace}: {}",
            finding.message
        ),
        ..finding
    };
    findings.into_iter().map(shown).collect()
}
