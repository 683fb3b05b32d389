//! `deploy/REFERENCE.md` says what the code says: whoever adds a reason, an event, a metric or an option adds its row.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, CommandFactory};
use mcp_operator_api::names::conditions;
use mcp_operator_offline::Outcome;

use crate::cli::Arguments;

/// Words of the code that are written as reasons are, and are none: kinds, fields and values of Kubernetes.
const NO_REASONS: &[&str] = &[
    "AbleToScale",
    "Answered",
    "Apply",
    "CallObserver",
    "Cancelled",
    "ClusterIP",
    "ClusterSecretStore",
    "ConfigMap",
    "ContainerCreating",
    "Creating",
    "Current",
    "Deployment",
    "Duplicate",
    "ErrImagePull",
    "Established",
    "Failed",
    "False",
    "FieldValueDuplicate",
    "FieldValueForbidden",
    "FieldValueInvalid",
    "FieldValueNotFound",
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
    "FieldsV1",
    "Lease",
    "Liveness",
    "MCPServer",
    "Namespace",
    "NamespaceTerminating",
    "NewReplicaSetAvailable",
    "None",
    "NotSupported",
    "Pending",
    "Plugin",
    "Pod",
    "PodInitializing",
    "PodScheduled",
    "Progressing",
    "Readiness",
    "Reconcile",
    "Register",
    "ReplicaFailure",
    "Report",
    "Required",
    "Running",
    "RuntimeClass",
    "ScalingActive",
    "Secret",
    "Serve",
    "Sources",
    "Startup",
    "Succeeded",
    "TooLong",
    "TooMany",
    "True",
    "Unknown",
    "Updating",
    "ValidatingWebhookConfiguration",
    "Webhook",
];
/// Below these folders nobody says a reason of a condition or an event: there are types, objects as they are built or
/// confined, titles of dashboards, and answers of the webhook or on a terminal.
const WITHOUT_REASONS: [&str; 8] = [
    "host/api",
    "host/core/src/build",
    "host/core/src/patch",
    "host/offline",
    "host/kubectl",
    "host/authoring",
    "host/admission",
    "host/operator/src/dashboards",
];
const BEGIN: &str =
    "<!-- made from the code: UPDATE_REFERENCE=1 cargo test --workspace --lib reference -->\n";
const END: &str = "<!-- end -->\n";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page(name: &str) -> String {
    fs::read_to_string(repository().join("deploy").join(name)).unwrap()
}

/// What stands below a heading, to the next of its kind.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).unwrap();
    rest.split("\n## ").next().unwrap()
}

/// Words in backticks of the first column of the tables.
fn first_column(section: &str) -> BTreeSet<String> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| "));
    let columns = rows.filter_map(|row| row.split(" | ").next());
    let words = columns.flat_map(|column| column.split('`').skip(1).step_by(2));
    words.map(str::to_owned).collect()
}

/// Sources below a folder of the repository, without tests.
fn sources(folder: &str) -> Vec<String> {
    let (mut folders, mut found) = (vec![repository().join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let below = path.strip_prefix(repository()).unwrap();
            let without = WITHOUT_REASONS
                .iter()
                .any(|folder| below.starts_with(folder));
            if without || name == "tests" || name == "target" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs")
                && !name.ends_with("tests.rs")
                && !name.starts_with("test_")
            {
                let source = fs::read_to_string(&path).unwrap();
                let source = source.split("#[cfg(test)]\nmod ").next().unwrap();
                let lines = source
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"));
                found.push(lines.collect::<Vec<_>>().join("\n"));
            }
        }
    }
    found
}

/// Texts in quotes that are one word.
fn words(source: &str) -> impl Iterator<Item = &str> {
    let texts = source.split('"');
    texts.filter(|text| {
        text.chars()
            .all(|it| it.is_ascii_alphanumeric() || it == '_')
    })
}

