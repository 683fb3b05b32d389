//! The parts of the project, built.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use mcp_cluster::{Cache, Progress, capture, image::Image, repository, run_logged, static_target};
use serde_json::Value;

use crate::operator_image::{BUILTIN_PLUGINS, OperatorImage, USER};

/// Image of the operator, by its name on the node.
pub(crate) const OPERATOR_IMAGE: &str = "docker.io/local/mcp-operator:dev";
/// Where cargo puts components, below its target folder.
const COMPONENTS: &str = "wasm32-wasip2/release";
/// Cargo's arguments for components.
const COMPONENT: [&str; 3] = ["--release", "--target", "wasm32-wasip2"];

/// What can be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The operator.
    Operator,
    /// The operator and end-to-end tests, as `cargo test --workspace` builds them.
    Tested,
    /// All plugins but those that misbehave.
    Plugins,
    /// Plugins that misbehave.
    Fixtures,
    /// The sample MCP server.
    Server,
}

impl Part {
    /// What benches and tests need.
    pub const ALL: [Self; 4] = [Self::Tested, Self::Plugins, Self::Fixtures, Self::Server];

    fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Tested => "operator and tests",
            Self::Plugins => "plugins",
            Self::Fixtures => "hostile plugins",
            Self::Server => "sample MCP server",
        }
    }

    /// The folder of its workspace.
    fn folder(self) -> &'static str {
        match self {
            Self::Operator | Self::Tested => "",
            Self::Plugins => "plugins",
            Self::Fixtures => "plugins/fixtures",
            Self::Server => "tests/mcp-server",
        }
    }

    fn build(self, cache: &Cache, progress: &mut Progress) -> Result<()> {
        let target = static_target();
        let arguments = match self {
            Self::Operator => vec!["--workspace", "--bin", "mcp-operator"],
            // As soon as tests are among it, features are those that tests ask for: dependencies are not built twice.
            Self::Tested => vec!["--workspace", "--bin", "mcp-operator", "--test", "*"],
            Self::Plugins => COMPONENT.to_vec(),
            Self::Fixtures => [&["--workspace"], &COMPONENT[..]].concat(),
            Self::Server => vec!["--release", "--target", &target],
        };
        build(cache, progress, self.name(), self.folder(), &arguments)
    }
}

/// The parts of the project, where they are once they are built.
#[derive(Debug, Clone)]
pub struct Artifacts {
    /// The operator.
    pub operator: PathBuf,
    /// Folder with all plugins.
    pub plugins: PathBuf,
    /// Folder with plugins that misbehave, for tests.
    pub fixtures: PathBuf,
    /// The sample MCP server, a static program.
    pub server: PathBuf,
}

impl Artifacts {
    /// Image of the sample MCP server.
    pub const SERVER_IMAGE: &str = "docker.io/local/mcp-weather:1.0.0";

    /// Builds some of them; cargo knows what there is to do.
    ///
    /// # Errors
    /// When a build fails, with the end of its log.
    pub fn build(cache: &Cache, parts: &[Part]) -> Result<Self> {
        let mut progress = Progress::new(parts.len());
        for part in parts {
            part.build(cache, &mut progress)?;
        }
        Self::locate()
    }

    /// Where they are or will be, without building anything.
    ///
    /// # Errors
    /// When cargo does not say where it builds.
    pub fn locate() -> Result<Self> {
        Ok(Self {
            operator: target(Part::Operator)?.join("debug/mcp-operator"),
            plugins: target(Part::Plugins)?.join(COMPONENTS),
            fixtures: target(Part::Fixtures)?.join(COMPONENTS),
            server: target(Part::Server)?
                .join(static_target())
                .join("release/mcp-weather"),
        })
    }

    /// All of them, with an operator that is optimised as the bench profile says: for measuring.
    ///
    /// # Errors
    /// When a build fails, with the end of its log.
    pub fn build_optimised(cache: &Cache) -> Result<Self> {
        let artifacts = Self::build(cache, &Part::ALL)?;
        let arguments = ["--workspace", "--bin", "mcp-operator", "--profile", "bench"];
        build(
            cache,
            &mut Progress::new(1),
            "optimised operator",
            "",
            &arguments,
        )?;
        Ok(Self {
            operator: target(Part::Operator)?.join("release/mcp-operator"),
            ..artifacts
        })
    }

    /// Makes container images for the demo, of the operator as it was built for this machine; the archives are in `folder`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn images(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let operator = folder.join("operator.tar");
        let mut image = Image::new(OPERATOR_IMAGE)
            .program("mcp-operator", &self.operator)?
            .link("manager", "mcp-operator");
        for plugin in BUILTIN_PLUGINS {
            let file = format!("{plugin}.wasm");
            image = image.file(&format!("plugins/{file}"), &self.plugins.join(&file))?;
        }
        image
            .entrypoint(&["/mcp-operator"])
            .user(USER)
            .write(&operator)?;
        Ok(vec![operator, self.server_image(folder)?])
    }

    /// Makes container images for tests: the operator's is made of what is shipped.
    ///
    /// # Errors
    /// When they cannot be built or written.
    pub fn shipped_images(&self, cache: &Cache) -> Result<Vec<PathBuf>> {
        let folder = cache.folder("images")?;
        let operator = folder.join("operator.tar");
        let target = Self::image_target()?;
        OperatorImage::build(cache, &repository(), &target)?
            .image(OPERATOR_IMAGE)?
            .write(&operator)?;
        Ok(vec![operator, self.server_image(&folder)?])
    }

    /// Cargo's target folder for the operator's image: it is built with other flags than everything else.
    ///
    /// # Errors
    /// When cargo does not say where it builds.
    pub fn image_target() -> Result<PathBuf> {
        Ok(target(Part::Operator)?.join("image"))
    }

    /// Makes only the image of the sample MCP server.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn server_image(&self, folder: &Path) -> Result<PathBuf> {
        let archive = folder.join("mcp-weather.tar");
        Image::new(Self::SERVER_IMAGE)
            .file("mcp-weather", &self.server)?
            .entrypoint(&["/mcp-weather"])
            .user(USER)
            .write(&archive)?;
        Ok(archive)
    }
}

/// Builds in one workspace.
fn build(
    cache: &Cache,
    progress: &mut Progress,
    what: &str,
    folder: &str,
    arguments: &[&str],
) -> Result<()> {
    let log = cache.folder("logs")?.join(format!("build {what}.log"));
    let mut command = cargo(&repository().join(folder));
    command.arg("build").args(arguments);
    progress.step(&format!("build {what}"), || run_logged(&mut command, &log))
}

/// Cargo's target folder of a part's workspace.
fn target(part: Part) -> Result<PathBuf> {
    let folder = repository().join(part.folder());
    let metadata = capture(cargo(&folder).args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata is no JSON")?;
    let target = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target folder")?;
    Ok(PathBuf::from(target))
}

/// Cargo, in a folder, without what the cargo that runs us has told us.
pub(crate) fn cargo(folder: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(folder).env_remove("RUSTUP_TOOLCHAIN");
    command
}
