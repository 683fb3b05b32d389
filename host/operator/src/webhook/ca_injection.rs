//! Fills into the webhook configurations whom the API server trusts, and outside of a cluster where it finds the webhook; and
//! into the definition of MCPServers both.

use std::fmt::Debug;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

use super::configuration::{Configurations, NAME, Updated};
use super::conversion;
use super::endpoint::Endpoint;
use super::renewal::Authorities;

/// Somebody may apply the manifests again, which empties what was filled in.
const INTERVAL: Duration = Duration::from_secs(10);
/// How soon a replica looks again whether the leader has done it.
const UNTIL_THE_LEADER_DID: Duration = Duration::from_millis(500);

/// What the configurations and the definition were seen to trust.
#[derive(Clone, Debug)]
pub(crate) struct Trusted {
    /// Certificates of authorities, in PEM.
    pub(super) ca_bundle: String,
    /// Since when they are known to have exactly this.
    pub(super) since: Instant,
}

/// Fills in the certificate authorities, and outside of a cluster the address; again and again, so that they stay. Only the
/// leader writes: a replica that has read the Secret before would put an older authority back.
pub(crate) struct CaInjection {
    pub(crate) configurations: Configurations,
    pub(crate) endpoint: Endpoint,
}

impl CaInjection {
    /// For as long as the process runs. Tells `trusted` what is there, and `injected` once the configurations trust this
    /// replica, or it was tried in vain: a permission that is missing is no reason to be never ready.
    pub(crate) async fn run(
        self,
        mut authorities: watch::Receiver<Authorities>,
        trusted: watch::Sender<Option<Trusted>>,
        injected: watch::Sender<bool>,
    ) {
        let mut leading = self.configurations.leadership.changes();
        loop {
            let known = authorities.borrow_and_update().clone();
            let term = *leading.borrow_and_update();
            if term.is_leader() && known.read_in != term {
                // The leader before may have written what this one has not read yet.
                tokio::select! {
                    _ = leading.changed() => {}
                    changed = authorities.changed() => ended(changed).await,
                }
                continue;
            }
            let encoded = STANDARD.encode(&known.ca_bundle);
            let mutating = self.update::<MutatingWebhookConfiguration>(&encoded).await;
            let validating = self
                .update::<ValidatingWebhookConfiguration>(&encoded)
                .await;
            let converting =
                conversion::point(&self.configurations, &self.endpoint, &encoded).await;
            let all = [mutating, validating, converting];
            let is_there = all.iter().all(|updated| *updated == Updated::AsWanted);
            trusted.send_modify(|trusted| note(trusted, known.ca_bundle, is_there));
            // Beside the cluster a replica has an address of its own, and only the leader's is asked.
            let waits = all.contains(&Updated::NotLeading)
                && matches!(self.endpoint, Endpoint::Service { .. });
            if !waits {
                injected.send_replace(true);
            }
            let pause = if waits {
                UNTIL_THE_LEADER_DID
            } else {
                INTERVAL
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // Its sender is in `leadership`.
                _ = leading.changed() => {}
                changed = authorities.changed() => ended(changed).await,
            }
        }
    }

    /// Has the configuration trust the webhook.
    async fn update<K>(&self, ca_bundle: &str) -> Updated
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
        K: Resource<Scope = kube::core::ClusterResourceScope>,
    {
        let fill_in = |configuration: &mut Value| {
            if let Some(url) = url_of_another(configuration, &self.endpoint) {
                warn!(kind = %K::kind(&()), name = NAME, url, "written by an operator beside the cluster, and asked in place of this one: delete both webhook configurations and apply the manifests of deploy/ again");
            }
            fill_in(configuration, &self.endpoint, ca_bundle);
        };
        self.configurations
            .update::<K>(fill_in, "trusts this webhook")
            .await
    }
}

/// Where nobody tells of changes any more, the process ends.
pub(super) async fn ended(changed: Result<(), watch::error::RecvError>) {
    if changed.is_err() {
        std::future::pending::<()>().await;
    }
}

