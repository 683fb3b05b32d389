//! The errors of this crate, and who has to act on them.

use std::sync::Arc;
use std::time::Duration;

/// Why a plugin could not be loaded or a call gave no answer. A denial is not an error: it is an answer.
///
/// Displays as one sentence that begins with the name of the plugin.
#[derive(Debug, thiserror::Error)]
#[error("plugin {plugin}: {fault}")]
pub struct PluginError {
    plugin: Arc<str>,
    fault: Fault,
}

/// Who has to act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The plugin: its author, or the person who sets its limits.
    Guest,
    /// This process or the machine: its operator.
    Host,
}

/// Why a plugin could not be loaded or a call failed. `call` is always the name of the contract's function.
///
/// Some messages contain text of the guest; its size is bounded by [`crate::Limits::output_bytes`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The component is larger than [`crate::HostConfig::max_component_bytes`].
    #[error(
        "the component has {bytes} bytes, {} MiB are allowed: make it smaller, or start the operator with a larger --plugin-size-limit-mib", .limit >> 20
    )]
    TooLarge {
        /// Size of the component.
        bytes: usize,
        /// The largest size that is accepted, in bytes.
        limit: usize,
    },
    /// The bytes are not a WebAssembly component.
    #[error("not a WebAssembly component: {0}")]
    NotAComponent(String),
    /// The component does not fit the contract: its exports, their types, or its imports.
    #[error("does not fit the plugin contract: {0}")]
    WrongWorld(String),
    /// The component is invalid, or compiling it needs more memory than is allowed.
    #[error("does not compile: {0}")]
    CompileFailed(String),
    /// Compiling took too long.
    #[error("compiling took longer than {} of processor time: make the component smaller", readable(*.cpu_time))]
    CompileTimeout {
        /// The time that was allowed.
        cpu_time: Duration,
    },
    /// A call did not end in time.
    #[error("{call} took longer than {}: make it faster, or raise spec.limits.timeoutMilliseconds of its MCPPlugin (at most 10000)", readable(*.timeout))]
    DeadlineExceeded {
        /// Name of the function.
        call: &'static str,
        /// The time that was allowed.
        timeout: Duration,
    },
    /// A call wanted more memory than it may have.
    #[error(
        "{call} wanted {} MiB of memory, {} are allowed: make it need less, or raise spec.limits.memory of its MCPPlugin", .wanted.div_ceil(1 << 20), .limit >> 20
    )]
    OutOfMemory {
        /// Name of the function.
        call: &'static str,
        /// Linear memory after the growth that was refused, in bytes.
        wanted: usize,
        /// The memory that was allowed, in bytes.
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
        /// The trap, and the end of what the guest wrote to standard output and standard error.
        cause: String,
    },
    /// An answer was larger than [`crate::Limits::output_bytes`].
    #[error("{call} answered with more than {limit} bytes")]
    OutputTooLarge {
        /// Name of the function.
        call: &'static str,
        /// The largest answer that is accepted, in bytes.
        limit: usize,
    },
    /// The plugin reports that it cannot use its settings.
    #[error("{call} cannot use the settings: {message}")]
    InvalidSettings {
        /// Name of the function.
        call: &'static str,
        /// The plugin's message.
        message: String,
    },
    /// The plugin reports that it does not understand its input.
    #[error("{call} does not support this input: {message}")]
    Unsupported {
        /// Name of the function.
        call: &'static str,
        /// The plugin's message.
        message: String,
    },
    /// The plugin reports a defect of its own.
    #[error("{call} failed: {message}")]
    Internal {
        /// Name of the function.
        call: &'static str,
        /// The plugin's message.
        message: String,
    },
    /// No slot was free before the call's deadline, or only when more than half of its timeout had passed.
    #[error("{call} waited {} for a free instance: more calls at once than the operator is set up for", readable(*.waited))]
    Overloaded {
        /// Name of the function.
        call: &'static str,
        /// How long the call waited.
        waited: Duration,
        /// Calls for the same namespace were running when it began to wait.
        by_caller: bool,
    },
    /// The cache of compiled components is missing, full, or writable by other users.
    #[error("the cache of compiled components cannot be used: {0}")]
    CacheUnusable(String),
    /// The compiler could not be run.
    #[error("the compiler cannot be run: {0}")]
    CompilerUnavailable(String),
    /// Any other failure that is not the plugin's fault.
    #[error("the host failed in {call}: {cause}")]
    HostFailed {
        /// Name of the function.
        call: &'static str,
        /// The error that caused it.
        cause: String,
    },
}

impl Fault {
    /// Who has to act on it.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Overloaded { .. }
            | Self::CacheUnusable(_)
            | Self::CompilerUnavailable(_)
            | Self::HostFailed { .. } => Blame::Host,
            _ => Blame::Guest,
        }
    }

    /// Whether whoever wrote the object could have brought it about: then it must be no way around a rule.
    pub fn is_provoked(&self) -> bool {
        match self {
            Self::Overloaded { by_caller, .. } => *by_caller,
            fault => fault.blame() == Blame::Guest,
        }
    }

    /// Name of the variant, which is stable: usable as the reason of a condition or the label value of a metric.
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

    pub(crate) fn in_plugin(self, plugin: &Arc<str>) -> PluginError {
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

    /// Why it failed.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Who has to act on it.
    pub fn blame(&self) -> Blame {
        self.fault.blame()
    }

    /// Name of the variant, which is stable: usable as the reason of a condition or the label value of a metric.
    pub fn category(&self) -> &'static str {
        self.fault.category()
    }
}

/// Why a [`Host`](crate::Host) cannot be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The cache directory cannot be created, or other users can write into it.
    #[error("the cache of compiled components cannot be used: {0}")]
    Cache(String),
    /// The engine refuses the configuration, or the machine lacks address space for its pool.
    #[error(
        "the WebAssembly engine cannot be set up: {0}; fewer concurrent calls need less address space"
    )]
    Engine(String),
    /// The thread that interrupts guests cannot be started.
    #[error("the thread that interrupts plugins cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Joins the lines of a text, for use within a sentence.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn readable(duration: Duration) -> String {
    format!("{duration:?}")
}
