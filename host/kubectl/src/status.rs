//! `kubectl mcp status`: the fleet on one screen.

use anyhow::{Result, bail};
use jiff::Timestamp;
use mcp_operator_api::names::conditions::{LITELLM_REGISTERED, SPEC_VALID};
use mcp_operator_core::conditions::find;
use serde::Serialize;
use serde_json::Value;

use crate::causes::{Cause, causes, conditions, is_to_be_registered, tone};
use crate::cluster::Cluster;
use crate::readable::Readable;
use crate::view::{Style, Table, Tone, View, text};

/// All MCPServers that were asked about, those in trouble first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fleet {
    servers: Vec<Row>,
    #[serde(skip)]
    place: String,
    #[serde(skip)]
    several_namespaces: bool,
}

/// One of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    namespace: String,
    name: String,
    /// Nothing: nobody has looked at it.
    phase: Option<String>,
    ready_pods: Option<String>,
    /// `True`, `False` or `Unknown`; nothing where it is not to be registered.
    registered: Option<String>,
    /// Whether the rules in force allow it: the reason of `SpecValid`.
    rules: Option<String>,
    age_seconds: Option<i64>,
    causes: Vec<Cause>,
}

/// Reads the MCPServers.
///
/// # Errors
/// When they cannot be read.
pub(crate) async fn fleet(
    cluster: &Cluster,
    all_namespaces: bool,
    now: Timestamp,
) -> Result<Fleet> {
    let servers = match cluster.servers(all_namespaces).await? {
        Readable::Known(servers) => servers,
        Readable::Unknown(why) if all_namespaces => bail!("{why}; -n names one namespace"),
        Readable::Unknown(why) => bail!("{why}"),
    };
    let place = if all_namespaces {
        "the cluster".into()
    } else {
        format!("the namespace {}", cluster.namespace)
    };
    Ok(view(&servers, place, all_namespaces, now))
}

/// The fleet, of what was read.
pub(crate) fn view(
    servers: &[Value],
    place: String,
    several_namespaces: bool,
    now: Timestamp,
) -> Fleet {
    let mut rows: Vec<Row> = servers.iter().map(|server| row(server, now)).collect();
    rows.sort_by_cached_key(|row| (row.urgency(), row.namespace.clone(), row.name.clone()));
    Fleet {
        servers: rows,
        place,
        several_namespaces,
    }
}

fn row(server: &Value, now: Timestamp) -> Row {
    let some = |value: &Value| value.as_str().map(str::to_owned);
    let metadata = &server["metadata"];
    let conditions = conditions(server);
    let is_wanted = is_to_be_registered(server);
    let registered =
        find(&conditions, LITELLM_REGISTERED).filter(|it| is_wanted || it.status != "False");
    let created = metadata["creationTimestamp"].as_str();
    let created = created.and_then(|created| created.parse::<Timestamp>().ok());
    Row {
        namespace: text(&metadata["namespace"]),
        name: text(&metadata["name"]),
        phase: some(&server["status"]["phase"]),
        ready_pods: some(&server["status"]["ready"]),
        registered: registered.map(|condition| condition.status.clone()),
        rules: find(&conditions, SPEC_VALID).map(|condition| condition.reason.clone()),
        age_seconds: created.map(|created| now.duration_since(created).as_secs()),
        causes: causes(server),
    }
}

impl Row {
    /// Whoever needs somebody comes first, and what is on its way before what is well.
    fn urgency(&self) -> u8 {
        match tone(&self.causes) {
            Tone::Bad => 0,
            Tone::Waiting => 1,
            Tone::Good | Tone::Plain => 2,
        }
    }

    fn cells(&self, with_namespace: bool) -> Vec<(Tone, String)> {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        let plain = |text: String| (Tone::Plain, text);
        let cause = self.causes.iter().find(|cause| cause.needs_somebody);
        let cause = cause.or(self.causes.first());
        let what = cause.map(|cause| format!("{}: {}", cause.reason, cause.message));
        let age = self.age_seconds.map_or_else(|| "-".into(), age);
        let phase = self.phase.clone().unwrap_or_else(|| "Unseen".into());
        let mut cells = vec![
            plain(self.name.clone()),
            (tone(&self.causes), phase),
            plain(or_dash(&self.ready_pods)),
            plain(or_dash(&self.registered)),
            plain(or_dash(&self.rules)),
            plain(age),
            plain(what.unwrap_or_default()),
        ];
        if with_namespace {
            cells.insert(0, plain(self.namespace.clone()));
        }
        cells
    }
}

