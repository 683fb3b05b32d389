//! Deletions of the very object that was looked at.

use kube::api::{DeleteParams, Preconditions};

/// Parameters by which only the object with this uid is deleted: one that somebody has made in the meantime, by the same
/// name, is another, and stays.
pub fn delete_by_uid(uid: Option<String>) -> DeleteParams {
    DeleteParams {
        preconditions: Some(Preconditions {
            uid,
            ..Preconditions::default()
        }),
        ..DeleteParams::default()
    }
}
