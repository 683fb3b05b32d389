//! `render` and `check`, as the program does them: with real components and without a cluster.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod check;
mod render;
mod rules;
mod support;
