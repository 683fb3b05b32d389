//! What stops a pass, or a step of a plan.

use mcp_operator_connections::ExchangeError;
use mcp_operator_core::admission::PluginFailure;
use mcp_operator_core::plan_execution::{FailureCause, FailureScope};
use mcp_operator_core::retry::{Classify, ErrorClass};
use mcp_operator_runtime::ApiError;
use thiserror::Error;

/// What stops a pass, or a step of a plan.
#[derive(Debug, Error)]
pub(crate) enum RegistrationError {
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A registrar could not be asked.
    #[error("{}", .0.message)]
    Plugin(PluginFailure),
    /// A request that a registrar planned was not sent, or not answered as it should be.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// A registrar wants to replace pods that are just being replaced.
    #[error("{workload} finishes another rollout first: {message}")]
    RolloutWaiting {
        /// Kind, namespace and name.
        workload: String,
        /// How far the other rollout is.
        message: String,
    },
    #[error("workloads of kind {kind} are not supported: use a Deployment")]
    UnsupportedWorkload { kind: String },
    #[error("{workload} cannot be written as JSON: {source}")]
    UnreadableWorkload {
        /// Kind, namespace and name.
        workload: String,
        source: serde_json::Error,
    },
    #[error(
        "{location} cannot be read ({source}): delete it; what a replaced registrar has left behind then stays"
    )]
    UnreadableRecord {
        location: String,
        source: serde_json::Error,
    },
    #[error("{location} cannot be written as JSON: {source}")]
    UnwritableRecord {
        location: String,
        source: serde_json::Error,
    },
    /// The specification of a registrar's MCPPlugin is no JSON, so it could not be found again after a restart.
    #[error("the specification of MCPPlugin {plugin} cannot be recorded: {source}")]
    UnrecordablePlugin {
        plugin: String,
        source: serde_json::Error,
    },
}

impl From<PluginFailure> for RegistrationError {
    fn from(failure: PluginFailure) -> Self {
        Self::Plugin(failure)
    }
}

impl RegistrationError {
    /// What else of a plan would fare no better now.
    pub(crate) fn failure_scope(&self) -> FailureScope {
        match self {
            Self::Exchange(error) => error.failure_scope(),
            _ => FailureScope::Step,
        }
    }

    /// Why a step was not done, in the words of conditions.
    pub(crate) fn failure_cause(&self) -> FailureCause {
        FailureCause {
            category: self.category(),
            message: self.to_string(),
        }
    }
}

impl Classify for RegistrationError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Api(error) => error.class(),
            Self::Plugin(failure) if failure.guest => ErrorClass::PluginGuest,
            Self::Plugin(_) => ErrorClass::PluginHost,
            Self::Exchange(error) => error.class(),
            Self::RolloutWaiting { .. } => ErrorClass::Transient,
            Self::UnreadableRecord { .. } => ErrorClass::External,
            Self::UnsupportedWorkload { .. }
            | Self::UnreadableWorkload { .. }
            | Self::UnwritableRecord { .. }
            | Self::UnrecordablePlugin { .. } => ErrorClass::Terminal,
        }
    }

    fn category(&self) -> &'static str {
        match self {
            Self::Api(error) => error.category(),
            Self::Plugin(failure) => failure.category,
            Self::Exchange(error) => error.category(),
            Self::RolloutWaiting { .. } => "RolloutWaiting",
            Self::UnsupportedWorkload { .. } => "UnsupportedWorkload",
            Self::UnreadableWorkload { .. } => "UnreadableWorkload",
            Self::UnreadableRecord { .. } => "UnreadableRecord",
            Self::UnwritableRecord { .. } | Self::UnrecordablePlugin { .. } => "UnwritableRecord",
        }
    }
}
