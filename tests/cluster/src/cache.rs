//! The folder of everything that is built or kept between runs.
//!
//! It lies outside the checkout, so `git clean`, another branch or a second clone does not build anew, and what is
//! in it is keyed by content: a changed input gets a new folder, an unchanged one is used as it is.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// The folder that overrides the default place of the cache.
pub const CACHE_VARIABLE: &str = "MCP_OPERATOR_CACHE";

/// Where build results, Python environments and the state of running clusters are kept.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `$MCP_OPERATOR_CACHE`, else `$XDG_CACHE_HOME/mcp-operator`, else `~/.cache/mcp-operator`.
    ///
    /// # Errors
    /// When none of the three variables is set, or the folder cannot be made.
    pub fn open() -> Result<Self> {
        let set = |name: &str| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let root = set(CACHE_VARIABLE)
            .or_else(|| Some(set("XDG_CACHE_HOME")?.join("mcp-operator")))
            .or_else(|| Some(set("HOME")?.join(".cache/mcp-operator")));
        let Some(root) = root else {
            bail!("no place for the cache: set {CACHE_VARIABLE} to a folder")
        };
        Self::at(&root)
    }

    /// A cache at a given folder.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn at(root: &Path) -> Result<Self> {
        make_folder(root)?;
        // Absolute, because programs with a working directory of their own are given paths below it.
        let root =
            fs::canonicalize(root).with_context(|| format!("cannot resolve {}", root.display()))?;
        Ok(Self { root })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A folder below the cache, made when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder(&self, relative: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.root.join(relative);
        make_folder(&path)?;
        Ok(path)
    }

    /// Takes the lock `name`, waiting for another run that holds it. It is released when the value is dropped, and
    /// by the system when the program dies.
    ///
    /// # Errors
    /// When the lock file cannot be made or locked.
    pub fn lock(&self, name: &str) -> Result<Lock> {
        if let Some(lock) = self.try_lock(name)? {
            return Ok(lock);
        }
        eprintln!(
            "waiting for another run that holds {}",
            self.lock_file(name).display()
        );
        let file = self.open_lock(name)?;
        file.lock()
            .with_context(|| format!("cannot lock {}", self.lock_file(name).display()))?;
        Ok(Lock { _file: file })
    }

    /// Takes the lock `name` when nobody holds it.
    ///
    /// # Errors
    /// When the lock file cannot be made or locked.
    pub fn try_lock(&self, name: &str) -> Result<Option<Lock>> {
        let file = self.open_lock(name)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error)
                .with_context(|| format!("cannot lock {}", self.lock_file(name).display())),
        }
    }

    fn lock_file(&self, name: &str) -> PathBuf {
        self.root.join("locks").join(format!("{name}.lock"))
    }

    fn open_lock(&self, name: &str) -> Result<File> {
        let path = self.lock_file(name);
        self.folder("locks")?;
        File::create(&path).with_context(|| format!("cannot create {}", path.display()))
    }
}

/// Held as long as the value lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The first 12 hexadecimal digits of the SHA-256 of all `parts`: enough to tell build inputs apart.
pub fn content_key<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length first, so that no two lists of parts hash alike.
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let mut key = hex::encode(hash.finalize());
    key.truncate(12);
    key
}

/// The checkout this library was built from.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .components()
        .fold(PathBuf::new(), |mut path, part| {
            if part == std::path::Component::ParentDir {
                path.pop();
            } else {
                path.push(part);
            }
            path
        })
}

/// Makes a folder and its parents, naming it when that fails.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot create the folder {}", path.display()))
}

/// Reads a file, naming it when that fails.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file, naming it when that fails.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

/// Removes a folder with all that is in it; one that is not there is fine.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
