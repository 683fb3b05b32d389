//! `mcp-operator plugin`, as authors use it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod conformance;
mod from_nothing;
mod one_plugin;
mod support;
