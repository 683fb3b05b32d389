//! Container images without a container engine, made from files of this machine.
//!
//! An archive is an OCI image layout, with the `manifest.json` of `docker save` beside it, as Docker itself has written them
//! since version 25: `ctr images import`, `kind load image-archive`, `skopeo copy oci-archive:` and `docker load` of any age
//! take it. The same input gives the same archive, byte for byte: no times, no users, sorted names, and a compressor that is
//! ours, at a fixed level.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::cache::read;
use crate::command::{capture, find_program};

/// Paths in an archive: where a blob is follows from its digest.
const BLOBS: &str = "blobs/sha256";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const COMPRESSED_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// A fixed one, since the bytes follow from it.
const COMPRESSION: Compression = Compression::new(6);

/// An image with one layer.
#[derive(Debug, Clone)]
pub struct Image {
    name: String,
    files: BTreeMap<String, (Vec<u8>, u32)>,
    links: BTreeMap<String, String>,
    entrypoint: Vec<String>,
    variables: Vec<String>,
    labels: BTreeMap<String, String>,
    created: Option<String>,
    user: String,
    compressed: bool,
}

/// An image that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// SHA-256 of its manifest, by which registries know it: `sha256:...`.
    pub digest: String,
    /// Bytes of its layer, as a node has it.
    pub layer_bytes: u64,
    /// Bytes of its layer, as it is in the archive and as registries send it.
    pub stored_bytes: u64,
}

/// An image's only layer.
struct Layer {
    /// As it is stored.
    content: Vec<u8>,
    media_type: &'static str,
    /// SHA-256 of it without compression, by which an image's configuration knows it.
    diff_id: String,
    /// Bytes without compression.
    bytes: u64,
}

impl Image {
    /// An empty image that is called `docker.io/local/something:1`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            files: BTreeMap::new(),
            links: BTreeMap::new(),
            entrypoint: Vec::new(),
            variables: vec!["PATH=/bin:/usr/bin".into()],
            labels: BTreeMap::new(),
            created: None,
            user: String::new(),
            compressed: false,
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
    pub fn text(self, inside: &str, text: &str) -> Self {
        self.content(inside, text.as_bytes().to_vec())
    }

