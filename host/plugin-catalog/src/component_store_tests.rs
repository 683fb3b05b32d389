use mcp_testkit::objects::mcp_plugin;
use mcp_testkit::{ApiServer, Failure, Match, Times, Verb};
use serde_json::json;

use super::*;

const NAMESPACE: &str = "operator";

struct World {
    api: ApiServer,
    store: ComponentStore,
    plugin: McpPlugin,
    provenance: Provenance,
}

impl World {
    fn new() -> Self {
        let api = ApiServer::new();
        let spec = json!({ "source": { "configMap": { "namespace": "a", "name": "rule" } } });
        api.put(mcp_plugin("rule", spec));
        let plugin = api.get_as("", "rule").unwrap();
        let store = ComponentStore::new(api.client(), NAMESPACE);
        api.clear_log();
        Self {
            api,
            store,
            plugin,
            provenance: Provenance::default(),
        }
    }

    async fn keep(&self, component: &[u8]) -> Result<(), ApiError> {
        let kept = KeptComponent {
            plugin: "rule".into(),
            uid: self.plugin.metadata.uid.clone().unwrap(),
            component: component.to_vec(),
            provenance: self.provenance.clone(),
        };
        self.store.keep(&kept).await
    }

    async fn read(&self) -> Option<Vec<u8>> {
        let copy = self.store.read(&self.plugin).await.unwrap()?;
        Some(copy.component)
    }

    /// Verbs of what was written since the last call.
    fn written(&self) -> Vec<Verb> {
        let written = self
            .api
            .writes()
            .iter()
            .map(|request| request.verb)
            .collect();
        self.api.clear_log();
        written
    }

    fn copies(&self) -> Vec<ConfigMap> {
        self.api.list_as()
    }
}

#[tokio::test]
async fn what_is_in_force_is_kept_once_and_again_changes_nothing() {
    let world = World::new();
    assert_eq!(world.read().await, None);
    world.keep(b"first").await.unwrap();
    assert_eq!(world.written(), [Verb::Create]);
    assert_eq!(world.read().await.unwrap(), b"first");
    world.keep(b"first").await.unwrap();
    assert_eq!(world.written(), []);

    let copy = &world.copies()[0];
    assert_eq!(copy.metadata.namespace.as_deref(), Some(NAMESPACE));
    assert_eq!(copy.immutable, Some(true));
    let owner = &copy.metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!(
        (owner.kind.as_str(), owner.name.as_str()),
        ("MCPPlugin", "rule")
    );
    assert_eq!(Some(&owner.uid), world.plugin.metadata.uid.as_ref());
    assert_eq!(
        owner.block_owner_deletion, None,
        "it needs no more permissions"
    );
}

#[tokio::test]
async fn the_new_one_is_kept_before_the_old_one_goes_and_again_changes_nothing() {
    let world = World::new();
    world.keep(b"first").await.unwrap();
    world.written();
    world.keep(b"second").await.unwrap();
    assert_eq!(world.written(), [Verb::Create, Verb::Delete]);
    assert_eq!(world.read().await.unwrap(), b"second");
    assert_eq!(world.copies().len(), 1);
    world.keep(b"second").await.unwrap();
    assert_eq!(world.written(), []);
}

#[tokio::test]
async fn a_new_one_that_cannot_be_kept_leaves_the_old_one() {
    let world = World::new();
    world.keep(b"first").await.unwrap();
    let refusal = Failure::forbidden("no");
    world
        .api
        .fail(Match::verb(Verb::Create), refusal, Times::Once);
    assert!(world.keep(b"second").await.is_err());
    assert_eq!(world.read().await.unwrap(), b"first");
}

/// While both are there, the status says which one was in force.
#[tokio::test]
async fn of_two_the_one_in_force_is_read() {
    let mut world = World::new();
    let refusal = Failure::forbidden("no");
    world
        .api
        .fail(Match::verb(Verb::Delete), refusal, Times::Always);
    world.keep(b"first").await.unwrap();
    assert!(world.keep(b"second").await.is_err());
    assert_eq!(world.copies().len(), 2);
    for component in ["first", "second"] {
        let digest = shown_digest(Digest::of(component.as_bytes()));
        world.plugin.status = serde_json::from_value(json!({ "digest": digest })).unwrap();
        assert_eq!(world.read().await.unwrap(), component.as_bytes());
    }
}

#[tokio::test]
async fn a_copy_that_is_not_what_it_was_is_not_used_and_made_anew() {
    let world = World::new();
    world.keep(b"first").await.unwrap();
    let name = world.copies()[0].name_any();
    world.api.edit("ConfigMap", NAMESPACE, &name, |copy| {
        copy["binaryData"][KEY] = json!(ByteString(b"forged".to_vec()));
    });
    world.written();
    assert_eq!(world.read().await, None);
    world.keep(b"first").await.unwrap();
    assert_eq!(world.written(), [Verb::Delete, Verb::Create]);
    assert_eq!(world.read().await.unwrap(), b"first");
}

#[tokio::test]
async fn the_copy_of_a_deleted_plugin_is_not_for_its_namesake() {
    let mut world = World::new();
    world.keep(b"first").await.unwrap();
    world.plugin.metadata.uid = Some("another".into());
    assert_eq!(world.read().await, None);
    world.api.delete("MCPPlugin", "", "rule");
    world.api.collect_garbage();
    assert_eq!(world.copies().len(), 0);
}

/// A ConfigMap holds 1 MiB.
#[tokio::test]
async fn a_large_component_is_kept_in_parts_all_of_which_are_needed() {
    let world = World::new();
    let large: Vec<u8> = (0..251).cycle().take(PART * 2 + 7).collect();
    world.keep(&large).await.unwrap();
    assert_eq!(world.written(), [Verb::Create; 3]);
    assert_eq!(world.read().await.unwrap(), large);
    world.keep(&large).await.unwrap();
    assert_eq!(world.written(), []);

    // One of its parts is gone: then there is no copy, until it is made again.
    let lost = world.copies().pop().unwrap().name_any();
    world.api.delete("ConfigMap", NAMESPACE, &lost);
    world.written();
    assert_eq!(world.read().await, None);
    world.keep(&large).await.unwrap();
    assert_eq!(world.written(), [Verb::Create]);
    assert_eq!(world.read().await.unwrap(), large);
    world.keep(b"small").await.unwrap();
    assert_eq!(world.copies().len(), 1);
    assert_eq!(world.read().await.unwrap(), b"small");
}

/// Whether a copy may be used after a restart depends on who has signed it.
#[tokio::test]
async fn what_is_known_of_a_component_is_kept_with_it_and_anew_when_it_changes() {
    let mut world = World::new();
    world.keep(b"first").await.unwrap();
    world.written();
    world.provenance = Provenance {
        resolved_reference: Some("ghcr.io/acme/rule@sha256:00".into()),
        signed_by: vec!["sha256:01".into(), "sha256:02".into()],
    };
    world.keep(b"first").await.unwrap();
    assert_eq!(world.written(), [Verb::Create, Verb::Delete]);
    let copy = world.store.read(&world.plugin).await.unwrap().unwrap();
    assert_eq!(copy.component, b"first");
    assert_eq!(copy.provenance, world.provenance);
}
