//! A real Kubernetes on this machine, for tests and the demo.
//!
//! Three kinds of [`Cluster`]: a [`ControlPlane`] with simulated nodes (seconds, no privileges), a [`RealNode`] that
//! runs containers (Linux, root) and an [`Existing`] cluster of the user's. All that is built for them is kept in the
//! [`Cache`].

mod cache;
mod cert_manager;
mod cluster;
mod collector;
mod command;
mod components;
mod control_plane;
mod cosign;
mod definitions;
mod gatekeeper;
mod go_program;
mod helm;
pub mod image;
mod interrupt;
mod kstatus;
mod kubectl;
mod litellm;
mod litellm_database;
mod machine;
mod namespaces;
mod node_files;
mod node_registry;
mod oci_registry;
mod partition;
mod pki;
mod ports;
mod process;
mod progress;
mod prometheus;
mod real_node;
mod servers;
mod simulated_node;
mod stock;
mod supervisor;
mod template;
mod tools;
mod vertical_pod_autoscaler;

pub use cache::{CACHE_VARIABLE, Cache, Lock, content_key, repository};
pub use cert_manager::CertManager;
pub use cluster::{Cluster, Existing};
pub use collector::{Collector, Span};
pub use command::{
    capture, find_program, process_runs, run_attended, run_attended_lines, run_logged, terminate,
};
pub use components::Component;
pub use control_plane::{ControlPlane, ControlPlaneOptions};
pub use cosign::{Cosign, CosignKey, SignatureLayout};
pub use definitions::Definitions;
pub use gatekeeper::{Gatekeeper, Violation};
pub use helm::Helm;
pub use interrupt::{check_interrupted, handle_signals, interrupted};
pub use kstatus::Kstatus;
pub use kubectl::Kubectl;
pub use litellm::{LiteLlm, rolled_out};
pub use litellm_database::LiteLlmDatabase;
pub use machine::{
    ensure_authorities, ensure_cpp_compiler, ensure_database_packages, ensure_fake_time,
    ensure_node_packages, ensure_node_possible, ensure_prerequisites, ensure_python,
    ensure_rust_targets, ensure_static_compiler, ensure_valgrind, static_target,
};
pub use node_registry::NodeRegistry;
pub use oci_registry::OciRegistry;
pub use partition::CabledNetwork;
pub use ports::free_port;
pub use process::Process;
pub use progress::Progress;
pub use prometheus::{Prometheus, check_metrics, test_rules};
pub use real_node::RealNode;
pub use stock::stock_images;
pub use tools::{
    Tools, chart_tools, control_plane_tools, has_control_plane_tools, has_node_tools,
    module_sources, node_tools, policy_tools, signing_tools,
};
pub use vertical_pod_autoscaler::VerticalPodAutoscaler;
