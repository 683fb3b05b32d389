//! The host with real components: plugins that behave, plugins that do not, and what is no plugin at all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod calls;
mod common;
mod compiling;
mod fairness;
mod hostile;
mod loading;
