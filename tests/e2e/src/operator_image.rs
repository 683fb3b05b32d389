//! The operator's image: one static program, its plugins, and the certificate authorities that everybody trusts.
//!
//! Built again from the same sources, in whatever folder, it is the same, byte for byte: no path of this machine is in it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use mcp_cluster::image::Image;
use mcp_cluster::{
    Cache, Progress, ensure_authorities, ensure_static_compiler, run_logged, static_target,
};

use crate::artifacts::cargo;

/// The plugins that come with the operator, as their files are called.
pub const BUILTIN_PLUGINS: [&str; 7] = [
    "cel",
    "compliance",
    "litellm_admin_api",
    "litellm_configmap",
    "rego",
    "tenancy",
    "validation",
];
/// Where the program is in the image.
const PROGRAM: &str = "mcp-operator";
/// Where manifests that were made for Kubebuilder's operators look for it.
const MANAGER: &str = "manager";
/// Where Rust's TLS looks for certificate authorities, as everybody does.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";
/// The user that it runs as.
pub(crate) const USER: u32 = 65532;
const PLUGIN_TARGET: &str = "wasm32-wasip2";
/// What C sources say of the moment at which they are compiled, for people who read a version: the same always.
const C_FLAGS: &str = r#"-Wno-builtin-macro-redefined -D__DATE__="none" -D__TIME__="none""#;

/// Called in the place of the compiler, so that what it makes does not depend on the checkout's folder.
const RUSTC_WRAPPER: &str = "tests/e2e/src/rustc-of-any-folder.sh";

/// What the image is made of, once it is built.
#[derive(Clone, Debug)]
pub struct OperatorImage {
    /// The operator, a static program.
    pub operator: PathBuf,
    /// Folder with the plugins.
    pub plugins: PathBuf,
    /// The Rust target of the operator.
    pub target: String,
    authorities: Vec<u8>,
}

impl OperatorImage {
    /// Builds a checkout into a target folder of cargo.
    ///
    /// # Errors
    /// When the machine lacks a compiler, or a build fails, with the end of its log.
    pub fn build(cache: &Cache, checkout: &Path, target_folder: &Path) -> Result<Self> {
        ensure_static_compiler()?;
        let (target, mut progress) = (static_target(), Progress::new(2));
        let operator = [
            "--package",
            "mcp-operator",
            "--bin",
            "mcp-operator",
            "--release",
        ];
        let build = Build {
            checkout,
            target_folder,
            logs: cache.folder("logs")?,
        };
        progress.step("build static operator", || {
            build.run("static operator", "", &target, &operator)
        })?;
        progress.step("build plugins of the image", || {
            let release = ["--release"];
            build.run("plugins of the image", "plugins", PLUGIN_TARGET, &release)
        })?;
        Ok(Self {
            operator: target_folder.join(&target).join("release/mcp-operator"),
            plugins: target_folder.join(PLUGIN_TARGET).join("release"),
            target,
            authorities: ensure_authorities()?,
        })
    }

    /// Another program of the workspace, built as the image's is.
    ///
    /// # Errors
    /// As [`OperatorImage::build`].
    pub fn build_program(
        cache: &Cache,
        checkout: &Path,
        target_folder: &Path,
        package: &str,
    ) -> Result<PathBuf> {
        ensure_static_compiler()?;
        let (target, mut progress) = (static_target(), Progress::new(1));
        let build = Build {
            checkout,
            target_folder,
            logs: cache.folder("logs")?,
        };
        let what = format!("static {package}");
        let arguments = ["--package", package, "--bin", package, "--release"];
        progress.step(&format!("build {what}"), || {
            build.run(&what, "", &target, &arguments)
        })?;
        Ok(target_folder.join(&target).join("release").join(package))
    }

    /// The image, by this name.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn image(&self, name: &str) -> Result<Image> {
        let mut image = Image::new(name)
            .file(PROGRAM, &self.operator)?
            .link(MANAGER, PROGRAM)
            .content(AUTHORITIES, self.authorities.clone());
        for plugin in BUILTIN_PLUGINS {
            let file = format!("{plugin}.wasm");
            image = image.file(&format!("plugins/{file}"), &self.plugins.join(&file))?;
        }
        Ok(image.entrypoint(&["/mcp-operator"]).user(USER))
    }
}

/// A checkout, and where it is built.
struct Build<'a> {
    checkout: &'a Path,
    target_folder: &'a Path,
    logs: PathBuf,
}

