//! What fuzz targets reach of this crate: what becomes of the answers of plugins.

use mcp_operator_core::admission::Finding;
use mcp_operator_core::patch::ObjectPatch;
use mcp_plugin_host::contract;

use crate::convert;

/// The findings of one answer.
pub fn findings(said: Vec<contract::Finding>) -> Vec<Finding> {
    convert::findings(said)
}

/// The patches of one answer.
///
/// # Errors
/// Which operation cannot be read.
pub fn patches(said: Vec<contract::Patch>) -> Result<Vec<ObjectPatch>, String> {
    convert::patches(said)
}
