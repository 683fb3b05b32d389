//! A fake of LiteLLM's admin API, without HTTP.

use mcp_plugin_sdk::{
    Action, HttpRequest, HttpResponse, Observation, Observed, Plan, ReadSource, Registry, Server,
};
use serde_json::{Value, json};

use super::*;
use litellm_identity::SERVERS_PATH;

pub(crate) const INSTANCE: &str = "mcp-operator";

/// A LiteLLM proxy, and the requests that changed something.
#[derive(Clone, Default)]
pub(crate) struct FakeLiteLlm {
    pub(crate) entries: Vec<Value>,
    pub(crate) no_database: bool,
    /// The operator's key is limited to the routes of MCP servers.
    pub(crate) limited_key: bool,
    /// The header `date` of answers.
    pub(crate) date: String,
    /// Ids for which every request fails.
    pub(crate) broken: Vec<String>,
    pub(crate) requests: Vec<(String, u16)>,
}

impl FakeLiteLlm {
    pub(crate) fn registry(&self, servers: &[Server]) -> Registry {
        let observations = LiteLlmAdminApi::observe(&Settings::default())
            .into_iter()
            .map(|read| {
                let ReadSource::Http(request) = read.source else {
                    panic!("reads nothing but HTTP");
                };
                Observation {
                    id: read.id,
                    state: Observed::Http(self.read(&request)),
                }
            });
        Registry {
            instance: INSTANCE.into(),
            servers: servers.to_vec(),
            observations: observations.collect(),
        }
    }

    pub(crate) fn plan(&self, servers: &[Server]) -> Plan {
        LiteLlmAdminApi::plan(&Settings::default(), &self.registry(servers))
    }

    /// Executes plans until one has no steps.
    pub(crate) fn converge(&mut self, servers: &[Server]) -> Plan {
        for _ in 0..10 {
            let plan = self.plan(servers);
            if plan.steps.is_empty() {
                return plan;
            }
            for (request, status) in self.execute(plan) {
                assert!(status < 300, "{request:?} is answered with {status}");
            }
        }
        panic!("does not converge");
    }

    /// Executes one plan, and returns the status of each request.
    pub(crate) fn execute(&mut self, plan: Plan) -> Vec<(HttpRequest, u16)> {
        let send = |step: mcp_plugin_sdk::Step| {
            let Action::Send(request) = step.action else {
                panic!("does nothing but send");
            };
            let status = self.change(&request);
            self.requests.push((request.method.clone(), status));
            (request, status)
        };
        plan.steps.into_iter().map(send).collect()
    }

    fn read(&self, request: &HttpRequest) -> HttpResponse {
        assert_eq!(request.method, "GET");
        let (status, body) = if request.path == SERVERS_PATH {
            (200, self.list())
        } else if self.no_database {
            let error = "Database not connected. Connect a database to your proxy";
            (500, json!({ "detail": { "error": error } }))
        } else {
            (404, json!({ "detail": { "error": "not found" } }))
        };
        HttpResponse {
            status,
            headers: vec![("date".into(), self.date.clone())],
            body: body.to_string(),
        }
    }

    /// The list has more members than were sent; a limited key sees fewer.
    fn list(&self) -> Value {
        let entry = |entry: &Value| {
            let mut listed = entry.clone();
            listed["mcp_info"]["server_name"] = entry["server_name"].clone();
            if self.limited_key {
                listed["mcp_info"] = json!({ "is_public": false });
                listed["url"] = Value::Null;
                listed["mcp_access_groups"] = json!([]);
                listed["allowed_tools"] = json!([]);
            }
            listed["status"] = Value::Null;
            listed["credentials"] = Value::Null;
            listed
        };
        self.entries.iter().map(entry).collect()
    }

    fn change(&mut self, request: &HttpRequest) -> u16 {
        let body: Value = request
            .body
            .as_deref()
            .map_or(Value::Null, |body| serde_json::from_str(body).unwrap());
        let is_broken =
            |id: &String| body["server_id"] == id.as_str() || request.path.ends_with(id.as_str());
        if self.broken.iter().any(is_broken) {
            return 500;
        }
        match request.method.as_str() {
            "POST" => self.create(body),
            "PUT" => self.update(&body),
            "DELETE" => {
                let id = request
                    .path
                    .strip_prefix(SERVERS_PATH)
                    .unwrap()
                    .trim_start_matches('/');
                self.delete(id)
            }
            other => panic!("{other} changes nothing"),
        }
    }

    fn create(&mut self, mut body: Value) -> u16 {
        let name = body["server_name"]
            .as_str()
            .unwrap_or_default()
            .to_lowercase();
        let taken = |entry: &&Value| {
            let names = [&entry["server_name"], &entry["alias"]];
            entry["server_id"] == body["server_id"]
                || names.iter().any(|taken| {
                    entry["is_config"] != true
                        && taken.as_str().unwrap_or_default().to_lowercase() == name
                })
        };
        if self.entries.iter().any(|entry| taken(&entry)) || name.contains('-') {
            return 400;
        }
        body["is_config"] = json!(false);
        self.entries.push(body);
        201
    }

    fn update(&mut self, body: &Value) -> u16 {
        let Some(entry) = self.in_database(&body["server_id"]) else {
            return 404;
        };
        for (field, value) in body.as_object().into_iter().flatten() {
            entry[field] = value.clone();
        }
        202
    }

    fn delete(&mut self, id: &str) -> u16 {
        if self.in_database(&json!(id)).is_none() {
            return 404;
        }
        self.entries.retain(|entry| entry["server_id"] != id);
        202
    }

    fn in_database(&mut self, id: &Value) -> Option<&mut Value> {
        self.entries
            .iter_mut()
            .find(|entry| entry["server_id"] == *id && entry["is_config"] != true)
    }
}
