//! The difference between what should be and what is, as requests.

use litellm_identity::{Assigned, Listed, Refusal, assign};
use mcp_plugin_sdk::{Action, HttpRequest, Plan, Registry, Server, Step};

use crate::api;
use crate::budget::{Bodies, Turn, shares};
use crate::difference::{Change, Difference, Index};
use crate::entry::body;
use crate::listing;
use crate::settings::Settings;

/// What is missing, and how it stands.
pub(crate) fn plan(settings: &Settings, registry: &Registry) -> Plan {
    let assigned = assign(&registry.servers, not_by_the_api);
    let (listed, turn) = match listing::read(settings, registry) {
        Ok(list) => list,
        Err(obstacle) => {
            let tell = |Assigned { server, name }: Assigned<'_>| match name {
                Ok(_) => obstacle.registration(server),
                Err(refusal) => refusal.registration(server),
            };
            return Plan {
                steps: Vec::new(),
                registrations: assigned.into_iter().map(tell).collect(),
            };
        }
    };
    let health = listing::health(settings, registry);
    let difference = Index::new(&registry.instance, &listed).difference(&assigned, &health);
    let requests = Requests {
        settings,
        instance: &registry.instance,
        turn,
    };
    Plan {
        steps: requests.steps(&difference, &listed),
        registrations: difference.registrations,
    }
}

/// LiteLLM sends what its database holds as it is: there, the name of a variable would be the credential.
fn not_by_the_api(server: &Server) -> Option<Refusal> {
    let is_wanted = server.auth().is_ok_and(|auth| auth.is_some());
    is_wanted.then(|| {
        let message = "spec.litellm.auth: LiteLLM takes credentials from its environment only by its configuration file: use the plugin litellm-configmap, or remove the field";
        Refusal::new("AuthNotSupported", message)
    })
}

/// What is sent in one pass.
struct Requests<'a> {
    settings: &'a Settings,
    instance: &'a str,
    turn: Turn,
}

impl Requests<'_> {
    /// Those that leave go first, since they may have names that others get; then those that stay get theirs. Requests of
    /// one kind follow each other, so that they can be sent at the same time.
    fn steps(&self, difference: &Difference<'_>, listed: &[Listed<'_>]) -> Vec<Step> {
        let Difference {
            leaving,
            updates,
            creations,
            ..
        } = difference;
        let wanted = [leaving.len(), updates.len(), creations.len()];
        let [to_remove, to_update, to_create] = shares(self.settings.requests_per_pass, wanted);

        let removed: Vec<usize> = self.turn.of_all(leaving).take(to_remove).copied().collect();
        let is_free =
            |change: &&Change<'_>| change.after.is_none_or(|holder| removed.contains(&holder));
        let removals = removed.iter().map(|index| {
            let entry = &listed[*index];
            let server = entry.key(self.instance).unwrap_or_default();
            step(api::delete(self.settings, &entry.server_id), server)
        });
        let updates = self.turn.of_all(updates).filter(is_free);
        let creations = self.turn.of_all(creations).filter(is_free);
        removals
            .chain(self.written(updates.take(to_update), api::update))
            .chain(self.written(creations.take(to_create), api::create))
            .collect()
    }

    fn written<'a>(
        &self,
        changes: impl Iterator<Item = &'a Change<'a>>,
        request: fn(&Settings, String) -> HttpRequest,
    ) -> impl Iterator<Item = Step> {
        let mut bodies = Bodies::default();
        let entries = changes.map(|change| {
            let entry = body(self.instance, change.server, change.name);
            (entry, change.server.key())
        });
        entries
            .take_while(move |(entry, _)| bodies.take(entry))
            .map(move |(entry, server)| step(request(self.settings, entry), server))
    }
}

fn step(request: HttpRequest, server: String) -> Step {
    Step {
        action: Action::Send(request),
        servers: vec![server],
    }
}
