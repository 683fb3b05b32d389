//! Which registrar registers, and how one takes over from another: against a real API server, with simulated pods. What
//! LiteLLM does with it is tested on a real node.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "registration/burst.rs"]
mod burst;
#[path = "registration/departure.rs"]
mod departure;
#[path = "registration/flapping.rs"]
mod flapping;
#[path = "registration/gateway.rs"]
mod gateway;
#[path = "registration/grants.rs"]
mod grants;
#[path = "registration/helm.rs"]
mod helm;
#[path = "registration/remote.rs"]
mod remote;
#[path = "registration/sharing.rs"]
mod sharing;
#[path = "registration/succession.rs"]
mod succession;
#[path = "registration/verify.rs"]
mod verify;
#[path = "registration/waiting.rs"]
mod waiting;
#[path = "registration/world.rs"]
mod world;
