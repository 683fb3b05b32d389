use mcp_operator_api::v1alpha1::McpServer;

use super::*;
use crate::build;
use crate::validated_server::ValidatedServer;

/// The objects of a server; its image says which specification it is.
fn objects(tag: &str) -> Objects<Mutated> {
    let server: McpServer = serde_json::from_value(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": "github", "namespace": "litellm", "uid": "8f2b" },
        "spec": { "image": { "repository": "acme/mcp-github", "tag": tag }, "networkPolicy": { "enabled": true }, "observability": { "metrics": { "enabled": true } } },
    }))
    .unwrap();
    let built = build::objects(
        &ValidatedServer::parse(&server).unwrap(),
        &build::Settings::default(),
    )
    .unwrap();
    let values = built.values().cloned().collect();
    built.mutated(values).unwrap()
}

/// A Deployment as a person writes it, and has offered it.
fn by_hand() -> Value {
    json!({
        "metadata": { "name": "mcp-github", "annotations": { ADOPT: "github" } },
        "spec": {
            "replicas": 2, "selector": { "matchLabels": { "app": "mcp-github" } },
            "template": {
                "metadata": { "creationTimestamp": null, "labels": { "app": "mcp-github" } },
                "spec": { "containers": [{ "name": "mcp-github", "image": "acme/mcp-github:1.0.0", "ports": [{ "containerPort": 8080 }] }] },
            },
        },
    })
}

fn of(objects: &mut Objects<Mutated>, kind: ManagedKind) -> Value {
    objects.of_kind_mut(kind).next().unwrap().object.clone()
}

/// The Deployment with what was applied to it.
fn applied(live: &Value, objects: &mut Objects<Mutated>) -> Value {
    let wanted = of(objects, ManagedKind::Deployment);
    let mut live = live.clone();
    live["spec"]["template"] = wanted["spec"]["template"].clone();
    let annotations = live["metadata"]["annotations"].as_object_mut().unwrap();
    annotations.remove(ADOPTED_TEMPLATE);
    if let Some(state) = wanted["metadata"]["annotations"].get(ADOPTED_TEMPLATE) {
        annotations.insert(ADOPTED_TEMPLATE.into(), state.clone());
    }
    live
}

