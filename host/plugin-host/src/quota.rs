//! How many calls run at once, and with how much memory; and whose turn it is.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::config::HostConfig;
use crate::ticker::Ticker;

/// What the calls of all plugins share. Every plugin holds it, so plugins outlive their host.
pub(crate) struct SharedQuota {
    /// A slot for each slot of the pool. Without it, a call beyond the last slot would fail instead of wait.
    pub(crate) quota: Quota,
    /// The most memory that a call can have, in bytes.
    pub(crate) largest_memory: usize,
    pub(crate) ticker: Ticker,
}

impl SharedQuota {
    pub(crate) fn new(config: &HostConfig, ticker: Ticker) -> Self {
        let all = Share::of(config);
        Self {
            quota: Quota::new(all),
            largest_memory: all.half().memory * MEMORY_UNIT,
            ticker,
        }
    }
}

/// What one plugin may take of [`SharedQuota`]: half of it, so that a slow plugin does not stop the others.
pub(crate) fn of_plugin(config: &HostConfig) -> Quota {
    Quota::new(Share::of(config).half())
}

/// Bytes that one unit of memory stands for.
const MEMORY_UNIT: usize = 1 << 20;

/// The namespace that a call is for; none for what concerns all of them.
pub(crate) type Caller = Option<Arc<str>>;

/// Slots, and units of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    slots: usize,
    memory: usize,
}

impl Share {
    fn of(config: &HostConfig) -> Self {
        Self {
            slots: config.concurrency as usize,
            memory: config.memory_bytes / MEMORY_UNIT,
        }
    }

    fn of_call(memory_bytes: usize) -> Self {
        Self {
            slots: 1,
            memory: memory_bytes.div_ceil(MEMORY_UNIT),
        }
    }

    fn half(self) -> Self {
        Self {
            slots: (self.slots / 2).max(1),
            memory: (self.memory / 2).max(1),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            slots: self.slots + other.slots,
            memory: self.memory + other.memory,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            slots: self.slots.saturating_sub(other.slots),
            memory: self.memory.saturating_sub(other.memory),
        }
    }

    fn fits_into(self, other: Self) -> bool {
        self.slots <= other.slots && self.memory <= other.memory
    }
}

/// Slots and memory for calls, which namespaces share: one has no more than half of it (or one call, where that is more), so
/// that its slow calls never hold all of it; and of those that wait, namespaces take turns.
#[derive(Debug)]
pub(crate) struct Quota {
    all: Share,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: Share,
    used_by: HashMap<Arc<str>, Share>,
    /// Callers that wait, in the order of their turns, each once.
    turns: VecDeque<Caller>,
    waiting: HashMap<Caller, VecDeque<Waiter>>,
    next_number: u64,
}

/// A call that waits.
#[derive(Debug)]
struct Waiter {
    number: u64,
    wanted: Share,
    granted: oneshot::Sender<()>,
}

impl Quota {
    fn new(all: Share) -> Self {
        Self {
            all,
            state: Mutex::default(),
        }
    }

    /// Waits for a slot and for memory. A future that is dropped gives back what it was granted.
    pub(crate) async fn acquire(&self, caller: &Caller, memory_bytes: usize) -> Permit<'_> {
        let Place { permit, granted } = self.queue(caller, memory_bytes);
        if let Some(granted) = granted {
            // Its sender is dropped only after it has sent.
            let _ = granted.await;
        }
        permit
    }

    /// Whether calls for the same namespace hold something of it now.
    pub(crate) fn is_used_by(&self, caller: &Caller) -> bool {
        let state = self.lock();
        caller
            .as_ref()
            .is_some_and(|namespace| state.used_by.contains_key(namespace))
    }

    fn queue(&self, caller: &Caller, memory_bytes: usize) -> Place<'_> {
        // One that wants more than there is would wait for ever, and others with it.
        let wanted = Share::of_call(memory_bytes.min(self.all.memory * MEMORY_UNIT));
        let mut state = self.lock();
        let number = state.next_number;
        state.next_number += 1;
        // Nearly always: nobody waits, and there is room.
        let granted = if state.has_room_at_once(caller, wanted, self.all) {
            state.take(caller, wanted);
            None
        } else {
            let (granted, is_granted) = oneshot::channel();
            let waiter = Waiter {
                number,
                wanted,
                granted,
            };
            state.wait(caller.clone(), waiter);
            state.grant(self.all);
            Some(is_granted)
        };
        drop(state);
        let permit = Permit {
            quota: self,
            caller: caller.clone(),
            number,
            wanted,
        };
        Place { permit, granted }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&mut self, caller: Caller, waiter: Waiter) {
        let lane = self.waiting.entry(caller.clone()).or_default();
        if lane.is_empty() {
            self.turns.push_back(caller);
        }
        lane.push_back(waiter);
    }

    fn has_room_at_once(&self, caller: &Caller, wanted: Share, all: Share) -> bool {
        self.turns.is_empty()
            && self.may_have(caller, wanted, all)
            && self.used.plus(wanted).fits_into(all)
    }

    fn take(&mut self, caller: &Caller, wanted: Share) {
        self.used = self.used.plus(wanted);
        if let Some(namespace) = caller {
            let used = self.used_by.entry(Arc::clone(namespace)).or_default();
            *used = used.plus(wanted);
        }
    }

    /// Grants what can be granted. Who would have more than its half is passed over; who fits in no more ends it, so that a
    /// large call is not overtaken for ever by small ones.
    fn grant(&mut self, all: Share) {
        let mut passed = 0;
        while passed < self.turns.len() {
            let Some(caller) = self.turns.front().cloned() else {
                return;
            };
            let first = self.waiting.get(&caller).and_then(VecDeque::front);
            let Some(wanted) = first.map(|waiter| waiter.wanted) else {
                self.turns.pop_front();
                continue;
            };
            if !self.may_have(&caller, wanted, all) {
                self.turns.rotate_left(1);
                passed += 1;
                continue;
            }
            if !self.used.plus(wanted).fits_into(all) {
                return;
            }
            self.take_turn(&caller, wanted);
            passed = 0;
        }
    }

    fn may_have(&self, caller: &Caller, wanted: Share, all: Share) -> bool {
        let Some(namespace) = caller else {
            return true;
        };
        let used = self.used_by.get(namespace);
        used.is_none_or(|used| used.plus(wanted).fits_into(all.half()))
    }

    fn take_turn(&mut self, caller: &Caller, wanted: Share) {
        self.turns.pop_front();
        let Some(lane) = self.waiting.get_mut(caller) else {
            return;
        };
        let first = lane.pop_front();
        if lane.is_empty() {
            self.waiting.remove(caller);
        } else {
            self.turns.push_back(caller.clone());
        }
        self.take(caller, wanted);
        if let Some(waiter) = first {
            // Whoever is not there any more gives it back: its permit is dropped.
            let _ = waiter.granted.send(());
        }
    }

    /// Takes out a call that still waits; whether it did.
    fn give_up(&mut self, caller: &Caller, number: u64) -> bool {
        let Some(lane) = self.waiting.get_mut(caller) else {
            return false;
        };
        let before = lane.len();
        lane.retain(|waiter| waiter.number != number);
        let was_waiting = lane.len() < before;
        if lane.is_empty() {
            self.waiting.remove(caller);
            self.turns.retain(|turn| turn != caller);
        }
        was_waiting
    }

    fn release(&mut self, caller: &Caller, wanted: Share) {
        self.used = self.used.minus(wanted);
        if let Some(namespace) = caller
            && let Some(used) = self.used_by.get_mut(namespace)
        {
            *used = used.minus(wanted);
            if used.slots == 0 {
                self.used_by.remove(namespace);
            }
        }
    }
}

