//! Whoever wants to know what each call took and wrote: tools for authors. The operator has metrics and logs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What is known of a call that has ended, with an answer or without.
#[derive(Debug, Clone, Copy)]
pub struct EndedCall<'a> {
    /// Name under which the plugin was loaded.
    pub plugin: &'a str,
    /// Name of the function.
    pub call: &'static str,
    /// Time for a fresh instance and the call itself, without what it waited for a slot.
    pub took: Duration,
    /// The part of it until the instance was there; zero if there was none.
    pub instantiating: Duration,
    /// Linear memory of the instance at the end, in bytes.
    pub memory_bytes: usize,
    /// The beginning of what the plugin wrote to standard output and standard error.
    pub output: &'a str,
}

/// Told of each call that ends. Cheap to clone.
#[derive(Clone)]
pub struct CallObserver(Arc<dyn Fn(&EndedCall<'_>) + Send + Sync>);

impl CallObserver {
    /// Calls this function, which must not block.
    pub fn new(observe: impl Fn(&EndedCall<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }

    pub(crate) fn ended(&self, call: &EndedCall<'_>) {
        (self.0)(call);
    }
}

impl fmt::Debug for CallObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallObserver")
    }
}
