//! What can go wrong.

use anyhow::{Context, Result};

/// Faults of one lane come one after the other; those of several lanes come at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The operator's own processes. At most one of two replicas is away at a time.
    Replicas,
    /// The API server, its store, and the way to it.
    ApiServer,
    /// What is stored, and who may do what.
    Objects,
    /// The gateway.
    LiteLlm,
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Replicas,
        Self::ApiServer,
        Self::Objects,
        Self::LiteLlm,
    ];
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A replica is killed (SIGKILL), and started again.
    Kill,
    /// A replica stands still (SIGSTOP) for longer than its lease, and goes on.
    Stop,
    /// A replica reaches the API server no more, and nobody is told; then it does again.
    Partition,
    /// Both replicas are replaced by others with other built-in plugins, one after the other.
    Upgrade,
    /// And by those from before.
    Rollback,
    /// The wall clock of a replica steps, and back.
    ClockStep,
    /// The webhook's certificates are renewed several times.
    CertificateRotation,
    /// The volume of a replica's compiled components is full, and it is restarted on that.
    CacheFull,
    /// The API server is restarted.
    ApiServerRestart,
    /// etcd stands still (SIGSTOP), and goes on.
    EtcdStall,
    /// The API server answers everything that the operator asks with 429.
    TooManyRequests,
    /// The API server answers what the operator writes into the servers' namespace with 500.
    InternalErrors,
    /// All connections of both replicas to the API server are cut, several times.
    WatchCuts,
    /// Hundreds of Secrets come, change and go.
    SecretStorm,
    /// The same with ConfigMaps that look like the operator's.
    ConfigMapStorm,
    /// A plugin is replaced by another version.
    PluginSwap,
    /// A plugin that never ends, traps or takes all memory comes into force for new objects, and goes.
    HostilePlugin,
    /// The definition of MCPServers is deleted, with all of them, and comes back; users apply theirs again.
    DefinitionGone,
    /// The operator may not write one kind of object, and may again.
    PermissionTaken,
    /// LiteLLM does not answer.
    LiteLlmDown,
    /// LiteLLM answers after seconds.
    LiteLlmSlow,
    /// LiteLLM says that it has done what it has not done.
    LiteLlmLying,
    /// LiteLLM forgets all that was registered.
    LiteLlmForgets,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::Kill,
        Self::Stop,
        Self::Partition,
        Self::Upgrade,
        Self::Rollback,
        Self::ClockStep,
        Self::CertificateRotation,
        Self::CacheFull,
        Self::ApiServerRestart,
        Self::EtcdStall,
        Self::TooManyRequests,
        Self::InternalErrors,
        Self::WatchCuts,
        Self::SecretStorm,
        Self::ConfigMapStorm,
        Self::PluginSwap,
        Self::HostilePlugin,
        Self::DefinitionGone,
        Self::PermissionTaken,
        Self::LiteLlmDown,
        Self::LiteLlmSlow,
        Self::LiteLlmLying,
        Self::LiteLlmForgets,
    ];

    /// By its name, `etcd-stall`.
    ///
    /// # Errors
    /// When there is none of that name; it tells which there are.
    pub fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        let names = || Self::ALL.map(Self::name).join(", ");
        found.with_context(|| format!("no kind of fault is named {name}: there are {}", names()))
    }

    /// Its name.
    pub fn name(self) -> String {
        let words = format!("{self:?}").replace("LiteLlm", "Litellm");
        let mut name = String::new();
        for letter in words.chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.extend(letter.to_lowercase());
        }
        name
    }

    /// What it is a fault of.
    pub fn lane(self) -> Lane {
        match self {
            Self::Kill
            | Self::Stop
            | Self::Partition
            | Self::Upgrade
            | Self::Rollback
            | Self::ClockStep
            | Self::CertificateRotation
            | Self::CacheFull => Lane::Replicas,
            Self::ApiServerRestart
            | Self::EtcdStall
            | Self::TooManyRequests
            | Self::InternalErrors
            | Self::WatchCuts => Lane::ApiServer,
            Self::SecretStorm
            | Self::ConfigMapStorm
            | Self::PluginSwap
            | Self::HostilePlugin
            | Self::DefinitionGone
            | Self::PermissionTaken => Lane::Objects,
            Self::LiteLlmDown | Self::LiteLlmSlow | Self::LiteLlmLying | Self::LiteLlmForgets => {
                Lane::LiteLlm
            }
        }
    }

    /// Least and most milliseconds that it lasts.
    pub(crate) fn lasts(self) -> (u64, u64) {
        match self {
            // Longer than the lease, which is 15 seconds.
            Self::Stop => (17_000, 20_000),
            Self::Partition => (6_000, 20_000),
            Self::CertificateRotation => (20_000, 30_000),
            Self::TooManyRequests | Self::InternalErrors | Self::PermissionTaken => (4_000, 12_000),
            Self::LiteLlmDown | Self::LiteLlmSlow | Self::LiteLlmLying => (5_000, 15_000),
            Self::EtcdStall | Self::Kill | Self::ClockStep => (1_000, 5_000),
            _ => (500, 3_000),
        }
    }

    /// Whether a replica is taken away from those who ask it, without a chance to say so before.
    pub fn takes_a_replica_away(self) -> bool {
        matches!(self, Self::Kill | Self::Stop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(&kind.name()).unwrap(), kind);
        }
        assert_eq!(Kind::LiteLlmDown.name(), "litellm-down");
        let unknown = Kind::named("rain").unwrap_err().to_string();
        assert!(unknown.contains("etcd-stall"), "{unknown}");
    }
}
