//! A gateway that is overloaded, refuses, hangs and forgets: the operator against a stand-in for LiteLLM.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mcp_e2e::{Operator, eventually, holds_for};
use serde_json::{Value, json};

use crate::litellm::{Asked, Fault, LiteLlm};
use crate::world::{ATTENTIVE, NAMESPACE, SOON, World, condition};

/// Requests that the operator sends at the same time.
const AT_ONCE: usize = 8;
/// What LiteLLM asks for: time enough for all servers to be there before it is over.
const PAUSE: Duration = Duration::from_secs(40);
/// Long before the operator looks at LiteLLM without any reason.
const AT_ONCE_TIME: Duration = Duration::from_secs(50);

/// A control plane where MCPServers are registered with the stand-in, and no operator yet.
fn start(name: &str) -> Result<(World, LiteLlm)> {
    let world = World::start(name)?;
    let litellm = LiteLlm::start()?;
    give_key(&world, "first")?;
    world.apply_plugin("api", &registrar(&litellm, 10))?;
    world
        .kubectl()
        .run(&["delete", "mcpplugin", "litellm-configmap"])?;
    Ok((world, litellm))
}

fn registrar(litellm: &LiteLlm, priority: i32) -> Value {
    json!({
        "source": { "builtin": "litellm-admin-api" }, "priority": priority,
        "connections": [{
            "name": "litellm", "baseUrl": litellm.url(), "timeoutMilliseconds": 3000,
            "auth": { "secretKeyRef": { "namespace": "litellm", "name": "key", "key": "token" } },
        }],
    })
}

fn give_key(world: &World, key: &str) -> Result<()> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "key", "namespace": "litellm" },
        "stringData": { "token": key },
    });
    world.kubectl().apply(&secret.to_string()).map(drop)
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("s-{number:02}")).collect()
}

/// Waits until LiteLLM knows exactly these.
fn knows(litellm: &LiteLlm, wanted: &[String], time: Duration) -> Result<()> {
    let wanted: BTreeSet<&String> = wanted.iter().collect();
    eventually("LiteLLM knows them", time, || {
        let known = litellm.known();
        ensure!(known.iter().collect::<BTreeSet<_>>() == wanted, "{known:?}");
        Ok(())
    })
}

/// Waits until a server says this about its registration.
pub(crate) fn says(world: &World, server: &str, status: &str, reason: &str) -> Result<String> {
    eventually(&format!("{server} is {reason}"), SOON, || {
        let found =
            world
                .kubectl()
                .json(&["get", "mcpserver", server, "--namespace", NAMESPACE])?;
        let found = condition(&found, "LiteLLMRegistered");
        ensure!(
            found["status"] == status && found["reason"] == reason,
            "{found}"
        );
        Ok(found["message"].as_str().unwrap_or_default().to_owned())
    })
}

fn sent_after(litellm: &LiteLlm, since: Instant) -> Vec<Asked> {
    let asked = litellm.asked().into_iter();
    asked.filter(|asked| asked.at > since).collect()
}

#[test]
fn who_asks_to_be_left_alone_is_left_alone_and_keeps_no_swap_waiting() -> Result<()> {
    let (world, litellm) = start("gateway-busy")?;
    let _operator = Operator::start(&world.own.environment, "gateway-busy")?;
    world.registrar_is("api", "True", "InForce")?;
    let (tell, told) = std::sync::mpsc::channel();
    let mut posts = 0;
    litellm.fail(move |asked| {
        posts += usize::from(asked.method == "POST");
        let refuse = asked.method == "POST" && posts == 4;
        if refuse {
            // The test may be over.
            let _ = tell.send(asked.at);
        }
        refuse.then_some(Fault::Later(PAUSE.as_secs()))
    });
    let all = names(40);
    world.apply_servers(&all)?;
    let refused = told.recv_timeout(SOON)?;
    let message = says(&world, "s-39", "Unknown", "LiteLLMUnavailable")?;
    ensure!(message.contains("left alone"), "{message}");
    knows(&litellm, &all, SOON)?;
    let after = sent_after(&litellm, refused);
    let early = after
        .iter()
        .filter(|asked| asked.at + Duration::from_millis(100) < refused + PAUSE);
    // Those that were on their way with it, and those that took the places of answered ones before its answer was read.
    ensure!(
        early.clone().count() < 2 * AT_ONCE,
        "{:?}",
        early.collect::<Vec<_>>()
    );
    for name in &all {
        world.registered(name, "Registered")?;
    }

    // Left alone for minutes; another registrar takes over all the same.
    litellm.fail(|_| Some(Fault::Later(600)));
    world.apply_servers(&["late".to_owned()])?;
    says(&world, "late", "Unknown", "LiteLLMUnavailable")?;
    let since = Instant::now();
    let file = json!({ "source": { "builtin": "litellm-configmap" }, "priority": 1 });
    world.apply_plugin("litellm-configmap", &file)?;
    world.registrar_is("litellm-configmap", "True", "InForce")?;
    world.registered("late", "Registered")?;
    let asked = sent_after(&litellm, since);
    ensure!(asked.is_empty(), "{asked:?}");
    Ok(())
}

