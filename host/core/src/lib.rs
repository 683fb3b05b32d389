//! The pure core of the MCP Server Operator: no client, no clock, no runtime.
