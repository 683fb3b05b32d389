//! A file in memory, for machine code that the cache has no room for.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// It is gone with the last descriptor and the last mapping of it.
pub(crate) struct MemoryFile(File);

impl MemoryFile {
    pub(crate) fn create() -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        Ok(Self(File::from(memfd_create("component", flags)?)))
    }

    pub(crate) fn writer(&self) -> io::Result<File> {
        self.0.try_clone()
    }

    /// From now on nobody can change it, whoever has a descriptor of it.
    pub(crate) fn seal(&self) -> io::Result<()> {
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        Ok(fcntl_add_seals(&self.0, seals)?)
    }

    /// By which this process can open it.
    pub(crate) fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }
}
