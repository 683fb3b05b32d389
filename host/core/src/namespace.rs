//! The members of a namespace that rules and selectors read.

use std::collections::BTreeMap;

use serde::Serialize;

/// The members of a namespace that rules and selectors read. A namespace that does not exist, or is not known yet, has
/// neither labels nor annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct NamespaceFacts {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}
