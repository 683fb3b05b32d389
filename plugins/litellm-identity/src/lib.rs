//! Who an MCP server is in LiteLLM, whichever way it gets there: its name, its id, its mark of ownership, why it cannot be
//! there, and what LiteLLM says about it. Both registration strategies use it, so that a server keeps its id, and with it
//! the grants of keys and teams, when the strategy is swapped.

mod health;
mod listed;
mod mark;
mod name;
mod refusal;
mod scan;

pub use health::{HEALTH, Health, Reach};
pub use listed::{Listed, NotAList, SERVERS, listed};
pub use mark::{Mark, server_id, write_server_id, write_source_url};
pub use name::{Assigned, assign, seniority};
pub use refusal::Refusal;

#[cfg(test)]
mod tests;
