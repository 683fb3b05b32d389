//! The parts of the project, built.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use mcp_cluster::{Cache, Progress, capture, image::Image, repository, run_logged, static_target};
use serde_json::Value;

/// Image of the operator.
const OPERATOR_IMAGE: &str = "docker.io/local/mcp-operator:dev";
/// Image of the sample MCP server.
const SERVER_IMAGE: &str = "docker.io/local/mcp-weather:1.0.0";
/// The operator's user in its image.
const USER: u32 = 65532;

/// The parts of the project, built.
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
    /// Builds all of them; cargo knows what there is to do.
    ///
    /// # Errors
    /// When a build fails, with the end of its log.
    pub fn build(cache: &Cache) -> Result<Self> {
        let mut progress = Progress::new(4);
        let component = ["--release", "--target", "wasm32-wasip2"];
        let target = static_target();
        let operator = build(
            cache,
            &mut progress,
            "operator",
            "",
            &["--workspace", "--bin", "mcp-operator"],
        )?;
        let plugins = build(cache, &mut progress, "plugins", "plugins", &component)?;
        let fixtures = build(
            cache,
            &mut progress,
            "hostile plugins",
            "plugins/fixtures",
            &["--workspace", "--release", "--target", "wasm32-wasip2"],
        )?;
        let server = build(
            cache,
            &mut progress,
            "sample MCP server",
            "tests/mcp-server",
            &["--release", "--target", &target],
        )?;
        let components = Path::new("wasm32-wasip2/release");
        Ok(Self {
            operator: operator.join("debug/mcp-operator"),
            plugins: plugins.join(components),
            fixtures: fixtures.join(components),
            server: server.join(target).join("release/mcp-weather"),
        })
    }

    /// Builds only the plugins, and says where they are.
    ///
    /// # Errors
    /// When a build fails, with the end of its log.
    pub fn build_plugins(cache: &Cache) -> Result<PathBuf> {
        let component = ["--release", "--target", "wasm32-wasip2"];
        let target = build(
            cache,
            &mut Progress::new(1),
            "plugins",
            "plugins",
            &component,
        )?;
        Ok(target.join("wasm32-wasip2/release"))
    }

    /// All of them, with an operator that is optimised as the bench profile says: for measuring.
    ///
    /// # Errors
    /// When a build fails, with the end of its log.
    pub fn build_optimised(cache: &Cache) -> Result<Self> {
        let artifacts = Self::build(cache)?;
        let arguments = ["--workspace", "--bin", "mcp-operator", "--profile", "bench"];
        let mut progress = Progress::new(1);
        let target = build(cache, &mut progress, "optimised operator", "", &arguments)?;
        Ok(Self {
            operator: target.join("release/mcp-operator"),
            ..artifacts
        })
    }

    /// Makes the container images; the archives are in `folder`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn images(&self, folder: &Path) -> Result<[PathBuf; 2]> {
        let (operator, server) = (folder.join("operator.tar"), folder.join("mcp-weather.tar"));
        let mut image = Image::new(OPERATOR_IMAGE).program("mcp-operator", &self.operator)?;
        for plugin in [
            "validation",
            "compliance",
            "litellm_configmap",
            "litellm_admin_api",
        ] {
            let file = format!("{plugin}.wasm");
            image = image.file(&format!("plugins/{file}"), &self.plugins.join(&file))?;
        }
        image
            .entrypoint(&["/mcp-operator"])
            .user(USER)
            .write(&operator)?;
        let image = Image::new(SERVER_IMAGE).file("mcp-weather", &self.server)?;
        image
            .entrypoint(&["/mcp-weather"])
            .user(USER)
            .write(&server)?;
        Ok([operator, server])
    }
}

/// Builds one workspace and returns its target folder.
fn build(
    cache: &Cache,
    progress: &mut Progress,
    what: &str,
    folder: &str,
    args: &[&str],
) -> Result<PathBuf> {
    let folder = repository().join(folder);
    let log = cache.folder("logs")?.join(format!("build {what}.log"));
    let mut command = cargo(&folder);
    command.arg("build").args(args);
    progress.step(&format!("build {what}"), || run_logged(&mut command, &log))?;
    let metadata = capture(cargo(&folder).args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata is no JSON")?;
    let target = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target folder")?;
    Ok(PathBuf::from(target))
}

/// Cargo, in a folder, without what the cargo that runs us has told us.
fn cargo(folder: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(folder).env_remove("RUSTUP_TOOLCHAIN");
    command
}
