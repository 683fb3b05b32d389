//! `mcp-operator plugin inspect`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use mcp_component_source::{PublicKeys, verify_detached};
use mcp_operator_offline::{Decoder, Outcome};
use mcp_plugin_host::contract::Description;
use mcp_plugin_host::{ContractVersion, Digest, Interfaces, Limits};
use serde_json::{Map, Value, json};

use crate::component::{self, Names};
use crate::project::Project;
use crate::run::Format;
use crate::session::{HostArguments, Session};

/// Options of `plugin inspect`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// The component, or the folder of the plugin.
    #[arg(default_value = ".")]
    path: PathBuf,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,

    /// File with public keys in PEM: it is a problem if the signature beside the component is by none of them. May be given
    /// several times.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,

    /// How plugins are run: the component is loaded and asked for its description.
    #[command(flatten)]
    host: HostArguments,
}

pub(crate) const HELP: &str = "\
`contract` is the version of the contract that the component was built for, `world` the world that it is of; `imports` are all that it imports, of which only WASI is \
allowed, and nothing comes through that. A component that does not load is told with what it imports and exports. `signature` is the file beside it with .sig after its \
name, and by which --key it is; who has signed what is in a registry, `plugin verify` says.

Exit codes:
  0  it is a plugin
  1  it does not fit the contract, does not describe itself, or is not signed by a --key
  2  it cannot be read";

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let project = Project::built(&arguments.path, &Decoder::new()?)?;
    let file = project.component.display().to_string();
    let bytes =
        std::fs::read(&project.component).with_context(|| format!("{file} cannot be read"))?;
    let names = component::names(&bytes).context(file.clone())?;
    let mut facts = Map::new();
    facts.insert("file".into(), json!(file));
    facts.insert("bytes".into(), json!(bytes.len()));
    facts.insert("sha256".into(), json!(Digest::of(&bytes).to_string()));
    let mut outcome = Outcome::Admitted;
    match signature(&project.component, &bytes, &arguments.keys)? {
        Ok(signature) => {
            facts.insert("signature".into(), signature);
        }
        Err(why) => {
            facts.insert("problem".into(), json!(why));
            outcome = Outcome::Denied;
        }
    }
    let session = Session::start(&arguments.host)?;
    match described(&session, project.name(), &bytes).await {
        Ok((contract, interfaces, description)) => {
            facts.insert("contract".into(), json!(contract.as_str()));
            // 0.1.0 has no world of everything.
            let is_there = |name: &&str| contract == ContractVersion::V1 || *name != COMPLETE;
            facts.insert("world".into(), json!(world(interfaces).filter(is_there)));
            facts.insert("interfaces".into(), interfaces.names().collect());
            describe(&mut facts, description);
        }
        Err(why) => {
            facts.insert("problem".into(), json!(why));
            outcome = Outcome::Denied;
        }
    }
    let Names { imports, exports } = names;
    facts.insert("imports".into(), json!(imports));
    facts.insert("exports".into(), json!(exports));
    match arguments.output {
        Format::Json => println!("{}", serde_json::to_string_pretty(&facts)?),
        Format::Text => print(&facts),
    }
    Ok(outcome)
}

/// What is known of the signature beside a component, or why the keys do not accept it.
fn signature(component: &Path, bytes: &[u8], keys: &[PathBuf]) -> Result<Result<Value, String>> {
    let file = PathBuf::from(format!("{}.sig", component.display()));
    let signature = match fs::read(&file) {
        Ok(signature) => Some(signature),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be read", file.display()));
        }
    };
    let found = signature.as_ref().map(|_| file.display().to_string());
    if keys.is_empty() {
        let found = found.map(|file| json!({ "file": file, "signedBy": null }));
        return Ok(Ok(json!(found)));
    }
    let mut known = PublicKeys::new("--key");
    for key in keys {
        let pem = fs::read(key).with_context(|| format!("{} cannot be read", key.display()))?;
        let added = known.add_pem(&pem);
        added.map_err(|reason| anyhow!("{} {reason}", key.display()))?;
    }
    let place = component.display().to_string();
    let signers = verify_detached(&place, bytes, signature.as_deref(), &[known]);
    Ok(signers
        .map(|signers| json!({ "file": found, "signedBy": signers.first().map(ToString::to_string) }))
        .map_err(|error| error.to_string()))
}

