//! To this version and back, while people go on working.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};

use anyhow::{Context, Result, ensure};
use mcp_cluster::Kubectl;
use mcp_e2e::{Operator, OwnCluster, eventually, point_conversion};
use serde_json::{Value, json};

use super::support::{
    ALPHA, BETA, DEFINITION, alpha, apply_definitions, beta, get, program, says, serve, served,
};
use crate::world::{RECOVERY, World};

/// Somebody who applies and reads servers of their own, one after the other.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    fn start(kubectl: &Kubectl, kind: &'static str, server: fn(&str) -> Value) -> Self {
        let load = Self {
            stop: Arc::default(),
            done: Arc::default(),
            failures: Arc::default(),
            thread: None,
        };
        let (kubectl, stop) = (kubectl.clone(), load.stop.clone());
        let (done, failures) = (load.done.clone(), load.failures.clone());
        let thread = spawn(move || {
            let version = kind.split('.').nth(1).unwrap_or_default();
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) {
                let name = format!("load-{version}-{}", round % 5);
                if let Err(error) = work(&kubectl, kind, &name, server(&name), round) {
                    failures.lock().unwrap().push(format!("{error:#}"));
                }
                done.fetch_add(1, Ordering::Relaxed);
                round += 1;
            }
        });
        Self {
            thread: Some(thread),
            ..load
        }
    }

    /// Waits until so much more was done.
    fn goes_on(&self, rounds: usize) -> Result<()> {
        let wanted = self.done.load(Ordering::Relaxed) + rounds;
        eventually("somebody goes on", RECOVERY, || {
            ensure!(self.done.load(Ordering::Relaxed) >= wanted);
            Ok(())
        })
    }

    /// Ends it; nothing may have failed.
    fn end(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            ensure!(thread.join().is_ok(), "it panicked");
        }
        let failures = self.failures.lock().unwrap();
        ensure!(failures.is_empty(), "{failures:#?}");
        Ok(())
    }
}

/// `kubectl apply`, label, read.
fn work(kubectl: &Kubectl, kind: &str, name: &str, mut server: Value, round: usize) -> Result<()> {
    server["spec"]["config"]["round"] = json!(round);
    kubectl.apply(&server.to_string())?;
    let namespace = format!("--namespace={}", OwnCluster::NAMESPACE);
    let label = format!("round=r{round}");
    kubectl.run(&["label", kind, name, &namespace, "--overwrite", &label])?;
    let found = kubectl.json(&["get", kind, name, &namespace])?;
    ensure!(found["spec"]["config"]["round"] == round, "{found}");
    says(&found["spec"], &server["spec"])
}

/// The definition as it was before there was a second version.
fn before(world: &World) -> Result<Value> {
    let text = program(world, &["crd", "mcpservers"])?;
    let mut definition: Value = serde_json::from_str(&world.kubectl().pipe(
        &[
            "create",
            "--dry-run=client",
            "--output=json",
            "--filename=-",
        ],
        &text,
    )?)?;
    let versions = definition["spec"]["versions"].as_array_mut();
    versions.context("no versions")?.truncate(1);
    Ok(definition)
}

#[test]
#[ignore = "takes minutes; cargo xtask test --only long"]
fn to_two_versions_and_back_to_one_nobody_loses_anything() -> Result<()> {
    let world = World::start("versions-rollback")?;
    let before = before(&world)?;
    world.kubectl().apply(&before.to_string())?;
    let operator = Operator::start(&world.own.environment, "versions-rollback")?;
    let old = Load::start(world.kubectl(), ALPHA, alpha);
    old.goes_on(5)?;

    // Forward.
    apply_definitions(&world)?;
    point_conversion(world.kubectl(), &operator.webhook_address())?;
    old.goes_on(5)?;
    serve(&world, "v1beta1")?;
    let new = Load::start(world.kubectl(), BETA, beta);
    old.goes_on(10)?;
    new.goes_on(10)?;
    // The definitions again, by somebody who knows that it is served.
    program(&world, &["crd", "--apply"])?;
    new.goes_on(3)?;

    // And back.
    new.end()?;
    serve(&world, "v1alpha1")?;
    old.goes_on(3)?;
    let migrate = || program(&world, &["migrate-storage"]);
    let said = migrate()?;
    ensure!(
        said.contains("all is v1alpha1, 5 objects written"),
        "{said}"
    );
    let said = migrate()?;
    ensure!(
        said.contains("all is v1alpha1, 0 objects written"),
        "{said}"
    );
    world.kubectl().apply(&before.to_string())?;
    served(&world, "v1alpha1")?;
    old.goes_on(10)?;
    old.end()?;
    drop(operator);
    let _operator = Operator::start(&world.own.environment, "versions-rolled-back")?;
    let name = "load-v1beta1-1";
    let found = get(&world, ALPHA, name)?;
    says(
        &found["spec"]["observability"],
        &alpha(name)["spec"]["observability"],
    )?;
    // Whoever applied it as v1beta1 applies it as v1alpha1 now, and still manages what it managed.
    let mut changed = alpha(name);
    changed["spec"]["port"] = json!(9000);
    let secrets = changed["spec"].as_object_mut().context("no spec")?;
    secrets.remove("secrets");
    world.kubectl().apply(&changed.to_string())?;
    eventually("the operator says so", RECOVERY, || {
        let found = get(&world, ALPHA, name)?;
        let generation = &found["metadata"]["generation"];
        ensure!(
            found["status"]["observedGeneration"] == *generation,
            "{found}"
        );
        Ok(())
    })?;
    assert_eq!(get(&world, ALPHA, name)?["spec"].get("secrets"), None);
    let definition = world.kubectl().json(&["get", "crd", DEFINITION])?;
    assert_eq!(definition["status"]["storedVersions"], json!(["v1alpha1"]));
    Ok(())
}

