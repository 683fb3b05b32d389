//! `mcp-operator plugin new`.

mod lock;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use mcp_operator_offline::Outcome;

use crate::project::Language;

/// What the build script found.
mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// Options of `plugin new`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Name of the plugin: lower-case letters, digits and `-`, such as `require-owner`.
    #[arg(value_parser = name)]
    name: String,

    /// Language.
    #[arg(long, value_enum)]
    lang: Language,

    /// What it does.
    #[arg(long, value_enum, default_value = "validator")]
    kind: Kind,

    /// Folder that is made. [default: the name]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// What a plugin does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Has rules: says what is wrong with an MCPServer.
    Validator,
    /// Has defaults: completes MCPServers and the objects that they become.
    Defaulter,
    /// Has a registration strategy: says how a gateway gets to know MCPServers.
    Registrar,
}

pub(crate) const HELP: &str = "\
The folder holds source with a small rule, the contract (WIT), a build with pinned versions, test cases of which one is \
denied, an MCPPlugin, and a README. From there:

  cd NAME
  mcp-operator plugin build                           # makes NAME.wasm
  mcp-operator plugin test                            # asks what cases/ says
  mcp-operator plugin run -f server.yaml              # asks about a manifest
  mcp-operator check --plugin . -f server.yaml        # what kubectl would print
  README.md tells how it ships

Rust needs cargo with the target wasm32-wasip2; Python needs Python 3.10 or newer; JavaScript needs Node.js 20 or newer; Go needs Go 1.25 or \
newer. \
`plugin build` installs what else a language needs into the folder, by the versions that are pinned there.";

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let folder = arguments
        .folder
        .clone()
        .unwrap_or_else(|| PathBuf::from(&arguments.name));
    let is_empty = folder
        .read_dir()
        .is_ok_and(|mut entries| entries.next().is_none());
    ensure!(
        !folder.exists() || is_empty,
        "{} exists and is not empty: choose another name, or --folder",
        folder.display()
    );
    let files = files(&arguments.name, arguments.lang, arguments.kind);
    for (name, text) in &files {
        write(&folder.join(name), text)?;
    }
    println!("{} files in {}. Next:", files.len(), folder.display());
    println!("  cd {}", folder.display());
    println!("  mcp-operator plugin build && mcp-operator plugin test");
    Ok(Outcome::Admitted)
}

/// Names that are in the way of the language's own.
const RESERVED: [&str; 9] = [
    "alloc",
    "core",
    "mcp-operator-api",
    "mcp-plugin-sdk",
    "proc-macro",
    "serde",
    "serde-json",
    "std",
    "test",
];

fn name(text: &str) -> Result<String, String> {
    let is_allowed = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
    if !text.starts_with(|first: char| first.is_ascii_lowercase())
        || text.ends_with('-')
        || text.len() > 63
        || !text.chars().all(is_allowed)
    {
        return Err("a name has lower-case letters, digits and `-`, begins with a letter, and has at most 63 of them".into());
    }
    if RESERVED.contains(&text) {
        return Err("this name is taken by what plugins are built with".into());
    }
    Ok(text.to_owned())
}

/// All files, by their places in the folder.
pub(crate) fn files(name: &str, language: Language, kind: Kind) -> Vec<(String, String)> {
    let (kind_folder, world, summary) = match kind {
        Kind::Validator => (
            "validator",
            "validator-plugin",
            "Every MCP server names who owns it",
        ),
        Kind::Defaulter => (
            "defaulter",
            "defaulter-plugin",
            "Pods of MCP servers have a priority",
        ),
        Kind::Registrar => (
            "registrar",
            "registrar-plugin",
            "Lists MCP servers in a ConfigMap",
        ),
    };
    let language_folder = match language {
        Language::Rust => "rust",
        Language::Python => "python",
        Language::Js => "js",
        Language::Go => "go",
    };
    let source = if language == Language::Rust {
        format!("configMap: {{namespace: mcp-operator-system, name: {name}}}")
    } else {
        format!("oci: {{reference: \"ghcr.io/acme/{name}:0.1.0\"}}")
    };
    let filled = |text: &str| {
        text.replace("@NAME@", name)
            .replace("@SUMMARY@", summary)
            .replace("@WORLD@", world)
            .replace("@SOURCE@", &source)
            .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
    };
    let layers = [
        "common/any/".to_owned(),
        format!("common/{kind_folder}/"),
        format!("{language_folder}/common/"),
        format!("{language_folder}/{kind_folder}/"),
    ];
    let mut files = Vec::new();
    for (path, text) in embedded::TEMPLATES {
        let Some(path) = layers
            .iter()
            .find_map(|layer| path.strip_prefix(layer.as_str()))
        else {
            continue;
        };
        let text = match path {
            "Cargo.lock" => lock::with_package(&filled(text), name),
            _ => filled(text),
        };
        // A file of this name in this repository would be obeyed here.
        files.push((path.replace("gitignore", ".gitignore"), text));
    }
    let mut copy = |table: &[(&str, &str)], folder: &str| {
        files.extend(
            table
                .iter()
                .map(|(path, text)| (format!("{folder}/{path}"), (*text).to_owned())),
        );
    };
    if language == Language::Rust {
        copy(embedded::SDK, "sdk/mcp-plugin-sdk/src");
        copy(embedded::CONTRACT, "sdk/mcp-plugin-sdk/wit");
        copy(embedded::API, "sdk/mcp-operator-api/src");
    } else {
        copy(embedded::CONTRACT, "wit");
    }
    files
}

