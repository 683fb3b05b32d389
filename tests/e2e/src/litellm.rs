//! A stand-in for LiteLLM: its admin API as far as the operator uses it, in this process, with faults on demand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::own_cluster::OwnCluster;

const SERVERS: &str = "/v1/mcp/server";
const NAMESPACE: &str = OwnCluster::NAMESPACE;

/// A request, as a fault is decided by it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: String,
    /// Name of the MCPServer that it is about; empty for a list.
    pub server: String,
}

impl Asked {
    /// Whether it is this method, about this MCPServer.
    pub fn is(&self, method: &str, server: &str) -> bool {
        self.method == method && self.server == server
    }
}

/// What goes wrong instead of an answer.
pub enum Fault {
    /// This status code.
    Status(u16),
    /// No answer at all.
    Silence,
    /// The connection ends without an answer.
    HangUp,
    /// The answer comes so much later.
    Late(Duration),
    /// What was asked is said to be done, and is not.
    Lie,
}

type Faults = Box<dyn FnMut(&Asked) -> Option<Fault> + Send>;

/// The stand-in. It ends with the tests.
pub struct LiteLlm {
    url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    entries: Mutex<Vec<Value>>,
    asked: Mutex<Vec<Asked>>,
    faults: Mutex<Option<Faults>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LiteLlm {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::<Shared>::default();
        let accepting = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = accepting.clone();
                // A client that hangs up is its own concern.
                thread::spawn(move || serve(&stream, &shared).ok());
            }
        });
        Ok(Self { url, shared })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on, this decides what goes wrong.
    pub fn fail(&self, faults: impl FnMut(&Asked) -> Option<Fault> + Send + 'static) {
        *locked(&self.shared.faults) = Some(Box::new(faults));
    }

    /// From now on, nothing goes wrong.
    pub fn recover(&self) {
        *locked(&self.shared.faults) = None;
    }

    /// Lists a server as it does what it read from its file.
    pub fn list_from_file(&self, server: &str) {
        locked(&self.shared.entries).push(json!({
            "server_id": format!("mcp-operator.{NAMESPACE}.{server}"),
            "server_name": format!("{NAMESPACE}_{server}"), "is_config": true,
        }));
    }

    /// Forgets everything, as with a new database.
    pub fn lose_everything(&self) {
        locked(&self.shared.entries).clear();
    }

    /// Names of the MCPServers that it knows, sorted.
    pub fn known(&self) -> Vec<String> {
        let entries = locked(&self.shared.entries);
        let mut names: Vec<_> = entries
            .iter()
            .map(|entry| name(&entry["server_id"]))
            .collect();
        names.sort();
        names
    }

    /// What it shows of an MCPServer; nothing if it does not know it.
    pub fn description(&self, server: &str) -> Option<String> {
        let entries = locked(&self.shared.entries);
        let entry = entries
            .iter()
            .find(|entry| name(&entry["server_id"]) == server)?;
        entry["description"].as_str().map(str::to_owned)
    }

    /// Its whole list, as it answers it.
    pub fn list(&self) -> Value {
        Value::from(locked(&self.shared.entries).clone())
    }

    /// All requests until now.
    pub fn asked(&self) -> Vec<Asked> {
        locked(&self.shared.asked).clone()
    }
}

/// Ids are `<instance>.<namespace>.<name>`.
fn name(id: &Value) -> String {
    let id = id.as_str().unwrap_or_default();
    id.rsplit('.').next().unwrap_or_default().to_owned()
}

/// One request on each connection.
fn serve(mut stream: &TcpStream, shared: &Shared) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = words.next().zip(words.next()).context("no request")?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(": ") else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = match path
        .strip_prefix(SERVERS)
        .and_then(|rest| rest.strip_prefix('/'))
    {
        Some(id) => json!(id),
        None => body["server_id"].clone(),
    };
    let asked = Asked {
        server: name(&id),
        method,
    };
    locked(&shared.asked).push(asked.clone());
    let fault = locked(&shared.faults)
        .as_mut()
        .and_then(|faults| faults(&asked));
    if let Some(Fault::Late(time)) = fault {
        thread::sleep(time);
    }
    let (status, said) = match fault {
        None | Some(Fault::Late(_)) => {
            answer(&asked.method, &id, body, &mut locked(&shared.entries))
        }
        Some(Fault::Lie) => answer(
            &asked.method,
            &id,
            body,
            &mut locked(&shared.entries).clone(),
        ),
        Some(Fault::HangUp) => return Ok(()),
        Some(Fault::Status(status)) => (
            status,
            json!({ "detail": { "error": "as the test wants it" } }),
        ),
        Some(Fault::Silence) => {
            thread::sleep(Duration::from_mins(5));
            return Ok(());
        }
    };
    let said = said.to_string();
    write!(
        stream,
        "HTTP/1.1 {status} as it is\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{said}",
        said.len()
    )?;
    Ok(())
}

/// What LiteLLM does.
fn answer(method: &str, id: &Value, body: Value, entries: &mut Vec<Value>) -> (u16, Value) {
    let position = entries.iter().position(|entry| entry["server_id"] == *id);
    let unknown = || (404, json!({ "detail": { "error": "unknown" } }));
    match (method, position) {
        ("GET", _) if id.is_null() => (200, json!(entries)),
        ("POST", Some(_)) => (400, json!({ "detail": { "error": "exists" } })),
        ("POST", None) => {
            entries.push(body.clone());
            (201, body)
        }
        ("PUT", Some(position)) => {
            entries[position].clone_from(&body);
            (202, body)
        }
        ("DELETE", Some(position)) => {
            entries.remove(position);
            (202, json!({}))
        }
        _ => unknown(),
    }
}
