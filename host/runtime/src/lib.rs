//! What all parts that talk to Kubernetes share.
//!
//! - In: the API server's lists and watches ([`watch`], [`named_watches`]), and its answers.
//! - Out: a [`client`] with one time limit for every request ([`ApiError`]), informers of MCPServers ([`ServerStore`]) and
//!   namespaces ([`Namespaces`]), what the controller tells the registration ([`JudgedServers`]), [`Events`], and the
//!   [`Supervisor`] under which every task of the process runs; whether this replica is the leader ([`Leadership`]), and the
//!   client that writes only then.
//! - Never: it decides nothing about an MCPServer, writes nothing but events and its lease, and knows no plugin.

pub mod client;
mod config_map_key;
mod config_maps;
mod delete_by_uid;
mod error;
mod event_budget;
mod events;
mod guarded_server;
mod jitter;
mod judged_servers;
mod large_servers;
mod leader_election;
pub mod named_watches;
mod namespace_secrets;
mod namespaces;
mod object_name;
mod round_robin;
mod server_store;
mod server_time;
mod shared_secret;
mod status_overlay;
mod stored_servers;
mod supervisor;
pub mod watch;
mod work_queue;

pub use config_map_key::follow_config_map_key;
pub use config_maps::ClusterConfigMaps;
pub use delete_by_uid::delete_by_uid;
pub use error::{ApiError, request, status_message};
pub use events::Events;
pub use guarded_server::{Cut, GuardedServer};
pub use jitter::jitter;
pub use judged_servers::{BrokenRules, JudgedServer, JudgedServers};
pub use large_servers::{NoRoom, WholeServer};
pub use leader_election::{Election, ElectionSettings, LEASE_NAME, Leadership, Term, write_client};
pub use named_watches::NamedWatches;
pub use namespace_secrets::NamespaceSecrets;
pub use namespaces::Namespaces;
pub use server_store::{ServerChange, ServerStore};
pub use server_time::api_server_time;
pub use shared_secret::{SharedSecretError, obtain_shared_secret};
pub use status_overlay::StatusOverlay;
pub use stored_servers::StoredServers;
pub use supervisor::{Exit, Supervisor, TaskGroup, WatchEnded};
pub use work_queue::{Priority, QueueKey, WorkQueue};