fn write(file: &Path, text: &str) -> Result<()> {
    let Some(folder) = file.parent() else {
        bail!("{} is in no folder", file.display());
    };
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{} cannot be made", folder.display()))?;
    std::fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const LANGUAGES: [Language; 4] = [Language::Rust, Language::Python, Language::Js, Language::Go];
    const KINDS: [Kind; 3] = [Kind::Validator, Kind::Defaulter, Kind::Registrar];

    #[test]
    fn each_folder_has_all_that_it_needs_and_nothing_unfilled() {
        for language in LANGUAGES {
            for kind in KINDS {
                let files = files("my-rule", language, kind);
                let names: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
                assert_eq!(names.len(), files.len(), "no file twice");
                for name in [
                    "plugin.yaml",
                    "cases/cases.yaml",
                    "README.md",
                    "server.yaml",
                    ".gitignore",
                ] {
                    assert!(names.contains(name), "{language:?} {kind:?} {name}");
                }
                assert!(names.iter().any(|name| name.ends_with("wit/worlds.wit")));
                for (name, text) in &files {
                    for token in ["@NAME@", "@SUMMARY@", "@WORLD@", "@SOURCE@", "@VERSION@"] {
                        assert!(!text.contains(token), "{name}: {token}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_folder_with_files_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = Arguments {
            name: "a".into(),
            lang: Language::Rust,
            kind: Kind::Validator,
            folder: Some(folder.path().to_owned()),
        };
        run(&arguments).unwrap();
        let manifest = folder.path().join("plugin.yaml");
        assert!(
            std::fs::read_to_string(&manifest)
                .unwrap()
                .contains("name: a\n")
        );
        assert!(
            run(&arguments)
                .unwrap_err()
                .to_string()
                .contains("exists and is not empty")
        );
    }

    #[test]
    fn names_are_those_of_packages() {
        assert!(name("require-owner2").is_ok());
        for wrong in [
            "",
            "A",
            "a_b",
            "1a",
            "a-",
            "-a",
            "ä",
            "serde",
            &"a".repeat(64),
        ] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }

    /// The folders of the SDK say what the workspaces say: else an author builds with something that nobody tested.
    #[test]
    fn the_sdk_of_a_folder_depends_on_what_it_is_tested_with() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |path: &str| std::fs::read_to_string(here.join(path)).unwrap();
        let of = |text: &str| -> BTreeSet<String> {
            let dependencies = text
                .split("[dependencies]\n")
                .nth(1)
                .unwrap()
                .split("\n[")
                .next()
                .unwrap();
            let lines = dependencies.lines().filter(|line| line.contains('='));
            lines
                .map(|line| line.split([' ', '.']).next().unwrap().to_owned())
                .collect()
        };
        let cases = [
            (
                "mcp-plugin-sdk",
                "../../plugins/sdk/Cargo.toml",
                "../../plugins/Cargo.toml",
            ),
            ("mcp-operator-api", "../api/Cargo.toml", "../../Cargo.toml"),
        ];
        for (name, original, workspace) in cases {
            let copy = read(&format!("templates/rust/common/sdk/{name}/Cargo.toml"));
            let original = read(original);
            let optional: BTreeSet<String> = original
                .lines()
                .filter(|line| line.contains("optional = true") && !line.contains("proptest"))
                .map(|line| line.split([' ', '.']).next().unwrap().to_owned())
                .collect();
            let wanted: BTreeSet<String> = of(&original).difference(&optional).cloned().collect();
            assert_eq!(of(&copy), wanted, "{name}");
            let workspace = read(workspace);
            for line in copy
                .lines()
                .filter(|line| line.contains("version = ") && line.contains('{'))
            {
                let dependency = line.split(' ').next().unwrap();
                if dependency == "mcp-operator-api" {
                    continue;
                }
                let line = line.replace(", optional = true", "");
                assert!(workspace.contains(&line), "{workspace}: {line}");
            }
        }
    }
}
