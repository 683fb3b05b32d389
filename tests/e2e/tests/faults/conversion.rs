//! MCPServers in two versions, of which one is stored and the other converted by the operator.

#[path = "conversion/both.rs"]
mod both;
#[path = "conversion/lockout.rs"]
mod lockout;
#[path = "conversion/manifests.rs"]
mod manifests;
#[path = "conversion/rollback.rs"]
mod rollback;
#[path = "conversion/support.rs"]
mod support;
