//! Whether the objects of a kind can be known.

/// What is known about a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in super::super) enum State {
    /// Its watch has not shown anything yet.
    Starting,
    /// Its API is not installed.
    NotServed,
    /// Reading it is forbidden, in the words of the API server.
    Forbidden(String),
    /// All objects are known.
    Listed,
}
