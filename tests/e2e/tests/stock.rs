//! MCP servers as other people wrote them, on a node that runs containers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::time::Duration;

#[path = "stock/ailing.rs"]
mod ailing;
#[path = "stock/private_registry.rs"]
mod private_registry;
#[path = "stock/recipes.rs"]
mod recipes;

/// A server may take 45 seconds to start, and LiteLLM is rolled twice.
const SOON: Duration = Duration::from_mins(5);
