//! `render` and `check`: what the operator and its admission would do with manifests, without a cluster.
//!
//! [`documents`] reads manifests and [`world`] puts together what judges them. [`admission`] is the API server: it
//! decodes, fills in defaults and judges by the [`definition`], and asks the operator's own webhook in between.
//! [`mod@render`] goes on with the operator's own reconcile, up to the step where it would write. [`kubectl`] words what is
//! said. There is no rule, default or object here that the running operator does not have.

mod admission;
mod arguments;
mod check;
mod definition;
mod documents;
mod kubectl;
mod render;
mod world;

pub use arguments::{CHECK_HELP, ManifestArguments, RENDER_HELP};
pub use check::check;
pub use render::render;

/// What came of a command: its exit code. The worst of several counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Everything would be admitted.
    Admitted = 0,
    /// Something would be denied.
    Denied = 1,
    /// Something could not be judged.
    Unanswered = 2,
}

impl From<Outcome> for std::process::ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome as u8)
    }
}
