//! A Deployment around its pods: how they are replaced, but neither how many there are nor which are its own.

use mcp_operator_api::v1alpha1::PluginGrants;

use super::place::Place;
use super::{NEVER, Refusal, metadata, pod};

pub(super) fn check(spec: &Place<'_>, grants: &PluginGrants) -> Result<(), Refusal> {
    for (name, place) in spec.changed_members()? {
        match name {
            "minReadySeconds" | "progressDeadlineSeconds" | "revisionHistoryLimit" | "strategy" => {
            }
            "template" => check_template(&place, grants)?,
            _ => return Err(place.refuse(NEVER)),
        }
    }
    Ok(())
}

fn check_template(template: &Place<'_>, grants: &PluginGrants) -> Result<(), Refusal> {
    for (name, place) in template.changed_members()? {
        match name {
            "metadata" => metadata::check(&place, "Pod", grants)?,
            "spec" => pod::check(&place)?,
            _ => return Err(place.refuse(NEVER)),
        }
    }
    Ok(())
}
