//! Divides a room between groups whose items do not all fit.
//!
//! In come sizes, each with its group and its age; out goes which of them fit. A group that needs no more than its part of
//! the room (the room divided by the number of groups) loses nothing, whatever the others want. What such groups leave is
//! divided between the others, and within a group the oldest items come first. It knows neither Kubernetes nor plugins:
//! both the operator and its registrars share rooms, and are built for different targets.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Something that needs a part of the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<Group, Age> {
    /// Who shares, for example a namespace.
    pub group: Group,
    /// Smaller is older. No two items should have the same.
    pub age: Age,
    /// How much of the room it needs.
    pub size: usize,
}

/// Which items fit into the room, in their order.
///
/// The next item is always the oldest of the group that would then have the least. So when a group with less than its part
/// is at its last item, no other group has more than that part, and there is room for it.
pub fn fitting<Group: Ord, Age: Ord>(room: usize, items: &[Item<Group, Age>]) -> Vec<bool> {
    let total = items
        .iter()
        .fold(0_usize, |total, item| total.saturating_add(item.size));
    if total <= room {
        return vec![true; items.len()];
    }
    let mut fits = vec![false; items.len()];
    let mut groups = by_group(items);
    // What a group would have with its next item, the group, which decides between equals, and the item.
    let next = |group: usize, used: usize, groups: &mut [Vec<usize>]| {
        let index = groups[group].pop()?;
        let after = used.saturating_add(items[index].size);
        Some(Reverse((after, group, index)))
    };
    let mut queue: BinaryHeap<_> = (0..groups.len())
        .filter_map(|group| next(group, 0, &mut groups))
        .collect();
    let mut left = room;
    while let Some(Reverse((after, group, index))) = queue.pop() {
        let size = items[index].size;
        let used = if size <= left {
            fits[index] = true;
            left -= size;
            after
        } else {
            after - size
        };
        queue.extend(next(group, used, &mut groups));
    }
    fits
}

/// The indices of the items of each group, the oldest last.
fn by_group<Group: Ord, Age: Ord>(items: &[Item<Group, Age>]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<&Group, Vec<usize>> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        groups.entry(&item.group).or_default().push(index);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    for indices in &mut groups {
        indices.sort_unstable_by(|a, b| items[*b].age.cmp(&items[*a].age));
    }
    // The order of equals follows from ages, and not from the order of the items.
    groups.sort_unstable_by(|a, b| {
        let oldest = |indices: &[usize]| indices.last().map(|index| &items[*index].age);
        oldest(a).cmp(&oldest(b))
    });
    groups
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn items(sizes: Vec<(u8, usize)>) -> Vec<Item<u8, usize>> {
        let items = sizes.into_iter().enumerate();
        items
            .map(|(age, (group, size))| Item { group, age, size })
            .collect()
    }

    #[test]
    fn the_oldest_of_a_group_come_first() {
        let items = items(vec![(1, 4), (1, 4), (1, 4), (2, 3)]);
        assert_eq!(fitting(11, &items), [true, true, false, true]);
        assert_eq!(fitting(15, &items), [true; 4]);
    }

    #[test]
    fn what_one_group_leaves_others_get() {
        let items = items(vec![(1, 10), (1, 10), (1, 10), (2, 1), (3, 10), (3, 10)]);
        assert_eq!(
            fitting(45, &items),
            [true, true, false, true, true, true],
            "both of the others have 20"
        );
    }

    proptest! {
        #[test]
        fn who_needs_less_than_its_part_loses_nothing(
            sizes in proptest::collection::vec((0_u8..6, 0_usize..50), 0..80),
            room in 0_usize..1500,
        ) {
            let items = items(sizes);
            let fits = fitting(room, &items);
            let used: usize = items.iter().zip(&fits).filter(|(_, fits)| **fits).map(|(item, _)| item.size).sum();
            prop_assert!(used <= room);
            let groups: BTreeSet<u8> = items.iter().map(|item| item.group).collect();
            let mut wanted: BTreeMap<u8, usize> = BTreeMap::new();
            for item in &items {
                *wanted.entry(item.group).or_default() += item.size;
            }
            for (item, fits) in items.iter().zip(&fits) {
                prop_assert!(*fits || wanted[&item.group] > room / groups.len(), "{:?}", item);
                prop_assert!(*fits || item.size > room - used, "no room is left unused: {:?}", item);
            }
            // Whoever stays out has no younger one of the same group, and of its size or larger, before it.
            for (out, _) in items.iter().zip(&fits).filter(|(_, fits)| !**fits) {
                let before = items.iter().zip(&fits).filter(|(item, fits)| {
                    **fits && item.group == out.group && item.age > out.age && item.size >= out.size
                });
                prop_assert_eq!(before.count(), 0);
            }
        }

        #[test]
        fn the_order_of_the_items_does_not_matter(
            sizes in proptest::collection::vec((0_u8..6, 0_usize..50), 0..40),
            room in 0_usize..800,
        ) {
            let mut items = items(sizes);
            let fits = fitting(room, &items);
            items.reverse();
            let mut reversed = fitting(room, &items);
            reversed.reverse();
            prop_assert_eq!(fits, reversed);
        }
    }
}