    /// Adds a file with this content.
    #[must_use]
    pub fn content(mut self, inside: &str, content: Vec<u8>) -> Self {
        self.files.insert(inside.to_owned(), (content, 0o644));
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

    /// Adds a symbolic link.
    #[must_use]
    pub fn link(mut self, inside: &str, target: &str) -> Self {
        self.links.insert(inside.to_owned(), target.to_owned());
        self
    }

    /// Says something about the image, such as `org.opencontainers.image.version`.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    /// When it was made, as RFC 3339 has it. Without this it has no time at all.
    #[must_use]
    pub fn created(mut self, time: &str) -> Self {
        self.created = Some(time.to_owned());
        self
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

    /// Compresses the layer: for an image that is sent somewhere, not for one that a node of this machine takes.
    #[must_use]
    pub fn compressed(mut self) -> Self {
        self.compressed = true;
        self
    }

    /// Writes the archive.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, archive: &Path) -> Result<Written> {
        let layer = self.layer()?;
        let config = self.config(&layer).to_string();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": descriptor(CONFIG, config.as_bytes()),
            "layers": [descriptor(layer.media_type, &layer.content)],
        })
        .to_string();
        let index = self.index(manifest.as_bytes()).to_string();
        let docker = json!([{
            "Config": blob(config.as_bytes()), "RepoTags": [self.name], "Layers": [blob(&layer.content)],
        }])
        .to_string();
        let version = json!({ "imageLayoutVersion": "1.0.0" }).to_string();
        let mut members = BTreeMap::from([
            (blob(config.as_bytes()), config.as_bytes()),
            (blob(manifest.as_bytes()), manifest.as_bytes()),
            (blob(&layer.content), &layer.content),
            ("index.json".into(), index.as_bytes()),
            ("manifest.json".into(), docker.as_bytes()),
        ]);
        let file = File::create(archive)
            .with_context(|| format!("cannot create {}", archive.display()))?;
        let mut tar = Builder::new(file);
        // What the archive is stands at its beginning.
        append(&mut tar, "oci-layout", version.as_bytes(), 0o644)?;
        while let Some((name, content)) = members.pop_first() {
            append(&mut tar, &name, content, 0o644)?;
        }
        tar.into_inner()
            .and_then(|mut file| file.flush())
            .with_context(|| format!("cannot write {}", archive.display()))?;
        Ok(Written {
            digest: format!("sha256:{}", digest(manifest.as_bytes())),
            layer_bytes: layer.bytes,
            stored_bytes: layer.content.len() as u64,
        })
    }

    fn config(&self, layer: &Layer) -> Value {
        let mut config = json!({
            "architecture": architecture(), "os": "linux",
            "config": { "Entrypoint": self.entrypoint, "User": self.user, "Env": self.variables, "Labels": self.labels },
            "rootfs": { "type": "layers", "diff_ids": [layer.diff_id] },
        });
        if let Some(time) = &self.created {
            config["created"] = json!(time);
            config["history"] = json!([{ "created": time, "created_by": "cargo xtask image" }]);
        }
        config
    }

    /// Importers read the image's name from the annotations of its manifest in the index: containerd the whole, skopeo the tag.
    fn index(&self, manifest: &[u8]) -> Value {
        let tag = self.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        let mut described = descriptor(MANIFEST, manifest);
        described["platform"] = json!({ "architecture": architecture(), "os": "linux" });
        described["annotations"] = json!({
            "io.containerd.image.name": self.name, "org.opencontainers.image.ref.name": tag,
        });
        json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [described] })
    }

    fn layer(&self) -> Result<Layer> {
        let content = self.files()?;
        let (diff_id, bytes) = (format!("sha256:{}", digest(&content)), content.len() as u64);
        let (content, media_type) = if self.compressed {
            (compress(&content)?, COMPRESSED_LAYER)
        } else {
            (content, LAYER)
        };
        Ok(Layer {
            content,
            media_type,
            diff_id,
            bytes,
        })
    }

    /// What is in the image, as a tar.
    fn files(&self) -> Result<Vec<u8>> {
        let mut tar = Builder::new(Vec::new());
        for folder in self.folders() {
            let mode = if folder == "tmp/" { 0o1777 } else { 0o755 };
            let mut header = header(0, mode, EntryType::Directory);
            tar.append_data(&mut header, &folder, std::io::empty())
                .with_context(|| format!("cannot pack {folder}"))?;
        }
        for (name, (content, mode)) in &self.files {
            append(&mut tar, name, content, *mode)?;
        }
        for (name, target) in &self.links {
            let mut header = header(0, 0o777, EntryType::Symlink);
            tar.append_link(&mut header, name, target)
                .with_context(|| format!("cannot pack {name}"))?;
        }
        tar.into_inner().context("cannot pack a layer")
    }

    /// `/tmp`, and every folder above a file: outer ones come first.
    fn folders(&self) -> BTreeSet<String> {
        let above = |name: &String| {
            let ends = name.match_indices('/').map(|(end, _)| end);
            ends.map(|end| name[..=end].to_owned()).collect::<Vec<_>>()
        };
        let names = self.files.keys().chain(self.links.keys());
        names.flat_map(above).chain(["tmp/".to_owned()]).collect()
    }
}

