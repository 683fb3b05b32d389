//! `render`, `check` and `import`: what the operator and its admission would do with manifests, and MCPServers made of what
//! others have, without a cluster.
//!
//! - In: files with MCPServers and MCPPlugins, and what an administrator would decide ([`Sources`]).
//! - Out: objects or answers on standard output, refusals on standard error as kubectl words them, an [`Outcome`].
//! - Never: it talks to no cluster, and has no rule, default or object that the running operator does not have.
//!
//! [`documents`] reads manifests and [`inputs`] puts together what decides about them. [`admission`] is the API server: it
//! decodes, fills in defaults and validates by the [`definition`] and its [`schema`], and asks the operator's own webhook in
//! between; [`report`] judges as the controller does. [`manifests`] has single objects decoded for those who ask one plugin. [`mod@render`] goes on as the controller does, up to the step where it would write. [`kubectl`] words refusals. [`mod@import`] asks none
//! of them: it makes manifests.

mod admission;
mod check;
mod definition;
mod documents;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod import;
mod inputs;
mod kubectl;
mod lookup;
mod manifests;
mod render;
mod report;
mod schema;
mod versions;

pub use check::check;
pub use import::{Import, import};
pub use inputs::Sources;
pub use manifests::{Decoder, yaml};
pub use render::render;

/// What came of a command: its exit code. The worst of several counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Everything would be admitted.
    Admitted = 0,
    /// Something would be denied.
    Denied = 1,
    /// Nobody can say.
    Unanswered = 2,
}

impl From<Outcome> for std::process::ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome as u8)
    }
}
