//! The custom resources of the MCP Server Operator.
