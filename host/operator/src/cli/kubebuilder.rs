//! Names under which the program is called, and how addresses are written: what manifests of operators made with Kubebuilder
//! say, and kubectl.

use std::ffi::OsString;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;

/// The program's name in these manifests.
const MANAGER: &str = "manager";
/// The command that it has there, without saying it.
const RUN: &str = "run";

/// The program's name as a plugin of kubectl, and the command that it has then.
const KUBECTL_PLUGIN: &str = "kubectl-mcp";
const KUBECTL: &str = "kubectl";

/// Arguments with `run` in front, where the program is called `manager` and given options only, and with `kubectl` where it is
/// called as kubectl calls it.
pub(super) fn with_command(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let program = arguments
        .first()
        .map(|program| Path::new(program).file_name());
    let is_called = |name: &str| program == Some(Some(name.as_ref()));
    if is_called(KUBECTL_PLUGIN) {
        arguments.insert(1, KUBECTL.into());
        return arguments;
    }
    let is_manager = is_called(MANAGER);
    let is_command = arguments
        .get(1)
        .is_some_and(|argument| !argument.to_string_lossy().starts_with('-'));
    if is_manager && !is_command {
        arguments.insert(1, RUN.into());
    }
    arguments
}

/// An address to listen on. Without a host, as in `:8081`, it is every address of IPv4 and IPv6.
pub(super) fn bind_address(text: &str) -> Result<SocketAddr, String> {
    let address = match text.strip_prefix(':') {
        Some(port) => port
            .parse()
            .ok()
            .map(|port| (Ipv6Addr::UNSPECIFIED, port).into()),
        None => text.parse().ok(),
    };
    address.ok_or_else(|| format!("{text} is no address with a port, such as [::]:8081 or :8081"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(arguments: &[&str]) -> Vec<OsString> {
        with_command(arguments.iter().map(OsString::from))
    }

    #[test]
    fn a_manager_runs_and_everything_else_is_as_it_was_said() {
        let said = |arguments: &[&str]| arguments.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(completed(&["/manager"]), said(&["/manager", "run"]));
        assert_eq!(
            completed(&["/manager", "--health-probe-bind-address=:8081"]),
            said(&["/manager", "run", "--health-probe-bind-address=:8081"])
        );
        for same in [
            &["/manager", "check", "-f", "x"][..],
            &["/mcp-operator"],
            &["/mcp-operator", "--version"],
            &[],
        ] {
            assert_eq!(completed(same), said(same));
        }
    }

    #[test]
    fn a_plugin_of_kubectl_is_asked_as_kubectl_was() {
        let said = |arguments: &[&str]| arguments.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(
            completed(&[
                "/usr/local/bin/kubectl-mcp",
                "why",
                "weather",
                "-n",
                "tools"
            ]),
            said(&[
                "/usr/local/bin/kubectl-mcp",
                "kubectl",
                "why",
                "weather",
                "-n",
                "tools"
            ])
        );
        assert_eq!(
            completed(&["kubectl-mcp"]),
            said(&["kubectl-mcp", "kubectl"])
        );
    }

    #[test]
    fn an_address_may_leave_out_the_host() {
        let every = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        assert_eq!(bind_address(":8081"), Ok(every(8081)));
        assert_eq!(bind_address("[::]:9443"), Ok(every(9443)));
        assert_eq!(
            bind_address("127.0.0.1:1"),
            Ok(SocketAddr::from(([127, 0, 0, 1], 1)))
        );
        for wrong in ["", ":", "8081", ":x", ":65536", "localhost:1"] {
            let error = bind_address(wrong).unwrap_err();
            assert!(error.contains("no address with a port"), "{error}");
        }
    }
}
