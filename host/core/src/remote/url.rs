//! Where the gateway may be sent to. Who writes an MCPServer chooses what LiteLLM calls, from inside the cluster and with
//! LiteLLM's own rights on the network: without a rule that would be a way to every service that no team can reach itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mcp_operator_api::cidr::{self, IpNet};
use serde_json::Value;
use url::{Host, Url};

use crate::build::is_metadata_address;
use crate::field::{ErrorType, FieldError};
use crate::namespace::NamespaceFacts;

/// Annotation of a namespace: hosts and ranges of the platform's own network that its servers may name.
pub const INTERNAL_HOSTS: &str = "mcp.litellm.ai/internal-remote-hosts";

/// The fields of an MCPServer whose URLs the gateway calls.
const FIELDS: [(&str, &str); 2] = [
    ("spec.remote.url", "/spec/remote/url"),
    ("spec.litellm.auth.tokenUrl", "/spec/litellm/auth/tokenUrl"),
];

/// Names by which clouds offer the identity of their machines.
const METADATA_NAMES: [&str; 5] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
];
/// Last labels of names that are never those of a public host.
const PRIVATE_ENDS: [&str; 10] = [
    "svc",
    "local",
    "localhost",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "arpa",
];
/// Labels that stand behind a name and a namespace in the names of a cluster, whatever its domain is.
const CLUSTER_LABELS: [&str; 2] = ["svc", "pod"];

/// What is wrong with the URLs of an MCPServer, as JSON, in this namespace.
pub fn errors(server: &Value, namespace: Option<&NamespaceFacts>) -> Vec<FieldError> {
    let internal = InternalHosts::of(namespace);
    FIELDS
        .into_iter()
        .filter_map(|(field, pointer)| {
            let text = server.pointer(pointer)?.as_str()?;
            let Complaint { message, show } = complaint(text, &internal)?;
            Some(FieldError {
                field: field.into(),
                error_type: ErrorType::Invalid,
                bad_value: Some(if show { text } else { "<hidden>" }.into()),
                message,
                code: "remote-url".into(),
            })
        })
        .collect()
}

struct Complaint {
    message: String,
    /// Whether the URL may be repeated.
    show: bool,
}

fn complaint(text: &str, internal: &InternalHosts) -> Option<Complaint> {
    // Some keep their keys in the query.
    let show = !text.contains('?');
    let say = |message: String| Some(Complaint { message, show });
    let no_url =
        || say("must be an https:// URL with a path, such as https://mcp.example.com/mcp".into());
    let Ok(url) = Url::parse(text) else {
        return no_url();
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Some(Complaint {
            message: "must hold no credential: LiteLLM sends one by spec.litellm.auth".into(),
            show: false,
        });
    }
    let Some(host) = url
        .host()
        .filter(|_| matches!(url.scheme(), "https" | "http"))
    else {
        return no_url();
    };
    if is_metadata(&host) {
        return say("is where a cloud keeps the identity of its machines: no server may be there, and no annotation allows it".into());
    }
    let is_allowed = internal.has(&host);
    if is_internal(&host) && !is_allowed {
        return say(format!(
            "is an address of the cluster or of a private network: a platform administrator allows such a host with the annotation {INTERNAL_HOSTS} of the namespace"
        ));
    }
    if url.scheme() == "http" && !is_allowed {
        return say("must begin with https://".into());
    }
    if url.fragment().is_some() {
        return say("must have no fragment (#)".into());
    }
    // Who reads another spelling in another way would call another address than the one that was judged.
    let normal = url.as_str();
    if normal == text || normal.strip_suffix('/') == Some(text) {
        return None;
    }
    let wanted = if show {
        format!(", {normal}")
    } else {
        String::new()
    };
    say(format!(
        "must be written in its usual form{wanted}: other programs may read this as another address"
    ))
}

fn is_metadata(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => METADATA_NAMES.contains(&name.trim_end_matches('.')),
        Host::Ipv4(address) => is_metadata_address(IpAddr::V4(*address)),
        Host::Ipv6(address) => {
            is_metadata_address(IpAddr::V6(*address))
                || embedded(*address).is_some_and(|address| is_metadata_address(address.into()))
        }
    }
}

/// Nothing on the Internet ends so.
fn is_system_namespace(label: &str) -> bool {
    label == "default" || label.starts_with("kube-")
}

