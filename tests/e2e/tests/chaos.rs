//! Two replicas under load while everything around them breaks, by a schedule, and a referee that judges afterwards by what the
//! API server noted and LiteLLM lists.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "chaos/api_server.rs"]
mod api_server;
#[path = "chaos/gateway.rs"]
mod gateway;
#[path = "chaos/objects.rs"]
mod objects;
#[path = "chaos/replicas.rs"]
mod replicas;
#[path = "chaos/run.rs"]
mod run;
#[path = "chaos/service.rs"]
mod service;
#[path = "chaos/takeover.rs"]
mod takeover;
#[path = "chaos/users.rs"]
mod users;
#[path = "chaos/world.rs"]
mod world;
