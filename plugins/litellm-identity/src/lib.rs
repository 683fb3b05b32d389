//! The identity of an MCP server in LiteLLM, shared by both registration strategies: its name, its id, its ownership mark,
//! the reasons to refuse it, and how LiteLLM lists it and reports its health. Because both use the same, a server keeps its
//! id, and with it the grants of keys and teams, when the strategy is swapped.

mod health;
mod name;
mod options;
mod ownership;
mod refusal;
mod server_list;

pub use health::{HEALTH_PATH, HealthReport, Reachability};
pub use name::{NamedServer, assign_names, seniority};
pub use options::CallOptions;
pub use ownership::{McpInfo, OwnershipMark, server_id, write_server_id, write_source_url};
pub use refusal::Refusal;
pub use server_list::{InvalidServerList, ListedServer, SERVERS_PATH, parse_server_list};

#[cfg(test)]
mod tests;
