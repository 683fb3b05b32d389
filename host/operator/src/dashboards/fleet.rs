//! How the MCPServers are.

use super::{Dashboard, Panel, Shows};

pub(super) const DASHBOARD: Dashboard = Dashboard {
    name: "fleet",
    title: "MCP servers",
    panels: &[
        Panel {
            title: "MCPServers",
            shows: Shows::Number,
            unit: "short",
            queries: &[("sum(max by (phase) (mcp_operator_mcpservers_total))", "")],
        },
        Panel {
            title: "Ready",
            shows: Shows::Number,
            unit: "short",
            queries: &[("max(mcp_operator_mcpservers_total{phase=\"Ready\"})", "")],
        },
        Panel {
            title: "Failed",
            shows: Shows::Number,
            unit: "short",
            queries: &[("max(mcp_operator_mcpservers_total{phase=\"Failed\"})", "")],
        },
        Panel {
            title: "Should be registered",
            shows: Shows::Number,
            unit: "short",
            queries: &[("max(mcp_operator_registry_servers)", "")],
        },
        Panel {
            title: "Of these, not yet",
            shows: Shows::Number,
            unit: "short",
            queries: &[("max(mcp_operator_registry_pending)", "")],
        },
        Panel {
            title: "Rollouts of LiteLLM, last hour",
            shows: Shows::Number,
            unit: "short",
            queries: &[(
                "sum(increase(mcp_operator_registry_rollouts_total[1h]))",
                "",
            )],
        },
        Panel {
            title: "MCPServers by phase",
            shows: Shows::Course,
            unit: "short",
            queries: &[(
                "max by (phase) (mcp_operator_mcpservers_total)",
                "{{phase}}",
            )],
        },
        Panel {
            title: "MCPServers by namespace",
            shows: Shows::Course,
            unit: "short",
            queries: &[(
                "sum by (server_namespace) (max by (server_namespace, phase) (mcp_operator_namespace_mcpservers))",
                "{{server_namespace}}",
            )],
        },
        Panel {
            title: "Conditions that are not True",
            shows: Shows::Course,
            unit: "short",
            queries: &[(
                "max by (condition, status) (mcp_operator_mcpserver_conditions{status!=\"True\"}) or max by (condition, status) (mcp_operator_mcpserver_conditions{condition=\"Ready\"})",
                "{{condition}} {{status}}",
            )],
        },
        Panel {
            title: "Refused at admission",
            shows: Shows::Course,
            unit: "reqps",
            queries: &[(
                "sum by (verdict, code) (rate(mcp_operator_admission_requests_total{verdict!=\"allowed\"}[5m]))",
                "{{verdict}} {{code}}",
            )],
        },
    ],
};
