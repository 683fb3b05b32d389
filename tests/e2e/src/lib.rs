//! What end-to-end tests and the demo share: building the parts, installing them, and waiting for what should happen.
//!
//! The tests need a cluster: `cargo xtask test` starts it, and tells them by [`Environment`].

mod account;
mod artifacts;
mod audit;
mod clock;
mod components;
mod environment;
mod install;
mod lease;
mod litellm;
mod memory_group;
mod operator;
mod operator_image;
mod own_cluster;
mod proxy;
mod registry_access;
mod wait;

pub use account::{OPERATOR_ACCOUNT, OPERATOR_USER, operator_kubeconfig, point_conversion};
pub use artifacts::{Artifacts, Part};
pub use audit::{AuditLog, ReplicaWrite, Request, creations};
pub use clock::Clock;
pub use components::{other_version, padded};
pub use environment::Environment;
pub use install::{
    Installer, LOCAL_VALUES, install_definition, install_definitions, install_into_node,
    install_plugins, load_operator_image, uninstall_definitions, uninstall_plugins,
};
pub use lease::leads;
pub use litellm::{Asked, Fault, LiteLlm};
pub use memory_group::{MemoryGroup, MemoryUsage};
pub use operator::Operator;
pub use operator_image::{BUILTIN_PLUGINS, OperatorImage, copy_sources};
pub use own_cluster::OwnCluster;
pub use proxy::Proxy;
pub use registry_access::{create_pull_secret, create_registry_ca, write_docker_config};
pub use wait::{eventually, holds_for};
