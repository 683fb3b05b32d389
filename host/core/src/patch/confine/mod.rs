//! What plugins may change: an allow-list for each kind of object, one file each where it is long.
//!
//! Objects are compared before and after, by value. Checking the paths of operations instead would miss some, since one path
//! can be written in many ways.

mod container;
mod deployment;
mod grants;
mod kinds;
mod metadata;
mod place;
mod pod;
mod security_context;
mod volumes;

use mcp_operator_api::names::SERVER_KIND;
use mcp_operator_api::v1alpha1::PluginGrants;
use serde_json::Value;

pub(crate) use grants::{is_kubernetes_own, never_granted};
use place::Place;

/// What no grant allows.
const NEVER: &str = "which no plugin may: defaulter.wit says what they may change";
/// What may change in one direction only.
const STRICTER: &str = "which may only become stricter";

/// A change that is not allowed.
pub(super) struct Refusal {
    /// What is changed, as apimachinery writes it.
    pub(super) field: String,
    pub(super) why: Why,
}

/// Why a change is not allowed.
pub(super) enum Why {
    /// The end of a sentence.
    Never(&'static str),
    /// An entry in a list of `spec.grants` would allow it.
    NotGranted { list: &'static str, entry: String },
}

/// Whether a plugin with these grants may make `after` of `before`.
pub(super) fn check(before: &Value, after: &Value, grants: &PluginGrants) -> Result<(), Refusal> {
    let kind = before["kind"].as_str().unwrap_or_default();
    for (name, place) in Place::top(before, after).changed_members()? {
        match (kind, name) {
            (_, "metadata") => metadata::check(&place, kind, grants)?,
            (SERVER_KIND, "spec") => grants::check_fields(before, after, grants)?,
            ("Deployment", "spec") => deployment::check(&place, grants)?,
            ("ServiceAccount", "automountServiceAccountToken") => place.only(&false.into())?,
            (_, "spec") => kinds::check_spec(kind, &place)?,
            _ => return Err(place.refuse(NEVER)),
        }
    }
    Ok(())
}