fn is_internal(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            let labels: Vec<&str> = name.split('.').collect();
            let is_private_end = labels.last().is_none_or(|end| PRIVATE_ENDS.contains(end));
            let in_cluster = labels.iter().skip(2);
            let mut in_cluster = in_cluster.filter(|label| CLUSTER_LABELS.contains(label));
            // `kubernetes.default`: a Service and a namespace that every cluster has.
            let is_in_namespace = labels.last().is_some_and(|end| is_system_namespace(end));
            labels.len() < 2 || is_private_end || is_in_namespace || in_cluster.next().is_some()
        }
        Host::Ipv4(address) => is_private_v4(*address),
        // Only these are given to machines of the Internet; the first are ways to carry IPv4 there.
        Host::Ipv6(address) => embedded(*address).map_or_else(
            || {
                let [first, second, ..] = address.segments();
                first & 0xe000 != 0x2000 || first == 0x2001 && (second < 0x0200 || second == 0x0db8)
            },
            is_private_v4,
        ),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

/// The address of IPv4 that one of IPv6 stands for: mapped, compatible, translated (NAT64) or tunnelled (6to4).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => Some(of(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(of(high, low)),
        _ => None,
    }
}

/// What the platform says about its own network: exact names and addresses, `*.suffix`, and ranges of addresses.
#[derive(Default)]
struct InternalHosts {
    names: Vec<String>,
    suffixes: Vec<String>,
    ranges: Vec<IpNet>,
}

impl InternalHosts {
    fn of(namespace: Option<&NamespaceFacts>) -> Self {
        let annotation = namespace.and_then(|facts| facts.annotations.get(INTERNAL_HOSTS));
        let mut hosts = Self::default();
        for item in annotation.iter().flat_map(|list| list.split(',')) {
            let item = item.trim().to_ascii_lowercase();
            if let Some(range) = cidr::parse(&item) {
                hosts.ranges.push(range);
            } else if let Some(suffix) = item.strip_prefix('*') {
                // `*` alone would be everything, which nobody means who names hosts.
                hosts.suffixes.extend(
                    (suffix.len() > 1 && suffix.starts_with('.')).then(|| suffix.to_owned()),
                );
            } else if !item.is_empty() {
                hosts.names.push(item);
            }
        }
        hosts
    }