#[test]
fn one_server_that_fails_delays_no_other() -> Result<()> {
    let (world, litellm) = start("gateway-poison")?;
    let _operator = Operator::start(&world.own.environment, "gateway-poison")?;
    world.apply_servers(&["old".to_owned()])?;
    world.registered("old", "Registered")?;
    litellm.fail(
        |asked| match (asked.method.as_str(), asked.server.as_str()) {
            ("DELETE", "old") | ("POST", "a-broken") => Some(Fault::Status(500)),
            ("POST", "a-refused") => Some(Fault::Status(422)),
            ("POST", "a-silent") => Some(Fault::Silence),
            _ => None,
        },
    );
    let remove = ["delete", "mcpserver", "old", "--namespace", NAMESPACE];
    world.kubectl().run(&remove)?;
    eventually("it is being removed", SOON, || {
        let asked = litellm.asked();
        ensure!(asked.iter().any(|asked| asked.is("DELETE", "old")));
        Ok(())
    })?;
    let poisoned = ["a-broken", "a-refused", "a-silent"].map(str::to_owned);
    let good = names(30);
    world.apply_servers(&[&poisoned[..], &good[..]].concat())?;
    for name in &good {
        world.registered(name, "Registered")?;
    }
    for (name, reason) in poisoned
        .iter()
        .zip(["GatewayError", "RequestRefused", "Timeout"])
    {
        says(&world, name, "Unknown", reason)?;
    }
    // One more, while nothing gets better.
    world.apply_servers(&["late".to_owned()])?;
    world.registered("late", "Registered")?;

    litellm.recover();
    let all = [&poisoned[..], &good[..], &["late".to_owned()]].concat();
    knows(&litellm, &all, SOON)?;
    for name in &poisoned {
        world.registered(name, "Registered")?;
    }
    Ok(())
}

#[test]
fn a_key_that_is_refused_stops_a_wave_and_a_new_one_goes_on() -> Result<()> {
    let (world, litellm) = start("gateway-key")?;
    let _operator = Operator::start(&world.own.environment, "gateway-key")?;
    world.registrar_is("api", "True", "InForce")?;
    let mut posts = 0;
    litellm.fail(move |asked| {
        posts += usize::from(asked.method == "POST");
        (posts > 10 && asked.key == "first").then_some(Fault::Status(401))
    });
    let all = names(60);
    world.apply_servers(&all)?;
    let message = says(&world, "s-59", "False", "AccessDenied")?;
    ensure!(!message.contains("first"), "{message}");
    let posts = litellm.asked();
    let posts = posts.iter().filter(|asked| asked.method == "POST").count();
    ensure!(posts < 10 + 2 * AT_ONCE, "{posts}");

    give_key(&world, "second")?;
    knows(&litellm, &all, AT_ONCE_TIME)?;
    for name in &all {
        world.registered(name, "Registered")?;
    }
    Ok(())
}

#[test]
fn a_condition_says_what_litellm_knows_now() -> Result<()> {
    let (world, litellm) = start("gateway-truth")?;
    let kubeconfig = world.kubectl().kubeconfig().to_owned();
    let _operator = Operator::start_with(
        &world.own.environment,
        "gateway-truth",
        &kubeconfig,
        &ATTENTIVE,
    )?;
    let all = names(2);
    world.apply_servers(&all)?;
    for name in &all {
        world.registered(name, "Registered")?;
    }

    // It has forgotten them, and takes none.
    litellm.fail(|asked| (asked.method == "POST").then_some(Fault::Status(500)));
    litellm.lose_everything();
    for name in &all {
        says(&world, name, "Unknown", "GatewayError")?;
    }
    litellm.recover();
    knows(&litellm, &all, SOON)?;
    for name in &all {
        world.registered(name, "Registered")?;
    }

    // Opted out, and LiteLLM still has it.
    litellm.fail(|asked| (asked.method == "DELETE").then_some(Fault::Status(500)));
    let out = json!({ "spec": { "litellm": { "autoRegister": false } } }).to_string();
    let patch = [
        "patch",
        "mcpserver",
        "s-00",
        "--namespace",
        NAMESPACE,
        "--type=merge",
        "--patch",
        &out,
    ];
    world.kubectl().run(&patch)?;
    says(&world, "s-00", "Unknown", "Deregistering")?;
    holds_for("it is not gone", Duration::from_secs(5), || {
        says(&world, "s-00", "Unknown", "Deregistering").map(drop)
    })?;
    ensure!(litellm.known() == all);
    litellm.recover();
    says(&world, "s-00", "False", "NotRegistered")?;
    ensure!(litellm.known() == all[1..]);
    // A pass later, too.
    sleep(Duration::from_secs(2));
    says(&world, "s-00", "False", "NotRegistered").map(drop)
}
