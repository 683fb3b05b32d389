//! A queue with a lane for each group, from which the groups take turns.

use std::collections::{BTreeMap, HashMap, VecDeque};

/// Keys in groups. Within a group, the one that was added first comes first; of the groups, each gives one key in its turn:
/// a group with thousands of keys delays another one by no more than one key at a time.
pub(crate) struct RoundRobin<K> {
    lanes: HashMap<String, BTreeMap<u64, K>>,
    /// The groups that have keys, each once, in the order of their turns.
    turns: VecDeque<String>,
}

impl<K> Default for RoundRobin<K> {
    fn default() -> Self {
        Self {
            lanes: HashMap::new(),
            turns: VecDeque::new(),
        }
    }
}

impl<K> RoundRobin<K> {
    /// Adds a key to a group. `number` tells the order within the group, and must not be in it already.
    pub(crate) fn push(&mut self, group: &str, number: u64, key: K) {
        if let Some(lane) = self.lanes.get_mut(group) {
            lane.insert(number, key);
            return;
        }
        self.lanes
            .insert(group.to_owned(), BTreeMap::from([(number, key)]));
        self.turns.push_back(group.to_owned());
    }

    /// Takes out the first key of the group whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<K> {
        let group = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&group)?;
        let first = lane.pop_first();
        if lane.is_empty() {
            self.lanes.remove(&group);
        } else {
            self.turns.push_back(group);
        }
        first.map(|(_, key)| key)
    }

    /// Takes out a key, wherever it is in its group.
    pub(crate) fn remove(&mut self, group: &str, number: u64) -> Option<K> {
        let lane = self.lanes.get_mut(group)?;
        let key = lane.remove(&number);
        if lane.is_empty() {
            self.lanes.remove(group);
            self.turns.retain(|turn| turn != group);
        }
        key
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.lanes.clear();
        self.turns.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(queue: &mut RoundRobin<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn groups_take_turns_and_keys_of_one_keep_their_order() {
        let mut queue = RoundRobin::default();
        for (number, key) in ["a1", "a2", "a3", "b1", "c1", "b2"].into_iter().enumerate() {
            queue.push(&key[..1], number as u64, key);
        }
        assert_eq!(all(&mut queue), ["a1", "b1", "c1", "a2", "b2", "a3"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn what_was_taken_out_of_the_middle_takes_no_turn() {
        let mut queue = RoundRobin::default();
        for (number, key) in ["a1", "a2", "b1"].into_iter().enumerate() {
            queue.push(&key[..1], number as u64, key);
        }
        assert_eq!(queue.remove("b", 2), Some("b1"));
        assert_eq!(queue.remove("b", 2), None);
        assert_eq!(queue.remove("a", 0), Some("a1"));
        queue.push("b", 3, "b2");
        assert_eq!(all(&mut queue), ["a2", "b2"]);
        queue.push("a", 4, "a3");
        queue.clear();
        assert_eq!((all(&mut queue), queue.is_empty()), (vec![], true));
    }
}
