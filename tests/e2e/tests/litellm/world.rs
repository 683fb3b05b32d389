//! A real node with a real LiteLLM, and what can be seen there.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use jiff::Timestamp;
use mcp_cluster::{Cache, Kubectl, LiteLlm, LiteLlmDatabase};
use mcp_e2e::{Environment, eventually, holds_for};
use serde_json::{Value, json};

/// A rollout of LiteLLM, on a machine that may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);
/// The operator looks at a rollout every other second, and the node's routes follow a second later.
const NOTICED: Duration = Duration::from_secs(15);
/// The operator looks at LiteLLM every few seconds, not every minute: the story waits for that again and again. How the
/// operator does as it is shipped is tested before, with one server.
const ATTENTIVE: [&str; 4] = [
    "REGISTRY_RESYNC_SECONDS=5",
    "REGISTRY_DEBOUNCE_MILLISECONDS=500",
    "REGISTRY_ROLLOUT_INTERVAL_SECONDS=0",
    "REGISTRY_ROLLOUT_PAUSE_SECONDS=0",
];
/// Longer than between two looks of the operator.
const LOOKED_AGAIN: Duration = Duration::from_secs(7);
pub(crate) const OPERATOR: [&str; 2] = [
    "deployment/mcp-operator-controller-manager",
    "--namespace=mcp-operator-system",
];
const NAMESPACE: &str = "tenants";
const SERVERS: &str = "/v1/mcp/server";

/// A real node with a real LiteLLM.
pub(crate) struct World {
    environment: Environment,
    pub(crate) litellm: LiteLlm,
    pub(crate) database: LiteLlmDatabase,
    began: Instant,
    /// Keys that the operator was given, each followed by what its Secret holds: the same in base64.
    keys: RefCell<Vec<String>>,
}

impl World {
    pub(crate) fn open() -> Result<Self> {
        let cache = Cache::open()?;
        let litellm = LiteLlm::install(&cache)?;
        let world = Self {
            environment: Environment::open()?,
            database: LiteLlmDatabase::install(&cache, &litellm)?,
            litellm,
            began: Instant::now(),
            keys: RefCell::default(),
        };
        world.kubectl().run(&["create", "namespace", NAMESPACE])?;
        world
            .kubectl()
            .run(&[&["set", "env"], &OPERATOR[..], &ATTENTIVE].concat())?;
        let rolled_out = ["rollout", "status", "--timeout=180s"];
        world
            .kubectl()
            .run(&[&rolled_out[..], &OPERATOR].concat())?;
        Ok(world)
    }

    pub(crate) fn kubectl(&self) -> &Kubectl {
        &self.environment.kubectl
    }

    /// A plugin for tests.
    pub(crate) fn fixture(&self) -> PathBuf {
        let fixtures = &self.environment.artifacts.fixtures;
        fixtures.join("mcp_plugin_fixture.wasm")
    }

    /// Says where the story is.
    pub(crate) fn step(&self, what: &str) {
        eprintln!("{:>4} s  {what}", self.began.elapsed().as_secs());
    }

    pub(crate) fn apply_server(&self, name: &str, description: &str) -> Result<()> {
        let litellm = json!({ "litellm": { "description": description } });
        self.apply_server_with(name, litellm)
    }