/// The name of the image in an archive.
///
/// # Errors
/// When it is no archive of one image with one name.
pub fn name_of(archive: &Path) -> Result<String> {
    let what = || format!("{} is no archive of an image", archive.display());
    let file = File::open(archive).with_context(|| format!("cannot read {}", archive.display()))?;
    let mut tar = tar::Archive::new(file);
    for entry in tar.entries().with_context(what)? {
        let entry = entry.with_context(what)?;
        if entry.path().with_context(what)? == Path::new("manifest.json") {
            let manifest: Value = serde_json::from_reader(entry).with_context(what)?;
            let name = manifest[0]["RepoTags"][0].as_str();
            return name.map(str::to_owned).with_context(what);
        }
    }
    Err(anyhow::anyhow!(what()))
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
        .map(drop)
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
        .map(drop)
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

/// By gzip, with neither a time nor a name nor a system in its header.
fn compress(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().write(Vec::new(), COMPRESSION);
    encoder
        .write_all(content)
        .and_then(|()| encoder.finish())
        .context("cannot compress a layer")
}

/// Where a blob is in the archive.
fn blob(content: &[u8]) -> String {
    format!("{BLOBS}/{}", digest(content))
}

/// How OCI refers to a blob.
fn descriptor(kind: &str, content: &[u8]) -> Value {
    json!({ "mediaType": kind, "digest": format!("sha256:{}", digest(content)), "size": content.len() })
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

    /// What is in an archive.
    fn members(archive: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(File::open(archive).unwrap());
        let mut members = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_string_lossy().into_owned();
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            members.insert(name, content);
        }
        members
    }

    fn parsed(content: &[u8]) -> Value {
        serde_json::from_slice(content).unwrap()
    }

    #[test]
    fn both_formats_name_what_is_there() {
        let image = Image::new("docker.io/local/x:1")
            .text("etc/ssl/x", "x")
            .link("y", "etc/ssl/x")
            .entrypoint(&["/bin/x"]);
        assert_names_what_is_there(&image, <[u8]>::to_vec);
        assert_names_what_is_there(&image.compressed(), |layer| {
            let mut content = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(layer);
            std::io::Read::read_to_end(&mut decoder, &mut content).unwrap();
            let header = decoder.header().unwrap();
            assert_eq!((header.mtime(), header.filename()), (0, None));
            content
        });
    }

    fn assert_names_what_is_there(image: &Image, unpack: impl Fn(&[u8]) -> Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.tar");
        let written = image.write(&path).unwrap();
        let members = members(&path);
        let at = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().unwrap();
            let content = &members[&format!("{BLOBS}/{}", digest.strip_prefix("sha256:").unwrap())];
            assert_eq!(descriptor["size"], content.len());
            content
        };
        let index = parsed(&members["index.json"]);
        assert_eq!(index["manifests"][0]["digest"], written.digest);
        let manifest = parsed(at(&index["manifests"][0]));
        let (config, layer) = (parsed(at(&manifest["config"])), at(&manifest["layers"][0]));
        let unpacked = unpack(layer);
        assert_eq!(layer.len() as u64, written.stored_bytes);
        assert_eq!(unpacked.len() as u64, written.layer_bytes);
        assert_eq!(
            config["rootfs"]["diff_ids"][0],
            format!("sha256:{}", digest(&unpacked))
        );
        let is_compressed = manifest["layers"][0]["mediaType"] == COMPRESSED_LAYER;
        assert_eq!(is_compressed, image.compressed);
        assert_eq!(name_of(&path).unwrap(), "docker.io/local/x:1");
        let docker = parsed(&members["manifest.json"]);
        assert_eq!(docker[0]["RepoTags"], json!(["docker.io/local/x:1"]));
        for member in [&docker[0]["Config"], &docker[0]["Layers"][0]] {
            assert!(members.contains_key(member.as_str().unwrap()), "{member}");
        }
        let packed = folder.path().join("layer.tar");
        fs::write(&packed, unpacked).unwrap();
        let names: Vec<String> = self::members(&packed).into_keys().collect();
        assert_eq!(names, ["etc/", "etc/ssl/", "etc/ssl/x", "tmp/", "y"]);
    }
}
