//! What the administrator decides about the registration.

use std::time::Duration;

use jiff::SignedDuration;
use mcp_operator_core::build;
use mcp_operator_core::desired_entries::GracePeriods;

/// What the administrator decides about the registration.
#[derive(Clone, Debug)]
pub struct RegistrationSettings {
    /// What goes into objects: the URL of a server is that of its Service.
    pub build: build::Settings,
    /// Name of this installation: the mark of ownership in the gateway.
    pub instance: String,
    /// Namespace of the operator, where the record of the registrars is kept.
    pub namespace: String,
    /// How long changes are collected before they are carried out.
    pub debounce: Duration,
    /// How long they are collected at most, while more of them come.
    pub longest_debounce: Duration,
    /// How often a namespace may change what is registered where each change restarts the gateway: some changes at once,
    /// then one in so much time. Zero: as often as it likes.
    pub rollout_interval: SignedDuration,
    /// Least time between two such changes of anybody; what comes meanwhile goes together. Removals do not wait. Zero: no
    /// bound.
    pub rollout_pause: SignedDuration,
    /// How often the gateway is looked at without any change: somebody may have changed it, or it may have lost its data.
    pub resync: Duration,
    /// How long something must last before a server is removed, or comes back, or is waited for no longer.
    pub grace_periods: GracePeriods,
}

impl Default for RegistrationSettings {
    fn default() -> Self {
        Self {
            build: build::Settings::default(),
            instance: "mcp-operator".into(),
            namespace: "mcp-operator".into(),
            debounce: Duration::from_secs(2),
            longest_debounce: Duration::from_mins(3),
            rollout_interval: SignedDuration::from_mins(10),
            rollout_pause: SignedDuration::from_mins(1),
            resync: Duration::from_mins(1),
            grace_periods: GracePeriods {
                grace: SignedDuration::from_mins(5),
                readmission: SignedDuration::from_mins(2),
                startup: SignedDuration::from_secs(20),
            },
        }
    }
}
