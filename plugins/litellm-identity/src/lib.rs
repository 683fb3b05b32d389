//! Who an MCP server is in LiteLLM, whichever way it gets there: its name, its id, its mark of ownership, why it
//! cannot be there, and how LiteLLM lists it. Both registration strategies use it, so that a server keeps its id, and with it the grants of keys
//! and teams, when the strategy is swapped.

mod listed;
mod mark;
mod name;
mod refusal;

pub use listed::{HEALTH, Listed, SERVERS, unhealthy};
pub use mark::{Mark, server_id, source_url};
pub use name::{Assigned, assign};
pub use refusal::Refusal;

#[cfg(test)]
mod tests;
