//! What manifests become: golden files, read by people.

use std::path::PathBuf;

use crate::support::{folder, run, run_with};

/// Renders with the policy of these tests.
fn render<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["render", "--plugins", "plugins.yaml"], args].concat()
}

fn minimal() -> String {
    std::fs::read_to_string(folder().join("servers/minimal.yaml")).unwrap()
}

fn manifests() -> Vec<PathBuf> {
    let entries = folder().join("servers").read_dir().unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    paths.sort();
    paths
}

#[test]
fn manifests_become_these_objects_and_again_the_same() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("servers");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let paths = manifests();
    assert!(!paths.is_empty());
    for path in paths {
        let file = path.to_str().unwrap();
        let args = render(&[
            "-f",
            file,
            "--tracing-endpoint",
            "http://otel.monitoring:4318",
        ]);
        let printed = run(&args);
        assert_eq!(
            (printed.err.as_str(), printed.code),
            ("", Some(0)),
            "{file}"
        );
        assert_eq!(run(&args), printed, "{file}: and again");
        let name = path.file_stem().unwrap().to_str().unwrap();
        settings.bind(|| insta::assert_snapshot!(name, printed.out));
    }
}

/// A plugin may add to lists and maps as well as the builders do: what comes out depends on no order but the
/// specification's (stacklok/toolhive#4783).
#[test]
fn toolhive_4783_what_plugins_complete_is_always_the_same() {
    let args = render(&["-f", "servers/full.yaml"]);
    let first = run(&args);
    assert_eq!(first.code, Some(0), "{}", first.err);
    for _ in 0..8 {
        assert_eq!(run(&args), first);
    }
}

#[test]
fn a_folder_becomes_what_its_files_become_one_after_the_other() {
    let all = run(&render(&["-f", "servers"]));
    let one_by_one: Vec<String> = manifests()
        .iter()
        .map(|path| run(&render(&["-f", path.to_str().unwrap()])).out)
        .collect();
    assert_eq!(all.out, one_by_one.join("---\n"));
}

#[test]
fn settings_have_the_names_that_they_have_for_the_operator() {
    let file = ["-f", "servers/network-policy.yaml"];
    let settings = [
        "--gateway-namespaces=gate,way",
        "--monitoring-namespaces=watch",
    ];
    let printed = run(&render(&[&file[..], &settings].concat()));
    for namespace in ["gate", "way", "watch"] {
        assert!(
            printed
                .out
                .contains(&format!("metadata.name: {namespace}\n")),
            "{namespace}: {}",
            printed.out
        );
    }
    assert!(
        !printed.out.contains("metadata.name: litellm"),
        "{}",
        printed.out
    );
}

/// What a server says of its store, and for the rest what the operator is told.
#[test]
fn secrets_come_from_the_servers_own_store_or_from_that_of_the_operator() {
    let settings = [
        "--secret-store-name=vault",
        "--secret-store-kind=SecretStore",
        "--secret-refresh-interval=5m",
    ];
    let stores = |out: &str| {
        out.split("---\n")
            .filter(|object| object.contains("\nkind: ExternalSecret\n"))
            .map(|object| {
                let (_, of_store) = object.split_once("  refreshInterval: ").unwrap();
                of_store.split_once("  target:").unwrap().0.to_owned()
            })
            .collect::<Vec<_>>()
    };
    let store = |interval: &str, kind: &str, name: &str| {
        format!("{interval}\n  secretStoreRef:\n    kind: {kind}\n    name: {name}\n")
    };
    let of_operator = run(&render(
        &[&["-f", "servers/secrets.yaml"][..], &settings].concat(),
    ));
    assert_eq!(
        stores(&of_operator.out),
        [store("5m", "SecretStore", "vault")]
    );
    let own = std::fs::read_to_string(folder().join("servers/secret-store.yaml")).unwrap();
    let args = [&["-f", "-"][..], &settings].concat();
    let all_of_it = run_with(&render(&args), &own);
    assert_eq!(
        stores(&all_of_it.out),
        [
            store("15m", "SecretStore", "tools-vault"),
            store("15m", "SecretStore", "tools-vault")
        ]
    );
    let only_name = own.replace(", kind: SecretStore, refreshInterval: 15m", "");
    let part_of_it = run_with(&render(&["-f", "-", settings[2]]), &only_name);
    assert_eq!(
        stores(&part_of_it.out)[0],
        store("5m", "ClusterSecretStore", "tools-vault")
    );
}

#[test]
fn a_service_monitor_goes_where_the_operator_would_put_it() {
    let flag = "--service-monitor-namespace=observability";
    let printed = run(&render(&["-f", "servers/network-policy.yaml", flag]));
    for line in [
        "name: mcp.tools.network-policy\n",
        "namespace: observability\n",
    ] {
        let found = printed.out.matches(line).count();
        assert_eq!(found, 1, "{line}: {}", printed.out);
    }
    let refused = run(&render(&["-f", "-", "--service-monitor-namespace="]));
    assert_eq!((refused.out.as_str(), refused.code), ("", Some(2)));
}

#[test]
fn what_would_be_denied_becomes_nothing_and_the_others_do() {
    let denied = minimal().replace("tag: 1.0.0", "tag: latest");
    let both = format!("{denied}---\n{}", minimal());
    let printed = run_with(&render(&["-f", "-"]), &both);
    assert_eq!(printed.code, Some(1));
    assert_eq!(
        printed.err,
        "The MCPServer \"minimal\" is invalid: spec.image.tag: Invalid value: \"latest\": image tag must be specified and cannot be 'latest'\n"
    );
    assert_eq!(printed.out, run_with(&render(&["-f", "-"]), &minimal()).out);
}

#[test]
fn the_namespace_is_that_of_the_manifest_or_the_one_that_is_given() {
    let without = minimal().replace("  namespace: tools\n", "");
    let out = |text: &str, args: &[&str]| run_with(&render(args), text).out;
    let expected = out(&minimal(), &["-f", "-"]);
    assert_eq!(
        out(&without, &["-f", "-", "--namespace", "tools"]),
        expected
    );
    assert_eq!(out(&minimal(), &["-f", "-", "-n", "other"]), expected);
    assert!(out(&without, &["-f", "-"]).contains("namespace: default\n"));
}
