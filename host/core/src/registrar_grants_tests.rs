use mcp_operator_api::v1alpha1::WorkloadGrant;

use super::*;
use crate::registration_plan::{ConfigKeyWrite, HttpRequest, Roll, Step};

fn grants() -> PluginGrants {
    PluginGrants {
        config_maps: vec![ConfigMapGrant {
            namespace: "litellm".into(),
            name: "servers".into(),
            write_keys: vec!["list".into()],
        }],
        workloads: vec![WorkloadGrant {
            namespace: "litellm".into(),
            name: "proxy".into(),
            ..WorkloadGrant::default()
        }],
        ..PluginGrants::default()
    }
}

fn key(namespace: &str, name: &str, key: &str) -> ConfigKey {
    ConfigKey {
        namespace: namespace.into(),
        name: name.into(),
        key: key.into(),
    }
}

fn workload(kind: &str, namespace: &str, name: &str) -> Workload {
    Workload {
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

fn http() -> HttpRequest {
    HttpRequest {
        connection: "litellm".into(),
        method: "GET".into(),
        path: "/".into(),
        headers: Vec::new(),
        body: None,
    }
}

fn reads(source: Source) -> Result<(), NotGranted> {
    let read = Read {
        id: "a".into(),
        source,
        written: false,
    };
    check_reads(&grants(), &[read])
}

/// The step comes after one that is granted: all of them are looked at.
fn plans(action: Action) -> Result<(), NotGranted> {
    let steps = [Action::Send(http()), action].map(|action| Step {
        action,
        servers: Vec::new(),
    });
    let plan = Plan {
        steps: steps.into(),
        ..Plan::default()
    };
    check_plan(&grants(), &plan)
}

fn writes(key: ConfigKey) -> Result<(), NotGranted> {
    plans(Action::WriteConfigKey(ConfigKeyWrite {
        key,
        content: None,
    }))
}

fn rolls(workload: Workload) -> Result<(), NotGranted> {
    plans(Action::Roll(Roll {
        workload,
        value: "1".into(),
    }))
}

#[test]
fn what_is_granted_goes() {
    let proxy = || workload("Deployment", "litellm", "proxy");
    assert_eq!(
        reads(Source::ConfigKey(key("litellm", "servers", "any"))),
        Ok(())
    );
    assert_eq!(reads(Source::Workload(proxy())), Ok(()));
    assert_eq!(reads(Source::Http(http())), Ok(()));
    assert_eq!(writes(key("litellm", "servers", "list")), Ok(()));
    assert_eq!(rolls(proxy()), Ok(()));
}

#[test]
fn another_config_map_is_neither_read_nor_written() {
    for (namespace, name) in [
        ("kube-system", "servers"),
        ("litellm", "coredns"),
        ("", "servers"),
        ("litellm", ""),
    ] {
        assert!(reads(Source::ConfigKey(key(namespace, name, "list"))).is_err());
        assert!(writes(key(namespace, name, "list")).is_err());
    }
}

#[test]
fn a_config_map_that_may_be_read_may_not_be_written() {
    for other in ["other", "", "list "] {
        assert!(writes(key("litellm", "servers", other)).is_err());
    }
}

#[test]
fn another_workload_is_neither_looked_at_nor_rolled() {
    for wanted in [
        workload("Deployment", "kube-system", "proxy"),
        workload("Deployment", "litellm", "database"),
        workload("StatefulSet", "litellm", "proxy"),
    ] {
        assert!(reads(Source::Workload(wanted.clone())).is_err());
        assert!(rolls(wanted).is_err());
    }
}

#[test]
fn the_error_says_what_would_grant_it() {
    let error = writes(key("kube-system", "aws-auth", "mapRoles")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "wants to write key mapRoles of ConfigMap kube-system/aws-auth, which it is not granted: add {namespace: kube-system, name: aws-auth, writeKeys: [mapRoles]} to spec.grants.configMaps of its MCPPlugin if it should"
    );
}
