//! The operator against a real API server, with simulated nodes. Every test has a namespace of its own, and plugins of
//! its own that are only for that.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "control_plane/admission.rs"]
mod admission;
#[path = "control_plane/adoption.rs"]
mod adoption;
#[path = "control_plane/autoscaling.rs"]
mod autoscaling;
#[path = "control_plane/coexistence.rs"]
mod coexistence;
#[path = "control_plane/confinement.rs"]
mod confinement;
#[path = "control_plane/contest.rs"]
mod contest;
#[path = "control_plane/defaulters.rs"]
mod defaulters;
#[path = "control_plane/expressions.rs"]
mod expressions;
#[path = "control_plane/foreign_namespace.rs"]
mod foreign_namespace;
#[path = "control_plane/gatekeeper.rs"]
mod gatekeeper;
#[path = "control_plane/hostile.rs"]
mod hostile;
#[path = "control_plane/injection.rs"]
mod injection;
#[path = "control_plane/kubectl.rs"]
mod kubectl;
#[path = "control_plane/metrics.rs"]
mod metrics;
#[path = "control_plane/objects.rs"]
mod objects;
#[path = "control_plane/offline.rs"]
mod offline;
#[path = "control_plane/optional.rs"]
mod optional;
#[path = "control_plane/pictures.rs"]
mod pictures;
#[path = "control_plane/plugins.rs"]
mod plugins;
#[path = "control_plane/pods.rs"]
mod pods;
#[path = "control_plane/policy.rs"]
mod policy;
#[path = "control_plane/ratchet.rs"]
mod ratchet;
#[path = "control_plane/registration.rs"]
mod registration;
#[path = "control_plane/rotation.rs"]
mod rotation;
#[path = "control_plane/taking_back.rs"]
mod taking_back;
#[path = "control_plane/team.rs"]
mod team;
#[path = "control_plane/tenancy.rs"]
mod tenancy;
#[path = "control_plane/tenant_attacks.rs"]
mod tenant_attacks;
#[path = "control_plane/tenant_detours.rs"]
mod tenant_detours;
#[path = "control_plane/trouble.rs"]
mod trouble;
#[path = "control_plane/user_roles.rs"]
mod user_roles;
#[path = "control_plane/violations.rs"]
mod violations;
#[path = "control_plane/webhook.rs"]
mod webhook;
#[path = "control_plane/world.rs"]
mod world;
