//! The private cache of compiled components.
//!
//! Two files per component and engine: `<sha256 of the component>-<engine>.cwasm` and, beside it, the digest of its
//! content, because nothing else would notice a flipped bit in machine code. A file appears under its name only when
//! it is complete. An entry that does not fit its digest counts as absent and is made anew.

use std::fmt;
use std::fs::{self, DirBuilder, DirEntry, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

/// Permission bits that let somebody else than the owner write.
const OTHERS_WRITE: u32 = 0o022;

/// How the names of staged files begin.
const STAGED: &str = "staged-";

/// No compilation takes so long: a staged file of this age belongs to a process that was killed.
const STALE: Duration = Duration::from_hours(24);

/// SHA-256 of a component. Displays as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of a whole file, without having all of it in memory.
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

/// The directory, for one kind of engine.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
    engine: u64,
}

impl Cache {
    /// Makes the directory if there is none.
    pub(crate) fn open(dir: &Path, engine: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        refuse_foreign(&fs::symlink_metadata(dir)?, dir)?;
        sweep(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            engine,
        })
    }

    /// The compiled component, if there is an intact one.
    pub(crate) fn lookup(&self, component: Digest) -> io::Result<Option<PathBuf>> {
        // The directory may have been exchanged since it was opened.
        refuse_foreign(&fs::symlink_metadata(&self.dir)?, &self.dir)?;
        let code = self.path(component, "cwasm");
        let (Some(content), Some(noted)) = (
            open_private(&code)?,
            open_private(&self.path(component, "sha256"))?,
        ) else {
            return Ok(None);
        };
        let intact = Digest::of_file(content)?.to_string() == io::read_to_string(noted)?;
        Ok(intact.then_some(code))
    }

    /// A file to compile into, in the same file system, readable by the owner only. It vanishes unless it is published.
    pub(crate) fn stage(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new()
            .prefix(STAGED)
            .tempfile_in(&self.dir)
    }

    /// Makes a staged file the entry of `component`.
    pub(crate) fn publish(&self, staged: NamedTempFile, component: Digest) -> io::Result<()> {
        let mut noted = self.stage()?;
        noted.write_all(Digest::of_file(staged.reopen()?)?.to_string().as_bytes())?;
        staged.as_file().sync_all()?;
        staged.persist(self.path(component, "cwasm"))?;
        noted.persist(self.path(component, "sha256"))?;
        Ok(())
    }

    fn path(&self, component: Digest, extension: &str) -> PathBuf {
        self.dir
            .join(format!("{component}-{:016x}.{extension}", self.engine))
    }
}

/// Removes what killed processes left. What cannot be removed only takes space, and other processes are at work here.
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
            refuse_foreign(&file.metadata()?, path)?;
            Ok(Some(file))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Machine code is run from here, so nobody else may be able to put any here.
fn refuse_foreign(metadata: &fs::Metadata, path: &Path) -> io::Result<()> {
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
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let parent = tempfile::tempdir().unwrap();
        let cache = Cache::open(&parent.path().join("cache"), 7).unwrap();
        (parent, cache)
    }

    fn publish(cache: &Cache, component: Digest, content: &[u8]) {
        let mut staged = cache.stage().unwrap();
        staged.write_all(content).unwrap();
        cache.publish(staged, component).unwrap();
    }

    #[test]
    fn finds_what_was_published_for_the_same_engine_only() {
        let (_parent, cache) = cache();
        let component = Digest::of(b"component");
        assert_eq!(cache.lookup(component).unwrap(), None);
        publish(&cache, component, b"code");
        let path = cache.lookup(component).unwrap().unwrap();
        assert_eq!(fs::read(path).unwrap(), b"code");
        let other = Cache::open(&cache.dir, 8).unwrap();
        assert_eq!(other.lookup(component).unwrap(), None);
    }

    #[test]
    fn takes_a_changed_entry_for_none() {
        let (_parent, cache) = cache();
        let component = Digest::of(b"component");
        publish(&cache, component, b"code");
        fs::write(cache.path(component, "cwasm"), b"c0de").unwrap();
        assert_eq!(cache.lookup(component).unwrap(), None);
        publish(&cache, component, b"code");
        assert!(cache.lookup(component).unwrap().is_some());
    }

    #[test]
    fn sweeps_staged_files_of_yesterday_and_nothing_else() {
        let (_parent, cache) = cache();
        let component = Digest::of(b"component");
        publish(&cache, component, b"code");
        let (old, new) = (cache.dir.join("staged-old"), cache.dir.join("staged-new"));
        fs::write(&new, "").unwrap();
        for path in [&old, &cache.path(component, "cwasm")] {
            let file = File::options()
                .append(true)
                .create(true)
                .open(path)
                .unwrap();
            file.set_modified(SystemTime::now() - 2 * STALE).unwrap();
        }
        let cache = Cache::open(&cache.dir, 7).unwrap();
        assert!(!old.exists() && new.exists());
        assert!(cache.lookup(component).unwrap().is_some());
    }

    #[test]
    fn makes_the_directory_private_and_refuses_one_that_others_can_write() {
        let (_parent, cache) = cache();
        assert_eq!(fs::metadata(&cache.dir).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&cache.dir, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(
            Cache::open(&cache.dir, 7)
                .unwrap_err()
                .to_string()
                .contains("written by others")
        );
        assert!(cache.lookup(Digest::of(b"component")).is_err());
    }

    #[test]
    fn refuses_entries_that_others_can_write_and_symbolic_links() {
        let (parent, cache) = cache();
        let component = Digest::of(b"component");
        publish(&cache, component, b"code");
        let code = cache.path(component, "cwasm");
        fs::set_permissions(&code, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(cache.lookup(component).is_err());
        fs::rename(&code, parent.path().join("elsewhere")).unwrap();
        symlink(parent.path().join("elsewhere"), &code).unwrap();
        assert!(cache.lookup(component).is_err());
    }
}
