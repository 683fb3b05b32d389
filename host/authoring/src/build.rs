//! `mcp-operator plugin build`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use mcp_operator_offline::{Decoder, Outcome};
use mcp_operator_policy::Rejection;
use serde_json::Value;

use crate::componentize;
use crate::project::{Language, Project};
use crate::session::{HostArguments, OPERATOR_SIZE_LIMIT_MIB, Session};
use crate::tools::{CARGO, GO, NPM, PYTHON, Step};

/// What a ConfigMap holds, in bytes.
const CONFIG_MAP_BYTES: usize = 1 << 20;

/// Options of `plugin build`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Folder of the plugin.
    #[arg(default_value = ".")]
    path: PathBuf,

    /// How plugins are run: the component is loaded once, to see that it fits the contract.
    #[command(flatten)]
    host: HostArguments,
}

pub(crate) const HELP: &str = "\
The component is NAME.wasm in the folder, where NAME is that of its MCPPlugin (plugin.yaml). What is run is printed:

  Rust (Cargo.toml)          cargo build --release --target wasm32-wasip2
  Python (requirements.txt)  a virtual environment .venv with what requirements.txt pins, then build.sh
  JavaScript (package.json)  npm ci, then npm run build
  Go (go.mod)                build.sh, which leaves a core module; this program makes the component of it

Exit codes:
  0  there is a component, and it fits the contract
  1  there is one, and the operator would not take it as plugin.yaml has it
  2  there is none: a tool is missing, or failed";

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let decoder = Decoder::new()?;
    let project = Project::open(&arguments.path, &decoder)?;
    let began = Instant::now();
    match Language::of(&project.folder)? {
        Language::Rust => rust(&project)?,
        Language::Python => python(&project)?,
        Language::Js => javascript(&project)?,
        Language::Go => go(&project)?,
    }
    let bytes = std::fs::read(&project.component)
        .with_context(|| format!("the build left no {}", project.component.display()))?;
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{}: {} kB, built in {seconds:.1} s",
        project.component.display(),
        bytes.len() / 1000
    );
    for note in notes(bytes.len()) {
        println!("note: {note}");
    }
    let session = Session::start(&arguments.host)?;
    Ok(match session.activate(&project, None).await {
        Ok(plugin) => {
            let interfaces: Vec<&str> = plugin.interfaces().names().collect();
            let version = plugin.contract().as_str();
            println!("it fits the contract {version}: {}", interfaces.join(", "));
            Outcome::Admitted
        }
        Err(Rejection {
            category, message, ..
        }) => {
            eprintln!("error: the operator would not take it: {category}: {message}");
            Outcome::Denied
        }
    })
}

/// What whoever ships a component of this size must know.
fn notes(bytes: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if bytes > CONFIG_MAP_BYTES {
        notes.push("it is larger than the 1 MiB that a ConfigMap holds".to_owned());
    }
    if bytes > OPERATOR_SIZE_LIMIT_MIB << 20 {
        let wanted = bytes.div_ceil(1 << 20);
        notes.push(format!("an operator takes {OPERATOR_SIZE_LIMIT_MIB} MiB: start it with --plugin-size-limit-mib {wanted}"));
    }
    notes
}

fn rust(project: &Project) -> Result<()> {
    let (folder, cargo) = (&project.folder, CARGO.find()?);
    let metadata = Step::new(
        folder,
        &cargo,
        ["metadata", "--format-version=1", "--no-deps"],
    )
    .output()?;
    let metadata: Value =
        serde_json::from_slice(&metadata).context("what cargo metadata printed")?;
    let target = "wasm32-wasip2";
    let libraries = Step::new(
        folder,
        "rustc",
        ["--print=target-libdir", "--target", target],
    )
    .output();
    let is_there =
        libraries.is_ok_and(|path| Path::new(String::from_utf8_lossy(&path).trim()).is_dir());
    if !is_there {
        bail!(
            "the Rust toolchain of this folder has no target {target}: rustup target add {target}"
        );
    }
    Step::new(folder, &cargo, ["build", "--release", "--target", target]).run()?;
    let library =
        library(&metadata, folder).context("Cargo.toml has no library of crate-type cdylib")?;
    let built = Path::new(metadata["target_directory"].as_str().unwrap_or("target"))
        .join(target)
        .join("release")
        .join(format!("{}.wasm", library.replace('-', "_")));
    std::fs::copy(&built, &project.component)
        .with_context(|| format!("{} cannot be copied", built.display()))?;
    Ok(())
}

