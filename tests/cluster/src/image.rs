//! Container images without a container engine: archives as `docker save` writes them, made from files of this machine.
//!
//! The same input gives the same archive, byte for byte: no times, no users, sorted names.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::cache::read;
use crate::command::{capture, find_program};

/// An image with one layer.
#[derive(Debug, Clone)]
pub struct Image {
    name: String,
    files: BTreeMap<String, (Vec<u8>, u32)>,
    entrypoint: Vec<String>,
    variables: Vec<String>,
    user: String,
}

impl Image {
    /// An empty image that is called `docker.io/local/something:1`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            files: BTreeMap::new(),
            entrypoint: Vec::new(),
            variables: vec!["PATH=/bin:/usr/bin".into()],
            user: String::new(),
        }
    }

    /// Adds a file of this machine. `inside` is its path in the image, without the leading `/`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn file(mut self, inside: &str, file: &Path) -> Result<Self> {
        let mode = fs::metadata(file)
            .with_context(|| format!("cannot read {}", file.display()))?
            .permissions()
            .mode();
        self.files
            .insert(inside.to_owned(), (read(file)?, mode & 0o755));
        Ok(self)
    }

    /// Adds a program of this machine with the libraries that it is linked to, each at its own path.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn program(mut self, inside: &str, program: &Path) -> Result<Self> {
        for library in libraries(program) {
            let place = library
                .strip_prefix("/")
                .unwrap_or(&library)
                .to_string_lossy()
                .into_owned();
            self = self.file(&place, &library)?;
        }
        self.file(inside, program)
    }

    /// Adds a file with this text.
    #[must_use]
    pub fn text(mut self, inside: &str, text: &str) -> Self {
        let content = (text.as_bytes().to_vec(), 0o644);
        self.files.insert(inside.to_owned(), content);
        self
    }

    /// Adds what is below a folder of this machine and wanted, shared objects with the libraries that they are linked to. Links
    /// are left out.
    ///
    /// # Errors
    /// When something of it cannot be read.
    pub fn folder(
        mut self,
        inside: &str,
        folder: &Path,
        is_wanted: &dyn Fn(&Path) -> bool,
    ) -> Result<Self> {
        let entries = fs::read_dir(folder)
            .with_context(|| format!("cannot read {}", folder.display()))?
            .collect::<std::io::Result<Vec<_>>>()?;
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type()?);
            if !is_wanted(&path) {
                continue;
            }
            let place = format!("{inside}/{}", entry.file_name().to_string_lossy());
            let is_object = path.extension().is_some_and(|extension| extension == "so");
            self = if kind.is_dir() {
                self.folder(&place, &path, is_wanted)?
            } else if !kind.is_file() {
                self
            } else if is_object {
                self.program(&place, &path)?
            } else {
                self.file(&place, &path)?
            };
        }
        Ok(self)
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push(format!("{name}={value}"));
        self
    }

    /// The user that a container runs as, by a name that is in the image only.
    #[must_use]
    pub fn named_user(mut self, name: &str, id: u32) -> Self {
        self.user = name.into();
        let passwd =
            format!("root:x:0:0::/root:/bin/sh\n{name}:x:{id}:{id}::/home/{name}:/bin/sh\n");
        self.text("etc/passwd", &passwd)
    }

    /// What a container runs.
    #[must_use]
    pub fn entrypoint(mut self, command: &[&str]) -> Self {
        self.entrypoint = command.iter().map(ToString::to_string).collect();
        self
    }

    /// The number of the user that a container runs as.
    #[must_use]
    pub fn user(mut self, id: u32) -> Self {
        self.user = id.to_string();
        self
    }

    /// Writes the archive.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, archive: &Path) -> Result<()> {
        let layer = self.layer()?;
        let layer_digest = digest(&layer);
        let config = json!({
            "architecture": architecture(), "os": "linux",
            "config": { "Entrypoint": self.entrypoint, "User": self.user, "Env": self.variables },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_digest}")] },
        })
        .to_string();
        let (config_file, layer_file) = (
            format!("{}.json", digest(config.as_bytes())),
            format!("{layer_digest}.tar"),
        );
        let manifest =
            json!([{ "Config": config_file, "RepoTags": [self.name], "Layers": [layer_file] }])
                .to_string();
        let file = File::create(archive)
            .with_context(|| format!("cannot create {}", archive.display()))?;
        let mut tar = Builder::new(file);
        for (name, content) in [
            (config_file.as_str(), config.as_bytes()),
            (&layer_file, &layer),
            ("manifest.json", manifest.as_bytes()),
        ] {
            append(&mut tar, name, content, 0o644)?;
        }
        tar.into_inner()
            .and_then(|mut file| file.flush())
            .with_context(|| format!("cannot write {}", archive.display()))
    }

    fn layer(&self) -> Result<Vec<u8>> {
        let mut tar = Builder::new(Vec::new());
        for (name, (content, mode)) in &self.files {
            append(&mut tar, name, content, *mode)?;
        }
        let mut folder = header(0, 0o1777, EntryType::Directory);
        tar.append_data(&mut folder, "tmp/", std::io::empty())
            .context("cannot pack /tmp")?;
        tar.into_inner().context("cannot pack a layer")
    }
}

