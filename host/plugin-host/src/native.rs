//! The one place where machine code from a file becomes executable.

use std::path::Path;

use wasmtime::component::Component;
use wasmtime::{Engine, Result};

/// Maps a compiled component into memory.
///
/// # Errors
///
/// If the file was not compiled for this engine, or needs more than a slot of the engine's pool.
#[allow(
    unsafe_code,
    reason = "machine code from a file can only be taken on trust; see SAFETY"
)]
pub(crate) fn load(engine: &Engine, file: &Path) -> Result<Component> {
    // SAFETY: the file must come from `Engine::precompile_component` and must not change while it is mapped. It is an
    // entry of `cache::Cache`: in a directory that only this user can write into, checked when it was opened; written
    // only by `compile::run` from what our own compiler process put out; its digest just compared with the one that
    // was noted then; replaced only by renaming another file over it, which leaves a mapped one as it is. Or it is a
    // `MemoryFile` with what that process put out, sealed before this is called. That it is for this version, these
    // settings and this CPU is checked by wasmtime.
    unsafe { Component::deserialize_file(engine, file) }
}
