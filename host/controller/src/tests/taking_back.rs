//! Objects of ours that have lost their owner: by a deletion that orphans, a backup that was restored, a person.

use super::*;

/// What somebody else does to an object.
type Change<'a> = &'a dyn Fn(&mut Value);

/// Takes the server away and leaves its objects without an owner, as `kubectl delete --cascade=orphan` does.
fn orphan(world: &World) {
    world.api.delete("MCPServer", NAMESPACE, NAME);
    for kind in ManagedKind::iter() {
        for object in world.api.objects_of(kind.name()) {
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            world.api.edit(kind.name(), NAMESPACE, &name, |object| {
                object["metadata"]
                    .as_object_mut()
                    .unwrap()
                    .remove("ownerReferences");
            });
        }
    }
}

/// Takes everything away and makes the objects anew as a backup has them: `change` is what the backup tool does to each.
fn restore(world: &World, change: impl Fn(&mut Value)) {
    let objects: Vec<Value> = ManagedKind::iter()
        .flat_map(|kind| world.api.objects_of(kind.name()))
        .collect();
    world.api.delete("MCPServer", NAMESPACE, NAME);
    world.api.collect_garbage();
    for mut object in objects {
        let metadata = object["metadata"].as_object_mut().unwrap();
        for lost in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "managedFields",
            "generation",
        ] {
            metadata.remove(lost);
        }
        change(&mut object);
        world.api.put(object);
    }
}

