//! The limits of one plan, divided so that requests that always fail do not starve the others.
//!
//! A plugin keeps no state, so a request that LiteLLM refuses is planned again every time. It must not take the place of
//! requests that would succeed: each kind of request has its own share of the limit, and within a kind each plan starts at
//! another position, which it derives from the date of LiteLLM's answer.

use mcp_plugin_sdk::HttpResponse;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of the bodies of one kind of request. Both kinds, with the states of 10,000 servers, fit into the answer of a call.
const MAX_BODY_BYTES: usize = 384 << 10;

/// Divides `budget` between kinds by max-min fairness: what a kind does not want is divided between the others.
pub(crate) fn fair_shares<const KINDS: usize>(
    budget: usize,
    wanted: [usize; KINDS],
) -> [usize; KINDS] {
    let mut by_size: [usize; KINDS] = std::array::from_fn(|kind| kind);
    by_size.sort_by_key(|kind| wanted[*kind]);
    let (mut shares, mut left) = ([0; KINDS], budget);
    for (kind, others) in by_size.into_iter().zip((1..=KINDS).rev()) {
        shares[kind] = wanted[kind].min(left / others);
        left -= shares[kind];
    }
    shares
}

/// Where a plan starts in a list of changes: elsewhere for each answer of LiteLLM, because each has another date.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rotation(u64);

impl Rotation {
    /// Derives it from the header `date`.
    pub(crate) fn from_date(answer: &HttpResponse) -> Self {
        let date = answer.headers.iter().find(|(name, _)| name == "date");
        Self(date.map_or(0, |(_, date)| xxh3_64(date.as_bytes())))
    }

    /// All items, starting at this rotation's position.
    pub(crate) fn rotate<T>(self, all: &[T]) -> impl Iterator<Item = &T> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "any part of the hash will do"
        )]
        let start = (self.0 as usize).checked_rem(all.len()).unwrap_or_default();
        let (before, from_start) = all.split_at(start);
        from_start.iter().chain(before)
    }
}

/// Accepts bodies until [`MAX_BODY_BYTES`] is reached. The first one always fits.
#[derive(Debug, Default)]
pub(crate) struct BodyBudget {
    bytes: usize,
}

impl BodyBudget {
    pub(crate) fn take(&mut self, body: &str) -> bool {
        let fits = self.bytes == 0 || self.bytes + body.len() <= MAX_BODY_BYTES;
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
    fn a_share_that_is_not_used_goes_to_the_others() {
        assert_eq!(fair_shares(200, [0, 0, 500]), [0, 0, 200]);
        assert_eq!(fair_shares(200, [500, 10, 500]), [95, 10, 95]);
        assert_eq!(fair_shares(3, [9, 9, 9]), [1, 1, 1]);
    }

    proptest! {
        #[test]
        fn shares_are_fair_and_use_everything(budget in 3_usize..1000, wanted: [u8; 3]) {
            let wanted = wanted.map(usize::from);
            let shares = fair_shares(budget, wanted);
            prop_assert_eq!(shares.iter().sum::<usize>(), budget.min(wanted.iter().sum()));
            for kind in 0..3 {
                let others = shares.iter().filter(|share| **share > shares[kind] + 1).count();
                prop_assert!(shares[kind] == wanted[kind] || others == 0, "{:?} of {:?}", shares, wanted);
            }
        }

        #[test]
        fn a_rotation_yields_each_item_once(rotation: u64, length in 0_usize..20) {
            let all: Vec<usize> = (0..length).collect();
            let mut items: Vec<usize> = Rotation(rotation).rotate(&all).copied().collect();
            items.sort_unstable();
            prop_assert_eq!(items, all);
        }
    }
}