/// The name of the library of the package in this folder.
fn library(metadata: &Value, folder: &Path) -> Option<String> {
    let manifest = folder.join("Cargo.toml").canonicalize().ok()?;
    let packages = metadata["packages"].as_array()?;
    let package = packages
        .iter()
        .find(|package| package["manifest_path"].as_str().map(Path::new) == Some(&manifest))?;
    let is_component = |target: &&Value| {
        let types = target["crate_types"].as_array();
        types.is_some_and(|types| types.iter().any(|one| one == "cdylib"))
    };
    let target = package["targets"].as_array()?.iter().find(is_component)?;
    Some(target["name"].as_str()?.to_owned())
}

fn python(project: &Project) -> Result<()> {
    let folder = &project.folder;
    let programs = folder.join(".venv/bin");
    if is_older(
        &programs.join("componentize-py"),
        &folder.join("requirements.txt"),
    ) {
        Step::new(folder, PYTHON.find()?, ["-m", "venv", ".venv"]).run()?;
        let install = [
            "install",
            "--disable-pip-version-check",
            "--quiet",
            "--requirement",
            "requirements.txt",
        ];
        let pip = programs
            .join("pip")
            .canonicalize()
            .context("the virtual environment has no pip")?;
        Step::new(folder, pip, install).run()?;
        touch(&programs.join("componentize-py"))?;
    }
    Step::new(folder, "sh", ["build.sh"])
        .with_programs(&programs)?
        .run()
}

fn javascript(project: &Project) -> Result<()> {
    let (folder, npm) = (&project.folder, NPM.find()?);
    // npm writes it at the end of an installation.
    let installed = folder.join("node_modules/.package-lock.json");
    if is_older(&installed, &folder.join("package.json")) {
        let install = if folder.join("package-lock.json").is_file() {
            "ci"
        } else {
            "install"
        };
        Step::new(
            folder,
            &npm,
            [install, "--no-audit", "--no-fund", "--prefer-offline"],
        )
        .run()?;
        touch(&installed)?;
    }
    Step::new(folder, &npm, ["run", "--silent", "build"]).run()
}

fn go(project: &Project) -> Result<()> {
    GO.find()?;
    Step::new(&project.folder, "sh", ["build.sh"]).run()?;
    let core = project.folder.join(format!("{}.core.wasm", project.name()));
    componentize::component(&core, &project.folder.join("wit"), &project.component)
}

/// Whether a file that is made of another must be made again.
fn is_older(made: &Path, of: &Path) -> bool {
    let time = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
    match (time(made), time(of)) {
        (Some(made), Some(of)) => made < of,
        (made, _) => made.is_none(),
    }
}

/// Packages bring the times of their files along.
fn touch(file: &Path) -> Result<()> {
    let cannot = || format!("{} is missing after its installation", file.display());
    let opened = std::fs::File::options()
        .append(true)
        .open(file)
        .with_context(cannot)?;
    opened
        .set_modified(std::time::SystemTime::now())
        .with_context(cannot)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whoever_ships_a_large_component_is_told_what_it_needs() {
        assert!(notes(400_000).is_empty());
        assert_eq!(notes(1_600_000).len(), 1);
        assert_eq!(
            notes(18_400_000)[1],
            "an operator takes 8 MiB: start it with --plugin-size-limit-mib 18"
        );
    }

    #[test]
    fn the_component_is_the_library_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        let manifest = folder.path().canonicalize().unwrap().join("Cargo.toml");
        let metadata = json!({ "packages": [
            { "manifest_path": "/else/Cargo.toml", "targets": [{ "name": "b", "crate_types": ["cdylib"] }] },
            { "manifest_path": manifest, "targets": [
                { "name": "t", "crate_types": ["bin"] }, { "name": "my-rule", "crate_types": ["cdylib", "rlib"] },
            ] },
        ] });
        assert_eq!(library(&metadata, folder.path()).unwrap(), "my-rule");
        assert!(library(&json!({}), folder.path()).is_none());
    }

    #[test]
    fn tools_are_installed_again_when_their_versions_change() {
        let folder = tempfile::tempdir().unwrap();
        let (tool, list) = (folder.path().join("tool"), folder.path().join("list"));
        std::fs::write(&list, "").unwrap();
        assert!(is_older(&tool, &list));
        std::fs::write(&tool, "").unwrap();
        touch(&tool).unwrap();
        assert!(!is_older(&tool, &list));
        let later = std::time::SystemTime::now() + std::time::Duration::from_mins(1);
        std::fs::File::options()
            .append(true)
            .open(&list)
            .unwrap()
            .set_modified(later)
            .unwrap();
        assert!(is_older(&tool, &list));
    }
}
