//! Quantities that fit each other. The API server would say the same of the Deployment, which is the last place where a user
//! looks for the mistake.

use mcp_operator_api::quantity::nano;
use mcp_plugin_sdk::{Finding, McpServer, Path};

const CODE: &str = "resource-requests";
/// Resources of which a pod may use more than it requests. Of all others it gets what it requests.
const OVERCOMMITTED: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

pub(super) fn check(_: &crate::Settings, server: &McpServer) -> Vec<Finding> {
    let resources = &server.spec.resources;
    let mut found = Vec::new();
    for (part, quantities) in [
        ("requests", &resources.requests),
        ("limits", &resources.limits),
    ] {
        for (name, value) in quantities {
            if nano(&value.0).is_none_or(|value| value < 0) {
                found.push(unreadable(place(part, name), &value.0));
            }
        }
    }
    for (name, request) in &resources.requests {
        let limit = resources.limits.get(name);
        let message = match limit.map(|limit| (nano(&request.0), nano(&limit.0), limit)) {
            Some((Some(asked), Some(most), limit)) if asked > most => {
                format!("must be no more than spec.resources.limits.{name}, which is {limit}")
            }
            Some((Some(asked), Some(most), limit))
                if asked < most && !OVERCOMMITTED.contains(&name.as_str()) =>
            {
                format!(
                    "must be spec.resources.limits.{name}, which is {limit}: of this resource, a pod gets what it requests"
                )
            }
            None if !OVERCOMMITTED.contains(&name.as_str()) => {
                format!(
                    "needs the same in spec.resources.limits: of {name}, a pod gets what it requests"
                )
            }
            _ => continue,
        };
        found.push(Finding::invalid(
            CODE,
            place("requests", name),
            &request.0,
            message,
        ));
    }
    let folders = server.spec.empty_dirs.iter().enumerate();
    let unlimited =
        folders.filter(|(_, folder)| nano(&folder.size_limit.0).is_none_or(|size| size <= 0));
    found.extend(unlimited.map(|(index, folder)| {
        let field = Path::new("spec").child("emptyDirs").index(index);
        unreadable(field.child("sizeLimit"), &folder.size_limit.0)
    }));
    found
}

fn unreadable(field: Path, value: &str) -> Finding {
    let message = "must be a positive quantity such as 500m (CPU) or 512Mi (memory)";
    Finding::invalid(CODE, field, value, message)
}

/// A name with a domain is written as the key that it is.
fn place(part: &str, resource: &str) -> Path {
    let list = Path::new("spec").child("resources").child(part);
    if resource.contains(['/', '.']) {
        list.key(resource)
    } else {
        list.child(resource)
    }
}
