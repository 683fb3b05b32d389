//! What is known about where a component came from, besides its bytes.

/// Where a component came from, as it was found out when it was fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The artifact of a registry, by its digest. Absent: it is from nowhere else than its source says.
    pub resolved_reference: Option<String>,
    /// The keys that have signed it, one of each set that was required.
    pub signed_by: Vec<String>,
}
