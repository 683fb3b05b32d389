//! Host and port of a URL.

use std::net::IpAddr;

/// Host and port of a URL, which may lack its scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl<'a> Authority<'a> {
    pub(super) fn of(url: &'a str) -> Self {
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

    /// The namespace of the Service that the host names, seen from `namespace`: `<service>`, `<service>.<namespace>`, and the
    /// same with `.svc` and the domain of the cluster. A host outside of the cluster with two labels, such as `example.org`,
    /// looks the same: the result is a namespace that does not exist.
    pub(super) fn namespace_of_service(&self, namespace: &'a str, domain: &str) -> Option<&'a str> {
        if self.host.starts_with('[') || self.host.parse::<IpAddr>().is_ok() {
            return None;
        }
        let host = self.host.strip_suffix('.').unwrap_or(self.host);
        let host = host
            .strip_suffix(domain)
            .and_then(|host| host.strip_suffix('.'))
            .unwrap_or(host);
        match host.split('.').collect::<Vec<_>>()[..] {
            [""] => None,
            [_] => Some(namespace),
            [_, found] | [_, found, "svc"] => Some(found),
            _ => None,
        }
    }
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
            ("otel.example.org", None),
            ("10.0.0.1", None),
            ("[fd00::1]", None),
            ("", None),
        ] {
            let authority = Authority { host, port: None };
            let found = authority.namespace_of_service("own", "cluster.local");
            assert_eq!(found, namespace, "{host}");
        }
    }
}
