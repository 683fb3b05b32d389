//! Security contexts, which may only become stricter: each member has a direction, and what is not listed here has none.

use serde_json::Value;

use super::place::Place;
use super::{NEVER, Refusal, STRICTER};

pub(super) fn check_pod(context: &Place<'_>) -> Result<(), Refusal> {
    for (name, place) in context.changed_members()? {
        match name {
            "fsGroupChangePolicy" => {}
            "fsGroup" => stricter(&place, is_other_than_root(place.before, place.after))?,
            "supplementalGroupsPolicy" => place.only(&"Strict".into())?,
            _ => check_member(name, &place, place.before)?,
        }
    }
    Ok(())
}

/// What a container does not say, its pod says. To say it in the container is to overrule that.
pub(super) fn check_container(context: &Place<'_>, pod: &Place<'_>) -> Result<(), Refusal> {
    for (name, place) in context.changed_members()? {
        match name {
            "allowPrivilegeEscalation" | "privileged" => place.only(&false.into())?,
            "capabilities" => check_capabilities(&place)?,
            "readOnlyRootFilesystem" => place.only(&true.into())?,
            _ => {
                let inherited = &pod.before["securityContext"][name];
                let before = if place.before.is_null() {
                    inherited
                } else {
                    place.before
                };
                check_member(name, &place, before)?;
            }
        }
    }
    Ok(())
}

/// Members of both contexts. `before` is what was in force.
fn check_member(name: &str, place: &Place<'_>, before: &Value) -> Result<(), Refusal> {
    let after = place.after;
    let is_same = before == after;
    match name {
        "runAsNonRoot" => place.only(&true.into()),
        "runAsGroup" | "runAsUser" => stricter(place, is_same || is_other_than_root(before, after)),
        // What a profile of the node's own allows is not known.
        "appArmorProfile" | "seccompProfile" => {
            let is_free = before.is_null() || before["type"] == "Unconfined";
            let confined = serde_json::json!({ "type": "RuntimeDefault" });
            stricter(place, is_same || (is_free && *after == confined))
        }
        _ => Err(place.refuse(NEVER)),
    }
}

/// From root, or whoever the image says, to somebody else.
fn is_other_than_root(before: &Value, after: &Value) -> bool {
    (before.is_null() || *before == 0) && after.as_i64().is_some_and(|id| id > 0)
}

fn check_capabilities(capabilities: &Place<'_>) -> Result<(), Refusal> {
    for (name, place) in capabilities.changed_members()? {
        let (before, after) = (items(place.before), items(place.after));
        let is_stricter = match name {
            "add" => after.iter().all(|one| before.contains(one)),
            "drop" => {
                let drops_all = after.iter().any(|one| **one == "ALL");
                drops_all || before.iter().all(|one| after.contains(one))
            }
            _ => return Err(place.refuse(NEVER)),
        };
        stricter(&place, is_stricter)?;
    }
    Ok(())
}

fn items(list: &Value) -> Vec<&Value> {
    list.as_array().into_iter().flatten().collect()
}

fn stricter(place: &Place<'_>, is_stricter: bool) -> Result<(), Refusal> {
    if is_stricter {
        Ok(())
    } else {
        Err(place.refuse(STRICTER))
    }
}
