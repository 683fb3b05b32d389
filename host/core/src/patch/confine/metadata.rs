//! Labels and annotations: those that are granted. For whoever reads them they are roles, ways in and other programs.

use mcp_operator_api::v1alpha1::PluginGrants;

use super::grants::{covers, never_granted};
use super::place::Place;
use super::{NEVER, Refusal, Why};

const GONE_BY: &str =
    "which no plugin may: the operator finds its objects by it, or it is a security context";

pub(super) fn check(
    metadata: &Place<'_>,
    kind: &str,
    grants: &PluginGrants,
) -> Result<(), Refusal> {
    for (name, entries) in metadata.changed_members()? {
        match name {
            "labels" => check_entries(&entries, "labels", &grants.labels)?,
            // Clouds give roles to service accounts by their annotations.
            "annotations" if kind == "ServiceAccount" => {
                let named = grants
                    .annotations
                    .iter()
                    .filter(|entry| !entry.ends_with('/'));
                let named: Vec<String> = named.cloned().collect();
                check_entries(&entries, "annotations", &named)?;
            }
            "annotations" => check_entries(&entries, "annotations", &grants.annotations)?,
            _ => return Err(entries.refuse(NEVER)),
        }
    }
    Ok(())
}

fn check_entries(
    entries: &Place<'_>,
    list: &'static str,
    granted: &[String],
) -> Result<(), Refusal> {
    for (name, entry) in entries.changed_entries()? {
        if never_granted(name) {
            return Err(entry.refuse(GONE_BY));
        }
        if !granted.iter().any(|grant| covers(grant, name)) {
            return Err(Refusal {
                field: entry.path,
                why: Why::NotGranted {
                    list,
                    entry: name.to_owned(),
                },
            });
        }
    }
    Ok(())
}
