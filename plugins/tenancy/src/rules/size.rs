//! How many pods there may be, and how large each.

use std::collections::BTreeMap;

use mcp_operator_api::quantity::nano;
use mcp_plugin_sdk::v1alpha1::Quantity;
use mcp_plugin_sdk::{Finding, McpServer, Path};

use super::{not_allowed, spec};
use crate::tenant::Tenant;

pub(crate) const REPLICAS: &str = "replica-limit";
pub(crate) const RESOURCES: &str = "resource-limit";
pub(crate) const EXTENDED: &str = "extended-resource";

pub(crate) fn replicas(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let annotation = "max-replicas";
    let most = match tenant.annotation(annotation) {
        None => Ok(tenant.settings.max_replicas),
        Some(text) => text
            .trim()
            .parse()
            .map_err(|_| tenant.malformed(annotation, &format!("{text:?} is no number of pods"))),
    };
    let autoscaling = server.spec.autoscaling.as_ref();
    let asked = [
        Some((spec().child("replicas"), server.spec.replicas)),
        autoscaling.map(|scaling| {
            (
                spec().child("autoscaling").child("maxReplicas"),
                scaling.max_replicas,
            )
        }),
    ];
    let finding = |(field, count): (Path, i32)| {
        let message = match &most {
            Ok(most) if count <= *most => return None,
            Ok(most) => format!(
                "the namespace {} may have {most} pods of one server; {}",
                tenant.name(),
                tenant.remedy(annotation, &count.to_string())
            ),
            Err(malformed) => malformed.clone(),
        };
        Some(Finding::invalid(REPLICAS, field, count, message))
    };
    asked.into_iter().flatten().filter_map(finding).collect()
}

pub(crate) fn resources(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let settings = tenant.settings;
    let limits = [
        ("cpu", "max-cpu", &settings.max_cpu),
        ("memory", "max-memory", &settings.max_memory),
        (
            "ephemeral-storage",
            "max-ephemeral-storage",
            &settings.max_ephemeral_storage,
        ),
    ];
    let mut findings = Vec::new();
    for (resource, annotation, default) in limits {
        let most = tenant
            .annotation(annotation)
            .map_or(default.0.as_str(), str::trim);
        for (list, quantities) in lists(server) {
            let Some(asked) = quantities.get(resource) else {
                continue;
            };
            let message = match (nano(&asked.0), nano(most)) {
                (Some(asked), Some(most)) if asked <= most => continue,
                (None, _) => "must be a quantity such as 500m or 512Mi".into(),
                (_, None) => tenant.malformed(
                    annotation,
                    &format!("{most:?} is no quantity such as 8 or 16Gi"),
                ),
                (Some(_), Some(_)) => format!(
                    "a pod in the namespace {} may have {most} of {resource}; {}",
                    tenant.name(),
                    tenant.remedy(annotation, &asked.0)
                ),
            };
            findings.push(Finding::invalid(
                RESOURCES,
                list.key(resource),
                asked,
                message,
            ));
        }
    }
    findings.extend(folders(tenant, server));
    findings
}

/// Empty folders are on the node's disk, and count together.
fn folders(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let annotation = "max-ephemeral-storage";
    let default = &tenant.settings.max_ephemeral_storage;
    let most = tenant
        .annotation(annotation)
        .map_or(default.0.as_str(), str::trim);
    let sizes = server.spec.empty_dirs.iter();
    let sum = sizes
        .map(|folder| nano(&folder.size_limit.0))
        .try_fold(0_i128, |sum, size| sum.checked_add(size?));
    let message = match (sum, nano(most)) {
        (Some(sum), Some(most)) if sum <= most => return Vec::new(),
        (Some(0), _) => return Vec::new(),
        (None, _) => "each sizeLimit must be a quantity such as 256Mi".into(),
        (_, None) => tenant.malformed(
            annotation,
            &format!("{most:?} is no quantity such as 8 or 16Gi"),
        ),
        (Some(sum), Some(_)) => {
            let bytes = sum / 1_000_000_000;
            format!(
                "the folders of a pod in the namespace {} may have {most} together; {}",
                tenant.name(),
                tenant.remedy(annotation, &bytes.to_string())
            )
        }
    };
    let sizes: Vec<&str> = server
        .spec
        .empty_dirs
        .iter()
        .map(|folder| folder.size_limit.0.as_str())
        .collect();
    let field = spec().child("emptyDirs");
    vec![Finding::invalid(RESOURCES, field, sizes.join(","), message)]
}

pub(crate) fn extended_resources(tenant: &Tenant<'_>, server: &McpServer) -> Vec<Finding> {
    let known = ["cpu", "memory", "ephemeral-storage"];
    let asked = lists(server).into_iter().flat_map(|(list, quantities)| {
        let others = quantities
            .keys()
            .filter(|name| !known.contains(&name.as_str()));
        others.map(move |name| (list.clone().key(name), name.as_str()))
    });
    let allowed = tenant.allowed("extended-resources", &tenant.settings.extended_resources);
    not_allowed(EXTENDED, allowed, asked)
}

fn lists(server: &McpServer) -> [(Path, &BTreeMap<String, Quantity>); 2] {
    let resources = &server.spec.resources;
    let field = |member| spec().child("resources").child(member);
    [
        (field("requests"), &resources.requests),
        (field("limits"), &resources.limits),
    ]
}
