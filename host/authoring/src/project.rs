//! The folder of a plugin: its MCPPlugin, its component, its language.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_operator_offline::Decoder;
use serde_json::json;

/// The MCPPlugin of a folder.
pub(crate) const MANIFEST: &str = "plugin.yaml";

/// A language that components are built from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// With the SDK, whose sources come along.
    Rust,
    /// With componentize-py.
    Python,
    /// JavaScript, with QuickJS.
    Js,
    /// With Go itself.
    Go,
}

impl Language {
    /// The file by which a folder is known to be of a language.
    const MARKS: [(&'static str, Self); 4] = [
        ("Cargo.toml", Self::Rust),
        ("requirements.txt", Self::Python),
        ("package.json", Self::Js),
        ("go.mod", Self::Go),
    ];

    /// The language of a folder.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let found = Self::MARKS
            .iter()
            .find(|(mark, _)| folder.join(mark).is_file());
        found.map(|(_, language)| *language).with_context(|| {
            let marks: Vec<&str> = Self::MARKS.iter().map(|(mark, _)| *mark).collect();
            format!(
                "{} is of no known language: it has none of {}",
                folder.display(),
                marks.join(", ")
            )
        })
    }
}

/// A plugin, as its author has it.
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) plugin: McpPlugin,
    pub(crate) component: PathBuf,
}

impl Project {
    /// By a folder with `plugin.yaml`, or by a component alone, for which its neighbour `plugin.yaml` or the defaults of an
    /// MCPPlugin stand.
    pub(crate) fn open(path: &Path, decoder: &Decoder) -> Result<Self> {
        if path.is_dir() {
            let manifest = path.join(MANIFEST);
            ensure!(
                manifest.is_file(),
                "{} is missing: a plugin's folder has its MCPPlugin there (`mcp-operator plugin new` makes one)",
                manifest.display()
            );
            let plugin = decoder.plugin(&manifest)?;
            let component = path.join(format!("{}.wasm", name(&plugin)));
            let folder = path.to_owned();
            return Ok(Self {
                folder,
                plugin,
                component,
            });
        }
        ensure!(
            path.is_file(),
            "{} is neither a folder nor a component",
            path.display()
        );
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let manifest = folder.join(MANIFEST);
        let plugin = if manifest.is_file() {
            decoder.plugin(&manifest)?
        } else {
            bare(path)?
        };
        Ok(Self {
            folder,
            plugin,
            component: path.to_owned(),
        })
    }

    /// The same, of which the component must have been built.
    pub(crate) fn built(path: &Path, decoder: &Decoder) -> Result<Self> {
        let project = Self::open(path, decoder)?;
        if !project.component.is_file() {
            bail!(
                "{} is missing: `mcp-operator plugin build {}` makes it",
                project.component.display(),
                project.folder.display()
            );
        }
        Ok(project)
    }

    pub(crate) fn name(&self) -> &str {
        name(&self.plugin)
    }
}

fn name(plugin: &McpPlugin) -> &str {
    plugin.metadata.name.as_deref().unwrap_or_default()
}

/// An MCPPlugin that says nothing but what it must.
fn bare(component: &Path) -> Result<McpPlugin> {
    let name = component.file_stem().unwrap_or_default().to_string_lossy();
    let plugin = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin",
        "metadata": { "name": name.replace('_', "-") },
        "spec": { "source": { "file": component } },
    });
    serde_json::from_value(plugin).context("an MCPPlugin for the component")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_alone_has_the_defaults_of_an_mcpplugin() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("my_rule.wasm");
        std::fs::write(&file, b"").unwrap();
        let project = Project::built(&file, &Decoder::new().unwrap()).unwrap();
        assert_eq!(project.name(), "my-rule");
        assert_eq!(project.plugin.spec.limits.timeout_milliseconds, 1000);
    }

    #[test]
    fn a_folder_says_what_it_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let decoder = Decoder::new().unwrap();
        let error = |path: &Path| Project::built(path, &decoder).err().unwrap().to_string();
        assert!(error(folder.path()).contains("plugin.yaml is missing"));
        let text = "apiVersion: mcp.litellm.ai/v1alpha1\nkind: MCPPlugin\nmetadata: {name: a}\nspec: {source: {file: /a.wasm}}\n";
        std::fs::write(folder.path().join(MANIFEST), text).unwrap();
        assert!(error(folder.path()).contains("a.wasm is missing: `mcp-operator plugin build"));
        let language = Language::of(folder.path()).unwrap_err().to_string();
        assert!(language.contains("it has none of Cargo.toml"));
        std::fs::write(folder.path().join("package.json"), "").unwrap();
        assert_eq!(Language::of(folder.path()).unwrap(), Language::Js);
    }
}