/// A place in the queue.
struct Place<'a> {
    permit: Permit<'a>,
    /// Where it has to wait.
    granted: Option<oneshot::Receiver<()>>,
}

/// A call's slot and memory, or its place in the queue; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    quota: &'a Quota,
    caller: Caller,
    number: u64,
    wanted: Share,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.quota.lock();
        if !state.give_up(&self.caller, self.number) {
            state.release(&self.caller, self.wanted);
        }
        state.grant(self.quota.all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(slots: usize) -> Quota {
        Quota::new(Share { slots, memory: 100 })
    }

    /// A call of 1 MiB.
    fn ask<'a>(quota: &'a Quota, namespace: &str) -> Place<'a> {
        quota.queue(&Some(namespace.into()), 1 << 20)
    }

    fn is_granted(place: &mut Place<'_>) -> bool {
        let waits = place.granted.as_mut();
        waits.is_none_or(|granted| granted.try_recv().is_ok())
    }

    #[test]
    fn one_namespace_leaves_half_to_others() {
        let quota = quota(4);
        let mut crowd: Vec<_> = (0..10).map(|_| ask(&quota, "crowd")).collect();
        let granted: Vec<bool> = crowd.iter_mut().map(is_granted).collect();
        assert_eq!(granted[..3], [true, true, false]);
        assert_eq!(granted.iter().filter(|granted| **granted).count(), 2);
        assert!(is_granted(&mut ask(&quota, "quiet")));
    }

    #[test]
    fn whose_calls_are_running_is_known() {
        let quota = quota(4);
        let is_used_by = |namespace: &str| quota.is_used_by(&Some(namespace.into()));
        let running = ask(&quota, "a");
        assert!(is_used_by("a") && !is_used_by("b") && !quota.is_used_by(&None));
        drop(running.permit);
        assert!(!is_used_by("a"));
    }

    #[test]
    fn of_those_that_wait_namespaces_take_turns() {
        let quota = quota(2);
        let (first, second) = (ask(&quota, "a"), ask(&quota, "b"));
        let mut crowd: Vec<_> = (0..5).map(|_| ask(&quota, "crowd")).collect();
        let mut quiet = ask(&quota, "quiet");
        drop((first.permit, second.permit));
        assert!(is_granted(&mut crowd[0]) && is_granted(&mut quiet));
        assert!(!is_granted(&mut crowd[1]));
        drop(crowd.remove(0).permit);
        assert!(is_granted(&mut crowd[0]));
    }

    #[test]
    fn a_call_that_is_given_up_takes_no_place() {
        let quota = quota(1);
        let running = ask(&quota, "a");
        let given_up = ask(&quota, "b");
        let mut waiting = ask(&quota, "c");
        drop(given_up.permit);
        drop(running.permit);
        assert!(is_granted(&mut waiting));
        drop(waiting.permit);
        let state = quota.lock();
        assert_eq!(state.used, Share::default());
        assert!(state.used_by.is_empty() && state.waiting.is_empty() && state.turns.is_empty());
    }

    #[test]
    fn a_large_call_is_not_overtaken_for_ever() {
        let quota = quota(10);
        let large = |namespace: &str| quota.queue(&Some(namespace.into()), 70 << 20);
        let running = large("a");
        let mut waiting = large("b");
        let mut small = ask(&quota, "c");
        assert!(!is_granted(&mut waiting) && !is_granted(&mut small));
        drop(running.permit);
        assert!(is_granted(&mut waiting) && is_granted(&mut small));
    }

    #[test]
    fn what_is_for_all_namespaces_is_not_bounded_by_half() {
        let quota = quota(2);
        let mut calls = [quota.queue(&None, 1 << 20), quota.queue(&None, 1 << 20)];
        assert!(calls.iter_mut().all(is_granted));
    }
}
