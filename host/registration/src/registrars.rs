//! The seam between the hand-over from one registrar to another and everything outside of it: plugins, services, the
//! cluster. The hand-over is tested on the other side of it, without any of them.

use std::sync::Arc;

use mcp_operator_core::desired_entries::RegistrationEntry;
use mcp_operator_core::handover::RegistrarFootprint;

use crate::error::RegistrationError;
use crate::execute::ExecutionOutcome;
use crate::plan::PlannedRegistration;
use crate::record::{HandoverRecord, RecordedRegistrar};

/// A registrar, as far as it must be told from others and recorded.
pub(crate) trait Registrar: Send + Sync {
    /// Name of the MCPPlugin.
    fn name(&self) -> &str;

    /// Of the MCPPlugin: the next one of its name has another.
    fn uid(&self) -> &str;

    /// Specification of the MCPPlugin, as JSON.
    fn spec(&self) -> &str;

    /// Changes whenever the registrar could behave otherwise.
    fn fingerprint(&self) -> &str;
}

/// What can be asked of registrars and done for them.
pub(crate) trait Registrars: Send + Sync {
    type Registrar: Registrar;

    /// The registrars in force, by priority: the first one should be active.
    fn candidates(&self) -> Vec<Arc<Self::Registrar>>;

    /// Where a registrar registers.
    fn describe(
        &self,
        registrar: &Self::Registrar,
    ) -> impl Future<Output = Result<RegistrarFootprint, RegistrationError>> + Send;

    /// Observes, and plans how to make these servers, and no others, known. Changes nothing.
    fn plan(
        &self,
        registrar: &Self::Registrar,
        servers: &[RegistrationEntry],
    ) -> impl Future<Output = Result<PlannedRegistration, RegistrationError>> + Send;

    /// Carries out a plan, as far as possible.
    fn execute(
        &self,
        planned: &PlannedRegistration,
    ) -> impl Future<Output = ExecutionOutcome> + Send;

    /// Loads a registrar by what was recorded of it, although its MCPPlugin may be gone or say something else. `Err`: why
    /// it cannot be put into force, as one sentence.
    fn activate_recorded(
        &self,
        recorded: &RecordedRegistrar,
    ) -> impl Future<Output = Result<Arc<Self::Registrar>, String>> + Send;
}

/// Keeps the record of the hand-over.
pub(crate) trait RecordStore: Send + Sync {
    /// Where it is, for people.
    fn location(&self) -> &str;

    /// The record; an empty one if there is none.
    fn read(&self) -> impl Future<Output = Result<HandoverRecord, RegistrationError>> + Send;

    fn write(
        &self,
        record: &HandoverRecord,
    ) -> impl Future<Output = Result<(), RegistrationError>> + Send;
}
