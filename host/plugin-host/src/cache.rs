//! The private cache of compiled components.
//!
//! Two files for each component and engine: `<sha256 of the component>-<engine>.cwasm` and, in a file `.sha256` beside it,
//! the digest of its content, because nothing else would detect a flipped bit in machine code. Files are renamed to these
//! names only when they are complete. An entry that does not match its digest counts as absent and is compiled again. When
//! the cache is too large, the least recently used entries are evicted.
//!
//! A file `<sha256>-<engine>.refused` records that a component does not compile, and why.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder, DirEntry, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

/// Permission bits that let other users write.
const OTHERS_WRITE: u32 = 0o022;

/// Prefix of the names of staged files.
const STAGED: &str = "staged-";

/// No compilation takes this long: a staged file of this age is left over from a process that was killed.
const STALE: Duration = Duration::from_hours(24);

/// SHA-256 of a component. It displays as 64 lower-case hexadecimal digits, and is parsed from them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of a file, which is read in chunks.
    fn of_file(mut file: File) -> io::Result<Self> {
        let mut hasher = Sha256::new();
        let mut chunk = vec![0; 64 << 10];
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(Self(hasher.finalize().into())),
                read => hasher.update(&chunk[..read]),
            }
        }
    }
}

impl FromStr for Digest {
    type Err = hex::FromHexError;

    /// Parses 64 hexadecimal digits, as [`fmt::Display`] writes them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map(|()| Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

/// The cache directory, for engines of one configuration.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
    engine: u64,
    max_bytes: u64,
}

impl Cache {
    /// Opens the directory, which is created if there is none.
    pub(crate) fn open(dir: &Path, engine: u64, max_bytes: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        ensure_private(&fs::symlink_metadata(dir)?, dir)?;
        sweep(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            engine,
            max_bytes,
        })
    }

    /// The file with the machine code of a component, if there is an intact one.
    pub(crate) fn lookup(&self, component: Digest) -> io::Result<Option<PathBuf>> {
        // The directory may have been replaced since it was opened, or be gone.
        match fs::symlink_metadata(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            metadata => ensure_private(&metadata?, &self.dir)?,
        }
        let code = self.path(component, "cwasm");
        let (Some(content), Some(recorded)) = (
            open_private(&code)?,
            open_private(&self.path(component, "sha256"))?,
        ) else {
            return Ok(None);
        };
        // For the eviction. If this fails the entry is only evicted earlier.
        let _ = content.set_modified(SystemTime::now());
        let intact = Digest::of_file(content)?.to_string() == io::read_to_string(recorded)?;
        Ok(intact.then_some(code))
    }

    /// A file to compile into, in the same file system and readable by the owner only. It is deleted when it is dropped
    /// without being published.
    pub(crate) fn stage(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new()
            .prefix(STAGED)
            .tempfile_in(&self.dir)
    }

    /// Renames a staged file to the entry of `component`.
    pub(crate) fn publish(&self, staged: NamedTempFile, component: Digest) -> io::Result<()> {
        let mut recorded = self.stage()?;
        recorded.write_all(Digest::of_file(staged.reopen()?)?.to_string().as_bytes())?;
        staged.as_file().sync_all()?;
        staged.persist(self.path(component, "cwasm"))?;
        recorded.persist(self.path(component, "sha256"))?;
        // Entries that cannot be removed only take space.
        let _ = self.evict(component);
        Ok(())
    }

    /// Records why a component does not compile within these limits.
    pub(crate) fn record_failure(
        &self,
        component: Digest,
        limits: &str,
        why: &str,
    ) -> io::Result<()> {
        let mut recorded = self.stage()?;
        write!(recorded, "{limits}\n{why}")?;
        recorded.persist(self.path(component, "refused"))?;
        let _ = self.evict(component);
        Ok(())
    }

    /// Why a component does not compile within these limits, if that was recorded.
    pub(crate) fn known_failure(&self, component: Digest, limits: &str) -> Option<String> {
        let recorded = open_private(&self.path(component, "refused")).ok()??;
        let text = io::read_to_string(recorded).ok()?;
        let (recorded, why) = text.split_once('\n')?;
        (recorded == limits).then(|| why.to_owned())
    }

    /// Removes the least recently used entries until the rest is small enough; never `fresh`.
    fn evict(&self, fresh: Digest) -> io::Result<()> {
        let mut entries: BTreeMap<OsString, (SystemTime, u64, Vec<PathBuf>)> = BTreeMap::new();
        for file in fs::read_dir(&self.dir)?.flatten() {
            let (path, metadata) = (file.path(), file.metadata()?);
            let Some(name) = path.file_stem().filter(|_| path.extension().is_some()) else {
                continue;
            };
            let used = metadata.modified()?;
            let entry = entries
                .entry(name.to_owned())
                .or_insert((used, 0, Vec::new()));
            entry.0 = entry.0.max(used);
            entry.1 += metadata.len();
            entry.2.push(path);
        }
        let mut total: u64 = entries.values().map(|(_, bytes, _)| bytes).sum();
        let keep = self.path(fresh, "").file_stem().map(OsString::from);
        let mut oldest: Vec<_> = entries
            .into_iter()
            .filter(|(name, _)| Some(name) != keep.as_ref())
            .map(|(_, entry)| entry)
            .collect();
        oldest.sort();
        for (_, bytes, files) in oldest {
            if total <= self.max_bytes {
                break;
            }
            for file in files {
                fs::remove_file(file)?;
            }
            total -= bytes;
        }
        Ok(())
    }

    fn path(&self, component: Digest, extension: &str) -> PathBuf {
        self.dir
            .join(format!("{component}-{:016x}.{extension}", self.engine))
    }
}

/// Removes staged files of processes that were killed. Errors are ignored: such a file only takes space, and other
/// processes use the directory too.
fn sweep(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)?.flatten() {
        let staged = entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(STAGED.as_bytes());
        if staged && age(&entry).is_some_and(|age| age > STALE) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn age(entry: &DirEntry) -> Option<Duration> {
    let modified = entry.metadata().ok()?.modified().ok()?;
    SystemTime::now().duration_since(modified).ok()
}

fn open_private(path: &Path) -> io::Result<Option<File>> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(io::Error::other)?;
    match File::options()
        .read(true)
        .custom_flags(no_follow)
        .open(path)
    {
        Ok(file) => {
            ensure_private(&file.metadata()?, path)?;
            Ok(Some(file))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Fails if another user could have written this file or directory: machine code in it is run.
fn ensure_private(metadata: &fs::Metadata, path: &Path) -> io::Result<()> {
    let me = rustix::process::geteuid().as_raw();
    let wrong = if metadata.is_symlink() {
        "is a symbolic link".to_owned()
    } else if metadata.uid() != me {
        format!("belongs to user {}, this is user {me}", metadata.uid())
    } else if metadata.mode() & OTHERS_WRITE != 0 {
        format!(
            "can be written by others (mode {:o}): chmod go-w",
            metadata.mode() & 0o7777
        )
    } else {
        return Ok(());
    };
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("{} {wrong}", path.display()),
    ))
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
