//! Volumes and their mounts: a plugin may add empty folders to write in, which hide nothing that is read.

use serde_json::Value;

use super::Refusal;
use super::place::Place;

const VOLUMES: &str = "of which plugins may only add empty ones: {name, emptyDir}";
const MOUNTS: &str = "of which plugins may only add an emptyDir, once, as {name, mountPath, readOnly}, at a plain absolute path that hides neither another mount nor a folder of the system";

/// Folders that hold the programs of an image, its certificates and users, what the kernel shows, and tokens.
const SYSTEM: [&str; 13] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/run/secrets",
    "/sbin",
    "/sys",
    "/usr",
    "/var/run/secrets",
];

/// What was there stays, and what is new is empty.
pub(super) fn check(volumes: &Place<'_>) -> Result<(), Refusal> {
    let refused = || volumes.refuse(VOLUMES);
    let added = added(volumes).ok_or_else(refused)?;
    let after: Vec<&Value> = volumes.after.as_array().into_iter().flatten().collect();
    let is_unique = |volume: &Value| {
        let same = after.iter().filter(|other| other["name"] == volume["name"]);
        same.count() == 1
    };
    if added
        .iter()
        .all(|volume| is_empty_folder(volume) && is_unique(volume))
    {
        Ok(())
    } else {
        Err(refused())
    }
}

/// What was mounted stays so, and what is new is an empty folder at a place of its own.
pub(super) fn check_mounts(mounts: &Place<'_>, volumes: &Value) -> Result<(), Refusal> {
    let refused = || mounts.refuse(MOUNTS);
    let volumes: Vec<&Value> = volumes.as_array().into_iter().flatten().collect();
    let is_empty = |mount: &Value| {
        let volume = volumes
            .iter()
            .find(|volume| volume["name"] == mount["name"]);
        volume.is_some_and(|volume| is_empty_folder(volume))
    };
    let added = added(mounts).ok_or_else(refused)?;
    let after: Vec<&Value> = mounts.after.as_array().into_iter().flatten().collect();
    let is_harmless = |mount: &Value| {
        let Some(path) = plain_path(mount) else {
            return false;
        };
        let others = after.iter().filter(|other| **other != mount);
        let hides = |other: &Value| {
            let theirs = names(other["mountPath"].as_str().unwrap_or_default());
            let is_inside = path.starts_with(&theirs) || theirs.starts_with(&path);
            // A folder inside of another empty one hides nothing.
            path == theirs || (is_inside && !is_empty(other))
        };
        is_empty(mount)
            && after
                .iter()
                .filter(|other| other["name"] == mount["name"])
                .count()
                == 1
            && !SYSTEM.iter().any(|folder| path.starts_with(&names(folder)))
            && !others.into_iter().any(|other| hides(other))
    };
    if added.iter().all(|mount| is_harmless(mount)) {
        Ok(())
    } else {
        Err(refused())
    }
}

/// The items that are new, if all that were there still are.
fn added<'a>(list: &Place<'a>) -> Option<Vec<&'a Value>> {
    let mut rest: Vec<&Value> = match list.after {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        _ => return None,
    };
    for item in list.before.as_array().into_iter().flatten() {
        let position = rest.iter().position(|other| *other == item)?;
        rest.remove(position);
    }
    Some(rest)
}

fn is_empty_folder(volume: &Value) -> bool {
    let has_name = volume["name"].is_string();
    has_name && volume["emptyDir"].is_object() && has_only(volume, &["name", "emptyDir"])
}

/// The path of a mount without tricks: below `/`, written in the shortest way.
fn plain_path(mount: &Value) -> Option<Vec<&str>> {
    let path = mount["mountPath"].as_str()?;
    let names = names(path);
    let is_plain = format!("/{}", names.join("/")) == path && !names.contains(&"..");
    let is_known = has_only(mount, &["name", "mountPath", "readOnly"]);
    (is_plain && is_known && !names.is_empty()).then_some(names)
}

/// The names of a path, from the root.
fn names(path: &str) -> Vec<&str> {
    let names = path.split('/');
    names
        .filter(|name| !name.is_empty() && *name != ".")
        .collect()
}

fn has_only(object: &Value, members: &[&str]) -> bool {
    let names = object.as_object().into_iter().flatten();
    names
        .into_iter()
        .all(|(name, _)| members.contains(&name.as_str()))
}
