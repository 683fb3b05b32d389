//! Entries of lists that name labels and annotations, in options and in grants.

/// Whether an entry is for this label or annotation. One that ends with `/` is for all names that begin so, another one for
/// exactly that name.
pub(crate) fn covers(entry: &str, name: &str) -> bool {
    if entry.ends_with('/') {
        name.starts_with(entry)
    } else {
        entry == name
    }
}
