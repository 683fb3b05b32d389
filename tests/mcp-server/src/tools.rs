//! The tools.

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};

use rmcp::handler::server::{router::tool::ToolRouter, wrapper::Parameters};
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::Deserialize;
use serde_json::json;

static CALLS: AtomicU64 = AtomicU64::new(0);

/// What the server can do.
#[derive(Clone)]
pub struct Tools {
    tool_router: ToolRouter<Self>,
}

/// Two numbers.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub struct Summands {
    /// The first.
    a: i64,
    /// The second.
    b: i64,
}

#[tool_router]
impl Tools {
    #[tool(description = "Adds two numbers")]
    fn add(&self, Parameters(Summands { a, b }): Parameters<Summands>) -> String {
        CALLS.fetch_add(1, Ordering::Relaxed);
        (a + b).to_string()
    }

    #[tool(description = "Says which pod answers and how it is configured")]
    fn whoami(&self) -> String {
        CALLS.fetch_add(1, Ordering::Relaxed);
        let variable = |name: &str| env::var(name).unwrap_or_default();
        json!({ "pod": variable("HOSTNAME"), "greeting": variable("GREETING") }).to_string()
    }
}

impl Default for Tools {
    fn default() -> Self {
        Self {
            tool_router: Self::tool_router(),
        }
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_instructions("Adds numbers, and says who it is")
    }
}

/// Prometheus' text format.
pub async fn metrics() -> String {
    format!(
        "# TYPE mcp_tool_calls_total counter\nmcp_tool_calls_total {}\n",
        CALLS.load(Ordering::Relaxed)
    )
}
