//! The state of an object in a few words.

use mcp_operator_core::rollout::Rollout;
use serde_json::Value;

use crate::causes::{causes, conditions, tone};
use crate::pod_trouble::trouble;
use crate::view::Tone;

/// What its status says; nothing of kinds that only have to be there.
pub(super) fn state(object: &Value) -> (Tone, String) {
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return (Tone::Waiting, "being deleted".into());
    }
    let spec = &object["spec"];
    match object["kind"].as_str().unwrap_or_default() {
        "MCPServer" => server(object),
        "Deployment" => deployment(object),
        "ReplicaSet" => {
            let (ready, wanted) = (
                number(object, "/status/readyReplicas"),
                number(object, "/spec/replicas"),
            );
            (by(ready >= wanted), format!("{ready}/{wanted} ready"))
        }
        "Pod" => pod(object),
        "Service" => {
            let port = &spec["ports"][0]["port"];
            let address = spec["clusterIP"].as_str().unwrap_or("no address");
            (Tone::Plain, format!("{address}:{port}"))
        }
        "EndpointSlice" => endpoints(object),
        "HorizontalPodAutoscaler" => {
            let current = number(object, "/status/currentReplicas");
            let (least, most) = (
                number(object, "/spec/minReplicas").max(1),
                number(object, "/spec/maxReplicas"),
            );
            failing(object).unwrap_or((
                Tone::Good,
                format!("{current} pods, {least} to {most} allowed"),
            ))
        }
        "PodDisruptionBudget" => {
            let allowed = number(object, "/status/disruptionsAllowed");
            (Tone::Plain, format!("{allowed} pods may be away"))
        }
        "ExternalSecret" => failing(object).unwrap_or((Tone::Good, "in sync".into())),
        _ => (Tone::Plain, String::new()),
    }
}

fn server(object: &Value) -> (Tone, String) {
    let phase = object["status"]["phase"]
        .as_str()
        .unwrap_or("not looked at yet");
    let all = causes(object);
    let Some(first) = all.first() else {
        return (Tone::Good, phase.into());
    };
    (tone(&all), format!("{phase}: {}", first.reason))
}

fn deployment(object: &Value) -> (Tone, String) {
    let Rollout {
        wanted,
        ready,
        updated,
        stuck,
        ..
    } = Rollout::of(object);
    let mut state = format!("{ready}/{wanted} ready");
    if updated < wanted {
        state = format!("{state}, {updated} of the present template");
    }
    match stuck {
        Some(stuck) => (
            Tone::Bad,
            format!("{state}; {}: {}", stuck.reason, stuck.message),
        ),
        None => (by(ready >= wanted && updated >= wanted), state),
    }
}

fn pod(object: &Value) -> (Tone, String) {
    if let Some(trouble) = trouble(object) {
        return (Tone::Bad, trouble);
    }
    let statuses = object["status"]["containerStatuses"].as_array();
    let statuses = statuses.map_or(&[][..], Vec::as_slice);
    let ready = statuses.iter().filter(|it| it["ready"] == true).count();
    let restarts: i64 = statuses
        .iter()
        .filter_map(|it| it["restartCount"].as_i64())
        .sum();
    let phase = object["status"]["phase"].as_str().unwrap_or("Unknown");
    let mut state = format!("{phase}, {ready}/{} containers ready", statuses.len());
    if restarts > 0 {
        state = format!("{state}, {restarts} restarts");
    }
    (by(ready > 0 && ready == statuses.len()), state)
}

fn endpoints(object: &Value) -> (Tone, String) {
    let all = object["endpoints"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let ready = all.iter().filter(|endpoint| serves(endpoint)).count();
    (
        by(ready > 0),
        format!("{ready} of {} pods serve", all.len()),
    )
}

/// Whether a pod serves at this endpoint. Nobody says: it does, as the API has it.
pub(crate) fn serves(endpoint: &Value) -> bool {
    endpoint["conditions"]["ready"].as_bool().unwrap_or(true)
}

/// What the first condition says that should be True and is not.
fn failing(object: &Value) -> Option<(Tone, String)> {
    let conditions = conditions(object);
    let failing = conditions
        .iter()
        .find(|it| it.status == "False" && it.type_ != "ScalingLimited")?;
    Some((
        Tone::Bad,
        format!("{}: {}", failing.reason, failing.message),
    ))
}

fn by(is_well: bool) -> Tone {
    if is_well { Tone::Good } else { Tone::Waiting }
}

fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}
