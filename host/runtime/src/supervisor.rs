//! The tasks of the process, and how it ends: no task may end, or panic, without anybody noticing.
//!
//! A watch that has died would leave a cache that looks healthy and never changes again. So every task is started through
//! a [`TaskGroup`], and the first one that ends although nobody asked it to stops the process.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

/// A task that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Name that it was started with.
    pub task: Cow<'static, str>,
    /// Whether it panicked; the panic itself is in the log.
    pub panicked: bool,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = if self.panicked { "panicked" } else { "ended" };
        write!(formatter, "the {} {how}", self.task)
    }
}

/// A watch ended that others wait for: the process is about to stop, and the [`Supervisor`] says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the watch of {0} ended")]
pub struct WatchEnded(pub &'static str);

/// Watches over the tasks of all [`TaskGroup`]s that it has given out.
pub struct Supervisor {
    group: TaskGroup,
    exits: mpsc::UnboundedReceiver<Exit>,
}

/// Starts tasks that somebody watches over. Cheap to clone.
#[derive(Clone)]
pub struct TaskGroup {
    // One message for each task that ends: bounded by the number of tasks.
    exits: mpsc::UnboundedSender<Exit>,
    draining: TaskTracker,
}

impl Default for Supervisor {
    fn default() -> Self {
        let (sender, exits) = mpsc::unbounded_channel();
        Self {
            group: TaskGroup {
                exits: sender,
                draining: TaskTracker::new(),
            },
            exits,
        }
    }
}

impl Supervisor {
    /// For whoever starts tasks.
    pub fn tasks(&self) -> TaskGroup {
        self.group.clone()
    }

    /// Waits for the first task that ends. Before a shutdown, none should.
    pub async fn first_exit(&mut self) -> Exit {
        match self.exits.recv().await {
            Some(exit) => exit,
            // Cannot happen: this value holds a sender itself.
            None => std::future::pending().await,
        }
    }

    /// After the tasks were told to stop: waits until those have ended that finish their work first, but no longer than
    /// `patience`.
    pub async fn drain(self, patience: Duration) {
        self.group.draining.close();
        if timeout(patience, self.group.draining.wait()).await.is_err() {
            warn!("tasks did not finish within {patience:?}");
        }
    }
}

impl TaskGroup {
    /// Starts a task that runs for as long as the process does, or until it is aborted by the handle.
    pub fn spawn(
        &self,
        name: impl Into<Cow<'static, str>>,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> AbortHandle {
        tokio::spawn(self.reported(name.into(), task)).abort_handle()
    }

    /// Starts a task that finishes what it does when it is told to stop; [`Supervisor::drain`] waits for it.
    pub fn spawn_draining(
        &self,
        name: impl Into<Cow<'static, str>>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.draining.spawn(self.reported(name.into(), task));
    }

    /// The task, whose end is reported.
    fn reported(
        &self,
        task: Cow<'static, str>,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let exits = self.exits.clone();
        // What a panic leaves behind is not looked at again: the process ends.
        let future = AssertUnwindSafe(future).catch_unwind();
        async move {
            let panicked = future.await.is_err();
            if panicked {
                error!(%task, "panicked");
            }
            // Fails when the process is ending anyway.
            let _ = exits.send(Exit { task, panicked });
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn draining_tasks_are_waited_for_and_none_for_ever() {
        let began = Instant::now();
        let supervisor = Supervisor::default();
        let tasks = supervisor.tasks();
        tasks.spawn("forever", std::future::pending());
        tasks.spawn_draining("quick", sleep(Duration::from_secs(1)));
        tasks.spawn_draining("slow", sleep(Duration::from_secs(5)));
        supervisor.drain(Duration::from_secs(20)).await;
        assert_eq!(began.elapsed().as_secs(), 5);

        let supervisor = Supervisor::default();
        supervisor
            .tasks()
            .spawn_draining("stuck", std::future::pending());
        supervisor.drain(Duration::from_secs(20)).await;
        assert_eq!(began.elapsed().as_secs(), 25);
    }

    #[tokio::test]
    async fn a_task_that_ends_or_panics_is_named() {
        let mut supervisor = Supervisor::default();
        let tasks = supervisor.tasks();
        tasks.spawn("other", std::future::pending());
        tasks.spawn("aborted", std::future::pending()).abort();
        tasks.spawn("watch of Pod", async {
            assert_eq!(1, 2, "a test's panic");
        });
        let exit = supervisor.first_exit().await;
        assert_eq!(exit.to_string(), "the watch of Pod panicked");
        tasks.spawn_draining("registry", async {});
        let exit = supervisor.first_exit().await;
        assert_eq!(exit.to_string(), "the registry ended");
    }
}
