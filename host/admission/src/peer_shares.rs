//! Shares of what there is only so much of, so that no peer takes what another one needs.
//!
//! A peer may have as much as stays free beside it (in switches, the same is called a dynamic threshold): one alone has half
//! of everything, the next one half of the rest, and so on; as things are returned, peers come to have equal shares. Nobody
//! has to be known beforehand, and there is no number for each peer to be chosen.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Who a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Peer(IpAddr);

impl Peer {
    /// An IPv4 address is the same one in both of its forms.
    pub(crate) fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// Where there is no connection.
    pub(crate) const NONE: Self = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
}

/// Something that there is only so much of.
pub(crate) struct PeerShares {
    all: usize,
    taken: Mutex<Taken>,
    returned: Notify,
}

#[derive(Default)]
struct Taken {
    total: usize,
    /// Only peers that have something.
    by_peer: HashMap<Peer, usize>,
}

impl PeerShares {
    pub(crate) fn new(all: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            taken: Mutex::default(),
            returned: Notify::new(),
        })
    }

    /// Takes so much, or nothing if the peer had more then than stays free.
    pub(crate) fn try_take(self: &Arc<Self>, peer: Peer, amount: usize) -> Option<Share> {
        let mut taken = self.taken();
        let held = taken.by_peer.get(&peer).copied().unwrap_or_default();
        let (held, total) = (
            held.saturating_add(amount),
            taken.total.saturating_add(amount),
        );
        if held > self.all.saturating_sub(total) {
            return None;
        }
        taken.total = total;
        taken.by_peer.insert(peer, held);
        Some(Share {
            shares: Arc::clone(self),
            peer,
            amount,
        })
    }

    /// Waits until the peer may have so much.
    pub(crate) async fn take(self: &Arc<Self>, peer: Peer, amount: usize) -> Share {
        loop {
            // Made before the look, so that what is returned in between is not missed.
            let returned = self.returned.notified();
            if let Some(share) = self.try_take(peer, amount) {
                return share;
            }
            returned.await;
        }
    }

    /// How much all peers have together.
    #[cfg(test)]
    pub(crate) fn total(&self) -> usize {
        self.taken().total
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a peer has. Dropping it gives it back.
pub(crate) struct Share {
    shares: Arc<PeerShares>,
    peer: Peer,
    amount: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.taken();
        taken.total = taken.total.saturating_sub(self.amount);
        if let Some(held) = taken.by_peer.get_mut(&self.peer) {
            *held = held.saturating_sub(self.amount);
            if *held == 0 {
                taken.by_peer.remove(&self.peer);
            }
        }
        drop(taken);
        self.shares.returned.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn peer(last: u8) -> Peer {
        Peer::new(IpAddr::from([127, 0, 0, last]))
    }

    /// As many as a peer gets, one by one.
    fn all_of(shares: &Arc<PeerShares>, peer: Peer) -> Vec<Share> {
        std::iter::from_fn(|| shares.try_take(peer, 1)).collect()
    }

    #[test]
    fn whoever_comes_anew_finds_a_share_whatever_others_have_taken() {
        let shares = PeerShares::new(100);
        let first = all_of(&shares, peer(1));
        assert_eq!(first.len(), 50, "one alone has half");
        let mut others = Vec::new();
        for last in 2..20 {
            let taken = all_of(&shares, peer(last));
            if last < 6 {
                assert!(!taken.is_empty(), "{last}");
            }
            others.push(taken);
        }
        assert!(shares.total() < 100);
        drop((first, others));
        assert_eq!(shares.total(), 0);
        assert!(shares.taken().by_peer.is_empty(), "nobody is remembered");
    }

    #[test]
    fn one_large_piece_is_no_way_around_it() {
        let shares = PeerShares::new(100);
        assert!(shares.try_take(peer(1), 51).is_none());
        assert!(shares.try_take(peer(1), usize::MAX).is_none());
        assert!(shares.try_take(peer(1), 50).is_some());
    }

    #[test]
    fn both_forms_of_an_address_are_one_peer() {
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        assert_eq!(Peer::new(mapped.into()), peer(1));
    }

    #[tokio::test]
    async fn what_is_given_back_wakes_whoever_waits() {
        let shares = PeerShares::new(2);
        let held = shares.try_take(peer(1), 1);
        let waiting = tokio::spawn({
            let shares = Arc::clone(&shares);
            async move { shares.take(peer(1), 1).await.amount }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        let woken = timeout(Duration::from_secs(5), waiting).await;
        assert_eq!(woken.unwrap().unwrap(), 1);
    }
}
