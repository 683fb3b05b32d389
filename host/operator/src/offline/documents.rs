//! Manifests from files, folders and standard input.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

/// A manifest, and where it is from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Document {
    pub(super) source: String,
    pub(super) object: Value,
}

impl Document {
    pub(super) fn is(&self, api_version: &str, kind: &str) -> bool {
        self.object["apiVersion"] == api_version && self.object["kind"] == kind
    }

    /// `Kind name`, for notes.
    pub(super) fn title(&self) -> String {
        let text = |value: &Value| value.as_str().unwrap_or("(unnamed)").to_owned();
        format!(
            "{} {}",
            text(&self.object["kind"]),
            text(&self.object["metadata"]["name"])
        )
    }
}

/// All manifests, in the order of the paths; the files of a folder by name.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .context("standard input cannot be read")?;
            documents.extend(parse("STDIN", &text)?);
        } else if path.is_dir() {
            for file in files(path)? {
                documents.extend(read_file(&file)?);
            }
        } else {
            documents.extend(read_file(path)?);
        }
    }
    Ok(documents)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("{} cannot be read", folder.display());
    let entries = folder.read_dir().with_context(cannot)?;
    let entries = entries.collect::<Result<Vec<_>, _>>();
    let paths = entries
        .with_context(cannot)?
        .into_iter()
        .map(|entry| entry.path());
    let is_manifest = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("yaml" | "yml" | "json")) && path.is_file()
    };
    let mut files: Vec<PathBuf> = paths.filter(is_manifest).collect();
    files.sort();
    Ok(files)
}

fn read_file(path: &Path) -> Result<Vec<Document>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    parse(&path.display().to_string(), &text)
}

/// The manifests of a text; those of a `List` one by one.
pub(super) fn parse(source: &str, text: &str) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for part in serde_yaml_ng::Deserializer::from_str(text) {
        let object = value(part).with_context(|| source.to_owned())?;
        match object {
            Value::Null => {}
            Value::Object(mut list) if list.contains_key("items") && is_list(&list["kind"]) => {
                let items = list.remove("items");
                let items = items.as_ref().and_then(Value::as_array).into_iter();
                documents.extend(items.flatten().map(|object| Document {
                    source: source.to_owned(),
                    object: object.clone(),
                }));
            }
            Value::Object(_) => documents.push(Document {
                source: source.to_owned(),
                object,
            }),
            _ => bail!("{source}: a document is no manifest: it has no fields"),
        }
    }
    Ok(documents)
}

/// Through YAML's own value, which refuses keys that occur twice.
fn value(part: serde_yaml_ng::Deserializer<'_>) -> Result<Value> {
    let mut value = serde_yaml_ng::Value::deserialize(part)?;
    value.apply_merge()?;
    Ok(serde_json::to_value(value)?)
}

fn is_list(kind: &Value) -> bool {
    kind.as_str().is_some_and(|kind| kind.ends_with("List"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(text: &str) -> Vec<String> {
        let documents = parse("a.yaml", text).unwrap();
        documents.iter().map(Document::title).collect()
    }

    #[test]
    fn several_documents_and_lists_are_read_one_by_one() {
        let text = "---\n# nothing\n---\nkind: A\nmetadata: {name: a}\n---\nkind: List\nitems:\n- {kind: B, metadata: {name: b}}\n- {kind: C}\n";
        assert_eq!(titles(text), ["A a", "B b", "C (unnamed)"]);
        assert_eq!(
            titles(r#"{"kind":"A","metadata":{"name":"json"}}"#),
            ["A json"]
        );
        assert_eq!(titles(""), [""; 0]);
    }

    #[test]
    fn what_is_no_manifest_is_told_with_its_place() {
        for (text, expected) in [
            ("a: 1\na: 2\n", "a.yaml: duplicate entry with key \"a\""),
            ("just text", "a.yaml: a document is no manifest"),
            ("a: [", "a.yaml: "),
        ] {
            let error = format!("{:#}", parse("a.yaml", text).unwrap_err());
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_folder_is_read_by_name_and_only_its_manifests() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [("b.yml", "kind: B"), ("a.yaml", "kind: A"), ("c.md", "# C")] {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        let documents = read(&[folder.path().to_owned()]).unwrap();
        let kinds: Vec<&Value> = documents.iter().map(|one| &one.object["kind"]).collect();
        assert_eq!(kinds, ["A", "B"]);
    }
}
