//! Plugins that are not in force any more, or not yet: requests that began with them are still judged by them.
//!
//! Replicas see changes in their own order, and several at once: another one may have had a set of plugins in force that this
//! one never had. So plugins are remembered one by one, and a set is put together of them when a request names it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::activate::ActivePlugin;

/// For so long what was replaced can still be asked: longer than a request takes, with the webhooks of others.
pub(super) const REMEMBERED: Duration = Duration::from_mins(1);
/// No more than these are kept: whoever changes plugins without a pause would fill the memory.
pub(super) const MOST: usize = 16;
/// No more sets than these are tried for a request.
const MOST_SETS: usize = 1024;

/// Digits of a revision: enough to tell the few apart that are in force within minutes.
const DIGITS: usize = 16;

/// A plugin, as far as it matters in which set it is.
pub(super) trait Member {
    fn name(&self) -> &str;
    /// Its place among others, smaller first.
    fn priority(&self) -> i32;
    /// The same wherever it is the same component by the same specification.
    fn revision(&self) -> &str;
    /// Whether it has a say in requests.
    fn judges(&self) -> bool;
}

impl Member for ActivePlugin {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn priority(&self) -> i32 {
        Self::priority(self)
    }

    fn revision(&self) -> &str {
        Self::revision(self)
    }

    fn judges(&self) -> bool {
        self.interfaces().validator || self.interfaces().defaulter
    }
}

/// In the order in which they are asked.
pub(super) fn sorted<P: Member>(mut plugins: Vec<Arc<P>>) -> Vec<Arc<P>> {
    plugins.sort_by(|a, b| (a.priority(), a.name()).cmp(&(b.priority(), b.name())));
    plugins
}

/// Which plugins these are that have a say in requests.
pub(super) fn revision<P: Member>(plugins: &[Arc<P>]) -> String {
    let mut hash = Sha256::new();
    for plugin in plugins.iter().filter(|plugin| plugin.judges()) {
        hash.update(plugin.revision());
        hash.update(b"\n");
    }
    let mut revision = hex::encode(hash.finalize());
    revision.truncate(DIGITS);
    revision
}

/// Plugins that are not in force any more, or not yet.
#[derive(Clone)]
pub(super) struct Around<P = ActivePlugin> {
    /// Loaded, and waiting for the leader to have them in force.
    staged: Vec<Arc<P>>,
    /// In force before, or elsewhere, the newest last; until when each is remembered.
    remembered: Vec<(Instant, Arc<P>)>,
    /// Names of those that were not there before, until when that is remembered.
    absent: Vec<(Instant, String)>,
    /// Names of plugins that the leader has in force otherwise than this replica.
    pub(super) behind: Vec<String>,
}

impl<P> Default for Around<P> {
    fn default() -> Self {
        Self {
            staged: Vec::new(),
            remembered: Vec::new(),
            absent: Vec::new(),
            behind: Vec::new(),
        }
    }
}

impl<P: Member> Around<P> {
    /// Other plugins come into force, or are staged. Where nothing was in force before, nobody was judged without them.
    pub(super) fn replace(
        &mut self,
        before: Option<&[Arc<P>]>,
        now: &[Arc<P>],
        staged: Vec<Arc<P>>,
    ) {
        let has = |plugins: &[Arc<P>], wanted: &P| {
            plugins.iter().any(|it| it.revision() == wanted.revision())
        };
        let until = Instant::now() + REMEMBERED;
        let replaced = before.into_iter().flatten().chain(&self.staged);
        let replaced = replaced.filter(|it| !has(now, it) && !has(&staged, it));
        let replaced: Vec<_> = replaced.cloned().collect();
        if let Some(before) = before {
            let is_new = |it: &&Arc<P>| before.iter().all(|old| old.name() != it.name());
            let new = now.iter().filter(is_new);
            self.absent
                .extend(new.map(|it| (until, it.name().to_owned())));
        }
        self.staged = staged;
        for plugin in replaced {
            self.remember(plugin);
        }
        self.forget();
    }

    /// Remembers a plugin for a while, once.
    pub(super) fn remember(&mut self, plugin: Arc<P>) {
        self.remembered
            .retain(|(_, known)| known.revision() != plugin.revision());
        self.remembered.push((Instant::now() + REMEMBERED, plugin));
        let superfluous = self.remembered.len().saturating_sub(MOST);
        self.remembered.drain(..superfluous);
    }

    /// Lets go of what is remembered for long enough. True: something was.
    pub(super) fn forget(&mut self) -> bool {
        let now = Instant::now();
        let kept = self.remembered.len() + self.absent.len();
        self.remembered.retain(|(until, _)| *until > now);
        self.absent.retain(|(until, _)| *until > now);
        self.remembered.len() + self.absent.len() != kept
    }

    /// The set of this revision, put together of what is in force and what is around it; in the order in which they are asked.
    pub(super) fn find(&self, current: &[Arc<P>], wanted: &str) -> Option<Vec<Arc<P>>> {
        let mut sets: Vec<Vec<Arc<P>>> = vec![Vec::new()];
        for choices in self.choices(current).into_values() {
            let longer = sets.iter().flat_map(|set| {
                choices.iter().map(move |choice| {
                    let mut set = set.clone();
                    set.extend(choice.clone());
                    set
                })
            });
            sets = longer.take(MOST_SETS).collect();
        }
        let mut sets = sets.into_iter().map(sorted);
        sets.find(|set| revision(set) == wanted)
    }

    /// By name what a plugin may be or have been; nothing: it was not there.
    fn choices(&self, current: &[Arc<P>]) -> BTreeMap<String, Vec<Option<Arc<P>>>> {
        let now = Instant::now();
        let mut choices: BTreeMap<String, Vec<Option<Arc<P>>>> = BTreeMap::new();
        let remembered = self.remembered.iter().rev();
        let remembered = remembered.filter(|(until, _)| *until > now);
        let plugins = current.iter().chain(&self.staged);
        for plugin in plugins.chain(remembered.map(|(_, plugin)| plugin)) {
            let choices = choices.entry(plugin.name().to_owned()).or_default();
            choices.push(Some(plugin.clone()));
        }
        for (name, choices) in &mut choices {
            let is_there = current.iter().any(|plugin| plugin.name() == name);
            let was_absent = |(until, absent): &(Instant, String)| absent == name && *until > now;
            if !is_there || self.absent.iter().any(was_absent) {
                choices.push(None);
            }
        }
        choices
    }
}

#[cfg(test)]
#[path = "around_tests.rs"]
mod tests;
