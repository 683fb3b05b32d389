//! What keeps a pod from serving, read from its status.

mod read;

pub use read::Pod;
use read::{Container, Terminated};

use crate::remedies::has_remedy;
use crate::text::one_line;

/// What keeps a pod from serving.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodIssue {
    /// Reason as the Kubernetes API has it, but the same through all retries: `ImagePullBackOff`, `CrashLoopBackOff`, `Unschedulable`.
    pub reason: String,
    /// Which pod, and what the API says about it.
    pub message: String,
}

/// Reasons of a container that is being started.
const STARTING_REASONS: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// What is shown of a container's last words, in bytes.
const LONGEST_LAST_WORDS: usize = 300;

const CRASH_LOOP: &str = "CrashLoopBackOff";

/// After this many restarts a container is in a crash loop: the kubelet does the first at once and waits before the next.
const CRASH_LOOP_RESTARTS: i32 = 2;

impl PodIssue {
    /// The issue of a pod. None for one that serves, still starts, or is being terminated.
    pub fn of(pod: &Pod) -> Option<Self> {
        if pod.is_terminating() {
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
        _ if STARTING_REASONS.contains(&reason) => None,
        // The kubelet alternates between these two. If both were shown, every change would be a write and an event.
        "ErrImagePull" | "ImagePullBackOff" => {
            // Either `Back-off pulling image "x": ErrImagePull: why` or just `why`.
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

/// A container that ended with an error and is not ready again.
///
/// The kubelet says `CrashLoopBackOff` only while it waits between two attempts. The reason here is the same during the
/// attempts: every change would be a write and an event. A single crash is no loop.
fn crashed(container: &Container) -> Option<(String, String)> {
    if container.ready {
        return None;
    }
    let terminated = [&container.state, &container.last_state]
        .into_iter()
        .filter_map(|state| state.terminated.as_ref())
        .find(|terminated| terminated.exit_code != 0)?;
    let says_loop = container
        .state
        .waiting
        .as_ref()
        .is_some_and(|waiting| waiting.reason == CRASH_LOOP);
    let reason = if says_loop || container.restart_count >= CRASH_LOOP_RESTARTS {
        CRASH_LOOP
    } else if terminated.reason.is_empty() {
        "Error"
    } else {
        &terminated.reason
    };
    Some((
        reason.into(),
        termination_message(&container.name, terminated),
    ))
}

fn termination_message(name: &str, terminated: &Terminated) -> String {
    let message = format!(
        "container {name} ended with exit code {} ({})",
        terminated.exit_code, terminated.reason
    );
    match last_words(&terminated.message) {
        "" => message,
        text => format!("{message}: {}", one_line(text, LONGEST_LAST_WORDS)),
    }
}

/// The line that explains most of what a container left behind, which may be the end of its log: the last one, unless another
/// one has words that have a remedy.
fn last_words(message: &str) -> &str {
    let lines = || message.lines().map(str::trim);
    let known = lines().find(|line| has_remedy(line));
    let last = || lines().rfind(|line| !line.is_empty());
    known.or_else(last).unwrap_or_default()
}

#[cfg(test)]
#[path = "pods/tests.rs"]
mod tests;
