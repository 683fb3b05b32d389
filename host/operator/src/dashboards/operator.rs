//! How the operator itself is.

use super::{Dashboard, Panel, Shows};

pub(super) const DASHBOARD: Dashboard = Dashboard {
    name: "operator",
    title: "MCP operator",
    panels: &[
        Panel {
            title: "Replicas",
            shows: Shows::Number,
            unit: "short",
            queries: &[
                ("count(mcp_operator_build_info)", "scraped"),
                (
                    "sum(leader_election_master_status{name=\"mcp-operator-leader\"})",
                    "leading",
                ),
            ],
        },
        Panel {
            title: "Plugins in force",
            shows: Shows::Number,
            unit: "short",
            queries: &[(
                "count(max by (plugin) (mcp_operator_plugin_loaded) == 1)",
                "",
            )],
        },
        Panel {
            title: "Certificate expires in",
            shows: Shows::Number,
            unit: "s",
            queries: &[(
                "min by (certificate) (mcp_operator_certificate_expiration_timestamp_seconds) - time()",
                "{{certificate}}",
            )],
        },
        Panel {
            title: "Last good registration, ago",
            shows: Shows::Number,
            unit: "s",
            queries: &[(
                "time() - max(mcp_operator_registry_last_success_timestamp_seconds)",
                "",
            )],
        },
        Panel {
            title: "Due in work queues",
            shows: Shows::Number,
            unit: "short",
            queries: &[("max by (name) (workqueue_depth)", "{{name}}")],
        },
        Panel {
            title: "Admission in flight",
            shows: Shows::Number,
            unit: "short",
            queries: &[("sum(mcp_operator_admission_in_flight)", "")],
        },
        Panel {
            title: "Admission by verdict",
            shows: Shows::Course,
            unit: "reqps",
            queries: &[(
                "sum by (webhook, verdict, code) (rate(mcp_operator_admission_requests_total[5m]))",
                "{{webhook}} {{verdict}} {{code}}",
            )],
        },
        Panel {
            title: "Admission, seconds",
            shows: Shows::Course,
            unit: "s",
            queries: &[
                (
                    "histogram_quantile(0.5, sum by (webhook, le) (rate(mcp_operator_admission_seconds_bucket[5m])))",
                    "{{webhook}} p50",
                ),
                (
                    "histogram_quantile(0.99, sum by (webhook, le) (rate(mcp_operator_admission_seconds_bucket[5m])))",
                    "{{webhook}} p99",
                ),
            ],
        },
        Panel {
            title: "Reconciles by result",
            shows: Shows::Course,
            unit: "ops",
            queries: &[(
                "sum by (controller, result) (rate(controller_runtime_reconcile_total[5m]))",
                "{{controller}} {{result}}",
            )],
        },
        Panel {
            title: "Reconciles, seconds",
            shows: Shows::Course,
            unit: "s",
            queries: &[(
                "histogram_quantile(0.99, sum by (controller, le) (rate(controller_runtime_reconcile_time_seconds_bucket[5m])))",
                "{{controller}} p99",
            )],
        },
        Panel {
            title: "Errors by category",
            shows: Shows::Course,
            unit: "ops",
            queries: &[(
                "sum by (controller, error_type) (rate(mcp_operator_reconcile_errors_total[5m])) or on (controller) sum by (controller) (rate(controller_runtime_reconcile_total{result=\"error\"}[5m]))",
                "{{controller}} {{error_type}}",
            )],
        },
        Panel {
            title: "Waiting longest in the work queue",
            shows: Shows::Course,
            unit: "s",
            queries: &[("max by (name) (workqueue_oldest_due_seconds)", "{{name}}")],
        },
        Panel {
            title: "Calls of plugins",
            shows: Shows::Course,
            unit: "ops",
            queries: &[(
                "sum by (plugin, function, outcome) (rate(mcp_operator_plugin_calls_total[5m]))",
                "{{plugin}} {{function}} {{outcome}}",
            )],
        },
        Panel {
            title: "Calls of plugins, seconds",
            shows: Shows::Course,
            unit: "s",
            queries: &[(
                "histogram_quantile(0.99, sum by (plugin, function, le) (rate(mcp_operator_plugin_call_seconds_bucket[5m])))",
                "{{plugin}} {{function}} p99",
            )],
        },
        Panel {
            title: "Largest memory of a call, of its limit",
            shows: Shows::Course,
            unit: "percentunit",
            queries: &[(
                "max by (plugin, function) (mcp_operator_plugin_call_largest_memory_bytes) / max by (plugin, function) (mcp_operator_plugin_call_memory_limit_bytes)",
                "{{plugin}} {{function}}",
            )],
        },
        Panel {
            title: "Steps of the registration",
            shows: Shows::Course,
            unit: "ops",
            queries: &[(
                "sum by (action, result) (rate(mcp_operator_registry_steps_total[5m]))",
                "{{action}} {{result}}",
            )],
        },
    ],
};
