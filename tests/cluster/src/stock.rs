//! Images of MCP servers that other people wrote, as npm and PyPI have them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{Cache, content_key, make_folder, read, repository, write};
use crate::command::{capture, find_program, run_logged};
use crate::image::Image;
use crate::machine::ensure_python;
use crate::progress::Progress;

/// What decides about the images.
const SOURCES: [&str; 6] = [
    "npm/package.json",
    "npm/package-lock.json",
    "fastmcp-1.txt",
    "fastmcp-2.txt",
    "fastmcp_1.py",
    "fastmcp_2.py",
];
/// Where an image has Python.
const PYTHON_HOME: &str = "usr/local";
/// Of Python's library, what no server needs. Packages of the machine are not the server's.
const NOT_NEEDED: [&str; 9] = [
    "__pycache__",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pip",
    "site-packages",
    "test",
    "tkinter",
    "turtledemo",
];

/// Archives of the images `docker.io/local/mcp-everything`, `mcp-fastmcp` and `mcp-fastmcp2`, each with the tag `1.0.0`; made
/// unless that was done.
///
/// # Errors
/// When npm, Python or pip are missing or fail, with the end of the log.
pub fn stock_images(cache: &Cache) -> Result<Vec<PathBuf>> {
    let contents = SOURCES
        .iter()
        .map(|name| read(&sources().join(name)))
        .collect::<Result<Vec<_>>>()?;
    let key = content_key(contents.iter().map(Vec::as_slice));
    let folder = cache.folder("stock")?.join(key);
    let archives = ["everything", "fastmcp", "fastmcp2"]
        .map(|name| folder.join(format!("{name}.tar")))
        .to_vec();
    if folder.join("made").is_file() {
        return Ok(archives);
    }
    let _lock = cache.lock("stock")?;
    make_folder(&folder)?;
    let mut progress = Progress::new(3);
    progress.step("image of an npm server", || {
        everything(&folder, &archives[0])
    })?;
    for (version, archive) in [("1", &archives[1]), ("2", &archives[2])] {
        progress.step(
            &format!("image of a server with mcp {version} of PyPI"),
            || fastmcp(&folder, version, archive),
        )?;
    }
    write(&folder.join("made"), "")?;
    Ok(archives)
}

/// As such images often are: with a user by its name.
fn everything(folder: &Path, archive: &Path) -> Result<()> {
    let place = folder.join("npm");
    make_folder(&place)?;
    for name in ["package.json", "package-lock.json"] {
        write(&place.join(name), read(&sources().join("npm").join(name))?)?;
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&place)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    run_logged(&mut npm, &folder.join("npm.log"))?;
    let node =
        find_program("node").context("`node` is not on PATH: install Node.js 18 or newer")?;
    Image::new("docker.io/local/mcp-everything:1.0.0")
        .program("usr/bin/node", &fs::canonicalize(node)?)?
        .folder("app/node_modules", &place.join("node_modules"), &|_| true)?
        .entrypoint(&[
            "/usr/bin/node",
            "/app/node_modules/@modelcontextprotocol/server-everything/dist/index.js",
            "streamableHttp",
        ])
        .named_user("node", 1000)
        .write(archive)
        .map(drop)
}

fn fastmcp(folder: &Path, version: &str, archive: &Path) -> Result<()> {
    let (python, packages) = (ensure_python()?, folder.join(format!("python-{version}")));
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"])
        .args([
            "--disable-pip-version-check",
            "--root-user-action=ignore",
            "--target",
        ])
        .arg(&packages)
        .arg("--requirement")
        .arg(sources().join(format!("fastmcp-{version}.txt")));
    run_logged(&mut pip, &folder.join(format!("pip-{version}.log")))?;
    let place = "import os, sys, sysconfig; print(os.path.realpath(sys.executable), sysconfig.get_path('stdlib'), sep='\\n')";
    let places = capture(Command::new(&python).args(["-c", place]))?;
    let (program, library) = places
        .split_once('\n')
        .context("Python does not say where it is")?;
    let library = Path::new(library.trim());
    let name = library.file_name().unwrap_or_default().to_string_lossy();
    let is_needed = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !NOT_NEEDED.contains(&&*name) && !name.starts_with("config-")
    };
    let tag = if version == "1" { "" } else { version };
    Image::new(&format!("docker.io/local/mcp-fastmcp{tag}:1.0.0"))
        .program(&format!("{PYTHON_HOME}/bin/python"), Path::new(program))?
        .folder(&format!("{PYTHON_HOME}/lib/{name}"), library, &is_needed)?
        .folder("app/packages", &packages, &is_needed)?
        .file(
            "app/server.py",
            &sources().join(format!("fastmcp_{version}.py")),
        )?
        .variable("PYTHONHOME", &format!("/{PYTHON_HOME}"))
        .variable("PYTHONPATH", "/app/packages")
        .variable("PYTHONDONTWRITEBYTECODE", "1")
        .entrypoint(&[&format!("/{PYTHON_HOME}/bin/python"), "/app/server.py"])
        .user(65532)
        .write(archive)
        .map(drop)
}

fn sources() -> PathBuf {
    repository().join("tests/stock")
}
