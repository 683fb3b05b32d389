//! About how long a run takes that has to build something first: said before it begins.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use mcp_cluster::{Cache, LiteLlm, has_control_plane_tools, has_node_tools};
use mcp_e2e::{Artifacts, Part};

/// Seconds that each step took on two cores of a machine on which nothing had been built before.
const OPERATOR: u64 = 280;
/// With the sample MCP server.
const PLUGINS: u64 = 110;
const CONTROL_PLANE: u64 = 385;
const NODE: u64 = 330;
const LITELLM: u64 = 45;

/// A step that is done once.
struct Step {
    what: &'static str,
    seconds: u64,
}

/// Says what there is to build for these parts of the project and, with `node`, for a real node.
pub(super) fn tell(cache: &Cache, parts: &[Part], node: bool) -> Result<()> {
    if let Some(text) = forecast(&missing(cache, parts, node)?) {
        eprintln!("{text}");
    }
    Ok(())
}

/// What was built before counts as done: what has changed since takes a fraction of its time.
fn missing(cache: &Cache, parts: &[Part], node: bool) -> Result<Vec<Step>> {
    let built = Artifacts::locate()?;
    let mut steps = Vec::new();
    let mut need = |is_there: bool, what, seconds| {
        if !is_there {
            steps.push(Step { what, seconds });
        }
    };
    for part in parts {
        let (file, what, seconds): (&Path, _, _) = match part {
            Part::Operator => (&built.operator, "the operator", OPERATOR),
            Part::Plugins => (&built.plugins, "the plugins and the sample", PLUGINS),
            // Counted with the plugins, or of a demo no part.
            Part::Server | Part::Tested | Part::Fixtures => continue,
        };
        need(file.exists(), what, seconds);
    }
    need(
        has_control_plane_tools(cache)?,
        "Kubernetes' control plane",
        CONTROL_PLANE,
    );
    if node {
        need(has_node_tools(cache)?, "Kubernetes' node", NODE);
        need(LiteLlm::is_installed(cache)?, "LiteLLM", LITELLM);
    }
    Ok(steps)
}

fn forecast(missing: &[Step]) -> Option<String> {
    let seconds: u64 = missing.iter().map(|step| step.seconds).sum();
    let mut text = format!(
        "To be built first, about {} on two cores:",
        minutes(seconds)
    );
    for (index, step) in missing.iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        let _ = write!(
            text,
            "{separator} {} ({})",
            step.what,
            minutes(step.seconds)
        );
    }
    (!missing.is_empty()).then_some(text)
}

fn minutes(seconds: u64) -> String {
    match seconds.div_ceil(60) {
        1 => "1 minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_counted() {
        let steps = [("the operator", 661), ("the plugins", 60)];
        let missing = steps.map(|(what, seconds)| Step { what, seconds });
        assert_eq!(
            forecast(&missing).as_deref(),
            Some(
                "To be built first, about 13 minutes on two cores: the operator (12 minutes), the plugins (1 minute)"
            )
        );
        assert_eq!(forecast(&[]), None);
    }
}
