//! Fuzz targets: what registrars are told by LiteLLM and by the cluster, and what must be true of their plans whatever that was.
//!
//! They are tried and fuzzed as those of `tests/fuzz`, by the same programs.

mod file;
mod list;
mod servers;

/// Something that takes any bytes.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of the folder with its corpus.
    pub name: &'static str,
    /// Tries these bytes, and panics where something does not hold.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 2] = [
    Target {
        name: "litellm-list",
        run: list::run,
    },
    Target {
        name: "litellm-file",
        run: file::run,
    },
];

/// The target of this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
