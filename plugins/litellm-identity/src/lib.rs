//! Who an MCP server is in LiteLLM, whichever way it gets there: its name, its id, its mark of ownership, and why it
//! cannot be there. Both registration strategies use it, so that a server keeps its id, and with it the grants of keys
//! and teams, when the strategy is swapped.

mod mark;
mod name;
mod refusal;

pub use mark::{Mark, server_id};
pub use name::{Assigned, assign};
pub use refusal::Refusal;

#[cfg(test)]
mod tests;
