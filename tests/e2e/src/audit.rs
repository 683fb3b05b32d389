//! What the operator asked of an API server, as its audit log says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// How the operator calls itself.
const AGENT: &str = "mcp-operator/";
/// Verbs that change something.
const WRITES: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

/// Without a write for so long, the operator has come to rest.
const QUIET: Duration = Duration::from_secs(3);
/// Looks at the audit log in that time.
const LOOKS: u32 = 6;
/// Longest wait for that.
const PATIENCE: Duration = Duration::from_mins(3);

/// One request of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `get`, `list`, `watch`, `create`, `patch`, ...
    pub verb: String,
    /// `deployments`, `mcpservers/status`, ...
    pub resource: String,
    /// `namespace/name`.
    pub object: String,
    /// HTTP status of the answer.
    pub code: u64,
}

impl Request {
    /// Whether it was meant to change something.
    pub fn is_write(&self) -> bool {
        WRITES.contains(&self.verb.as_str())
    }

    /// Whether it is about where the webhook is: beside a cluster that is another address for each operator.
    pub fn is_about_webhook(&self) -> bool {
        self.resource.ends_with("webhookconfigurations")
            || self.resource == "customresourcedefinitions"
    }
}

/// A write, and by which replica.
#[derive(Clone, Debug)]
pub struct ReplicaWrite {
    /// How it calls itself.
    pub replica: String,
    /// What was written.
    pub request: Request,
    /// When the API server had it, in words that sort.
    pub received: String,
    /// When it had answered.
    pub answered: String,
}

/// Reads on in an audit log.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    read: u64,
}

impl AuditLog {
    /// From its beginning.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            read: 0,
        }
    }

    /// The operator's requests since the last call, without those about its lease: the leader says all the time that it is
    /// alive.
    ///
    /// # Errors
    /// When the log cannot be read, or what was not read yet is gone.
    pub fn requests(&mut self) -> Result<Vec<Request>> {
        self.read(|event, request| {
            (is_operator(event) && request.resource != "leases").then_some(request)
        })
    }

    /// What the replicas of the operator wrote since the last call, with the lease.
    ///
    /// # Errors
    /// As [`AuditLog::requests`].
    pub fn writes_of_replicas(&mut self) -> Result<Vec<ReplicaWrite>> {
        self.read(|event, request| {
            (is_operator(event) && request.is_write()).then(|| ReplicaWrite {
                replica: text(&event["userAgent"]),
                request,
                received: text(&event["requestReceivedTimestamp"]),
                answered: text(&event["stageTimestamp"]),
            })
        })
    }

    /// Waits until the operator has written nothing of this kind for a while, and gives all its requests until then.
    ///
    /// # Errors
    /// As [`AuditLog::requests`], and when it goes on writing for minutes.
    pub fn settled(&mut self, matters: impl Fn(&Request) -> bool) -> Result<Vec<Request>> {
        let (mut all, began, mut quiet) = (Vec::new(), Instant::now(), 0);
        // Looks count, not time: where the whole machine stands still, nobody could have written.
        while quiet < LOOKS {
            sleep(QUIET / LOOKS);
            quiet += 1;
            let requests = self.requests()?;
            if let Some(write) = requests
                .iter()
                .find(|request| request.is_write() && matters(request))
            {
                ensure!(began.elapsed() < PATIENCE, "no end of writes: {write:?}");
                quiet = 0;
            }
            all.extend(requests);
        }
        Ok(all)
    }

    /// What anybody changed since the last call; not that somebody is still alive, which leases tell all the time.
    ///
    /// # Errors
    /// As [`AuditLog::requests`].
    pub fn writes_of_all(&mut self) -> Result<Vec<Request>> {
        self.read(|_, request| {
            (request.is_write() && request.resource != "leases").then_some(request)
        })
    }

    /// What webhooks have noted about requests for MCPServers of this name since the last call: `webhook/key` and value.
    ///
    /// # Errors
    /// As [`AuditLog::requests`].
    pub fn annotations_of(&mut self, name: &str) -> Result<Vec<BTreeMap<String, String>>> {
        let noted = self.read(|event, request| {
            let annotations = event["annotations"].as_object()?.iter();
            let texts = annotations.map(|(key, value)| (key.clone(), text(value)));
            Some((request, texts.collect()))
        })?;
        let is_about = |request: &Request| {
            let (_, named) = request.object.split_once('/').unwrap_or_default();
            request.resource == "mcpservers" && named == name
        };
        let about = noted.into_iter().filter(|(request, _)| is_about(request));
        Ok(about.map(|(_, annotations)| annotations).collect())
    }

    fn read<T>(&mut self, keep: fn(&Value, Request) -> Option<T>) -> Result<Vec<T>> {
        let name = self.path.display();
        let mut file = File::open(&self.path).with_context(|| format!("cannot open {name}"))?;
        let length = file.metadata()?.len();
        ensure!(length >= self.read, "{name} was begun anew");
        file.seek(SeekFrom::Start(self.read))?;
        let mut reader = BufReader::new(file);
        let mut requests = Vec::new();
        let mut line = String::new();
        // A line that is being written has no end yet: it is read the next time.
        while reader.read_line(&mut line)? > 0 && line.ends_with('\n') {
            self.read += line.len() as u64;
            let event = serde_json::from_str(&line).with_context(|| format!("in {name}"))?;
            requests.extend(keep(&event, request(&event)));
            line.clear();
        }
        Ok(requests)
    }
}

fn is_operator(event: &Value) -> bool {
    text(&event["userAgent"]).starts_with(AGENT)
}

fn request(event: &Value) -> Request {
    let object = &event["objectRef"];
    let subresource = object["subresource"].as_str();
    let resource = text(&object["resource"]);
    Request {
        verb: text(&event["verb"]),
        resource: subresource.map_or(resource.clone(), |name| format!("{resource}/{name}")),
        object: format!("{}/{}", text(&object["namespace"]), text(&object["name"])),
        code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// How often each object was created.
pub fn creations(requests: &[Request]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in requests {
        // Server-side apply answers 201 if there was nothing before.
        if request.is_write() && request.code == 201 && !request.resource.contains('/') {
            let object = format!("{} {}", request.resource, request.object);
            *counts.entry(object).or_default() += 1;
        }
    }
    counts
}
