//! The plan: the diff as requests.

use litellm_identity::{CallOptions, ListedServer, NamedServer, Refusal, assign_names, server_id};
use mcp_plugin_sdk::{Action, HttpRequest, Plan, Registry, Server, Step};

use crate::api;
use crate::budget::{BodyBudget, Rotation, fair_shares};
use crate::diff::{Change, Diff, Index};
use crate::entry::body;
use crate::settings::Settings;
use crate::{list, room};

/// The requests that bring LiteLLM up to date, and the state of each server.
pub(crate) fn plan(settings: &Settings, registry: &Registry) -> Plan {
    let mut assigned = assign_names(&registry.servers, not_by_the_api);
    let refused = room::refuse_what_does_not_fit(&mut assigned);
    let (listed, rotation) = match list::read(settings, registry) {
        Ok(list) => list,
        Err(error) => {
            let report = |NamedServer { server, name }: NamedServer<'_>| match name {
                Ok(_) => error.registration(server),
                Err(refusal) => refusal.registration(server),
            };
            return Plan {
                steps: deletions_without_list(settings, registry, &refused),
                registrations: assigned.into_iter().map(report).collect(),
            };
        }
    };
    let health = list::health(settings, registry);
    let diff = Index::new(&registry.instance, &listed).diff(&assigned, &health);
    let requests = Requests {
        settings,
        instance: &registry.instance,
        rotation,
    };
    Plan {
        steps: requests.steps(&diff, &listed),
        registrations: diff.registrations,
    }
}

/// While the list cannot be read, because it is too large, entries of servers that have no room in it are deleted all the
/// same: their ids are known, and without that the list would stay too large. LiteLLM may not have all of them.
fn deletions_without_list(
    settings: &Settings,
    registry: &Registry,
    refused: &[&Server],
) -> Vec<Step> {
    let Some(rotation) = list::answers_without_list(registry) else {
        return Vec::new();
    };
    let deletion = |server: &&Server| {
        let id = server_id(&registry.instance, server);
        step(api::delete(settings, &id), server.key())
    };
    let deletions = rotation.rotate(refused).map(deletion);
    deletions.take(settings.requests_per_pass).collect()
}

/// LiteLLM's API has no list of parameters, and without one all would be allowed. LiteLLM sends values of its database as they are: the name of an environment variable would be used as the credential.
fn not_by_the_api(server: &Server) -> Option<Refusal> {
    if !CallOptions::of(server).allowed_parameters.is_empty() {
        let message = "spec.litellm.allowedParameters: LiteLLM knows this by its configuration file only: use the plugin litellm-configmap, or remove the field";
        return Some(Refusal::new("AllowedParametersNotSupported", message));
    }
    let is_wanted = server.auth().is_ok_and(|auth| auth.is_some());
    is_wanted.then(|| {
        let message = "spec.litellm.auth: LiteLLM takes credentials from its environment only by its configuration file: use the plugin litellm-configmap, or remove the field";
        Refusal::new("AuthNotSupported", message)
    })
}

/// Makes the requests of one plan.
struct Requests<'a> {
    settings: &'a Settings,
    instance: &'a str,
    rotation: Rotation,
}

impl Requests<'_> {
    /// Deletions come first, because they free names that others get, then updates, which may do the same, then creations.
    /// Requests of one kind follow each other, so that they can be sent concurrently.
    fn steps(&self, diff: &Diff<'_>, listed: &[ListedServer<'_>]) -> Vec<Step> {
        let Diff {
            deletions,
            updates,
            creations,
            ..
        } = diff;
        let wanted = [deletions.len(), updates.len(), creations.len()];
        let [to_delete, to_update, to_create] =
            fair_shares(self.settings.requests_per_pass, wanted);

        let deleted: Vec<usize> = self
            .rotation
            .rotate(deletions)
            .take(to_delete)
            .copied()
            .collect();
        let is_free =
            |change: &&Change<'_>| change.after.is_none_or(|holder| deleted.contains(&holder));
        let deletions = deleted.iter().map(|index| {
            let entry = &listed[*index];
            let server = entry.key(self.instance).unwrap_or_default();
            step(api::delete(self.settings, &entry.server_id), server)
        });
        let updates = self.rotation.rotate(updates).filter(is_free);
        let creations = self.rotation.rotate(creations).filter(is_free);
        deletions
            .chain(self.written(updates.take(to_update), api::update))
            .chain(self.written(creations.take(to_create), api::create))
            .collect()
    }

    fn written<'a>(
        &self,
        changes: impl Iterator<Item = &'a Change<'a>>,
        request: fn(&Settings, String) -> HttpRequest,
    ) -> impl Iterator<Item = Step> {
        let mut bodies = BodyBudget::default();
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
