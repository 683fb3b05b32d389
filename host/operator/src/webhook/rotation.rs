//! When the webhook's certificate is renewed, and in which steps. Pure.
//!
//! A certificate is made together with an authority of its own, so a new one is not trusted yet. It is therefore published
//! first (*next*), with both authorities to be trusted, and served only when the API server is known to trust it. Each step is
//! one write of what all replicas read; whichever of them makes it, the others follow.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

use super::certificate::{Facts, KeyPairPem, issue};

/// What all replicas share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificates {
    /// Certificates of authorities, in PEM, the oldest first: that of what is served, and of what is next.
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
                certificates
                    .authorities
                    .splice(0..0, self.newest_authority());
                let why = format!("the webhook's certificate cannot be used: {why}");
                Ok(Some(Step { certificates, why }))
            }
            (Ok(_), Some(next)) if is_usable(next, policy, now) => {
                Ok(is_trusted.then(|| self.promoted(next)))
            }
            (Ok(facts), _) if now >= renewal(&facts, policy.lifetime) => {
                let (authority, next) = issue(&policy.names, policy.lifetime, now)?;
                let certificates = Self {
                    authorities: [self.serving_authority(), vec![authority]].concat(),
                    serving: self.serving.clone(),
                    next: Some(next),
                };
                let why = format!("the webhook's certificate expires at {}", facts.expires);
                Ok(Some(Step { certificates, why }))
            }
            (Ok(_), _) => Ok(None),
        }
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

    fn newest_authority(&self) -> Vec<String> {
        self.authorities.last().cloned().into_iter().collect()
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
#[path = "rotation_tests.rs"]
mod tests;
