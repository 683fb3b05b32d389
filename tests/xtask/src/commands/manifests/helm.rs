//! Helm and kubeconform, as programs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use mcp_cluster::{Tools, capture};

/// Of the release that is rendered, and its namespace: what people would type.
const RELEASE: [&str; 3] = ["mcp-operator", "--namespace", "mcp-operator-system"];

/// A chart, and the programs that work with it.
pub(super) struct Helm {
    program: PathBuf,
    kubeconform: PathBuf,
    chart: PathBuf,
}

impl Helm {
    pub(super) fn new(tools: &Tools, chart: PathBuf) -> Self {
        Self {
            program: tools.path("helm"),
            kubeconform: tools.path("kubeconform"),
            chart,
        }
    }

    /// What templates become, by their names.
    pub(super) fn render(
        &self,
        folder: &Path,
        values: &[&str],
    ) -> Result<BTreeMap<String, String>> {
        let output = folder.join("rendered");
        if output.exists() {
            fs::remove_dir_all(&output)
                .with_context(|| format!("cannot remove {}", output.display()))?;
        }
        let mut command = Command::new(&self.program);
        command
            .arg("template")
            .arg(RELEASE[0])
            .arg(&self.chart)
            .args(&RELEASE[1..])
            .arg("--output-dir")
            .arg(&output);
        for value in values {
            command.args(["--set", value]);
        }
        capture(&mut command)?;
        let templates = output.join("mcp-operator/templates");
        let entries = fs::read_dir(&templates)
            .with_context(|| format!("cannot read {}", templates.display()))?;
        let mut rendered = BTreeMap::new();
        for entry in entries {
            let path = entry?.path();
            if path.is_file() {
                let text = fs::read_to_string(&path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                rendered.insert(name.into_owned(), tidy(&text));
            }
        }
        Ok(rendered)
    }

    /// All objects of a release with these values, but those of hooks.
    pub(super) fn template(&self, values: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command
            .arg("template")
            .arg(RELEASE[0])
            .arg(&self.chart)
            .args(&RELEASE[1..])
            .arg("--no-hooks");
        for value in values {
            command.args(["--set", value]);
        }
        capture(&mut command)
    }

    /// What Helm itself finds wrong.
    pub(super) fn lint(&self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command
            .args(["lint", "--strict", "--quiet"])
            .arg(&self.chart);
        for values in self.values()? {
            command.arg("--values").arg(values);
            capture(&mut command)?;
        }
        Ok(())
    }

    /// Whether what the chart makes is what the API servers take, by the schemas of a folder: with its own values, and with each
    /// file of `ci/`. Says how many that were.
    pub(super) fn conform(&self, schemas: &Path) -> Result<usize> {
        let location = schemas.join("{{.ResourceKind}}{{.KindSuffix}}.json");
        let mut sets = vec![None];
        sets.extend(self.values()?.into_iter().map(Some));
        for values in &sets {
            let mut template = Command::new(&self.program);
            template
                .arg("template")
                .arg(RELEASE[0])
                .arg(&self.chart)
                .args(&RELEASE[1..])
                .arg("--include-crds");
            if let Some(values) = values {
                template.arg("--values").arg(values);
            }
            let file = schemas.join("rendered.yaml");
            fs::write(&file, capture(&mut template)?)
                .with_context(|| format!("cannot write {}", file.display()))?;
            let mut kubeconform = Command::new(&self.kubeconform);
            kubeconform
                .args(["-strict", "-summary", "-output", "text", "-schema-location"])
                .arg(&location)
                .arg(&file);
            let output = kubeconform.output().context("cannot run kubeconform")?;
            if !output.status.success() {
                let values = match values {
                    Some(values) => values.display().to_string(),
                    None => "its own values".into(),
                };
                // It says on its standard output what is wrong.
                let said = String::from_utf8_lossy(&output.stdout);
                bail!("the chart with {values} makes what no API server takes:\n{said}");
            }
        }
        Ok(sets.len())
    }

    /// Files with values that somebody may have.
    fn values(&self) -> Result<Vec<PathBuf>> {
        let folder = self.chart.join("ci");
        let mut files = fs::read_dir(&folder)
            .with_context(|| format!("cannot read {}", folder.display()))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>>>()?;
        files.sort();
        Ok(files)
    }
}

/// Without what Helm says about where a document comes from, and without documents that are empty.
fn tidy(text: &str) -> String {
    let mut documents = vec![String::new()];
    for line in text.lines().map(str::trim_end) {
        if line == "---" {
            documents.push(String::new());
        } else if let Some(document) = documents.last_mut()
            && !line.starts_with("# Source: ")
        {
            document.push_str(line);
            document.push('\n');
        }
    }
    let documents = documents.iter().map(|document| document.trim_matches('\n'));
    let documents: Vec<&str> = documents.filter(|document| !document.is_empty()).collect();
    documents.join("\n---\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_what_is_left() {
        let text = "---\n# Source: a/b.yaml\n\n---\n# Source: a/b.yaml\nkind: A  \n---\n# Source: a/b.yaml\n# why\nkind: B\n";
        assert_eq!(tidy(text), "kind: A\n---\n# why\nkind: B\n");
    }
}