fn note(trusted: &mut Option<Trusted>, ca_bundle: String, is_there: bool) {
    let is_known = trusted
        .as_ref()
        .is_some_and(|known| known.ca_bundle == ca_bundle);
    if !is_there {
        *trusted = None;
    } else if !is_known {
        let since = Instant::now();
        *trusted = Some(Trusted { ca_bundle, since });
    }
}

/// Makes the client configurations what they should be.
fn fill_in(configuration: &mut Value, endpoint: &Endpoint, ca_bundle: &str) {
    for webhook in configuration["webhooks"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        let client = &mut webhook["clientConfig"];
        client["caBundle"] = json!(ca_bundle);
        if let Endpoint::Address(address) = endpoint {
            let path = client["service"]["path"].as_str().map(str::to_owned);
            if let (Some(path), Some(members)) = (path, client.as_object_mut()) {
                members.remove("service");
                members.insert("url".into(), json!(format!("https://{address}{path}")));
            } else if let Some(path) = path_of(client) {
                client["url"] = json!(format!("https://{address}{path}"));
            }
        }
    }
}

/// Where an operator beside the cluster was, if that is still in a configuration for one inside. Only who may change more
/// than the authority can take it out.
fn url_of_another<'a>(found: &'a Value, endpoint: &Endpoint) -> Option<&'a str> {
    let webhooks = found["webhooks"].as_array()?;
    let urls = webhooks
        .iter()
        .find_map(|webhook| webhook["clientConfig"]["url"].as_str());
    urls.filter(|_| matches!(endpoint, Endpoint::Service { .. }))
}

/// The path of a URL that an earlier run wrote.
fn path_of(client: &Value) -> Option<String> {
    let rest = client["url"].as_str()?.strip_prefix("https://")?;
    rest.find('/').map(|at| rest[at..].to_owned())
}

#[cfg(test)]
mod tests {
    use kube::core::ApiResource;
    use mcp_operator_runtime::{Leadership, Term};
    use mcp_testkit::{ApiServer, ResourceType};

    use super::super::configuration::difference;
    use super::*;

    fn configuration() -> Value {
        json!({ "metadata": { "resourceVersion": "7" }, "webhooks": [{ "name": "a", "clientConfig": { "service": { "name": "w", "namespace": "n", "path": "/validate/mcpserver" } } }] })
    }

    fn patch(found: &Value, endpoint: &Endpoint, ca_bundle: &str) -> Option<json_patch::Patch> {
        let mut wanted = found.clone();
        fill_in(&mut wanted, endpoint, ca_bundle);
        difference(found, &wanted)
    }

    fn after(found: &Value, endpoint: &Endpoint, ca_bundle: &str) -> Option<Value> {
        let mut result = found.clone();
        json_patch::patch(&mut result, &patch(found, endpoint, ca_bundle)?).unwrap();
        Some(result)
    }