async fn described(
    session: &Session,
    name: &str,
    bytes: &[u8],
) -> Result<(ContractVersion, Interfaces, Description), String> {
    let plugin = session
        .host()
        .load(name, bytes)
        .await
        .map_err(|error| error.to_string())?;
    let description = plugin.describe(&Limits::default()).await;
    Ok((
        plugin.contract(),
        plugin.interfaces(),
        description.map_err(|error| error.to_string())?,
    ))
}

/// The world of everything.
const COMPLETE: &str = "complete-plugin";

/// The world of `wit/` with these interfaces.
pub(crate) fn world(interfaces: Interfaces) -> Option<&'static str> {
    match (
        interfaces.validator,
        interfaces.defaulter,
        interfaces.registrar,
    ) {
        (true, false, false) => Some("validator-plugin"),
        (false, true, false) => Some("defaulter-plugin"),
        (true, true, false) => Some("policy-plugin"),
        (false, false, true) => Some("registrar-plugin"),
        (true, true, true) => Some(COMPLETE),
        _ => None,
    }
}

fn describe(facts: &mut Map<String, Value>, said: Description) {
    let rules = said
        .rules
        .iter()
        .map(|rule| json!({ "code": rule.code, "summary": rule.summary }));
    let schema = said.settings_schema.map(|text| {
        serde_json::from_str(&text).unwrap_or_else(|error| json!(format!("no JSON: {error}")))
    });
    for (name, value) in [
        ("name", json!(said.name)),
        ("version", json!(said.version)),
        ("summary", json!(said.summary)),
        ("url", json!(said.url)),
        ("rules", rules.collect()),
        ("context", json!(said.context)),
        ("settingsSchema", json!(schema)),
    ] {
        facts.insert(name.to_owned(), value);
    }
}

fn print(facts: &Map<String, Value>) {
    const ORDER: [&str; 16] = [
        "problem",
        "name",
        "version",
        "summary",
        "url",
        "contract",
        "world",
        "interfaces",
        "rules",
        "context",
        "settingsSchema",
        "file",
        "bytes",
        "sha256",
        "signature",
        "imports",
    ];
    for (name, value) in ORDER
        .iter()
        .filter_map(|name| Some((name, facts.get(*name)?)))
    {
        match value {
            Value::Null if *name == "signature" => println!("{name:<15} none beside it"),
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            Value::Array(items) if items.is_empty() => println!("{name:<15} none"),
            Value::Array(items) => {
                let mut name = *name;
                for item in items {
                    println!("{name:<15} {}", line(item));
                    name = "";
                }
            }
            other => println!("{name:<15} {}", line(other)),
        }
    }
    // What does not load may export nothing that was expected.
    if facts.contains_key("problem") {
        println!("{:<15} {}", "exports", line(&facts["exports"]));
    }
}

fn line(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        rule if rule["code"].is_string() => {
            let text = |name: &str| rule[name].as_str().unwrap_or_default().to_owned();
            format!("{}: {}", text("code"), text("summary"))
        }
        signature if signature["file"].is_string() => {
            let file = signature["file"].as_str().unwrap_or_default();
            match signature["signedBy"].as_str() {
                Some(key) => format!("{file}, by {key}"),
                None => format!("{file}, not verified: give --key"),
            }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worlds_are_those_of_the_contract() {
        let text = std::fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../wit/1.0.0/worlds.wit"
        ))
        .unwrap();
        let mut known = 0;
        for bits in 0..8 {
            let interfaces = Interfaces {
                validator: bits & 1 != 0,
                defaulter: bits & 2 != 0,
                registrar: bits & 4 != 0,
            };
            if let Some(world) = world(interfaces) {
                assert!(text.contains(&format!("world {world} {{")), "{world}");
                known += 1;
            }
        }
        assert_eq!(known, text.matches("\nworld ").count());
    }
}