impl Build<'_> {
    fn run(&self, what: &str, folder: &str, target: &str, arguments: &[&str]) -> Result<()> {
        let mut command = cargo(&self.checkout.join(folder));
        command
            // These would take the place of what is said here, and of the folder's own.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            // What is compiled in pieces depends on what was compiled before.
            .env("CARGO_INCREMENTAL", "0")
            .env("RUSTC_WRAPPER", self.wrapper()?)
            .env("CHECKOUT", self.checkout)
            .env(format!("CFLAGS_{}", target.replace('-', "_")), C_FLAGS)
            .args(["build", "--locked", "--target", target])
            .args(arguments)
            .arg("--target-dir")
            .arg(self.target_folder)
            .arg("--config")
            .arg(format!("target.{target}.rustflags={}", self.flags()?));
        run_logged(&mut command, &self.logs.join(format!("build {what}.log")))
    }

    /// What cargo calls in the place of the compiler.
    fn wrapper(&self) -> Result<PathBuf> {
        let file = self.checkout.join(RUSTC_WRAPPER);
        ensure!(file.exists(), "{} is missing", file.display());
        Ok(file)
    }

    /// Names for the folders of this machine, of which the last that fits is taken. As TOML.
    fn flags(&self) -> Result<String> {
        let cargo_home = cargo_home(self.checkout)?;
        let folders = [
            (cargo_home.as_path(), "/cargo"),
            (self.checkout, "/source"),
            (self.target_folder, "/target"),
        ];
        let flag = |(folder, name): (&Path, &str)| {
            let flag = format!("--remap-path-prefix={}={name}", folder.display());
            format!("{flag:?}")
        };
        Ok(format!("[{}]", folders.map(flag).join(",")))
    }
}

/// Where cargo keeps the sources of dependencies.
fn cargo_home(checkout: &Path) -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()) {
        return Ok(checkout.join(home));
    }
    let home = std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?;
    Ok(Path::new(&home).join(".cargo"))
}

/// The sources of a checkout as they are, those that git knows, in another folder: to build them where nothing else is.
///
/// # Errors
/// When this is no checkout of git, or a file cannot be copied.
pub fn copy_sources(checkout: &Path, folder: &Path) -> Result<()> {
    let mut list = Command::new("git");
    list.current_dir(checkout)
        .args(["ls-files", "-z", "--cached"]);
    let listed = mcp_cluster::capture(&mut list)?;
    for name in listed.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (checkout.join(name), folder.join(name));
        // Deleted, and not committed yet.
        if !from.exists() {
            continue;
        }
        let parent = to.parent().context("a file without a folder")?;
        fs::create_dir_all(parent)
            .with_context(|| format!("cannot create the folder {}", parent.display()))?;
        if let Ok(target) = fs::read_link(&from) {
            copy_link(&target, &to)?;
            continue;
        }
        // One that is as it was keeps its time, by which cargo knows that it need not build it again.
        let content = fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
        if fs::read(&to).is_ok_and(|before| before == content) {
            continue;
        }
        fs::write(&to, content).with_context(|| format!("cannot write {}", to.display()))?;
        // Some are programs.
        let permissions = fs::metadata(&from).map(|metadata| metadata.permissions());
        permissions
            .and_then(|permissions| fs::set_permissions(&to, permissions))
            .with_context(|| format!("cannot set the permissions of {}", to.display()))?;
    }
    Ok(())
}

/// A link to the same place.
fn copy_link(target: &Path, link: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|before| before == target) {
        return Ok(());
    }
    // What was there before is no link, or leads elsewhere.
    if fs::symlink_metadata(link).is_ok() {
        fs::remove_file(link).with_context(|| format!("cannot remove {}", link.display()))?;
    }
    symlink(target, link).with_context(|| format!("cannot make the link {}", link.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use mcp_cluster::repository;

    use super::*;

    fn read(file: &str) -> String {
        fs::read_to_string(repository().join(file)).unwrap()
    }

    /// A file that was deleted must not be built into the second copy of the sources.
    #[test]
    fn sources_are_those_that_git_knows() {
        let folder = tempfile::tempdir().unwrap();
        copy_sources(&repository(), folder.path()).unwrap();
        // And again, over what is there.
        copy_sources(&repository(), folder.path()).unwrap();
        for file in [
            "Cargo.toml",
            "host/operator/src/main.rs",
            "wit/0.1.0",
            "wit/1.0.0",
            // A link.
            "plugins/sdk/wit/worlds.wit",
        ] {
            assert!(folder.path().join(file).exists(), "{file}");
        }
        let mode = fs::metadata(folder.path().join(RUSTC_WRAPPER))
            .unwrap()
            .mode();
        assert_eq!(mode & 0o111, 0o111, "cargo calls it");
        assert!(!folder.path().join(".git").exists());
    }

    /// Whoever builds with docker gets what `cargo xtask image` makes.
    #[test]
    fn the_dockerfile_makes_the_same_layout() {
        let dockerfile = read("deploy/Dockerfile");
        for plugin in BUILTIN_PLUGINS {
            assert!(dockerfile.contains(&format!(" {plugin}")), "{plugin}");
        }
        let authorities = format!("/image/{AUTHORITIES}");
        let link = format!("ln -s {PROGRAM} /image/{MANAGER}");
        let user = format!("USER {USER}");
        for words in [
            authorities.as_str(),
            C_FLAGS,
            &link,
            &user,
            "FROM scratch",
            "ENTRYPOINT [\"/mcp-operator\"]",
        ] {
            assert!(dockerfile.contains(words), "{words}");
        }
        let toolchain = read("rust-toolchain.toml");
        let channel = toolchain.split('"').nth(1).unwrap();
        let base = format!("FROM docker.io/library/rust:{channel}-");
        assert!(dockerfile.contains(&base), "{base}");
    }
}