impl View for Fleet {
    fn text(&self, style: &Style) -> String {
        if self.servers.is_empty() {
            return format!("There is no MCPServer in {}.\n", self.place);
        }
        let of =
            |wanted: &dyn Fn(&Row) -> bool| self.servers.iter().filter(|row| wanted(row)).count();
        let well = of(&|row| row.urgency() == 2);
        let mut line = format!(
            "{} MCPServers in {}: {well} well, {} on their way, {} in need of somebody; {} registered",
            self.servers.len(),
            self.place,
            of(&|row| row.urgency() == 1),
            of(&|row| row.urgency() == 0),
            of(&|row| row.registered.as_deref() == Some("True")),
        );
        if well < self.servers.len() {
            line.push_str(" (kubectl mcp why NAME)");
        }
        let mut titles = vec![
            "NAME",
            "PHASE",
            "READY",
            "REGISTERED",
            "RULES",
            "AGE",
            "WHAT TO LOOK AT",
        ];
        if self.several_namespaces {
            titles.insert(0, "NAMESPACE");
        }
        let mut table = Table::titled(&titles);
        for row in &self.servers {
            table.push(row.cells(self.several_namespaces));
        }
        format!("{}\n\n{}", style.wrap(&line, 0), table.text(style))
    }
}

/// As kubectl has it: the largest unit, or two of them where the first is small.
pub(crate) fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 48 {
        format!("{hours}h")
    } else {
        format!("{days}d")
    }
}

#[cfg(test)]
mod tests {
    use mcp_testkit::Match;
    use mcp_testkit::objects::mcp_server;
    use serde_json::json;

    use super::*;
    use crate::test_cluster::{PLAIN, TestCluster, condition};

    const NOW: &str = "2026-01-01T02:00:00Z";

    async fn shown(cluster: &TestCluster, all: bool) -> String {
        let now = NOW.parse().unwrap();
        fleet(&cluster.cluster(), all, now)
            .await
            .unwrap()
            .text(&PLAIN)
    }

    #[tokio::test]
    async fn those_in_need_come_first_with_what_is_wrong() {
        let cluster = TestCluster::new();
        for (namespace, name) in [
            ("tools", "a"),
            ("tools", "b"),
            ("tools", "c"),
            ("apps", "d"),
        ] {
            let mut server = serde_json::to_value(mcp_server(namespace, name)).unwrap();
            server["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
            cluster.api.put(server);
        }
        let status = |name: &str, phase: &str, ready: &str, conditions: Value| {
            cluster.api.edit("MCPServer", "tools", name, |server| {
                server["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
                server["status"] = json!({
                    "phase": phase, "ready": ready, "observedGeneration": 1, "conditions": conditions,
                });
            });
        };
        status(
            "a",
            "Ready",
            "2/2",
            json!([
                condition("SpecValid", "True", "Valid"),
                condition("LiteLLMRegistered", "True", "Registered")
            ]),
        );
        status(
            "b",
            "Creating",
            "0/2",
            json!([
                condition("SpecValid", "True", "Valid"),
                condition("LiteLLMRegistered", "Unknown", "Waiting")
            ]),
        );
        status(
            "c",
            "Failed",
            "0/2",
            json!([
                condition("SpecValid", "False", "Invalid"),
                condition("LiteLLMRegistered", "False", "Forbidden")
            ]),
        );
        insta::assert_snapshot!(shown(&cluster, false).await, @r"
        3 MCPServers in the namespace tools: 1 well, 1 on their way, 1 in need of somebody; 1 registered (kubectl mcp why NAME)

        NAME   PHASE      READY   REGISTERED   RULES     AGE    WHAT TO LOOK AT
        c      Failed     0/2     False        Invalid   120m   Invalid: Invalid!
        b      Creating   0/2     Unknown      Valid     120m   Waiting: Waiting!
        a      Ready      2/2     True         Valid     120m
        ");
        let all = shown(&cluster, true).await;
        assert!(all.contains("\nNAMESPACE   NAME"), "{all}");
        assert!(all.contains("apps        d      Unseen"), "{all}");
    }

    #[tokio::test]
    async fn what_may_not_be_read_is_said_with_what_may_help() {
        let cluster = TestCluster::new();
        assert_eq!(
            shown(&cluster, false).await,
            "There is no MCPServer in the namespace tools.\n"
        );
        cluster.api.deny(
            Match::any().kind("MCPServer"),
            "mcpservers is forbidden: you may not",
        );
        let error = fleet(&cluster.cluster(), true, NOW.parse().unwrap()).await;
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("you may not") && error.contains("-n names one"),
            "{error}"
        );
    }

    #[test]
    fn ages_are_short() {
        let all = [5, 119, 120, 10_799, 10_800, 172_799, 172_800].map(age);
        assert_eq!(all, ["5s", "119s", "2m", "179m", "3h", "47h", "2d"]);
    }
}
