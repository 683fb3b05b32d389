//! What the operator survives, on control planes that the tests break.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "faults/adoption.rs"]
mod adoption;
#[path = "faults/agreement.rs"]
mod agreement;
#[path = "faults/askers.rs"]
mod askers;
#[path = "faults/cert_manager.rs"]
mod cert_manager;
#[path = "faults/certificates.rs"]
mod certificates;
#[path = "faults/client_certificate.rs"]
mod client_certificate;
#[path = "faults/clock.rs"]
mod clock;
#[path = "faults/conversion.rs"]
mod conversion;
#[path = "faults/cosign.rs"]
mod cosign;
#[path = "faults/dashboards.rs"]
mod dashboards;
#[path = "faults/doctor.rs"]
mod doctor;
#[path = "faults/install_again.rs"]
mod install_again;
#[path = "faults/ipv6.rs"]
mod ipv6;
#[path = "faults/large_servers.rs"]
mod large_servers;
#[path = "faults/leader.rs"]
mod leader;
#[path = "faults/links.rs"]
mod links;
#[path = "faults/lost_rule.rs"]
mod lost_rule;
#[path = "faults/memory.rs"]
mod memory;
#[path = "faults/others.rs"]
mod others;
#[path = "faults/outages.rs"]
mod outages;
#[path = "faults/permissions.rs"]
mod permissions;
#[path = "faults/preflight.rs"]
mod preflight;
#[path = "faults/quiet.rs"]
mod quiet;
#[path = "faults/registry.rs"]
mod registry;
#[path = "faults/reports.rs"]
mod reports;
#[path = "faults/traces.rs"]
mod traces;
#[path = "faults/uninstall.rs"]
mod uninstall;
#[path = "faults/verbs.rs"]
mod verbs;
#[path = "faults/vertical_pod_autoscaler.rs"]
mod vertical_pod_autoscaler;
#[path = "faults/waiting.rs"]
mod waiting;
#[path = "faults/world.rs"]
mod world;
