//! What can go wrong with a plugin, whose fault it is, and one sentence that says so.

use std::sync::Arc;
use std::time::Duration;

/// Why a plugin could not be loaded or a call gave no answer. A denial is not an error: it is an answer.
///
/// Displays as one sentence that names the plugin.
#[derive(Debug, thiserror::Error)]
#[error("plugin {plugin}: {fault}")]
pub struct PluginError {
    plugin: Arc<str>,
    fault: Fault,
}

/// Who has to act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The plugin: its author, or whoever set its limits.
    Guest,
    /// This process or the machine: whoever operates it.
    Host,
}

/// What went wrong.
///
/// Texts that come from a guest are part of some messages; their size is bounded by [`crate::Limits::output_bytes`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The component is larger than [`crate::HostConfig::max_component_bytes`].
    #[error(
        "the component has {bytes} bytes, {limit} are allowed: make it smaller, or raise the operator's limit"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest size that is accepted.
        limit: usize,
    },
    /// The bytes are something else than a component.
    #[error("not a WebAssembly component: {0}")]
    NotAComponent(String),
    /// The component does not fit the contract: its exports, their types, or its imports.
    #[error("does not fit the plugin contract: {0}")]
    WrongWorld(String),
    /// The component is invalid, or compiling it needs more memory than is allowed.
    #[error("does not compile: {0}")]
    CompileFailed(String),
    /// Compiling took too long.
    #[error("compiling took longer than {}: make the component smaller, or raise the operator's limit", show(*.timeout))]
    CompileTimeout {
        /// The time that was allowed.
        timeout: Duration,
    },
    /// A call did not end in time.
    #[error("{call} took longer than {}: make it faster, or raise its timeout", show(*.timeout))]
    DeadlineExceeded {
        /// Name of the function.
        call: &'static str,
        /// The time that was allowed.
        timeout: Duration,
    },
    /// A call wanted more memory than it may have.
    #[error(
        "{call} wanted {wanted} bytes of memory, {limit} are allowed: make it need less, or raise its memory limit"
    )]
    OutOfMemory {
        /// Name of the function.
        call: &'static str,
        /// How much the guest would have had.
        wanted: usize,
        /// How much it may have.
        limit: usize,
    },
    /// A call recursed too deeply.
    #[error("{call} exhausted the call stack")]
    StackOverflow {
        /// Name of the function.
        call: &'static str,
    },
    /// A call trapped: a panic, an abort, or a defect such as an access out of bounds.
    #[error("trapped in {call}: {cause}")]
    Trapped {
        /// Name of the function.
        call: &'static str,
        /// What the trap was, and the last of what the guest wrote to standard error.
        cause: String,
    },
    /// An answer was larger than [`crate::Limits::output_bytes`].
    #[error("{call} answered with more than {limit} bytes")]
    OutputTooLarge {
        /// Name of the function.
        call: &'static str,
        /// The largest answer that is accepted.
        limit: usize,
    },
    /// The plugin says that its settings cannot be used.
    #[error("{call} cannot use the settings: {message}")]
    InvalidSettings {
        /// Name of the function.
        call: &'static str,
        /// The plugin's sentence.
        message: String,
    },
    /// The plugin says that it does not understand its input.
    #[error("{call} does not support this input: {message}")]
    Unsupported {
        /// Name of the function.
        call: &'static str,
        /// The plugin's sentence.
        message: String,
    },
    /// The plugin says that it has a defect.
    #[error("{call} failed: {message}")]
    Internal {
        /// Name of the function.
        call: &'static str,
        /// The plugin's sentence.
        message: String,
    },
    /// No instance was free until the call's deadline, or so shortly before that the call could not end in time.
    #[error("{call} waited {} for a free instance: more calls at once than the operator is set up for", show(*.waited))]
    Overloaded {
        /// Name of the function.
        call: &'static str,
        /// How long it waited.
        waited: Duration,
    },
    /// The cache of compiled components is not private, full, or not there.
    #[error("the cache of compiled components cannot be used: {0}")]
    CacheUnusable(String),
    /// The compiler could not be run.
    #[error("the compiler cannot be run: {0}")]
    CompilerUnavailable(String),
    /// Anything else that is not the plugin's fault.
    #[error("the host failed in {call}: {cause}")]
    HostFailed {
        /// Name of the function.
        call: &'static str,
        /// What happened.
        cause: String,
    },
}

impl Fault {
    /// Who has to act.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Overloaded { .. }
            | Self::CacheUnusable(_)
            | Self::CompilerUnavailable(_)
            | Self::HostFailed { .. } => Blame::Host,
            _ => Blame::Guest,
        }
    }

    /// A stable CamelCase word: a metric's label value, a condition's reason.
    pub fn category(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "TooLarge",
            Self::NotAComponent(_) => "NotAComponent",
            Self::WrongWorld(_) => "WrongWorld",
            Self::CompileFailed(_) => "CompileFailed",
            Self::CompileTimeout { .. } => "CompileTimeout",
            Self::DeadlineExceeded { .. } => "DeadlineExceeded",
            Self::OutOfMemory { .. } => "OutOfMemory",
            Self::StackOverflow { .. } => "StackOverflow",
            Self::Trapped { .. } => "Trapped",
            Self::OutputTooLarge { .. } => "OutputTooLarge",
            Self::InvalidSettings { .. } => "InvalidSettings",
            Self::Unsupported { .. } => "Unsupported",
            Self::Internal { .. } => "Internal",
            Self::Overloaded { .. } => "Overloaded",
            Self::CacheUnusable(_) => "CacheUnusable",
            Self::CompilerUnavailable(_) => "CompilerUnavailable",
            Self::HostFailed { .. } => "HostFailed",
        }
    }

    /// Says which plugin it was.
    pub(crate) fn of(self, plugin: &Arc<str>) -> PluginError {
        PluginError {
            plugin: Arc::clone(plugin),
            fault: self,
        }
    }
}

impl PluginError {
    /// Name of the plugin.
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// What went wrong.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Who has to act.
    pub fn blame(&self) -> Blame {
        self.fault.blame()
    }

    /// A stable CamelCase word: a metric's label value, a condition's reason.
    pub fn category(&self) -> &'static str {
        self.fault.category()
    }
}

/// A [`Host`](crate::Host) that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The cache directory cannot be made or is not private.
    #[error("the cache of compiled components cannot be used: {0}")]
    Cache(String),
    /// The engine refuses the configuration, or the machine lacks address space for its pool.
    #[error(
        "the WebAssembly engine cannot be set up: {0}; fewer concurrent calls need less address space"
    )]
    Engine(String),
    /// The thread that keeps the time of calls cannot be started.
    #[error("the thread that interrupts plugins cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Text of many lines as part of a sentence.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn show(duration: Duration) -> String {
    format!("{duration:?}")
}
