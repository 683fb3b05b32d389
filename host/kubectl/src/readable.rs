//! What could be read, and what whoever asks may not read.

use serde::Serialize;

/// Something of the cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Readable<T> {
    /// It was read.
    Known(T),
    /// It may not be read: the API server's own sentence.
    Unknown(String),
}

impl<T> Readable<T> {
    /// Something that is made of it.
    pub(crate) fn map<U>(self, make: impl FnOnce(T) -> U) -> Readable<U> {
        match self {
            Self::Known(value) => Readable::Known(make(value)),
            Self::Unknown(why) => Readable::Unknown(why),
        }
    }

    pub(crate) fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// What it is, if it could be read; why not is kept in `unread`.
    pub(crate) fn or_note(self, unread: &mut Vec<String>) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(why) => {
                unread.push(why);
                None
            }
        }
    }
}
