//! Write plugins for the MCP Server Operator.
//!
//! A plugin is a WebAssembly component: a rule ([`Validator`]), a default ([`Defaulter`]) or a registration strategy
//! ([`Registrar`]). A rule is about ten lines:
//!
//! ```
//! use mcp_plugin_sdk::prelude::*;
//!
//! struct RequireTeamLabel;
//!
//! impl Plugin for RequireTeamLabel {
//!     type Settings = NoSettings;
//!     fn description() -> Description {
//!         Description::new("require-team-label", "1.0.0", "Every MCP server names the team that owns it")
//!             .rule("team-label", "metadata.labels[team] is set")
//!     }
//! }
//!
//! impl Validator for RequireTeamLabel {
//!     fn validate(_: &NoSettings, server: &McpServer, _: &Request) -> Vec<Finding> {
//!         let field = Path::new("metadata").child("labels").key("team");
//!         let missing = || Finding::required("team-label", field, "say which team owns this server");
//!         (!server.metadata.labels.contains_key("team")).then(missing).into_iter().collect()
//!     }
//! }
//!
//! mcp_plugin_sdk::export!(RequireTeamLabel: Validator);
//! ```
//!
//! Build it with `cargo build --release --target wasm32-wasip2` as a `cdylib`, put the file into a ConfigMap, and name
//! that in an MCPPlugin. The contract itself, for other languages, is in `wit/`.

#![warn(missing_docs)]

mod adapter;
pub mod bindings;
mod description;
mod finding;
mod object;
mod path;
mod registration;
mod request;
mod server;
mod settings;
pub mod testing;

pub use adapter::Adapter;
pub use description::Description;
pub use finding::{Finding, Severity};
pub use mcp_operator_api::v1alpha1;
pub use object::{DefaultingRequest, Object, normalized, set_default};
pub use path::Path;
pub use registration::{
    Action, ConfigKey, ConfigKeyWrite, HttpRequest, HttpResponse, NamedJson, Observation, Observed,
    Plan, Read, ReadSource, Registration, RegistrationState, Registry, Roll, Server, Step,
    Workload, WorkloadState,
};
pub use request::{Namespace, Operation, Request, Stage};
pub use server::{McpServer, Metadata};
pub use settings::NoSettings;

/// The items that most plugins need.
pub mod prelude {
    pub use crate::{
        Defaulter, DefaultingRequest, Description, Finding, McpServer, NoSettings, Object, Path,
        Plugin, Registrar, Request, Stage, Validator, set_default,
    };
}

/// Implemented by every plugin: its description and its settings.
pub trait Plugin {
    /// The type of `MCPPlugin.spec.settings`. A value that cannot be parsed becomes a finding that names its path; with
    /// `#[serde(deny_unknown_fields)]` so does an unknown field. [`NoSettings`] if there are none.
    type Settings: serde::de::DeserializeOwned;

    /// Name, version and rules, for `MCPPlugin.status`.
    fn description() -> Description;

    /// Checks of the settings beyond their type. A finding of severity [`Error`](Severity::Error) refuses them.
    fn check_settings(_settings: &Self::Settings) -> Vec<Finding> {
        Vec::new()
    }
}

/// A plugin with rules.
pub trait Validator: Plugin {
    /// Returns everything that is wrong with a server at once; an empty list accepts it. Not called for deletions.
    fn validate(settings: &Self::Settings, server: &McpServer, request: &Request) -> Vec<Finding>;
}

/// A plugin with defaults.
pub trait Defaulter: Plugin {
    /// Completes one object: at admission the MCPServer, at reconcile each object that is made of it. It must not overrule
    /// values that are set, and must not change an object that it already completed.
    fn complete(settings: &Self::Settings, object: &mut Object, request: &DefaultingRequest);

    /// Whether there can be anything to complete at this stage. One that says no, where its settings leave nothing to do, is
    /// not given any object: these are not even parsed, which is most of what a call costs.
    fn is_concerned(_settings: &Self::Settings, _stage: Stage) -> bool {
        true
    }
}

/// A plugin with a registration strategy.
pub trait Registrar: Plugin {
    /// What the operator must read before it calls [`Registrar::plan`].
    fn observe(settings: &Self::Settings) -> Vec<Read>;

    /// The next steps, and the state of each server, from the servers and the results of the reads. A plan without steps
    /// means that nothing is left to do. A plugin keeps no state between calls.
    fn plan(settings: &Self::Settings, registry: &Registry) -> Plan;
}
