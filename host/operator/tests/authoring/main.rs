//! `mcp-operator plugin`, as authors use it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod from_nothing;
mod one_plugin;
mod support;
