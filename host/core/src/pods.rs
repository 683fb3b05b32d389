//! Why a pod does not serve, as its status says.

use serde_json::Value;

/// Why a pod does not serve.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// Stable word of the API: `ImagePullBackOff`, `CrashLoopBackOff`, `Unschedulable`.
    pub reason: String,
    /// Which pod, and what the API says about it.
    pub message: String,
}

/// Reasons of a container that only waits for its turn.
const PATIENT: [&str; 2] = ["ContainerCreating", "PodInitializing"];

impl Trouble {
    /// What is wrong with a pod. None: nothing, or nothing yet.
    pub fn of(pod: &Value) -> Option<Self> {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let (reason, message) = unschedulable(pod)
            .or_else(|| containers(pod).find_map(waiting))
            .or_else(|| containers(pod).find_map(crashed))?;
        Some(Self {
            reason,
            message: format!("pod {name}: {message}"),
        })
    }
}

fn unschedulable(pod: &Value) -> Option<(String, String)> {
    let conditions = pod["status"]["conditions"].as_array()?;
    let scheduled = conditions.iter().find(|condition| {
        condition["type"] == "PodScheduled"
            && condition["status"] == "False"
            && condition["reason"] == "Unschedulable"
    })?;
    Some(("Unschedulable".into(), text(&scheduled["message"])))
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .filter_map(|list| pod["status"][list].as_array())
        .flatten()
}

fn waiting(container: &Value) -> Option<(String, String)> {
    let waiting = &container["state"]["waiting"];
    let reason = waiting["reason"].as_str()?;
    if PATIENT.contains(&reason) {
        return None;
    }
    match reason {
        // The kubelet goes to and fro between these two; every change would be a write and an event.
        "ErrImagePull" | "ImagePullBackOff" => {
            let image = text(&container["image"]);
            let message = text(&waiting["message"]);
            // `Back-off pulling image "x": ErrImagePull: why`, and before and after that just `why`.
            let why = match message.split_once("ErrImagePull: ") {
                Some((_, why)) => why,
                None if reason == "ErrImagePull" => &message,
                None => "",
            };
            let separator = if why.is_empty() { "" } else { ": " };
            Some((
                "ImagePullBackOff".into(),
                format!("cannot pull image {image}{separator}{why}"),
            ))
        }
        "CrashLoopBackOff" => crashed(container),
        _ => Some((reason.to_owned(), text(&waiting["message"]))),
    }
}

/// A container that ended badly and is not ready again.
fn crashed(container: &Value) -> Option<(String, String)> {
    if container["ready"] == true {
        return None;
    }
    let ended = [
        &container["state"]["terminated"],
        &container["lastState"]["terminated"],
    ]
    .into_iter()
    .find(|ended| ended["exitCode"].as_i64().is_some_and(|code| code != 0))?;
    let name = text(&container["name"]);
    let mut message = format!(
        "container {name} ended with exit code {} ({})",
        ended["exitCode"],
        text(&ended["reason"])
    );
    if let Some(last_words) = ended["message"].as_str().filter(|words| !words.is_empty()) {
        message = format!("{message}: {}", last_words.trim());
    }
    Some(("CrashLoopBackOff".into(), message))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: Value) -> Option<Trouble> {
        Trouble::of(&json!({ "metadata": { "name": "a-1" }, "status": status }))
    }

    fn container(state: Value) -> Option<Trouble> {
        let mut container = json!({ "name": "server", "image": "acme/mcp:1", "ready": false });
        container["state"] = state["state"].clone();
        container["lastState"] = state["lastState"].clone();
        pod(json!({ "containerStatuses": [container] }))
    }

    #[test]
    fn a_pod_that_serves_or_begins_is_no_trouble() {
        assert_eq!(pod(json!({})), None);
        assert_eq!(container(json!({ "state": { "running": {} } })), None);
        assert_eq!(
            container(json!({ "state": { "waiting": { "reason": "ContainerCreating" } } })),
            None
        );
    }

    #[test]
    fn the_two_words_of_the_kubelet_for_a_failed_pull_are_one() {
        let pulling = |reason: &str, message: &str| {
            container(json!({ "state": { "waiting": { "reason": reason, "message": message } } }))
        };
        let first = pulling("ErrImagePull", "not found").unwrap();
        assert_eq!(first.reason, "ImagePullBackOff");
        assert_eq!(
            first.message,
            "pod a-1: cannot pull image acme/mcp:1: not found"
        );
        let backing_off = "Back-off pulling image \"acme/mcp:1\": ErrImagePull: not found";
        assert_eq!(pulling("ImagePullBackOff", backing_off), Some(first));
    }

    #[test]
    fn a_crash_stays_one_between_two_attempts() {
        let ended = json!({ "terminated": { "exitCode": 1, "reason": "Error" } });
        let states = [
            json!({ "state": ended }),
            json!({ "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 10s" } }, "lastState": ended }),
            json!({ "state": { "running": {} }, "lastState": ended }),
        ];
        for state in states {
            let trouble = container(state).unwrap();
            assert_eq!(trouble.reason, "CrashLoopBackOff");
            assert_eq!(
                trouble.message,
                "pod a-1: container server ended with exit code 1 (Error)"
            );
        }
    }

    #[test]
    fn what_the_scheduler_says_is_passed_on() {
        let trouble = pod(json!({ "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu.",
        }] }));
        assert_eq!(
            trouble.unwrap().message,
            "pod a-1: 0/1 nodes are available: 1 Insufficient cpu."
        );
    }
}