    /// The same, with these fields of its specification.
    pub(crate) fn apply_server_with(&self, name: &str, fields: Value) -> Result<()> {
        let mut server = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": name, "namespace": NAMESPACE },
            "spec": {
                "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" }, "transport": "http", "path": "/mcp", "replicas": 1,
                "config": { "greeting": "hello" },
                "resources": { "requests": { "cpu": "10m", "memory": "16Mi" }, "limits": { "cpu": "500m", "memory": "64Mi" } },
                "litellm": { "description": "It adds" },
            },
        });
        for (field, value) in fields.as_object().context("no fields")? {
            server["spec"][field] = value.clone();
        }
        self.kubectl().apply(&server.to_string()).map(drop)
    }

    pub(crate) fn delete_server(&self, name: &str) -> Result<()> {
        self.kubectl()
            .run(&["delete", "mcpserver", name, "--namespace", NAMESPACE])
            .map(drop)
    }

    /// Waits until `LiteLLMRegistered` of a server is this, and returns its message.
    pub(crate) fn server_is(&self, name: &str, status: &str, reason: &str) -> Result<String> {
        let what = format!("{name} is {reason}");
        self.condition(
            &what,
            "LiteLLMRegistered",
            status,
            reason,
            &["mcpserver", name, "--namespace", NAMESPACE],
        )
    }

    /// Waits until `Registrar` of an MCPPlugin is this, and returns its message.
    pub(crate) fn registrar_is(&self, name: &str, status: &str, reason: &str) -> Result<String> {
        self.condition(
            &format!("{name} is {reason}"),
            "Registrar",
            status,
            reason,
            &["mcpplugin", name],
        )
    }

    fn condition(
        &self,
        what: &str,
        kind: &str,
        status: &str,
        reason: &str,
        object: &[&str],
    ) -> Result<String> {
        eventually(what, PATIENCE, || {
            let found = self.kubectl().json(&[&["get"], object].concat())?;
            let generation = found["metadata"]["generation"].clone();
            let conditions = found["status"]["conditions"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let found = conditions
                .iter()
                .find(|condition| condition["type"] == kind);
            let found = found.with_context(|| format!("no {kind} in {conditions:?}"))?;
            ensure!(
                found["status"] == status && found["reason"] == reason,
                "{found}"
            );
            // What was said about the specification before says nothing about this one.
            let is_about_server = kind == "LiteLLMRegistered";
            ensure!(
                !is_about_server || found["observedGeneration"] == generation,
                "{found}"
            );
            Ok(found["message"].as_str().unwrap_or_default().to_owned())
        })
    }

    /// What LiteLLM lists: each server's id, and whether it comes from the file; sorted.
    pub(crate) fn listed(&self) -> Result<Vec<(String, bool)>> {
        let entries = self.entries()?;
        let entry = |entry: &Value| {
            let id = entry["server_id"].as_str().unwrap_or_default().to_owned();
            (id, entry["is_config"] == true)
        };
        let mut listed: Vec<_> = entries.iter().map(entry).collect();
        listed.sort();
        Ok(listed)
    }

    pub(crate) fn entries(&self) -> Result<Vec<Value>> {
        let (status, body) = self.admin("GET", SERVERS, None)?;
        ensure!(status == 200, "{status} {body}");
        Ok(body.as_array().cloned().unwrap_or_default())
    }

    /// Waits until LiteLLM lists exactly these servers of ours, all from the file or none.
    pub(crate) fn lists(&self, names: &[&str], from_file: bool) -> Result<()> {
        let mut wanted: Vec<_> = names
            .iter()
            .map(|name| (format!("mcp-operator.{NAMESPACE}.{name}"), from_file))
            .collect();
        wanted.sort();
        eventually(&format!("LiteLLM lists {names:?}"), PATIENCE, || {
            let listed = self.listed()?;
            ensure!(listed == wanted, "{listed:?}");
            Ok(())
        })
    }

    /// Calls a tool of a server through LiteLLM. A connection may still find a pod that has just gone.
    pub(crate) fn call(&self, name: &str) -> Result<()> {
        eventually("the tool answers", Duration::from_secs(30), || {
            call(&self.litellm, self.kubectl(), name)
        })
    }

    /// What LiteLLM says to a call that it refuses.
    pub(crate) fn refused(&self, name: &str, tool: &str, arguments: &Value) -> Result<String> {
        let tool = format!("{NAMESPACE}_{name}-{tool}");
        match self.litellm.call(self.kubectl(), &tool, arguments) {
            Ok(answer) => Err(anyhow!("{tool} answers {answer}")),
            Err(refused) => Ok(format!("{refused:#}")),
        }
    }

    /// Calls a tool again and again while something happens. It must never be away for longer than LiteLLM's last rollout
    /// took, since no swap needs more than one.
    pub(crate) fn while_calling(
        &self,
        name: &str,
        what: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let done = AtomicBool::new(false);
        let (litellm, kubectl) = (&self.litellm, self.kubectl());
        let longest = std::thread::scope(|scope| {
            let caller = scope.spawn(|| {
                let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
                let mut slowest = Duration::ZERO;
                while !done.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    if call(litellm, kubectl, name).is_ok() {
                        longest = longest.max(last.elapsed());
                        last = Instant::now();
                    }
                    slowest = slowest.max(began.elapsed());
                }
                (longest.max(last.elapsed()), slowest)
            });
            let result = what();
            done.store(true, Ordering::Relaxed);
            result.map(|()| caller.join())
        })?;
        let (longest, slowest) = longest.map_err(|_| anyhow!("calling panicked"))?;
        // The last call that succeeds, one that fails, and the first that succeeds again.
        let (longest, calls) = (longest.as_secs(), (3 * slowest).as_secs());
        let rollout = self.last_rollout()?.as_secs();
        self.step(&format!(
            "{name} was called all the time; the longest pause between two answers was {longest} s, a rollout took {rollout} s, and three calls {calls} s at most"
        ));
        ensure!(
            longest <= rollout + calls + NOTICED.as_secs(),
            "{name} was away for {longest} s, longer than a rollout of {rollout} s and three calls of {calls} s"
        );
        Ok(())
    }

    /// From the creation of LiteLLM's newest pod until it served.
    fn last_rollout(&self) -> Result<Duration> {
        let pods = self.kubectl().json(&[
            "get",
            "pods",
            "--namespace=litellm",
            "--selector=app=litellm-proxy",
        ])?;
        let time = |value: &Value| value.as_str()?.parse::<Timestamp>().ok();
        let pods = pods["items"].as_array().cloned().unwrap_or_default();
        let newest = pods
            .iter()
            .max_by_key(|pod| time(&pod["metadata"]["creationTimestamp"]))
            .context("LiteLLM has no pod")?;
        let conditions = newest["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let ready = conditions
            .iter()
            .find(|condition| condition["type"] == "Ready" && condition["status"] == "True")
            .and_then(|condition| time(&condition["lastTransitionTime"]));
        let created = time(&newest["metadata"]["creationTimestamp"]);
        let (ready, created) = ready
            .zip(created)
            .with_context(|| format!("LiteLLM does not serve: {newest}"))?;
        Ok(ready.duration_since(created).unsigned_abs())
    }

    /// The administrator's request.
    pub(crate) fn admin(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u64, Value)> {
        // Where its pods are just being replaced, a connection may find nobody.
        eventually("LiteLLM answers", PATIENCE, || {
            self.litellm.admin(self.kubectl(), None, method, path, body)
        })
    }

    /// When LiteLLM was last told about servers.
    pub(crate) fn versions(&self, names: &[&str]) -> Result<Vec<Value>> {
        let entries = self.entries()?;
        let version = |name: &&str| {
            let id = format!("mcp-operator.{NAMESPACE}.{name}");
            let found = entries
                .iter()
                .find(|entry| entry["server_id"] == id.as_str());
            found.map_or(Value::Null, |entry| entry["updated_at"].clone())
        };
        Ok(names.iter().map(version).collect())
    }

    /// Waits until LiteLLM is told nothing more about servers, and gives when it was last told. LiteLLM shows a change
    /// before it has answered, and writes the entry once more until then.
    pub(crate) fn rests(&self, names: &[&str]) -> Result<Vec<Value>> {
        let mut last = self.versions(names)?;
        eventually("LiteLLM is told nothing more", PATIENCE, || {
            std::thread::sleep(Duration::from_secs(2));
            let before = std::mem::replace(&mut last, self.versions(names)?);
            ensure!(last == before, "{before:?}, then {last:?}");
            Ok(())
        })?;
        Ok(last)
    }

    /// Checks that LiteLLM is told nothing about servers although the operator looks at them again.
    pub(crate) fn is_told_nothing(&self, names: &[&str], since: &[Value]) -> Result<()> {
        holds_for("nothing is sent", LOOKED_AGAIN, || {
            let versions = self.versions(names)?;
            ensure!(versions == since, "{since:?}, then {versions:?}");
            Ok(())
        })
    }

    /// What the file holds that LiteLLM includes.
    pub(crate) fn file(&self) -> Result<String> {
        let map = self.kubectl().json(&[
            "get",
            "configmap",
            "litellm-mcp-servers",
            "--namespace=litellm",
        ])?;
        Ok(map["data"]["mcp_servers.yaml"]
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    /// How often LiteLLM was rolled.
    pub(crate) fn rollouts(&self) -> Result<i64> {
        let found =
            self.kubectl()
                .json(&["get", "deployment", "litellm-proxy", "--namespace=litellm"])?;
        Ok(found["metadata"]["generation"].as_i64().unwrap_or_default())
    }

    /// Gives the operator a key for LiteLLM.
    pub(crate) fn give_key(&self, key: &str) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "litellm-mcp-operator", "namespace": "mcp-operator-system" },
            "stringData": { "token": key },
        });
        self.kubectl().apply(&secret.to_string())?;
        let encoded = self.kubectl().run(&[
            "get",
            "secret",
            "litellm-mcp-operator",
            "--namespace=mcp-operator-system",
            "--output=jsonpath={.data.token}",
        ])?;
        ensure!(!encoded.is_empty(), "the Secret holds nothing");
        self.keys.borrow_mut().extend([key.to_owned(), encoded]);
        Ok(())
    }

    /// The key that the operator uses now.
    pub(crate) fn last_key(&self) -> String {
        let keys = self.keys.borrow();
        keys.iter().rev().nth(1).cloned().unwrap_or_default()
    }

    /// Name of the operator's pod.
    pub(crate) fn operator_pod(&self) -> Result<String> {
        self.kubectl().run(&[
            "get",
            "pods",
            "--namespace=mcp-operator-system",
            "--output=jsonpath={.items[*].metadata.name} {.items[*].status.containerStatuses[*].restartCount}",
        ])
    }

    /// Makes a key as deploy/LITELLM.md says: it may use nothing but the list of MCP servers.
    pub(crate) fn make_key(&self) -> Result<String> {
        let user = json!({ "user_id": "mcp-operator", "user_role": "proxy_admin" });
        // Again for the same user is an error that does not matter.
        self.admin("POST", "/user/new", Some(&user))?;
        let key = json!({ "user_id": "mcp-operator", "allowed_routes": [SERVERS, format!("{SERVERS}/*")] });
        let (status, made) = self.admin("POST", "/key/generate", Some(&key))?;
        ensure!(status == 200, "{status} {made}");
        let key = made["key"].as_str().context("no key")?.to_owned();
        let (refused, _) =
            self.litellm
                .admin(self.kubectl(), Some(&key), "GET", "/key/list", None)?;
        ensure!(
            refused == 403,
            "the key may do more than it should: {refused}"
        );
        Ok(key)
    }

    /// Searches for every key that the operator ever had, everywhere where it could have told it.
    pub(crate) fn no_secret_was_told(&self) -> Result<()> {
        self.step("no key was told anywhere");
        let everything = [
            self.kubectl()
                .run(&["logs", OPERATOR[0], OPERATOR[1], "--all-pods", "--tail=-1"])?,
            self.kubectl()
                .run(&["get", "events", "--all-namespaces", "--output=json"])?,
            self.kubectl().run(&[
                "get",
                "mcpservers,mcpplugins,configmaps",
                "--all-namespaces",
                "--output=json",
            ])?,
        ];
        ensure!(
            everything[0].contains("registration"),
            "the log says nothing: {}",
            everything[0]
        );
        let keys = self.keys.borrow();
        ensure!(keys.len() >= 6, "{} keys", keys.len());
        for key in keys.iter() {
            // Where it is encoded with something before it, its last signs may differ.
            let told = key.trim_end_matches('=');
            let told = &told[..told.len() - 1];
            let found = everything.iter().position(|text| text.contains(told));
            ensure!(
                found.is_none(),
                "a key is in {found:?} of logs, events and objects"
            );
        }
        Ok(())
    }
}

fn call(litellm: &LiteLlm, kubectl: &Kubectl, name: &str) -> Result<()> {
    let tool = format!("{NAMESPACE}_{name}-add");
    let said = litellm.call(kubectl, &tool, &json!({ "a": 40, "b": 2 }))?;
    ensure!(said == "42", "{said}");
    Ok(())
}