/// Somebody who goes back at once: nothing can be applied to what was written as v1beta1, and there is a way out.
#[test]
fn who_goes_back_without_a_migration_finds_a_way_out() -> Result<()> {
    let world = World::start("versions-rollback-at-once")?;
    let before = before(&world)?;
    let _operator = Operator::start(&world.own.environment, "versions-rollback-at-once")?;
    serve(&world, "v1beta1")?;
    world.kubectl().apply(&beta("a").to_string())?;
    serve(&world, "v1alpha1")?;
    world.kubectl().apply(&before.to_string())?;
    let mut changed = alpha("a");
    changed["spec"]["port"] = json!(9000);
    let mut refused = String::new();
    eventually("nothing is applied", RECOVERY, || {
        let applied = world.kubectl().apply(&changed.to_string());
        refused = format!("{:#}", applied.err().context("it is applied")?);
        Ok(())
    })?;
    ensure!(refused.contains("invalid group/version"), "{refused}");
    let said = program(&world, &["migrate-storage"])?;
    ensure!(
        said.contains("all is v1alpha1, 1 objects written"),
        "{said}"
    );
    world.kubectl().apply(&changed.to_string())?;
    eventually("the operator says so", RECOVERY, || {
        let found = get(&world, ALPHA, "a")?;
        let generation = &found["metadata"]["generation"];
        ensure!(
            found["spec"]["port"] == 9000 && found["status"]["observedGeneration"] == *generation,
            "{found}"
        );
        Ok(())
    })
}

/// As it will be where another version is stored: there, and back to the release that stores this one.
#[test]
fn what_was_stored_in_the_other_version_is_stored_in_this_one_again() -> Result<()> {
    let world = World::start("versions-migration")?;
    let before = before(&world)?;
    let _operator = Operator::start(&world.own.environment, "versions-migration")?;
    serve(&world, "v1beta1")?;
    world.kubectl().apply(&alpha("a").to_string())?;
    store(&world, "v1beta1")?;
    // The operator goes on by what it converts itself.
    world.kubectl().apply(&beta("b").to_string())?;
    let is_seen = |name: &str| {
        eventually("the operator says so", RECOVERY, || {
            let status = get(&world, ALPHA, name)?["status"].clone();
            ensure!(status["observedGeneration"] == 1, "{status}");
            Ok(())
        })
    };
    is_seen("b")?;
    store(&world, "v1alpha1")?;
    assert_eq!(stored(&world)?, json!(["v1alpha1", "v1beta1"]));
    // As long as something is stored so, the version cannot go.
    let refused = world.kubectl().apply(&before.to_string());
    let refused = refused.err().context("the version is forgotten")?;
    ensure!(
        format!("{refused:#}").contains("storedVersions"),
        "{refused:#}"
    );

    serve(&world, "v1alpha1")?;
    let said = program(&world, &["migrate-storage"])?;
    let wanted = "all is v1alpha1, where it was v1alpha1 and v1beta1; 2 objects written";
    ensure!(said.contains(wanted), "{said}");
    assert_eq!(stored(&world)?, json!(["v1alpha1"]));
    world.kubectl().apply(&before.to_string())?;
    for name in ["a", "b"] {
        says(&get(&world, ALPHA, name)?["spec"], &alpha(name)["spec"])?;
        is_seen(name)?;
    }
    let said = program(&world, &["migrate-storage"])?;
    ensure!(
        said.contains("all is v1alpha1, 0 objects written"),
        "{said}"
    );
    Ok(())
}

fn stored(world: &World) -> Result<Value> {
    let definition = world.kubectl().json(&["get", "crd", DEFINITION])?;
    Ok(definition["status"]["storedVersions"].clone())
}

/// Has this version stored, and waits until the API server does so.
fn store(world: &World, version: &str) -> Result<()> {
    let patch = json!([
        { "op": "replace", "path": "/spec/versions/0/storage", "value": version == "v1alpha1" },
        { "op": "replace", "path": "/spec/versions/1/storage", "value": version == "v1beta1" },
    ]);
    let patch = format!("--patch={patch}");
    let kubectl = world.kubectl();
    kubectl.run(&["patch", "crd", DEFINITION, "--type=json", &patch])?;
    eventually("it is stored", RECOVERY, || {
        let stored = stored(world)?;
        let versions = stored.as_array().into_iter().flatten();
        ensure!(versions.into_iter().any(|it| *it == version), "{stored}");
        Ok(())
    })
}
