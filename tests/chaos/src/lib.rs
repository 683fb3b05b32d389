//! Faults by a schedule, and a referee: both pure.
//!
//! [`Schedule`] says which faults come in which order, by a seed alone. [`referee`] reads what the API server noted, what LiteLLM
//! lists and when it ended, and knows nothing else of what happened. Who carries the faults out is a test of `tests/e2e`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "tests"))]

mod kind;
mod random;
pub mod referee;
mod schedule;

pub use kind::{Kind, Lane};
pub use schedule::{Extent, Fault, Schedule};
