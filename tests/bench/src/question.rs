//! The question that benches of plugins ask.

use std::hint::black_box;

use anyhow::{Context, Result};
use mcp_plugin_host::contract::{GroupVersionKind, Operation, Request, Stage};
use mcp_plugin_host::{Limits, Plugin};

/// An MCPServer as a real API server sends it: with defaults, the annotation of `kubectl apply`, and `managedFields`.
pub const SERVER: &str = include_str!("../benches/mcpserver.json");

/// Has a plugin judge a server as a new one.
///
/// # Errors
/// When the call fails.
pub async fn validate(plugin: &Plugin, settings: &str, server: &str) -> Result<()> {
    let request = Request {
        operation: Operation::Create,
        stage: Stage::Admission,
        kind: GroupVersionKind {
            group: "mcp.litellm.ai",
            version: "v1alpha1",
            kind: "MCPServer",
        },
        name: "github",
        namespace: Some("litellm"),
        user: None,
        dry_run: false,
        object: server,
        old_object: None,
        context: &[],
    };
    let answer = plugin
        .validate(settings, &request, &Limits::default())
        .await;
    black_box(answer.context("a plugin that is measured failed")?);
    Ok(())
}
