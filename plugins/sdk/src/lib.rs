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

mod adapter;
pub mod bindings;
mod describe;
mod finding;
mod object;
mod path;
mod registration;
mod request;
mod server;
mod settings;
pub mod testing;

pub use adapter::Adapter;
pub use describe::Description;
pub use finding::{Finding, Severity};
pub use mcp_operator_api::v1alpha1;
pub use object::{DefaultingRequest, Object, set_default};
pub use path::Path;
pub use registration::{
    Action, ConfigKey, ConfigKeyWrite, HttpRequest, HttpResponse, NamedJson, Observation, Observed,
    Plan, Read, ReadSource, Registration, RegistrationState, Registry, Roll, Server, Step,
    Workload, WorkloadState,
};
pub use request::{Namespace, Operation, Request, Stage};
pub use server::{McpServer, Metadata};
pub use settings::NoSettings;

/// What most plugins use.
pub mod prelude {
    pub use crate::{
        Defaulter, DefaultingRequest, Description, Finding, McpServer, NoSettings, Object, Path,
        Plugin, Registrar, Request, Stage, Validator, set_default,
    };
}

/// What every plugin says about itself.
pub trait Plugin {
    /// `MCPPlugin.spec.settings`. What cannot be read becomes a finding that names the place.
    type Settings: serde::de::DeserializeOwned;

    /// Name, version, rules.
    fn description() -> Description;

    /// Judges settings beyond what their type says.
    fn check_settings(_settings: &Self::Settings) -> Vec<Finding> {
        Vec::new()
    }
}

/// A plugin with rules.
pub trait Validator: Plugin {
    /// Everything that is wrong with a server, all at once; nothing: it may be.
    fn validate(settings: &Self::Settings, server: &McpServer, request: &Request) -> Vec<Finding>;
}

/// A plugin with defaults.
pub trait Defaulter: Plugin {
    /// Completes one object. Called once for each; must not change an object that is complete.
    fn complete(settings: &Self::Settings, object: &mut Object, request: &DefaultingRequest);
}

/// A plugin with a registration strategy.
pub trait Registrar: Plugin {
    /// What must be known before [`Registrar::plan`].
    fn observe(settings: &Self::Settings) -> Vec<Read>;

    /// What to do, and how it stands. Without steps where everything is as it should be.
    fn plan(settings: &Self::Settings, registry: &Registry) -> Plan;
}
