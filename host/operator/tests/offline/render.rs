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
    assert_eq!(paths.len(), 13);
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
