//! From an empty folder to the first answer, by the commands that `plugin new --help` shows. Validators in each language go
//! further, to the first denial in a cluster, in the end-to-end tests (`first_denial`).
//!
//! What is built takes minutes and the network, so it is only run where it is asked for: `cargo xtask test --only authoring`.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::mcp_operator;

/// With warm package caches, on a machine that does nothing else, it is a fraction of this.
const LONGEST: Duration = Duration::from_mins(5);

/// The commands of the help, in their order, without the program's name.
fn commands(folder: &Path) -> Vec<Vec<String>> {
    let help = mcp_operator(folder, &["plugin", "new", "--help"]).stdout;
    let lines = help
        .lines()
        .filter_map(|line| line.trim().strip_prefix("mcp-operator "));
    let words = lines.map(|line| line.split('#').next().unwrap_or_default());
    words
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

fn first_answer(language: &str, kind: &str) {
    let folder = tempfile::tempdir().unwrap();
    let name = "require-owner";
    let began = Instant::now();
    let made = mcp_operator(
        folder.path(),
        &["plugin", "new", name, "--lang", language, "--kind", kind],
    );
    assert_eq!(made.code, Some(0), "{}", made.all());
    let project = folder.path().join(name);
    let commands = commands(&project);
    assert_eq!(commands.len(), 4, "build, test, run, check: {commands:?}");
    for command in commands {
        let step = Instant::now();
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let printed = mcp_operator(&project, &words);
        println!(
            "{language} {kind}: {} took {:.1} s",
            words.join(" "),
            step.elapsed().as_secs_f64()
        );
        assert_eq!(printed.code, Some(0), "{}", printed.all());
    }
    let took = began.elapsed();
    println!(
        "{language} {kind}: {:.1} s from an empty folder to the end",
        took.as_secs_f64()
    );
    assert!(took < LONGEST, "{took:?}");
}

/// The other kinds, where they build quickly.
#[test]
#[ignore = "builds with tools of the language; cargo xtask test --only authoring"]
fn defaulters_and_registrars() {
    for language in ["js", "go"] {
        for kind in ["defaulter", "registrar"] {
            first_answer(language, kind);
        }
    }
}

/// What comes with a folder is packages, as a registry takes them: they build from what is in them.
#[test]
#[ignore = "builds with tools of the language; cargo xtask test --only authoring"]
fn the_sdk_is_packages() {
    let folder = tempfile::tempdir().unwrap();
    let made = mcp_operator(
        folder.path(),
        &["plugin", "new", "require-owner", "--lang", "rust"],
    );
    assert_eq!(made.code, Some(0), "{}", made.all());
    let packaged = Command::new("cargo")
        .current_dir(folder.path().join("require-owner"))
        .args(["package", "--workspace", "--exclude", "require-owner"])
        .args(["--target-dir", "packages"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&packaged.stderr);
    assert!(packaged.status.success(), "{said}");
    for name in ["mcp-operator-api", "mcp-plugin-sdk"] {
        assert!(said.contains(&format!("Verifying {name}")), "{said}");
    }
}
