//! Everything of the MCP Server Operator that talks: to the API server, to plugins, to the gateway.
//! What it decides is computed in `mcp-operator-core`.

pub mod plugins;
pub mod webhook;