fn complete(live: &mut Value) {
    live["status"] =
        json!({ "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2 });
}

#[test]
fn an_adopted_template_stays_until_another_one_is_wanted_than_at_its_adoption() {
    let live = by_hand();
    let mut first = objects("1.0.0");
    let adoption = keep(&mut first, &live, "github");
    let Some(Adoption::Kept(differences)) = adoption else {
        panic!("{adoption:?}");
    };
    assert!(
        differences.contains(&"spec.containers[mcp-github].name".to_owned()),
        "{differences:?}"
    );
    let deployment = of(&mut first, ManagedKind::Deployment);
    assert_eq!(
        deployment["spec"]["template"]["spec"],
        live["spec"]["template"]["spec"]
    );
    let live = applied(&live, &mut first);
    let mut again = objects("1.0.0");
    assert!(matches!(
        keep(&mut again, &live, "github"),
        Some(Adoption::Kept(_))
    ));
    assert_eq!(again, first, "and again changes nothing");

    let mut next = objects("1.0.1");
    assert_eq!(keep(&mut next, &live, "github"), Some(Adoption::Replacing));
    let template = &of(&mut next, ManagedKind::Deployment)["spec"]["template"];
    assert_eq!(
        template["spec"]["containers"][0]["image"],
        "acme/mcp-github:1.0.1"
    );
    let mut live = applied(&live, &mut next);
    assert_eq!(
        keep(&mut objects("1.0.1"), &live, "github"),
        Some(Adoption::Replacing)
    );
    complete(&mut live);
    let mut done = objects("1.0.1");
    assert_eq!(keep(&mut done, &live, "github"), None);
    let live = applied(&live, &mut done);
    assert_eq!(live["metadata"]["annotations"][ADOPTED_TEMPLATE], REPLACED);
    assert_eq!(
        keep(&mut objects("1.0.2"), &live, "github"),
        None,
        "what is adopted is adopted once"
    );
}

#[test]
fn who_takes_the_annotation_away_has_the_pods_replaced() {
    let live = by_hand();
    let mut first = objects("1.0.0");
    keep(&mut first, &live, "github");
    let mut live = applied(&live, &mut first);
    live["metadata"]["annotations"]
        .as_object_mut()
        .unwrap()
        .remove(ADOPT);
    let mut next = objects("1.0.0");
    assert_eq!(keep(&mut next, &live, "github"), Some(Adoption::Replacing));
    let mut live = applied(&live, &mut next);
    complete(&mut live);
    let mut done = objects("1.0.0");
    assert_eq!(keep(&mut done, &live, "github"), None);
    let live = applied(&live, &mut done);
    assert_eq!(live["metadata"]["annotations"], json!({}));
}

/// Or the rules would not hold for pods that seem to have been there before.
#[test]
fn who_changes_the_adopted_template_has_the_pods_replaced_and_a_new_secret_keeps_it() {
    let mut live = by_hand();
    let mut first = objects("1.0.0");
    keep(&mut first, &live, "github");
    live = applied(&live, &mut first);
    live["spec"]["template"]["metadata"]["annotations"] = json!({ SECRET_HASH: "a" });
    let mut rotated = objects("1.0.0");
    assert!(matches!(
        keep(&mut rotated, &live, "github"),
        Some(Adoption::Kept(_))
    ));
    live["spec"]["template"]["spec"]["hostNetwork"] = true.into();
    let mut changed = objects("1.0.0");
    assert_eq!(
        keep(&mut changed, &live, "github"),
        Some(Adoption::Replacing)
    );
    let template = of(&mut changed, ManagedKind::Deployment)["spec"]["template"].clone();
    assert!(template["spec"]["hostNetwork"].is_null(), "{template}");
}

#[test]
fn whatever_selects_pods_selects_those_that_were_adopted_too() {
    let live = by_hand();
    let theirs = json!({ "app": "mcp-github" });
    for tag in ["1.0.0", "1.0.1"] {
        let mut live = live.clone();
        if tag == "1.0.1" {
            live["metadata"]["annotations"][ADOPTED_TEMPLATE] = "other".into();
        }
        let mut objects = objects(tag);
        keep(&mut objects, &live, "github");
        let deployment = of(&mut objects, ManagedKind::Deployment);
        assert_eq!(deployment["spec"]["selector"]["matchLabels"], theirs);
        assert_eq!(
            deployment["spec"]["template"]["metadata"]["labels"]["app"],
            "mcp-github"
        );
        let service = of(&mut objects, ManagedKind::Service);
        assert_eq!(service["spec"]["selector"], theirs);
        assert_eq!(
            service["spec"]["ports"][0]["targetPort"], 8080,
            "the port has no name in those pods"
        );
        let budget = of(&mut objects, ManagedKind::PodDisruptionBudget);
        assert_eq!(budget["spec"]["selector"]["matchLabels"], theirs);
        let policy = of(&mut objects, ManagedKind::NetworkPolicy);
        assert_eq!(policy["spec"]["podSelector"]["matchLabels"], theirs);
        let monitor = of(&mut objects, ManagedKind::ServiceMonitor);
        assert_ne!(
            monitor["spec"]["selector"]["matchLabels"], theirs,
            "it selects Services"
        );
    }
}

#[test]
fn a_server_that_adopted_nothing_is_left_as_it_is() {
    let mut ours = objects("1.0.0");
    let before = ours.clone();
    let mut live = of(&mut ours, ManagedKind::Deployment);
    assert_eq!(keep(&mut ours, &live, "github"), None);
    assert_eq!(keep(&mut ours, &Value::Null, "github"), None);
    live["metadata"]["annotations"] = json!({ ADOPT: "another" });
    assert_eq!(keep(&mut ours, &live, "github"), None);
    assert_eq!(ours, before);
}
