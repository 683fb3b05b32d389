//! Whether the objects of a kind can be known.

/// What is known about a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Availability {
    /// Its watch has not listed anything yet.
    Starting,
    /// Its API is not installed.
    NotServed,
    /// Reading it is forbidden: the API server's message.
    Forbidden(String),
    /// All objects are known.
    Listed,
}
