//! What the administrator decides, as the program uses it.

use std::time::Duration;

use jiff::SignedDuration;
use mcp_operator_core::build;
use mcp_operator_core::registry::Patience;

/// What the administrator decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What goes into objects.
    pub build: build::Settings,
    /// Name of this installation: the mark of ownership in the gateway.
    pub instance: String,
    /// Reconciles that may run at the same time.
    pub concurrency: u16,
    /// How long changes of the registry are collected before they are carried out.
    pub registry_debounce: Duration,
    /// How long they are collected at most, while more of them come.
    pub registry_debounce_longest: Duration,
    /// How often the gateway is looked at without any change: somebody may have changed it, or it may have lost its data.
    pub registry_resync: Duration,
    /// How long something must last before a server leaves the registry, or comes back, or is waited for no longer.
    pub registry_patience: Patience,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            build: build::Settings::default(),
            instance: "mcp-operator".into(),
            concurrency: 16,
            registry_debounce: Duration::from_secs(2),
            registry_debounce_longest: Duration::from_mins(3),
            registry_resync: Duration::from_mins(1),
            registry_patience: Patience {
                grace: SignedDuration::from_mins(5),
                probation: SignedDuration::from_mins(2),
                arrival: SignedDuration::from_secs(20),
            },
        }
    }
}
