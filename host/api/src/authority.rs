//! Host and port of a URL, and the Service that it names.

use std::net::IpAddr;

/// Host and port of a URL, which may lack its scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// Name or address; an IPv6 address has its brackets.
    pub host: &'a str,
    /// Absent where the URL names none.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// That of a URL.
    pub fn of(url: &'a str) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let authority = authority.rsplit('@').next().unwrap_or_default();
        match authority.rsplit_once(':') {
            // The colons of an IPv6 address are in brackets.
            Some((host, port)) if !port.contains(']') => Self {
                host,
                port: port.parse().ok(),
            },
            _ => Self {
                host: authority,
                port: None,
            },
        }
    }

    /// The namespace of the Service that the host names, seen from `namespace`: `<service>`, `<service>.<namespace>`,
    /// `<service>.<namespace>.svc`, and that with the domain of the cluster. A host outside of the cluster with two labels,
    /// such as `example.org`, looks the same: the result is a namespace that does not exist.
    pub fn namespace_of_service(&self, namespace: &'a str, domain: &str) -> Option<&'a str> {
        let host = self.host.strip_suffix('.').unwrap_or(self.host);
        let inside = host
            .strip_suffix(domain)
            .and_then(|host| host.strip_suffix('.'));
        match (inside, &labels(inside.unwrap_or(host))?[..]) {
            (_, [_, found, "svc"]) | (None, [_, found]) => Some(found),
            (None, [_]) => Some(namespace),
            _ => None,
        }
    }

    /// The same where nobody knows the domain of the cluster: whatever follows `.svc` may be it.
    pub fn namespace_in_any_cluster(&self, namespace: &'a str) -> Option<&'a str> {
        match labels(self.host.strip_suffix('.').unwrap_or(self.host))?[..] {
            [_] => Some(namespace),
            [_, found] | [_, found, "svc", ..] => Some(found),
            _ => None,
        }
    }
}

/// Nothing for an address, which has none.
fn labels(host: &str) -> Option<Vec<&str>> {
    let is_name = !host.is_empty() && !host.starts_with('[') && host.parse::<IpAddr>().is_err();
    is_name.then(|| host.split('.').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_found_in_every_url() {
        for (url, host, port) in [
            ("http://otel.monitoring:4318", "otel.monitoring", Some(4318)),
            ("https://otel:4317/v1/traces?a=b:1", "otel", Some(4317)),
            ("otel.monitoring:4317", "otel.monitoring", Some(4317)),
            ("http://user:secret@otel/", "otel", None),
            ("http://[fd00::1]:4318", "[fd00::1]", Some(4318)),
            ("http://[fd00::1]", "[fd00::1]", None),
        ] {
            assert_eq!(Authority::of(url), Authority { host, port }, "{url}");
        }
    }

    #[test]
    fn services_are_distinguished_from_hosts_outside_the_cluster() {
        for (host, namespace) in [
            ("otel", Some("own")),
            ("otel.monitoring", Some("monitoring")),
            ("otel.monitoring.svc", Some("monitoring")),
            ("otel.monitoring.svc.cluster.local", Some("monitoring")),
            ("otel.monitoring.svc.cluster.local.", Some("monitoring")),
            ("otel.monitoring.svc.example.org", None),
            // No DNS of a cluster knows it.
            ("otel.monitoring.cluster.local", None),
            ("otel.example.org", None),
            ("10.0.0.1", None),
            ("[fd00::1]", None),
            ("", None),
        ] {
            let authority = Authority { host, port: None };
            let found = authority.namespace_of_service("own", "cluster.local");
            assert_eq!(found, namespace, "{host}");
            // Whoever does not know the domain misses none.
            if found.is_some() {
                assert_eq!(authority.namespace_in_any_cluster("own"), found, "{host}");
            }
        }
    }

    #[test]
    fn without_the_domain_every_one_may_be_that_of_the_cluster() {
        let found = |host| Authority { host, port: None }.namespace_in_any_cluster("own");
        assert_eq!(
            found("otel.monitoring.svc.corp.internal."),
            Some("monitoring")
        );
        assert_eq!(found("otel.example.org"), None);
        assert_eq!(found("169.254.169.254"), None);
    }
}
