//! The MCP Server Operator: controllers, admission webhook, registration.