/// Whether it is written as reasons are: `CamelCase`.
fn is_camel_case(word: &str) -> bool {
    word.starts_with(|it: char| it.is_ascii_uppercase())
        && word.contains(|it: char| it.is_ascii_lowercase())
        && !word.contains('_')
}

#[test]
fn every_condition_has_a_row() {
    let names = fs::read_to_string(repository().join("host/api/src/names.rs")).unwrap();
    let (_, module) = names.split_once("pub mod conditions {").unwrap();
    let module = module.split("\n}\n").next().unwrap();
    let known: BTreeSet<String> = words(module)
        .filter(|word| is_camel_case(word))
        .map(str::to_owned)
        .collect();
    assert!(known.contains(conditions::READY));
    let told = first_column(section(&page("REFERENCE.md"), "## Conditions"));
    assert_eq!(told, known);
}

#[test]
fn every_reason_and_every_event_has_a_row_and_no_row_is_of_something_else() {
    let reference = page("REFERENCE.md");
    let runbook = page("RUNBOOK.md");
    let (_, categories) = runbook.split_once("\n# Categories of errors\n").unwrap();
    let categories = first_column(categories);
    let mut told = first_column(section(&reference, "## Reasons"));
    told.extend(first_column(section(&reference, "## Events")));
    let conditions = first_column(section(&reference, "## Conditions"));

    let folders = [
        "host",
        "plugins/litellm-admin-api/src",
        "plugins/litellm-configmap/src",
        "plugins/litellm-identity/src",
    ];
    let sources: Vec<String> = folders.iter().flat_map(|folder| sources(folder)).collect();
    let known: BTreeSet<String> = sources
        .iter()
        .flat_map(|source| words(source))
        .filter(|word| is_camel_case(word))
        .map(str::to_owned)
        .collect();
    let untold: Vec<&String> = known
        .iter()
        .filter(|word| !NO_REASONS.contains(&word.as_str()))
        .filter(|word| !told.contains(*word) && !categories.contains(*word))
        .filter(|word| !conditions.contains(*word))
        .collect();
    assert!(
        untold.is_empty(),
        "deploy/REFERENCE.md has no row for {untold:?}; what is no reason stands in NO_REASONS"
    );
    let gone: Vec<&String> = told
        .difference(&known)
        .filter(|word| !conditions.contains(*word))
        .collect();
    assert!(gone.is_empty(), "nobody says {gone:?} any more");
    let needless: Vec<&&str> = NO_REASONS
        .iter()
        .filter(|word| !known.contains(**word))
        .collect();
    assert!(needless.is_empty(), "nobody says {needless:?} any more");
}

/// What stands in the code has no suffix yet: `_total` of counters, `_info`.
#[test]
fn every_metric_has_a_row() {
    let prefixes = [
        "mcp_operator_",
        "controller_runtime_",
        "workqueue_",
        "leader_election_",
    ];
    let sources = sources("host/metrics/src");
    let known: BTreeSet<&str> = sources
        .iter()
        .flat_map(|source| words(source))
        .filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)))
        .collect();
    assert!(known.len() > 20, "{known:?}");
    let reference = page("REFERENCE.md");
    let told = first_column(section(&reference, "## Metrics"));
    let forms = |name: &str| ["", "_total", "_info"].map(|suffix| format!("{name}{suffix}"));
    for name in &known {
        assert!(forms(name).iter().any(|form| told.contains(form)), "{name}");
    }
    let all: BTreeSet<String> = known.iter().flat_map(|name| forms(name)).collect();
    for name in told {
        assert!(all.contains(&name), "nobody counts {name}");
    }
}

