//! Where LiteLLM is sent to. That no credential, no other spelling and no address of the cluster is among it is a rule of the
//! operator itself, and so is the annotation `internal-remote-hosts`, which lets a namespace have such an address.

use mcp_plugin_sdk::{Finding, McpServer};

use super::{not_allowed, spec};
use crate::tenant::Tenant;

pub(crate) const HOST: &str = "remote-host";
const ANNOTATION: &str = "remote-hosts";

pub(crate) fn hosts(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let remote = server.spec.remote.as_ref();
    let remote = remote.map(|remote| (spec().child("remote").child("url"), remote.url.as_str()));
    // Who is sent the secret of a client is called by LiteLLM, too.
    let auth = server.spec.litellm.auth.as_ref();
    let token_url = auth.and_then(|auth| auth.token_url.as_deref()).map(|url| {
        let field = spec().child("litellm").child("auth").child("tokenUrl");
        (field, url)
    });
    let mut findings = Vec::new();
    for (field, url) in remote.into_iter().chain(token_url) {
        let Some(host) = authority(url) else {
            let message =
                "must be an https:// URL without a credential, such as https://mcp.example.com/mcp";
            findings.push(Finding::forbidden(HOST, field, message));
            continue;
        };
        let allowed = tenant.allowed(ANNOTATION, &tenant.settings.remote_hosts);
        let refused = not_allowed(HOST, allowed, [(field, host)]);
        // The value that is judged is the host; the one that is shown is what the user wrote.
        findings.extend(refused.into_iter().map(|finding| Finding {
            bad_value: Some(url.into()),
            ..finding
        }));
    }
    findings
}

/// `host` or `host:port` of a URL. Nothing where programs could disagree about what that is.
fn authority(url: &str) -> Option<&str> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.:[]".contains(c);
    (!authority.is_empty() && authority.chars().all(is_plain)).then_some(authority)
}

#[cfg(test)]
mod tests {
    use super::authority;

    #[test]
    fn only_what_nobody_reads_otherwise_is_a_host() {
        for (url, host) in [
            ("https://mcp.example.com/mcp", "mcp.example.com"),
            ("https://mcp.example.com", "mcp.example.com"),
            ("https://mcp.example.com?a=/b", "mcp.example.com"),
            ("https://mcp.example.com:8443/mcp", "mcp.example.com:8443"),
            ("https://[2606:4700::1111]/mcp", "[2606:4700::1111]"),
        ] {
            assert_eq!(authority(url), Some(host));
        }
        for url in [
            "https://",
            "https:///mcp",
            "https:\\\\mcp.example.com",
            "https://mcp.example.com\\@evil.example/",
            "https://user@mcp.example.com/",
            "https://MCP.example.com/",
            "https://mcp.exa\tmple.com/",
            "ftp://mcp.example.com/",
        ] {
            assert_eq!(authority(url), None, "{url}");
        }
    }
}
