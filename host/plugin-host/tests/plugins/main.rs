//! The host with real components: good plugins, hostile plugins, and files that are no plugins.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod calls;
mod common;
mod compiling;
mod corpus;
mod counting;
mod fairness;
mod hostile;
mod loading;
mod versions;