fn without_owner(object: &mut Value) {
    object["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("ownerReferences");
}

/// The uid and the pod template of the Deployment: whether its pods are others.
fn pods(world: &World) -> (Value, Value) {
    let deployment = world.api.get("Deployment", NAMESPACE, CHILD).unwrap();
    (
        deployment["metadata"]["uid"].clone(),
        deployment["spec"]["template"].clone(),
    )
}

fn uids(world: &World) -> Vec<Value> {
    let objects = ManagedKind::iter().flat_map(|kind| world.api.objects_of(kind.name()));
    objects
        .map(|object| object["metadata"]["uid"].clone())
        .collect()
}

/// Every object has the present server as its only owner, and nobody but the operator holds its fields.
fn assert_taken_back(world: &World) {
    let server = world.api.get("MCPServer", NAMESPACE, NAME).unwrap();
    for kind in ManagedKind::iter() {
        let objects = world.api.objects_of(kind.name());
        assert!(!objects.is_empty(), "{kind:?}");
        for object in objects {
            let owners = object["metadata"]["ownerReferences"].as_array().unwrap();
            assert_eq!(owners.len(), 1, "{object}");
            assert_eq!(owners[0]["uid"], server["metadata"]["uid"], "{object}");
            assert_eq!(owners[0]["controller"], true);
        }
    }
}

/// Reconciles a server that is new until nothing is left to do. Its Deployment is there already.
async fn settle(world: &World) {
    world.roll_out();
    let progress = world.reconcile().await.unwrap();
    assert!(matches!(progress, Progress::Applied(_)), "{progress:?}");
    world.roll_out();
    world.reconcile().await.unwrap();
}

fn with_secret(world: &World) {
    let mut secret =
        mcp_testkit::objects::secret(NAMESPACE, "mcp-weather-secrets", json!({ "token": "AAAA" }));
    secret["metadata"]["labels"] = json!({ "mcp.litellm.ai/server": NAME });
    world.api.put(secret);
}

#[tokio::test(start_paused = true)]
async fn objects_whose_owner_is_gone_are_taken_back_without_a_new_pod() {
    let world = World::new().await;
    with_secret(&world);
    world.put_server(everything());
    world.converge().await;
    let (before, all) = (pods(&world), uids(&world));
    orphan(&world);
    world.put_server(everything());
    settle(&world).await;
    assert_taken_back(&world);
    assert_eq!(pods(&world), before);
    assert_eq!(uids(&world), all);
    let told = world.note("TakenBack");
    assert!(told.contains("Deployment mcp-weather"), "{told}");
    world.api.clear_log();
    world.compare_again();
    world.reconcile().await.unwrap();
    assert_eq!(world.written(), [""; 0], "and again changes nothing");
}

#[tokio::test(start_paused = true)]
async fn objects_of_a_backup_are_taken_back_without_a_new_pod() {
    let keep_dead_owner = |_: &mut Value| ();
    let with_label = |object: &mut Value| {
        without_owner(object);
        object["metadata"]["labels"]["velero.io/restore-name"] = json!("r1");
    };
    let with_another_owner = |object: &mut Value| {
        object["metadata"]["ownerReferences"] = json!([
            { "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "name": NAME, "uid": "lost" },
        ]);
    };
    let ways: [Change; 4] = [
        &without_owner,
        &keep_dead_owner,
        &with_label,
        &with_another_owner,
    ];
    for way in ways {
        let world = World::new().await;
        with_secret(&world);
        world.put_server(everything());
        world.converge().await;
        restore(&world, way);
        let (before, all) = (pods(&world), uids(&world));
        world.put_server(everything());
        settle(&world).await;
        assert_taken_back(&world);
        assert_eq!(pods(&world), before);
        assert_eq!(uids(&world), all);
        // What the backup tool has written is ours alone: it goes when it is no longer wanted.
        world.edit_spec(|spec| spec["secrets"] = json!([]));
        world.reconcile().await.unwrap();
        let (_, template) = pods(&world);
        assert!(!template.to_string().contains("TOKEN"), "{template}");
    }
}

/// The owner reference alone was taken away, while the server and its operator are there.
#[tokio::test(start_paused = true)]
async fn an_owner_reference_that_somebody_takes_away_comes_back() {
    for kind in ManagedKind::iter() {
        let world = World::with_server(everything()).await;
        let (namespace, name) = place(kind);
        world.api.edit(kind.name(), namespace, name, without_owner);
        world.reconcile().await.unwrap();
        assert_taken_back(&world);
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_server_had_and_this_one_does_not_want_goes() {
    let mut spec = everything();
    spec["secrets"] = json!([
        { "name": "token", "awsSecretKey": "mcp/token" },
        { "name": "extra", "awsSecretKey": "mcp/extra", "optional": true },
    ]);
    let world = World::with_server(spec).await;
    orphan(&world);
    world.put_server(little());
    settle(&world).await;
    assert_eq!(
        world.kinds(),
        [
            ManagedKind::ServiceAccount,
            ManagedKind::Service,
            ManagedKind::Deployment
        ]
    );
}

/// What makes an object ours are all marks together: the labels of this server, its name, and no owner that lives.
#[tokio::test(start_paused = true)]
async fn what_is_not_ours_is_not_taken() {
    let server = |name: &str, uid: &str| json!([{ "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "name": name, "uid": uid, "controller": true }]);
    let changes: [(&str, Change); 6] = [
        ("without labels", &|metadata| metadata["labels"] = json!({})),
        ("of another server", &|metadata| {
            metadata["labels"]["mcp.litellm.ai/server"] = json!("other");
        }),
        ("with a name of its own", &|metadata| {
            metadata["labels"]["app.kubernetes.io/name"] = json!("theirs");
        }),
        ("another server has it", &|metadata| {
            metadata["ownerReferences"] = server("other", "2");
        }),
        ("another kind has it", &|metadata| {
            metadata["ownerReferences"] = server(NAME, "3");
            metadata["ownerReferences"][0]["kind"] = json!("Another");
        }),
        ("another project has it", &|metadata| {
            metadata["ownerReferences"] = server(NAME, "4");
            metadata["ownerReferences"][0]["apiVersion"] = json!("toolhive.stacklok.dev/v1");
        }),
    ];
    for (what, change) in changes {
        let world = World::with_server(little()).await;
        let theirs = world.api.edit("Service", NAMESPACE, CHILD, |object| {
            object["metadata"]
                .as_object_mut()
                .unwrap()
                .remove("ownerReferences");
            change(&mut object["metadata"]);
        });
        let error = world.reconcile().await.unwrap_err();
        let error = error.to_string();
        assert!(error.contains("is not managed by"), "{what}: {error}");
        assert_eq!(world.api.get("Service", NAMESPACE, CHILD), theirs, "{what}");
    }
}

/// The informer is late: what is there is the successor's.
#[tokio::test(start_paused = true)]
async fn nothing_is_taken_from_a_successor_that_the_informer_does_not_show() {
    let world = World::with_server(everything()).await;
    let stale = world.server().await;
    orphan(&world);
    world.put_server(everything());
    settle(&world).await;
    let taken: Vec<Value> = world.api.objects_of("Deployment");
    world.compare_again();
    let result = world.attempt_with(&stale, false).await;
    assert!(matches!(result, Ok(Progress::OwnerDeleted)), "{result:?}");
    assert_eq!(world.api.objects_of("Deployment"), taken);
}

/// The garbage collector is at it: what is being deleted is waited for.
#[tokio::test(start_paused = true)]
async fn what_is_being_deleted_is_not_taken() {
    let world = World::with_server(everything()).await;
    world
        .begin_deletion::<k8s_openapi::api::core::v1::Service>(CHILD)
        .await;
    orphan(&world);
    let before = world.api.get("Service", NAMESPACE, CHILD);
    world.put_server(everything());
    let error = world.reconcile().await.unwrap_err();
    assert!(
        error.to_string().contains("Service tools/mcp-weather"),
        "{error}"
    );
    assert_eq!(world.api.get("Service", NAMESPACE, CHILD), before);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_back_is_told_and_keeps_no_other_from_it() {
    let world = World::with_server(everything()).await;
    orphan(&world);
    world.put_server(everything());
    let patches = Match::verb(Verb::Patch).kind("Service");
    world.api.deny(patches, "you may not");
    let error = world.reconcile().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "take back Service tools/mcp-weather: you may not"
    );
    let deployment = world.api.get("Deployment", NAMESPACE, CHILD).unwrap();
    assert!(deployment["metadata"]["ownerReferences"].is_array());
}
