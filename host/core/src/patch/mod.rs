//! Patches that plugins ask for, applied and confined.
//!
//! The answer of a plugin is not trusted. Too many patches are refused, and so are results that are nested too deeply: to
//! drop a value that is nested thousands deep overflows the stack. What a plugin may change is in `confine`, and what it might
//! try in `attacks`.

pub(crate) mod changed_fields;
mod confine;

use std::collections::BTreeMap;

use json_patch::PatchOperation;
use json_patch::jsonptr::Pointer;
use mcp_operator_api::v1alpha1::PluginGrants;
use serde_json::Value;
use thiserror::Error;

use crate::ssa_diff::without_new_nulls;
use confine::{Refusal, Why};

pub(crate) use confine::{is_kubernetes_own, never_granted};

/// How many patches one answer may have.
pub const MAX_PATCHES: usize = 1000;
/// How many operations all patches of one answer may have together.
pub const MAX_OPERATIONS: usize = 4096;
/// How many parts a path may have.
pub const MAX_PATH_TOKENS: usize = 128;
/// How deeply a result may be nested: as deeply as plugins and the operator can read JSON.
pub const MAX_DEPTH: usize = 127;

/// The changes that one rule wants on one object.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectPatch {
    /// Position of the object in the list that the plugin was given.
    pub object: usize,
    /// Stable identifier of the rule.
    pub code: String,
    /// The changes, in order.
    pub operations: Vec<PatchOperation>,
}

/// Why patches are refused. It is always the fault of the plugin.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatchError {
    /// The answer has too many patches or operations.
    #[error("it answers with {found} {what}, {max} are allowed")]
    TooMany {
        /// Patches or operations.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        max: usize,
    },
    /// There is no such object.
    #[error("rule {code} patches object {object}, but there are only {count}")]
    NoSuchObject {
        /// Rule that made the patch.
        code: String,
        /// Position that the rule named.
        object: usize,
        /// How many objects there are.
        count: usize,
    },
    /// The operations do not fit the object.
    #[error("rule {code} cannot be applied to {kind}: {reason}")]
    DoesNotFit {
        /// Rule that made the patch.
        code: String,
        /// Kind of the object.
        kind: String,
        /// The error of the operation.
        reason: String,
    },
    /// Something was changed that no plugin may change so.
    #[error("{rules} changes {field} of {kind}, {why}")]
    NotAllowed {
        /// The rules that patched the object.
        rules: String,
        /// Kind of the object.
        kind: String,
        /// What was changed.
        field: String,
        /// The end of the sentence.
        why: &'static str,
    },
    /// Something was changed that this plugin was not granted.
    #[error(
        "{rules} changes {field} of {kind}, which it is not granted: add {entry} to spec.grants.{list} of its MCPPlugin if it should"
    )]
    NotGranted {
        /// The rules that patched the object.
        rules: String,
        /// Kind of the object.
        kind: String,
        /// What was changed.
        field: String,
        /// The list of the grants that lacks an entry.
        list: &'static str,
        /// The entry.
        entry: String,
    },
    /// The result is nested too deeply.
    #[error("{rules} nests {kind} deeper than {MAX_DEPTH} levels")]
    TooDeep {
        /// The rules that patched the object.
        rules: String,
        /// Kind of the object.
        kind: String,
    },
}

/// Applies patches of a plugin with these grants in order: all of them, or none.
///
/// # Errors
/// The first patch that does not fit, or the first object that became what the plugin may not make of it.
pub fn apply(
    objects: &[Value],
    patches: &[ObjectPatch],
    grants: &PluginGrants,
) -> Result<Vec<Value>, PatchError> {
    refuse_too_many(patches)?;
    let mut result = objects.to_vec();
    let mut touched: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for patch in patches {
        apply_one(&mut result, patch)?;
        touched.entry(patch.object).or_default().push(&patch.code);
    }
    for (position, codes) in touched {
        let (before, after) = (&objects[position], &mut result[position]);
        refuse_too_deep(before, after, &codes)?;
        // The check takes null for nothing, and so does an apply. The API server does not for what a webhook answers: it hands a
        // label that is null on, which no webhook can read, and the user's apply fails without naming the plugin.
        without_new_nulls(before, after);
        check_result(before, after, &codes, grants)?;
    }
    Ok(result)
}

fn refuse_too_many(patches: &[ObjectPatch]) -> Result<(), PatchError> {
    let operations = patches.iter().map(|patch| patch.operations.len()).sum();
    for (what, found, max) in [
        ("patches", patches.len(), MAX_PATCHES),
        ("operations", operations, MAX_OPERATIONS),
    ] {
        if found > max {
            return Err(PatchError::TooMany { what, found, max });
        }
    }
    Ok(())
}

fn apply_one(objects: &mut [Value], patch: &ObjectPatch) -> Result<(), PatchError> {
    let count = objects.len();
    let code = || patch.code.clone();
    let object = objects
        .get_mut(patch.object)
        .ok_or_else(|| PatchError::NoSuchObject {
            code: code(),
            object: patch.object,
            count,
        })?;
    let kind = kind(object);
    let does_not_fit = |reason| PatchError::DoesNotFit {
        code: code(),
        kind: kind.clone(),
        reason,
    };
    if patch
        .operations
        .iter()
        .any(|operation| is_deep(operation.path()))
    {
        return Err(does_not_fit(format!(
            "a path has more than {MAX_PATH_TOKENS} parts"
        )));
    }
    json_patch::patch(object, &patch.operations).map_err(|error| does_not_fit(error.to_string()))
}

fn is_deep(path: &Pointer) -> bool {
    path.tokens().nth(MAX_PATH_TOKENS).is_some()
}

fn refuse_too_deep(before: &Value, after: &Value, codes: &[&str]) -> Result<(), PatchError> {
    if is_shallow(after, MAX_DEPTH) {
        return Ok(());
    }
    Err(PatchError::TooDeep {
        rules: rules(codes),
        kind: kind(before),
    })
}

fn check_result(
    before: &Value,
    after: &Value,
    codes: &[&str],
    grants: &PluginGrants,
) -> Result<(), PatchError> {
    let (kind, rules) = (kind(before), rules(codes));
    confine::check(before, after, grants).map_err(|Refusal { field, why }| match why {
        Why::Never(why) => PatchError::NotAllowed {
            rules,
            kind,
            field,
            why,
        },
        Why::NotGranted { list, entry } => PatchError::NotGranted {
            rules,
            kind,
            field,
            list,
            entry,
        },
    })
}

/// Whether a value has no more than so many levels. The recursion is bounded: paths are short, and values were read from JSON.
fn is_shallow(value: &Value, levels: usize) -> bool {
    let below = |value: &Value| {
        levels
            .checked_sub(1)
            .is_some_and(|levels| is_shallow(value, levels))
    };
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(below),
        Value::Object(members) => levels > 0 && members.values().all(below),
        _ => true,
    }
}

fn kind(object: &Value) -> String {
    object["kind"].as_str().unwrap_or("object").to_owned()
}

/// The rules that patched an object, without duplicates, as the beginning of a sentence.
fn rules(codes: &[&str]) -> String {
    let mut codes = codes.to_vec();
    codes.sort_unstable();
    codes.dedup();
    match codes.as_slice() {
        [only] => format!("rule {only}"),
        [first, second] => format!("one of the rules {first} and {second}"),
        [first, rest @ ..] => format!("one of the rules {first} and {} more", rest.len()),
        [] => "no rule".to_owned(),
    }
}

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod tests;
