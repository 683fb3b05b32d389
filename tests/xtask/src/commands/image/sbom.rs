//! What the image is made of, as CycloneDX has it: the operator, its plugins, and the crates of both.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use mcp_cluster::{Cache, run_logged};
use mcp_e2e::{BUILTIN_PLUGINS, copy_sources};
use serde_json::{Map, Value, json};

use super::provenance::Revision;

/// `cargo-cyclonedx`, of the project that makes the format.
const VERSION: &str = "0.5.9";
/// What its files are called, beside the `Cargo.toml` of each crate.
const FILE: &str = "sbom";

/// Writes it.
///
/// # Errors
/// When the tool cannot be built or fails, with the end of its log.
pub(super) fn write(
    cache: &Cache,
    checkout: &Path,
    target: &str,
    revision: &Revision,
    output: &Path,
) -> Result<()> {
    let tool = install(cache)?;
    // It writes beside the sources.
    let sources = cache.folder("sbom/sources")?;
    copy_sources(checkout, &sources)?;
    for (manifest, target) in [
        ("host/operator/Cargo.toml", target),
        ("plugins/Cargo.toml", "wasm32-wasip2"),
    ] {
        let mut command = Command::new(&tool);
        command
            .current_dir(&sources)
            // The tool leaves out what would differ each time.
            .env("SOURCE_DATE_EPOCH", revision.seconds.to_string())
            .env_remove("RUSTUP_TOOLCHAIN")
            .args(["cyclonedx", "--format", "json", "--spec-version", "1.5"])
            .args(["--manifest-path", manifest, "--target", target])
            // What only builds is not in the image.
            .args(["--no-build-deps", "--override-filename", FILE]);
        run_logged(&mut command, &cache.folder("logs")?.join("sbom.log"))?;
    }
    let read = |folder: &str| parse(&sources, &sources.join(folder));
    let mut whole = read("host/operator")?;
    for plugin in BUILTIN_PLUGINS {
        add(
            &mut whole,
            read(&format!("plugins/{}", plugin.replace('_', "-")))?,
        )?;
    }
    let text = serde_json::to_string_pretty(&whole)? + "\n";
    fs::write(output, text).with_context(|| format!("cannot write {}", output.display()))
}

/// The tool, built once.
fn install(cache: &Cache) -> Result<PathBuf> {
    let root = cache.folder(format!("tools/cargo-cyclonedx-{VERSION}"))?;
    let tool = root.join("bin/cargo-cyclonedx");
    let _lock = cache.lock("cargo-cyclonedx")?;
    if !tool.is_file() {
        eprintln!("building cargo-cyclonedx {VERSION}");
        let mut command = Command::new("cargo");
        command
            .args(["install", "--locked", "--version", VERSION, "--root"])
            .arg(&root)
            .arg("--target-dir")
            .arg(root.join("target"))
            .arg("cargo-cyclonedx");
        run_logged(&mut command, &root.join("build.log"))?;
        fs::remove_dir_all(root.join("target")).context("cannot remove what is not needed")?;
    }
    Ok(tool)
}

/// A file of the tool's, without the folder in which it was made.
fn parse(sources: &Path, folder: &Path) -> Result<Value> {
    let file = folder.join(format!("{FILE}.json"));
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = text.replace(&*sources.to_string_lossy(), "/source");
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))
}

/// Makes something a part of the whole: a component beside the others, on which the whole depends.
fn add(whole: &mut Value, mut part: Value) -> Result<()> {
    let component = part["metadata"]["component"].take();
    let name = component["bom-ref"].clone();
    let root = whole["metadata"]["component"]["bom-ref"].clone();
    let mut components = vec![component];
    components.extend(
        part["components"]
            .as_array_mut()
            .map(std::mem::take)
            .unwrap_or_default(),
    );
    merge(&mut whole["components"], components, "bom-ref")?;
    let dependencies = part["dependencies"].as_array_mut().map(std::mem::take);
    merge(
        &mut whole["dependencies"],
        dependencies.unwrap_or_default(),
        "ref",
    )?;
    let all = whole["dependencies"]
        .as_array_mut()
        .context("no dependencies")?;
    let ours = all.iter_mut().find(|entry| entry["ref"] == root);
    let ours = ours.context("the whole has no dependencies")?;
    match ours["dependsOn"].as_array_mut() {
        Some(list) => list.push(name),
        None => ours["dependsOn"] = json!([name]),
    }
    Ok(())
}

/// Adds entries that are not there yet, and sorts all of them.
fn merge(list: &mut Value, more: Vec<Value>, key: &str) -> Result<()> {
    let list = list.as_array_mut().context("an SBOM without a list")?;
    let mut by_key: Map<String, Value> = Map::new();
    for entry in list.drain(..).chain(more) {
        let name = entry[key].as_str().context("an entry without a name")?;
        by_key.entry(name.to_owned()).or_insert(entry);
    }
    let mut entries: Vec<(String, Value)> = by_key.into_iter().collect();
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    list.extend(entries.into_iter().map(|(_, entry)| entry));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sbom(name: &str, depends_on: &[&str]) -> Value {
        let components: Vec<Value> = depends_on
            .iter()
            .map(|name| json!({ "bom-ref": name }))
            .collect();
        json!({
            "metadata": { "component": { "bom-ref": name } }, "components": components,
            "dependencies": [{ "ref": name, "dependsOn": depends_on }],
        })
    }

    #[test]
    fn a_plugin_is_a_part_of_the_operator_and_what_both_use_is_there_once() {
        let mut whole = sbom("operator", &["serde"]);
        add(&mut whole, sbom("plugin", &["hex", "serde"])).unwrap();
        let names: Vec<&str> = whole["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|component| component["bom-ref"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["hex", "plugin", "serde"]);
        assert_eq!(
            whole["dependencies"][0]["dependsOn"],
            json!(["serde", "plugin"])
        );
        assert_eq!(
            whole["dependencies"][1]["dependsOn"],
            json!(["hex", "serde"])
        );
    }
}
