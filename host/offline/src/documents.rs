//! Manifests from files, folders and standard input.

use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use serde_saphyr::{
    Error as YamlError, NonFiniteFloatPolicy, Options, UserMessageFormatter, budget, options,
};

/// A manifest, and where it is from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    pub(crate) source: String,
    pub(crate) object: Value,
}

impl Document {
    pub(crate) fn is(&self, api_version: &str, kind: &str) -> bool {
        self.object["apiVersion"] == api_version && self.object["kind"] == kind
    }

    /// `Kind name`, for notes.
    pub(crate) fn title(&self) -> String {
        let text = |value: &Value| value.as_str().unwrap_or("(unnamed)").to_owned();
        format!(
            "{} {}",
            text(&self.object["kind"]),
            text(&self.object["metadata"]["name"])
        )
    }
}

/// All manifests, in the order of the paths; the files of a folder by name.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Document>> {
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
pub(crate) fn parse(source: &str, text: &str) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for object in values(text).with_context(|| source.to_owned())? {
        match object {
            Value::Object(mut list)
                if list.contains_key("items") && list.get("kind").is_some_and(is_list) =>
            {
                let items = match list.remove("items") {
                    Some(Value::Array(items)) => items,
                    _ => Vec::new(),
                };
                for object in items {
                    if !object.is_object() {
                        bail!("{source}: an item of a list is no manifest: it has no fields");
                    }
                    documents.push(Document {
                        source: source.to_owned(),
                        object,
                    });
                }
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

/// The documents of a text, without empty ones; keys that occur twice are refused.
pub(crate) fn values(text: &str) -> Result<Vec<Value>> {
    let mut text = Cow::Borrowed(text);
    loop {
        let error = match serde_saphyr::from_multiple_with_options(&text, options()) {
            Ok(values) => return Ok(values),
            Err(error) => error,
        };
        let Some(unquoted) = number_without_end(&error, &text) else {
            bail!(error.render_with_formatter(&UserMessageFormatter));
        };
        let text = text.to_mut();
        text.insert(unquoted.end, '"');
        text.insert(unquoted.start, '"');
    }
}

/// The place of a number that is larger than any float. kubectl, and whatever else writes YAML in Go, leaves texts without
/// quotes that look so, such as the digest 93e447655166.
fn number_without_end(error: &YamlError, text: &str) -> Option<Range<usize>> {
    let YamlError::NonFiniteFloat { value, location } = error else {
        return None;
    };
    let start = usize::try_from(location.span().byte_offset()?).ok()?;
    let place = start..start + value.len();
    let is_digits = value.starts_with(|first: char| first.is_ascii_digit());
    (is_digits && text.get(place.clone()) == Some(value.as_str())).then_some(place)
}

fn options() -> Options {
    options! {
        // All MCPServers of a cluster may come in one text. What remains bounds the depth and the use of aliases.
        budget: budget! {
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_documents: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
        },
        // As YAML 1.2 has it, and what writes manifests quotes what could be misread.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        // Components in ConfigMaps stay as they are written.
        ignore_binary_tag_for_string: true,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        with_snippet: false,
    }
}

fn is_list(kind: &Value) -> bool {
    kind.as_str().is_some_and(|kind| kind.ends_with("List"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
    fn text_is_read_as_yaml_1_2_with_anchors_and_merges() {
        let text = "a: &base {b: 1}\nc:\n  <<: *base\n  d: yes\ne: [010, 1_000, 1.0.0, !!binary AGFzbQ==]\n";
        let documents = parse("a.yaml", text).unwrap();
        assert_eq!(
            documents[0].object,
            json!({
                "a": { "b": 1 }, "c": { "b": 1, "d": "yes" },
                "e": ["010", "1_000", "1.0.0", "AGFzbQ=="],
            })
        );
    }

    /// Go leaves them without quotes, since they are no numbers to it.
    #[test]
    fn texts_that_look_like_numbers_without_end_are_texts() {
        let text = "kind: ä\n---\nkind: A\na: 93e447655166\nb: [1e999, 1e3, x: 4e99999]\n";
        assert_eq!(
            parse("a.yaml", text).unwrap()[1].object,
            json!({ "kind": "A", "a": "93e447655166", "b": ["1e999", 1e3, { "x": "4e99999" }] })
        );
        for infinite in [".inf", "-.inf", ".nan"] {
            let text = format!("kind: A\na: {infinite}\n");
            let error = parse("a.yaml", &text).unwrap_err();
            assert!(format!("{error:#}").contains("is not a finite number"));
        }
    }

    /// As `kubectl get --output yaml` prints all servers of a large cluster.
    #[test]
    fn a_large_list_is_read() {
        let item = "- {kind: A, metadata: {name: a}, spec: {args: [a, b, c, d, e, f, g, h]}}\n";
        let text = format!("kind: List\nitems:\n{}", item.repeat(15_000));
        assert_eq!(parse("a.yaml", &text).unwrap().len(), 15_000);
    }

    #[test]
    fn what_is_no_manifest_is_told_with_its_place() {
        for (text, expected) in [
            (
                "a: 1\na: 2\n",
                "a.yaml: duplicate mapping key `a` is not allowed here at line 2, column 1",
            ),
            ("just text", "a.yaml: a document is no manifest"),
            (
                "{kind: List, items: [{kind: A}, text]}",
                "a.yaml: an item of a list is no manifest",
            ),
            ("a: [", "a.yaml: unclosed bracket '[' at line 1, column 4"),
        ] {
            let error = format!("{:#}", parse("a.yaml", text).unwrap_err());
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn what_has_items_and_no_kind_is_no_list() {
        let documents = parse("a.yaml", "items: [{kind: B}]\n").unwrap();
        assert_eq!(documents.len(), 1);
        assert!(documents[0].object["kind"].is_null());
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
