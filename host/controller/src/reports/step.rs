//! What has to be done about the Report of one namespace.

use crate::cache::FoundReport;

/// A write, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    Create,
    Update {
        uid: String,
    },
    Delete {
        uid: String,
    },
    /// Somebody else has a Report of that name.
    Refuse {
        uid: String,
    },
}

/// What the API server made of the last write: of a member that its definition does not have it keeps nothing, and to say so
/// again would not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    /// Digest of what was written.
    pub(super) wanted: u64,
    /// Digest of what is stored.
    pub(super) stored: u64,
}

/// `wanted` is the digest of what it should say; nothing where there should be none.
pub(super) fn step(
    found: Option<FoundReport>,
    wanted: Option<u64>,
    answered: Option<Answered>,
) -> Step {
    let Some(found) = found else {
        return match wanted {
            Some(_) => Step::Create,
            None => Step::Nothing,
        };
    };
    match wanted {
        Some(_) if !found.is_ours => Step::Refuse { uid: found.uid },
        // That it is gone is told when it is.
        _ if !found.is_ours || found.is_leaving => Step::Nothing,
        None => Step::Delete { uid: found.uid },
        Some(wanted) => {
            let as_answered = Answered {
                wanted,
                stored: found.digest,
            };
            if found.digest == wanted || answered == Some(as_answered) {
                Step::Nothing
            } else {
                Step::Update { uid: found.uid }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(is_ours: bool, digest: u64) -> FoundReport {
        FoundReport {
            uid: "1".into(),
            is_ours,
            is_leaving: false,
            digest,
        }
    }

    #[test]
    fn only_what_differs_is_written() {
        let uid = || "1".to_owned();
        assert_eq!(step(None, None, None), Step::Nothing);
        assert_eq!(step(None, Some(5), None), Step::Create);
        assert_eq!(step(Some(found(true, 5)), Some(5), None), Step::Nothing);
        let update = Step::Update { uid: uid() };
        assert_eq!(step(Some(found(true, 4)), Some(5), None), update);
        let delete = Step::Delete { uid: uid() };
        assert_eq!(step(Some(found(true, 5)), None, None), delete);
    }

    #[test]
    fn what_is_somebody_elses_is_never_written() {
        let refuse = Step::Refuse { uid: "1".into() };
        assert_eq!(step(Some(found(false, 5)), Some(5), None), refuse);
        assert_eq!(step(Some(found(false, 5)), None, None), Step::Nothing);
    }

    /// Another definition may have less fields; then nothing is written again before something else is to be said, or
    /// somebody has changed it.
    #[test]
    fn what_the_api_server_does_not_keep_is_not_written_again_and_again() {
        let answered = Some(Answered {
            wanted: 5,
            stored: 4,
        });
        assert_eq!(step(Some(found(true, 4)), Some(5), answered), Step::Nothing);
        let update = Step::Update { uid: "1".into() };
        assert_eq!(step(Some(found(true, 3)), Some(5), answered), update);
        assert_eq!(step(Some(found(true, 4)), Some(6), answered), update);
    }

    #[test]
    fn one_that_is_being_deleted_is_left_to_it() {
        let leaving = || {
            Some(FoundReport {
                is_leaving: true,
                ..found(true, 4)
            })
        };
        assert_eq!(step(leaving(), Some(5), None), Step::Nothing);
        assert_eq!(step(leaving(), None, None), Step::Nothing);
    }
}
