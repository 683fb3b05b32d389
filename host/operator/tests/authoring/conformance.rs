//! Whether this host, and the languages that plugins are written in here, speak the contract: by the cases of `wit/1.0.0`.

use std::path::{Path, PathBuf};

use crate::support::{components, mcp_operator};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Asks a component all cases of the interfaces that it exports. Those that fail are exactly those that are known.
fn answers_all(component: &Path, interfaces: &str, known: &[&str]) {
    let path = component.display().to_string();
    let folder = component.parent().unwrap();
    let said = mcp_operator(folder, &["plugin", "conformance", &path]);
    let lines = said.stdout.lines();
    let failed: Vec<&str> = lines
        .filter_map(|line| line.strip_prefix("FAIL "))
        .collect();
    assert_eq!(failed, known, "{}", said.all());
    let expected = i32::from(!known.is_empty());
    assert_eq!(said.code, Some(expected), "{}", said.all());
    let last = said.stdout.lines().last().unwrap();
    let begin = format!("conformance 1.0.0 ({interfaces}): ");
    assert!(last.starts_with(&begin), "{last}");
    println!("{last}");
}

const ALL: &str = "metadata, validator, defaulter, registrar";

/// It is never built again: a host that has trouble with it has trouble with what people have.
#[test]
fn the_component_that_is_kept_answers_all_cases() {
    answers_all(
        &repository().join("wit/1.0.0/conformance/plugin.wasm"),
        ALL,
        &[],
    );
}

#[test]
fn rust_speaks_the_contract() {
    answers_all(&components().join("conformance.wasm"), ALL, &[]);
}

#[test]
fn a_component_that_answers_otherwise_or_is_of_another_version_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let label = components().join("require_team_label.wasm");
    let said = mcp_operator(
        folder.path(),
        &["plugin", "conformance", &label.display().to_string()],
    );
    assert_eq!(said.code, Some(1), "{}", said.all());
    let expected = "FAIL the plugin describes itself\n     ok.context\n       expected [\"namespace\",\"rendered\"]\n       got      []\n";
    assert!(said.stdout.contains(expected), "{}", said.all());
    let old = repository().join("host/plugin-host/tests/components/0.1.0.wasm");
    let said = mcp_operator(
        folder.path(),
        &["plugin", "conformance", &old.display().to_string()],
    );
    assert_eq!(said.code, Some(2), "{}", said.all());
    assert!(
        said.stderr
            .contains("is of the contract 0.1.0: there are only cases for 1.0.0"),
        "{}",
        said.all()
    );
}

/// Builds what `tests/conformance` has for a language, with the tools that `plugin new` pins, and asks it.
fn speaks_the_contract(language: &str, kind: &str, world: &str, interfaces: &str, known: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let new = [
        "plugin",
        "new",
        "conformance",
        "--lang",
        language,
        "--kind",
        kind,
    ];
    let made = mcp_operator(folder.path(), &new);
    assert_eq!(made.code, Some(0), "{}", made.all());
    let project = folder.path().join("conformance");
    copy(
        &repository().join("tests/conformance").join(language),
        &project,
        &|name| name.starts_with("plugin.") || ["script", "metadata", kind].contains(&name),
    );
    for file in ["build.sh", "package.json"].map(|name| project.join(name)) {
        if let Ok(text) = std::fs::read_to_string(&file) {
            let text = text.replace(&format!("{kind}-plugin"), world);
            std::fs::write(&file, text).unwrap();
        }
    }
    let built = mcp_operator(&project, &["plugin", "build"]);
    // What plugin.yaml of the scaffold has are no settings of this plugin: only the component is wanted.
    let component = project.join("conformance.wasm");
    assert!(component.is_file(), "{}", built.all());
    answers_all(&component, interfaces, known);
}

/// Copies the files and folders whose names are wanted, with all that is in them.
fn copy(from: &Path, to: &Path, is_wanted: &dyn Fn(&str) -> bool) {
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if !is_wanted(&name) {
            continue;
        }
        let (from, to) = (entry.path(), to.join(&name));
        if from.is_dir() {
            std::fs::create_dir_all(&to).unwrap();
            copy(&from, &to, &|_| true);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}

#[test]
#[ignore = "builds with tools of the language; cargo xtask test --only authoring"]
fn python_speaks_the_contract() {
    speaks_the_contract("python", "validator", "complete-plugin", ALL, &[]);
}

#[test]
#[ignore = "builds with tools of the language; cargo xtask test --only authoring"]
fn javascript_speaks_the_contract() {
    // componentize-qjs 0.4.5 takes a u32 for a signed number. No plugin is given so many objects.
    let known = ["the largest position of an object"];
    speaks_the_contract("js", "validator", "complete-plugin", ALL, &known);
}

/// Its bindings came for one kind each.
#[test]
#[ignore = "builds with tools of the language; cargo xtask test --only authoring"]
fn go_speaks_the_contract() {
    for kind in ["validator", "defaulter", "registrar"] {
        let world = format!("{kind}-plugin");
        speaks_the_contract("go", kind, &world, &format!("metadata, {kind}"), &[]);
    }
}
