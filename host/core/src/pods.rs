//! Why a pod does not serve, as its status says.

mod read;

pub use read::Pod;
use read::{Container, Terminated};

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

const CRASH_LOOP: &str = "CrashLoopBackOff";

/// From so many restarts on the kubelet has waited before one: the first comes at once.
const IN_A_LOOP: i32 = 2;

impl Trouble {
    /// What is wrong with a pod. None: nothing, or nothing yet, or it goes anyway.
    pub fn of(pod: &Pod) -> Option<Self> {
        if pod.is_leaving() {
            return None;
        }
        let status = &pod.status;
        let containers = || {
            status
                .init_container_statuses
                .iter()
                .chain(&status.container_statuses)
        };
        let (reason, message) = unschedulable(pod)
            .or_else(|| containers().find_map(waiting))
            .or_else(|| containers().find_map(crashed))?;
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        Some(Self {
            reason,
            message: format!("pod {name}: {message}"),
        })
    }
}

fn unschedulable(pod: &Pod) -> Option<(String, String)> {
    let scheduled = pod.status.conditions.iter().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason == "Unschedulable"
    })?;
    Some(("Unschedulable".into(), scheduled.message.clone()))
}

fn waiting(container: &Container) -> Option<(String, String)> {
    let waiting = container.state.waiting.as_ref()?;
    let (reason, message) = (waiting.reason.as_str(), &waiting.message);
    match reason {
        "" => None,
        _ if PATIENT.contains(&reason) => None,
        // The kubelet goes to and fro between these two; every change would be a write and an event.
        "ErrImagePull" | "ImagePullBackOff" => {
            // `Back-off pulling image "x": ErrImagePull: why`, and before and after that just `why`.
            let why = match message.split_once("ErrImagePull: ") {
                Some((_, why)) => why,
                None if reason == "ErrImagePull" => message,
                None => "",
            };
            let separator = if why.is_empty() { "" } else { ": " };
            let image = &container.image;
            Some((
                "ImagePullBackOff".into(),
                format!("cannot pull image {image}{separator}{why}"),
            ))
        }
        CRASH_LOOP => crashed(container).or_else(|| Some((CRASH_LOOP.into(), message.clone()))),
        _ => Some((reason.to_owned(), message.clone())),
    }
}

/// A container that ended badly and is not ready again.
///
/// One crash is none of a loop: that is the kubelet's word. Between two attempts of a loop it says something else, and
/// every change would be a write and an event.
fn crashed(container: &Container) -> Option<(String, String)> {
    if container.ready {
        return None;
    }
    let ended = [&container.state, &container.last_state]
        .into_iter()
        .filter_map(|state| state.terminated.as_ref())
        .find(|ended| ended.exit_code != 0)?;
    let says_loop = container
        .state
        .waiting
        .as_ref()
        .is_some_and(|waiting| waiting.reason == CRASH_LOOP);
    let reason = if says_loop || container.restart_count >= IN_A_LOOP {
        CRASH_LOOP
    } else if ended.reason.is_empty() {
        "Error"
    } else {
        &ended.reason
    };
    Some((reason.into(), last_words(&container.name, ended)))
}

fn last_words(name: &str, ended: &Terminated) -> String {
    let message = format!(
        "container {name} ended with exit code {} ({})",
        ended.exit_code, ended.reason
    );
    match ended.message.trim() {
        "" => message,
        words => format!("{message}: {words}"),
    }
}

#[cfg(test)]
#[path = "pods/tests.rs"]
mod tests;
