//! `kubectl mcp report`: an archive for a bug report, without what may be secret.

mod redact;

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::core::ApiResource;
use serde::Serialize;
use serde_json::Value;

use self::redact::Redactor;
use crate::cluster::{Cluster, Scope};
use crate::doctor::{self, Installation};
use crate::status;
use crate::tree::objects;
use crate::view::{Style, View, not_read};

/// MCPServers whose objects are in it.
const MOST_SERVERS: usize = 50;

const ABOUT: &str = "\
What `kubectl mcp report` has read: the findings of `kubectl mcp doctor`, the MCPServers with their objects and events, the
MCPPlugins, and the objects of the operator. No Secret was read.

Hidden (`...`): values of environment variables, configurations, arguments, headers, annotations, settings of plugins and data of
ConfigMaps; queries and users of URLs; last words of containers. Names are not hidden: look through it before you send it.
";

/// What was written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    file: String,
    /// Names of the files in it.
    holds: Vec<String>,
    /// What whoever asks may not read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unread: Vec<String>,
}

/// Reads, hides and writes.
///
/// # Errors
/// When the cluster does not answer, or the file cannot be written.
pub(crate) async fn write(
    cluster: &Cluster,
    file: &Path,
    all_namespaces: bool,
    now: Timestamp,
) -> Result<Report> {
    let mut unread = Vec::new();
    let files = files(cluster, all_namespaces, now, &mut unread).await?;
    archive(file, &files, now).with_context(|| {
        format!(
            "{} cannot be written (-f names another file)",
            file.display()
        )
    })?;
    Ok(Report {
        file: file.display().to_string(),
        holds: files.into_iter().map(|(name, _)| name).collect(),
        unread,
    })
}

/// Everything that is in it, by name.
async fn files(
    cluster: &Cluster,
    all_namespaces: bool,
    now: Timestamp,
    unread: &mut Vec<String>,
) -> Result<Vec<(String, String)>> {
    let servers = cluster
        .servers(all_namespaces)
        .await?
        .or_note(unread)
        .unwrap_or_default();
    let redactor = Redactor::of(&servers);
    let mut installation = doctor::installation_without_secrets(cluster, now).await?;
    // Pods quote their containers, conditions quote what LiteLLM says, and findings quote both. Nothing else that is hidden is
    // ever in a finding.
    redactor.quoted(&mut installation);
    let diagnosis = doctor::diagnose(&installation);
    redactor.installation(&mut installation);
    let hidden: Vec<Value> = servers
        .iter()
        .map(|server| redactor.hidden(server))
        .collect();
    let fleet = status::view(&hidden, "what was asked about".into(), true, now);
    let mut files = vec![
        ("README.txt".to_owned(), ABOUT.to_owned()),
        ("doctor.txt".to_owned(), diagnosis.text(&Style::PLAIN)),
        ("doctor.json".to_owned(), json(&diagnosis)?),
        ("status.txt".to_owned(), fleet.text(&Style::PLAIN)),
        ("mcpservers.json".to_owned(), json(&hidden)?),
        (
            "installation.json".to_owned(),
            json(&of_installation(&installation))?,
        ),
    ];
    for server in servers.iter().take(MOST_SERVERS) {
        let part = |name: &str| server["metadata"][name].as_str().unwrap_or_default();
        let (namespace, name) = (part("namespace"), part("name"));
        let here = Cluster {
            client: cluster.client.clone(),
            namespace: namespace.to_owned(),
            operator_namespace: cluster.operator_namespace.clone(),
        };
        let found = objects(&here, name, unread).await?;
        let found: Vec<Value> = found.iter().map(|object| redactor.hidden(object)).collect();
        files.push((format!("objects/{namespace}/{name}.json"), json(&found)?));
    }
    let scope = if all_namespaces {
        Scope::Cluster
    } else {
        Scope::Namespace(&cluster.namespace)
    };
    let params = ListParams::default().fields("regarding.kind=MCPServer");
    let events = cluster
        .list_of(&ApiResource::erase::<Event>(&()), scope, &params)
        .await?;
    let events = events.or_note(unread).unwrap_or_default();
    let events: Vec<Value> = events.iter().map(|event| redactor.hidden(event)).collect();
    files.push(("events.json".to_owned(), json(&events)?));
    unread.extend(installation.unread);
    unread.sort();
    unread.dedup();
    Ok(files)
}

/// What checks look at, without the MCPServers, which have a file of their own.
fn of_installation(installation: &Installation) -> Value {
    let objects = installation.objects.values().flatten();
    let lists = installation
        .lists
        .iter()
        .filter(|((kind, _), _)| kind != "MCPServer");
    objects
        .chain(lists.flat_map(|(_, list)| list))
        .cloned()
        .collect()
}

fn json(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Nobody else may read it, and nothing is written over.
fn archive(file: &Path, files: &[(String, String)], now: Timestamp) -> Result<()> {
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    let mut archive = tar::Builder::new(GzEncoder::new(opened, Compression::default()));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(text.len() as u64);
        header.set_mtime(now.as_second().try_into().unwrap_or_default());
        archive.append_data(&mut header, format!("mcp-report/{name}"), text.as_bytes())?;
    }
    archive.into_inner()?.finish()?.flush()?;
    Ok(())
}

impl View for Report {
    fn text(&self, style: &Style) -> String {
        let line = format!(
            "{} has {} files. Values that may be secret are hidden (its README.txt says which); names are not: look through it before you send it.",
            self.file,
            self.holds.len()
        );
        style.wrap(&line, 0) + "\n" + &not_read(&self.unread, style)
    }
}

#[cfg(test)]
mod tests;