    fn has(&self, host: &Host<&str>) -> bool {
        let in_range = |address: IpAddr| self.ranges.iter().any(|range| range.contains(&address));
        let named = |name: &str| self.names.iter().any(|known| known == name);
        match host {
            Host::Domain(name) => {
                let name = name.trim_end_matches('.');
                named(name) || self.suffixes.iter().any(|suffix| name.ends_with(suffix))
            }
            Host::Ipv4(address) => in_range((*address).into()) || named(&address.to_string()),
            Host::Ipv6(address) => in_range((*address).into()) || named(&address.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(url: &str, annotation: Option<&str>) -> Option<String> {
        let server = json!({ "spec": { "remote": { "url": url } } });
        let mut namespace = NamespaceFacts::default();
        let allowed = annotation.map(|list| (INTERNAL_HOSTS.to_owned(), list.to_owned()));
        namespace.annotations.extend(allowed);
        let found = errors(&server, Some(&namespace));
        assert!(found.len() < 2);
        found.into_iter().next().map(|error| error.to_string())
    }

    #[test]
    fn public_urls_pass() {
        for url in [
            "https://mcp.example.com/mcp",
            "https://mcp.example.com",
            "https://mcp.example.com:8443/v1/mcp?tools=search",
            "https://svc.example.com/mcp",
            "https://pod.svc.example.com/mcp",
            "https://203.0.114.7/mcp",
            "https://[2606:4700::1111]/mcp",
            "https://xn--bcher-kva.example/mcp",
        ] {
            assert_eq!(said(url, None), None, "{url}");
        }
    }

    #[test]
    fn addresses_of_the_cluster_and_of_private_networks_are_refused_in_every_spelling() {
        for url in [
            "https://weather.tools.svc/mcp",
            "https://weather.tools.svc.cluster.local/mcp",
            "https://weather.tools.svc.cluster.local./mcp",
            "https://WEATHER.tools.SVC.cluster.LOCAL/mcp",
            "https://weather.tools.svc.k8s.acme.example/mcp",
            "https://10-0-0-1.tools.pod.cluster.local/mcp",
            "https://kubernetes/api",
            "https://kubernetes.default/api",
            "https://metrics.kube-system./api",
            "https://kubernetes./api",
            "https://localhost/mcp",
            "https://a.localhost/mcp",
            "https://vault.corp/mcp",
            "https://api.acme.internal/mcp",
            "https://127.0.0.1/mcp",
            "https://127.1/mcp",
            "https://2130706433/mcp",
            "https://0x7f000001/mcp",
            "https://0177.0.0.1/mcp",
            "https://0/mcp",
            "https://10.1.2.3/mcp",
            "https://012.1.2.3/mcp",
            "https://172.16.0.1/mcp",
            "https://192.168.1.1/mcp",
            "https://100.64.0.1/mcp",
            "https://①⓪.0.0.1/mcp",
            "https://[::1]/mcp",
            "https://[::]/mcp",
            "https://[::ffff:10.0.0.1]/mcp",
            "https://[::ffff:a00:1]/mcp",
            "https://[::10.0.0.1]/mcp",
            "https://[64:ff9b::10.0.0.1]/mcp",
            "https://[2002:a00:1::]/mcp",
            "https://[2001:0:1::1]/mcp",
            "https://[fd00::1]/mcp",
            "https:\\\\10.0.0.1\\mcp",
            "https:10.0.0.1/mcp",
            "https:///mcp",
            "http://10.0.0.1/mcp",
        ] {
            let said = said(url, None).unwrap_or_else(|| panic!("{url} is admitted"));
            assert!(
                said.contains("an address of the cluster or of a private network"),
                "{url}: {said}"
            );
            assert!(said.starts_with("spec.remote.url: Invalid value"), "{said}");
        }
    }

    #[test]
    fn where_clouds_keep_identities_nobody_may_go() {
        for url in [
            "https://169.254.169.254/latest",
            "https://2852039166/latest",
            "https://0xa9fea9fe/latest",
            "https://0251.0376.0251.0376/latest",
            "https://169.254.43518/latest",
            "https://[::ffff:169.254.169.254]/latest",
            "https://[::ffff:a9fe:a9fe]/latest",
            "https://[::a9fe:a9fe]/latest",
            "https://[64:ff9b::a9fe:a9fe]/latest",
            "https://[2002:a9fe:a9fe::1]/latest",
            "https://[fd00:ec2::254]/latest",
            "https://[fe80::1]/latest",
            "https://168.63.129.16/",
            "https://metadata.google.internal/",
            "https://metadata.google.internal./",
        ] {
            let everything = "*.internal,0.0.0.0/0,::/0,metadata.google.internal";
            let said = said(url, Some(everything)).unwrap_or_else(|| panic!("{url} is admitted"));
            assert!(said.contains("no annotation allows it"), "{url}: {said}");
        }
    }

    #[test]
    fn what_other_programs_read_otherwise_is_refused() {
        for (url, message) in [
            ("http://mcp.example.com/mcp", "must begin with https://"),
            ("ftp://mcp.example.com/mcp", "must be an https:// URL"),
            ("mcp.example.com/mcp", "must be an https:// URL"),
            ("unix:/run/docker.sock", "must be an https:// URL"),
            ("https://mcp.example.com/mcp#a", "must have no fragment"),
            (
                "https://MCP.example.com/mcp",
                "usual form, https://mcp.example.com/mcp:",
            ),
            (
                "https://mcp.example.com/a/../mcp",
                "usual form, https://mcp.example.com/mcp:",
            ),
            (
                "https://mcp.example.com:443/mcp",
                "usual form, https://mcp.example.com/mcp:",
            ),
            (" https://mcp.example.com/mcp", "usual form"),
            ("https://mcp.exa\tmple.com/mcp", "usual form"),
            ("https://mcp.example.com\\@evil.example/mcp", "usual form"),
        ] {
            let said = said(url, None).unwrap_or_else(|| panic!("{url} is admitted"));
            assert!(said.contains(message), "{url}: {said}");
        }
        for url in [
            "https://user:word@mcp.example.com/mcp",
            "https://mcp.example.com@10.0.0.1/mcp",
        ] {
            let said = said(url, None).unwrap();
            assert!(
                said.contains("must hold no credential") && !said.contains("word"),
                "{said}"
            );
        }
    }

    #[test]
    fn the_platform_names_what_is_its_own() {
        let allowed = "gateway.tools.svc.cluster.local, *.corp.internal,10.1.0.0/16 ,192.168.1.7";
        for url in [
            "https://gateway.tools.svc.cluster.local/mcp",
            "http://gateway.tools.svc.cluster.local:8080/mcp",
            "https://mcp.corp.internal/mcp",
            "https://10.1.2.3/mcp",
            "https://192.168.1.7/mcp",
        ] {
            assert_eq!(said(url, Some(allowed)), None, "{url}");
        }
        for (url, allowed) in [
            ("https://other.tools.svc.cluster.local/mcp", allowed),
            ("https://evilcorp.internal/mcp", allowed),
            ("https://10.2.0.1/mcp", allowed),
            ("https://10.0.0.1/mcp", "*"),
            ("https://10.0.0.1/mcp", "*,"),
            ("https://10.0.0.1/mcp", ""),
        ] {
            assert!(said(url, Some(allowed)).is_some(), "{url}");
        }
    }

    #[test]
    fn where_tokens_come_from_is_judged_alike() {
        let server =
            json!({ "spec": { "litellm": { "auth": { "tokenUrl": "https://10.0.0.1/token" } } } });
        let found = errors(&server, None);
        assert_eq!(found[0].field, "spec.litellm.auth.tokenUrl");
    }
}
