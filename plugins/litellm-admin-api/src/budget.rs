//! What one pass may do, shared out so that nobody waits for others that never succeed.
//!
//! A plugin remembers nothing, so a request that LiteLLM refuses is planned again in each pass. That must cost those their
//! turn that would succeed neither by its kind (each has a share of its own) nor by its place (a pass begins somewhere
//! else each time, as the date of LiteLLM's answer says).

use mcp_plugin_sdk::HttpResponse;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of the bodies of one kind of request. With what is said about 10,000 servers, both kinds fit into the answer of a
/// call.
const BODIES: usize = 384 << 10;

/// Shares `budget` out: no kind gets less than another one that gets less than it wants.
pub(crate) fn shares<const KINDS: usize>(budget: usize, wanted: [usize; KINDS]) -> [usize; KINDS] {
    let mut by_size: [usize; KINDS] = std::array::from_fn(|kind| kind);
    by_size.sort_by_key(|kind| wanted[*kind]);
    let (mut shares, mut left) = ([0; KINDS], budget);
    for (kind, others) in by_size.into_iter().zip((1..=KINDS).rev()) {
        shares[kind] = wanted[kind].min(left / others);
        left -= shares[kind];
    }
    shares
}

/// Where a pass begins: somewhere else for each answer, since each has another date.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turn(u64);

impl Turn {
    /// From LiteLLM's answer.
    pub(crate) fn of(answer: &HttpResponse) -> Self {
        let date = answer.headers.iter().find(|(name, _)| name == "date");
        Self(date.map_or(0, |(_, date)| xxh3_64(date.as_bytes())))
    }

    /// All of them, from the one whose turn it is.
    pub(crate) fn of_all<T>(self, all: &[T]) -> impl Iterator<Item = &T> {
        // As far as a usize goes, any part of it will do.
        #[expect(clippy::cast_possible_truncation, reason = "only spreads")]
        let begin = (self.0 as usize).checked_rem(all.len()).unwrap_or_default();
        let (before, from_here) = all.split_at(begin);
        from_here.iter().chain(before)
    }
}

/// Takes bodies as long as they fit. The first one always does.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    bytes: usize,
}

impl Bodies {
    pub(crate) fn take(&mut self, body: &str) -> bool {
        let fits = self.bytes == 0 || self.bytes + body.len() <= BODIES;
        if fits {
            self.bytes += body.len();
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_one_kind_leaves_others_get() {
        assert_eq!(shares(200, [0, 0, 500]), [0, 0, 200]);
        assert_eq!(shares(200, [500, 10, 500]), [95, 10, 95]);
        assert_eq!(shares(3, [9, 9, 9]), [1, 1, 1]);
    }

    proptest! {
        #[test]
        fn shares_are_fair_and_use_everything(budget in 3_usize..1000, wanted: [u8; 3]) {
            let wanted = wanted.map(usize::from);
            let shares = shares(budget, wanted);
            prop_assert_eq!(shares.iter().sum::<usize>(), budget.min(wanted.iter().sum()));
            for kind in 0..3 {
                let others = shares.iter().filter(|share| **share > shares[kind] + 1).count();
                prop_assert!(shares[kind] == wanted[kind] || others == 0, "{:?} of {:?}", shares, wanted);
            }
        }

        #[test]
        fn everybody_has_a_turn(turn: u64, length in 0_usize..20) {
            let all: Vec<usize> = (0..length).collect();
            let mut turns: Vec<usize> = Turn(turn).of_all(&all).copied().collect();
            turns.sort_unstable();
            prop_assert_eq!(turns, all);
        }
    }
}