    #[test]
    fn in_a_cluster_only_the_ca_bundle_is_filled_in() {
        let endpoint = Endpoint::Service {
            namespace: "n".into(),
            name: "w".into(),
        };
        let filled = after(&configuration(), &endpoint, "Y2E=").unwrap();
        assert_eq!(filled["webhooks"][0]["clientConfig"]["caBundle"], "Y2E=");
        assert_eq!(
            filled["webhooks"][0]["clientConfig"]["service"]["name"],
            "w"
        );
        assert_eq!(
            after(&filled, &endpoint, "Y2E="),
            None,
            "and again changes nothing"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn trust_counts_from_when_it_was_first_seen_and_without_a_gap() {
        let mut trusted = None;
        let mut see = |ca: &str, is_there| {
            note(&mut trusted, ca.to_owned(), is_there);
            trusted.clone().map(|it| (it.ca_bundle, it.since))
        };
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        assert_eq!(see("a", true), Some(("a".to_owned(), start)));
        tokio::time::advance(second).await;
        assert_eq!(see("a", true), Some(("a".to_owned(), start)));
        assert_eq!(see("b", true), Some(("b".to_owned(), start + second)));
        assert_eq!(see("b", false), None);
        tokio::time::advance(second).await;
        assert_eq!(see("b", true), Some(("b".to_owned(), start + 2 * second)));
    }

    /// Both configurations, and who fills them in, which leads from the beginning.
    fn injection() -> (ApiServer, CaInjection) {
        let api = ApiServer::new();
        for resource in [
            ApiResource::erase::<MutatingWebhookConfiguration>(&()),
            ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
        ] {
            let (version, kind) = (resource.api_version.clone(), resource.kind.clone());
            api.register(ResourceType::built_in(resource).cluster_scoped());
            let mut object = configuration();
            object["metadata"]["name"] = json!(NAME);
            object["apiVersion"] = json!(version);
            object["kind"] = json!(kind);
            api.put(object);
        }
        let configurations = Configurations {
            reader: api.client(),
            writer: api.client(),
            leadership: Leadership::unelected(),
        };
        let endpoint = Endpoint::Service {
            namespace: "n".into(),
            name: "w".into(),
        };
        let injection = CaInjection {
            configurations,
            endpoint,
        };
        (api, injection)
    }

    /// It may have read them before the leader before wrote a newer one, which would be taken out again.
    #[tokio::test]
    async fn who_begins_to_lead_writes_only_what_it_has_read_since() {
        let (api, injection) = injection();
        let term = *injection.configurations.leadership.changes().borrow();
        let bundle = |text: &str, read_in| Authorities {
            ca_bundle: text.into(),
            read_in,
        };
        let (read, authorities) = watch::channel(bundle("old", Term::default()));
        let (trust, mut trusted) = watch::channel(None);
        let (injected, mut is_injected) = watch::channel(false);
        let running = tokio::spawn(injection.run(authorities, trust, injected));
        // Another one that was read before.
        read.send_replace(bundle("older", Term::default()));
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(api.writes().is_empty() && api.requests().is_empty());
        assert!(!*is_injected.borrow_and_update());

        read.send_replace(bundle("new", term));
        is_injected.changed().await.unwrap();
        for kind in [
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
        ] {
            let found = api.get(kind, "", NAME).unwrap();
            let expected = STANDARD.encode("new");
            assert_eq!(found["webhooks"][0]["clientConfig"]["caBundle"], expected);
        }
        let known = trusted.wait_for(Option::is_some).await.unwrap().clone();
        assert_eq!(known.unwrap().ca_bundle, "new");
        running.abort();
    }

    #[test]
    fn a_list_that_was_changed_meanwhile_is_not_patched() {
        let found = configuration();
        let endpoint = Endpoint::Address(([127, 0, 0, 1], 1).into());
        let patch = patch(&found, &endpoint, "Y2E=").unwrap();
        let mut edited = found.clone();
        edited["metadata"]["resourceVersion"] = json!("8");
        let other = json!({ "name": "other", "clientConfig": { "service": { "name": "o" } } });
        edited["webhooks"].as_array_mut().unwrap().insert(0, other);
        let before = edited.clone();
        json_patch::patch(&mut edited, &patch).unwrap_err();
        assert_eq!(edited, before);
    }

    #[test]
    fn outside_of_a_cluster_the_address_takes_the_place_of_the_service() {
        let endpoint = |port| Endpoint::Address(([127, 0, 0, 1], port).into());
        let first = after(&configuration(), &endpoint(1), "Y2E=").unwrap();
        assert_eq!(
            first["webhooks"][0]["clientConfig"],
            json!({ "caBundle": "Y2E=", "url": "https://127.0.0.1:1/validate/mcpserver" })
        );
        assert_eq!(after(&first, &endpoint(1), "Y2E="), None);
        let second = after(&first, &endpoint(2), "Y2E=").unwrap();
        assert_eq!(
            second["webhooks"][0]["clientConfig"]["url"],
            "https://127.0.0.1:2/validate/mcpserver"
        );
    }
}