/// The image of a pod's sandbox: a program that sleeps.
///
/// # Errors
/// When busybox is missing or the archive cannot be written.
pub fn pause(name: &str, archive: &Path) -> Result<()> {
    Image::new(name)
        .file("bin/sleep", &busybox()?)?
        .entrypoint(&["/bin/sleep", "infinity"])
        .write(archive)
}

/// An image that runs programs of the machine itself: a pod that mounts the machine's `/` at `/host` gives the program
/// and its arguments.
///
/// # Errors
/// When busybox is missing or the archive cannot be written.
pub fn host(name: &str, archive: &Path) -> Result<()> {
    Image::new(name)
        .file("bin/chroot", &busybox()?)?
        .entrypoint(&["/bin/chroot", "/host"])
        .write(archive)
}

fn busybox() -> Result<PathBuf> {
    find_program("busybox").context("`busybox` is not on PATH: install busybox-static")
}

/// Libraries and loader of a dynamically linked program; none for a static one.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let Ok(listed) = capture(Command::new("ldd").arg(program)) else {
        return Vec::new();
    };
    let path = |line: &str| {
        line.split_whitespace()
            .find(|word| word.starts_with('/'))
            .map(PathBuf::from)
    };
    listed.lines().filter_map(path).collect()
}

fn append(tar: &mut Builder<impl Write>, name: &str, content: &[u8], mode: u32) -> Result<()> {
    let mut header = header(content.len() as u64, mode, EntryType::Regular);
    tar.append_data(&mut header, name, content)
        .with_context(|| format!("cannot pack {name}"))
}

fn header(size: u64, mode: u32, kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header
}

fn digest(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

/// Images call processors as Go does.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_input_gives_the_same_archive() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        fs::write(&program, "content").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let archive = |name: &str| {
            let path = folder.path().join(name);
            let image = Image::new("docker.io/local/x:1")
                .file("bin/program", &program)
                .unwrap();
            image
                .entrypoint(&["/bin/program"])
                .user(65532)
                .write(&path)
                .unwrap();
            fs::read(path).unwrap()
        };
        assert_eq!(archive("a.tar"), archive("b.tar"));
    }

    #[test]
    fn the_manifest_names_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.tar");
        Image::new("docker.io/local/x:1")
            .entrypoint(&["/bin/x"])
            .write(&path)
            .unwrap();
        let mut archive = tar::Archive::new(File::open(&path).unwrap());
        let mut files = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_string_lossy().into_owned();
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            files.insert(name, content);
        }
        let manifest: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        let layer = manifest[0]["Layers"][0].as_str().unwrap();
        assert_eq!(layer, format!("{}.tar", digest(&files[layer])));
        assert!(files.contains_key(manifest[0]["Config"].as_str().unwrap()));
    }
}
