//! Components that are the same and have other digests.

use std::fs;
use std::path::Path;

use anyhow::Result;

/// A component with a custom section at its end, which says nothing; without padding, as it is.
pub fn padded(mut component: Vec<u8>, padding: u8) -> Vec<u8> {
    if padding > 0 {
        component.extend([0, 3, 1, b'p', padding]);
    }
    component
}

/// Puts all components of a folder into another one with other digests, as another version of the operator has them.
///
/// # Errors
/// When they cannot be read or written.
pub fn other_version(plugins: &Path, others: &Path, padding: u8) -> Result<()> {
    for component in fs::read_dir(plugins)? {
        let component = component?;
        let path = component.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "wasm")
        {
            let other = padded(fs::read(path)?, padding);
            fs::write(others.join(component.file_name()), other)?;
        }
    }
    Ok(())
}
