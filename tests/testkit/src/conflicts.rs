//! Fields that somebody else owns and an apply would change.

use crate::fields::display;
use crate::managed_fields::{Managers, Writer};
use crate::merge::Comparison;
use crate::status::Failure;

/// Refuses an apply that changes what others own, in the words of the API server.
pub(crate) fn refuse_conflicts(
    managers: &Managers,
    writer: &Writer<'_>,
    comparison: &Comparison,
) -> Result<(), Failure> {
    let mut changed = comparison.modified.clone();
    changed.union(&comparison.added);
    let mut conflicts = Vec::new();
    for entry in managers.0.iter().filter(|entry| !entry.is(writer, "Apply")) {
        let fields = entry.fields.intersection(&changed);
        conflicts.extend(fields.0.iter().map(|path| (entry.name(), display(path))));
    }
    conflicts.sort();
    let message = match conflicts.as_slice() {
        [] => return Ok(()),
        [(manager, path)] => {
            format!("Apply failed with 1 conflict: conflict with {manager}: {path}")
        }
        several => {
            let mut lines = Vec::new();
            for (index, (manager, path)) in several.iter().enumerate() {
                if index == 0 || several[index - 1].0 != *manager {
                    lines.push(format!("conflicts with {manager}:"));
                }
                lines.push(format!("- {path}"));
            }
            format!(
                "Apply failed with {} conflicts: {}",
                several.len(),
                lines.join("\n")
            )
        }
    };
    let failure = Failure::new(409, "Conflict", message);
    Err(conflicts.iter().fold(failure, |failure, (manager, path)| {
        let message = format!("conflict with {manager}");
        failure.with_cause("FieldManagerConflict", &message, path)
    }))
}
