//! When the webhook's certificate is renewed, and in which steps. Pure.
//!
//! A certificate is made together with an authority of its own, so a new one is not trusted yet. It is therefore published
//! first (*next*), with both authorities to be trusted, and served only when the API server is known to trust it. Each step is
//! one write of what all replicas read; whichever of them makes it, the others follow.

use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

use super::certificate::{Facts, KeyPairPem, issue};

/// How often the certificate is looked after; more often where certificates last for minutes.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);
/// Until all API servers know of a webhook configuration that one of them has stored; less where certificates last for
/// minutes.
pub(super) const PROPAGATION: Duration = Duration::from_mins(1);

/// Part of a certificate's life, and of what is left of it, that may pass between two steps.
const LIFE: u32 = 24;
const LEFT: u32 = 4;
/// Where nothing is left it is still not looked after all the time, and the API server needs its moment.
const SHORTEST: Duration = Duration::from_secs(2);

/// So many authorities are trusted at most, however often somebody changes his mind about how long certificates last.
const MOST_AUTHORITIES: usize = 8;

/// What all replicas share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificates {
    /// Certificates of authorities, in PEM, the oldest first: those of what was served before and has not expired, that of
    /// what is served, and that of what is next.
    pub(super) authorities: Vec<String>,
    pub(super) serving: KeyPairPem,
    pub(super) next: Option<KeyPairPem>,
}

/// For whom, and for how long.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    /// DNS names and addresses of the webhook.
    pub(super) names: Vec<String>,
    pub(super) lifetime: SignedDuration,
}

/// What is to be written, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) certificates: Certificates,
    pub(super) why: String,
}

impl Certificates {
    /// New ones, that replace nothing.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub(super) fn new(policy: &Policy, now: Timestamp) -> Result<Self> {
        let (authority, serving) = issue(&policy.names, policy.lifetime, now)?;
        Ok(Self {
            authorities: vec![authority],
            serving,
            next: None,
        })
    }

    /// All authorities in one text: what the API server has to trust.
    pub(super) fn trusted(&self) -> String {
        self.authorities.concat()
    }

    /// The next step, if it is time for one. `is_trusted`: the API server is known to trust [`Certificates::trusted`].
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub(super) fn step(
        &self,
        policy: &Policy,
        is_trusted: bool,
        now: Timestamp,
    ) -> Result<Option<Step>> {
        let facts = Facts::of(&self.serving.certificate);
        let checked = facts.and_then(|facts| facts.check(&policy.names, now).map(|()| facts));
        match (checked, &self.next) {
            // What is served helps nobody, so there is nothing to wait for.
            (Err(why), _) => {
                let mut certificates = Self::new(policy, now)?;
                let still_trusted = self.still_trusted(self.authorities.len(), now);
                certificates.authorities.splice(0..0, still_trusted);
                let why = format!("the webhook's certificate cannot be used: {why}");
                Ok(Some(Step { certificates, why }))
            }
            (Ok(_), Some(next)) if is_usable(next, policy, now) => {
                Ok(is_trusted.then(|| self.promoted(next)))
            }
            (Ok(facts), _) if now >= renewal(&facts, policy.lifetime) => {
                let (authority, next) = issue(&policy.names, policy.lifetime, now)?;
                let of_next = usize::from(self.next.is_some());
                let but_of_next = self.authorities.len().saturating_sub(of_next);
                let still_trusted = self.still_trusted(but_of_next, now);
                let certificates = Self {
                    authorities: [still_trusted, vec![authority]].concat(),
                    serving: self.serving.clone(),
                    next: Some(next),
                };
                let why = format!("the webhook's certificate expires at {}", facts.expires);
                Ok(Some(Step { certificates, why }))
            }
            (Ok(_), _) => Ok(None),
        }
    }

    /// So much of a time between two steps as the certificates leave: a 24th of the life that is wanted and of the life of
    /// what is served, and a quarter of what that has left. What is served may have been made for minutes, by other options
    /// than today's, or by replicas that were away until its end was near.
    pub(super) fn bounded(&self, time: Duration, policy: &Policy, now: Timestamp) -> Duration {
        let of =
            |time: SignedDuration, part: u32| Duration::try_from(time).unwrap_or_default() / part;
        let bounded = time.min(of(policy.lifetime, LIFE));
        let Ok(facts) = Facts::of(&self.serving.certificate) else {
            return bounded;
        };
        let served = of(facts.expires.duration_since(facts.issued), LIFE);
        let left = of(facts.expires.duration_since(now), LEFT);
        bounded.min(served).min(left.max(SHORTEST))
    }

    /// The authority before stays trusted: another replica may go on serving its certificate for a moment.
    fn promoted(&self, next: &KeyPairPem) -> Step {
        Step {
            certificates: Self {
                authorities: self.authorities.clone(),
                serving: next.clone(),
                next: None,
            },
            why: "the API server trusts the next certificate of the webhook".into(),
        }
    }

    /// Of the first so many authorities those that may have signed what a replica still serves: one that stands still for a
    /// while, or that has other options, may be several steps behind. Each signed one certificate, and ends with it.
    fn still_trusted(&self, count: usize, now: Timestamp) -> Vec<String> {
        let is_valid =
            |authority: &&String| Facts::of(authority).is_ok_and(|facts| facts.expires > now);
        let valid: Vec<_> = self.authorities[..count].iter().filter(is_valid).collect();
        let most_recent = valid.into_iter().rev().take(MOST_AUTHORITIES - 1);
        let mut kept: Vec<_> = most_recent.cloned().collect();
        kept.reverse();
        kept
    }

    /// The authority of what is served is the last one, or the one before that of what is next.
    pub(super) fn serving_authority(&self) -> Vec<String> {
        let newer = usize::from(self.next.is_some());
        let mut authorities = self.authorities.iter().rev().skip(newer);
        authorities.next().cloned().into_iter().collect()
    }
}

fn is_usable(pair: &KeyPairPem, policy: &Policy, now: Timestamp) -> bool {
    let facts = Facts::of(&pair.certificate);
    facts
        .and_then(|facts| facts.check(&policy.names, now))
        .is_ok()
}

/// Two thirds of its life; of one that was made for longer than is wanted now, of what is wanted.
fn renewal(facts: &Facts, lifetime: SignedDuration) -> Timestamp {
    let life = facts.expires.duration_since(facts.issued).min(lifetime);
    facts.issued + life * 2 / 3
}

#[cfg(test)]
#[path = "rotation_simulation.rs"]
mod simulation;
#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