#[test]
fn every_exit_code_has_a_row() {
    let reference = page("REFERENCE.md");
    let codes = section(&reference, "## Exit codes");
    let means = |outcome| match outcome {
        Outcome::Admitted => "everything would be admitted",
        Outcome::Denied => "something would be denied",
        Outcome::Unanswered => "nobody can say",
    };
    for outcome in [Outcome::Admitted, Outcome::Denied, Outcome::Unanswered] {
        let row = format!(
            "| {} | `check`, `render` | {}",
            outcome as u8,
            means(outcome)
        );
        assert!(codes.contains(&row), "{row}");
    }
    let program = Arguments::command();
    for command in program.get_subcommands().filter(|it| !it.is_hide_set()) {
        let name = command.get_name();
        for code in command.get_subcommands().chain([command]) {
            let code = code.get_name();
            let is_told = match (name, code) {
                ("plugin", "plugin") => continue,
                // Its own commands are told with it.
                ("kubectl", _) => codes.contains("`kubectl`"),
                ("plugin", _) => {
                    let rows = codes.lines().filter(|row| row.contains("`plugin "));
                    rows.flat_map(|row| row.split('`'))
                        .any(|word| word.trim_start_matches("plugin ") == code)
                }
                _ => codes.contains(&format!("`{code}`")),
            };
            assert!(is_told, "nothing says what {name} {code} ends with");
        }
    }
}

#[test]
fn the_options_are_those_of_the_command_line() {
    let reference = page("REFERENCE.md");
    let (before, rest) = reference.split_once(BEGIN).unwrap();
    let (told, after) = rest.split_once(END).unwrap();
    let mut command = Arguments::command();
    command.build();
    let said = options(&command);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        let file = repository().join("deploy/REFERENCE.md");
        fs::write(file, format!("{before}{BEGIN}{said}{END}{after}")).unwrap();
    } else {
        assert!(told == said, "set UPDATE_REFERENCE=1 to write them\n{said}");
    }
}

/// A table for each command that people call.
fn options(program: &Command) -> String {
    let mut text = String::new();
    for command in program.get_subcommands() {
        describe(command, "mcp-operator", &mut text);
    }
    text.push('\n');
    text
}

fn describe(command: &Command, program: &str, text: &mut String) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = format!("{program} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string);
    writeln!(text, "\n### `{name}`\n\n{}.\n", about.unwrap_or_default()).unwrap();
    let all = command.get_arguments();
    let all = all.filter(|it| !it.is_hide_set() && !is_everywhere(it));
    let rows: Vec<String> = all.map(row).collect();
    if !rows.is_empty() {
        text.push_str("| option | variable | default | |\n|---|---|---|---|\n");
        text.push_str(&rows.concat());
    }
    for command in command.get_subcommands() {
        describe(command, &name, text);
    }
}

/// `--help` and `--version`.
fn is_everywhere(argument: &Arg) -> bool {
    ["help", "version"].contains(&argument.get_id().as_str())
}

fn row(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default();
    let value = values.first().map(ToString::to_string).unwrap_or_default();
    let takes_value = argument.get_action().takes_values();
    let name = match argument.get_long() {
        Some(long) if argument.is_require_equals_set() => format!("--{long}[={value}]"),
        Some(long) if takes_value => format!("--{long} {value}"),
        Some(long) => format!("--{long}"),
        None => value,
    };
    let aliases = argument.get_visible_aliases().unwrap_or_default();
    let aliases = aliases.iter().map(|alias| format!(", `--{alias}`"));
    let aliases = aliases.collect::<Vec<_>>().concat();
    let code = |text: String| match text.as_str() {
        "" => text,
        _ => format!("`{text}`"),
    };
    let variable = argument
        .get_env()
        .map(|it| it.to_string_lossy().into_owned());
    let defaults = argument.get_default_values().iter();
    let defaults: Vec<String> = defaults
        .map(|it| it.to_string_lossy().into_owned())
        .collect();
    let help = argument.get_long_help().or(argument.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let default = if takes_value {
        defaults.join(",")
    } else {
        String::new()
    };
    format!(
        "| {}{aliases} | {} | {} | {} |\n",
        code(name),
        code(variable.unwrap_or_default()),
        code(default),
        help.replace('|', "\\|")
    )
}
