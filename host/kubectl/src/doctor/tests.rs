//! An installation in which everything is right, and one fault after the other in it.

mod definitions;
mod doubts;
mod gateway;
mod healthy;
mod operator;
mod webhooks;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use mcp_testkit::objects::{mcp_server, namespace};
use mcp_testkit::workloads::pod_without_image;
use mcp_testkit::{ApiServer, Failure, Match, Times, Verb};
use serde_json::{Value, json};

use self::healthy::{HOME, authority, expired_authority, healthy, issued, issued_with_key, now};
use super::*;
use crate::test_cluster::{PLAIN, TestCluster, condition};

const VALIDATING: &str = "ValidatingWebhookConfiguration";
const MUTATING: &str = "MutatingWebhookConfiguration";

async fn diagnosis(cluster: &TestCluster) -> Diagnosis {
    examine(&cluster.cluster(), now()).await.unwrap()
}

#[tokio::test]
async fn nothing_is_found_where_nothing_is_wrong() {
    let cluster = healthy();
    let diagnosis = diagnosis(&cluster).await;
    assert_eq!(diagnosis.findings, []);
    assert_eq!(diagnosis.unread, [""; 0]);
    assert_eq!(diagnosis.outcome(), Outcome::Fine);
    assert_eq!(diagnosis.well.len(), CHECKS.len());
    assert!(
        cluster
            .api
            .writes()
            .iter()
            .all(|it| it.kind == "SubjectAccessReview" || it.dry_run)
    );
}

fn edit(api: &ApiServer, kind: &str, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) {
    api.edit(kind, namespace, name, change).unwrap();
}

fn each_webhook(api: &ApiServer, change: impl Fn(&mut Value)) {
    for kind in [VALIDATING, MUTATING] {
        edit(api, kind, "", "mcp-operator", |configuration| {
            configuration["webhooks"]
                .as_array_mut()
                .unwrap()
                .iter_mut()
                .for_each(&change);
        });
    }
}

fn first_webhook(api: &ApiServer, change: impl FnOnce(&mut Value)) {
    edit(api, VALIDATING, "", "mcp-operator", |configuration| {
        change(&mut configuration["webhooks"][0]);
    });
}

fn certificate(api: &ApiServer, pem: &str) {
    edit(api, "Secret", HOME, "mcp-operator-webhook", |secret| {
        secret["data"]["tls.crt"] = BASE64_STANDARD.encode(pem).into();
    });
}

fn litellm(api: &ApiServer, change: impl FnOnce(&mut Value)) {
    edit(api, "Deployment", "litellm", "litellm-proxy", change);
}

fn lease(api: &ApiServer, change: impl FnOnce(&mut Value)) {
    edit(api, "Lease", HOME, "mcp-operator-leader", |lease| {
        change(&mut lease["spec"]);
    });
}

/// What is done to an installation.
type Plant = fn(&ApiServer);
/// What is done, and what the finding says: where, and what.
type Fault = (&'static str, Plant, &'static str, &'static str);

#[tokio::test]
async fn every_planted_fault_is_found() {
    let mut unfound = Vec::new();
    let faults = [
        definitions::FAULTS,
        webhooks::FAULTS,
        operator::FAULTS,
        gateway::FAULTS,
    ];
    for (fault, plant, place, what) in faults.into_iter().flatten() {
        let cluster = healthy();
        plant(&cluster.api);
        let diagnosis = diagnosis(&cluster).await;
        let is_it = |finding: &&Finding| {
            let said = format!("{}: {}", finding.what, finding.remedy);
            finding.place.contains(place)
                && said.contains(what)
                && finding.severity == Severity::Wrong
        };
        if !diagnosis.findings.iter().any(|finding| is_it(&finding)) {
            unfound.push(format!("{fault}: {:#?}", diagnosis.findings));
        }
        assert_eq!(diagnosis.outcome(), Outcome::Wrong, "{fault}");
        let text = diagnosis.text(&PLAIN);
        assert!(text.starts_with("wrong"), "{text}");
    }
    assert!(unfound.is_empty(), "{}", unfound.join("\n"));
}

#[tokio::test]
async fn what_works_and_may_not_for_long_is_no_error() {
    for (plant, what) in doubts::DOUBTS {
        let cluster = healthy();
        plant(&cluster.api);
        let diagnosis = diagnosis(&cluster).await;
        let told: Vec<&String> = diagnosis
            .findings
            .iter()
            .map(|finding| &finding.what)
            .collect();
        assert!(told.len() == 1 && told[0].contains(what), "{told:?}");
        assert_eq!(diagnosis.outcome(), Outcome::Fine);
    }
}

#[tokio::test]
async fn other_ways_to_be_right_are_right() {
    let ways: [Plant; 6] = [
        // A volume that renames its files.
        |api| {
            litellm(api, |it| {
                it["spec"]["template"]["spec"]["volumes"][1]["configMap"]["items"] =
                    json!([{ "key": "mcp_servers.yaml", "path": "ours.yaml" }]);
            });
            edit(api, "ConfigMap", "litellm", "litellm-config", |it| {
                it["data"]["config.yaml"] = json!("include: [/etc/litellm-mcp/ours.yaml]\n");
            });
        },
        // The rules refuse what the doctor asks for.
        |api| {
            let why = "admission webhook \"rules.mcpservers.mcp.litellm.ai\" denied the request: say which team";
            api.fail(
                webhooks::creation(),
                Failure::new(422, "Invalid", why),
                Times::Always,
            );
        },
        // Permissions by namespaces.
        |api| {
            api.admit("SubjectAccessReview", |review| {
                let asked = &review["spec"]["resourceAttributes"];
                let of_tenants = ["deployments", "services", "pods", "secrets"]
                    .iter()
                    .any(|it| asked["resource"] == *it);
                if of_tenants
                    && asked["namespace"].is_null()
                    && asked["verb"] != "get"
                    && asked["verb"] != "watch"
                    && asked["verb"] != "list"
                {
                    review["status"] = json!({ "allowed": false });
                }
            });
        },
        // Files one by one, relative includes, and --config=.
        |api| {
            litellm(api, |it| {
                let container = &mut it["spec"]["template"]["spec"]["containers"][0];
                container["args"] = json!(["--config=/etc/litellm/config.yaml"]);
                container["volumeMounts"] = json!([
                    { "name": "config", "mountPath": "/etc/litellm/config.yaml", "subPath": "config.yaml" },
                    { "name": "mcp", "mountPath": "/etc/litellm/mcp.yaml", "subPath": "mcp_servers.yaml" },
                ]);
            });
            edit(api, "ConfigMap", "litellm", "litellm-config", |it| {
                it["data"]["config.yaml"] = json!("include: [mcp.yaml]\n");
            });
        },
        // A gateway whose configuration nobody can see.
        |api| {
            litellm(api, |it| {
                it["spec"]["template"]["spec"]["containers"][0]["args"] = json!([]);
            });
        },
        // An annotation names what the operator may write.
        |api| {
            edit(api, "Namespace", "", "litellm", |it| {
                it["metadata"]["annotations"] =
                    json!({ "mcp.litellm.ai/gateway": "litellm-proxy, litellm-mcp-servers" });
            });
        },
    ];
    for way in ways {
        let cluster = healthy();
        way(&cluster.api);
        assert_eq!(diagnosis(&cluster).await.findings, []);
    }
}

#[tokio::test]
async fn what_may_not_be_read_is_said_and_nothing_is_guessed() {
    let cluster = healthy();
    for kind in ["Secret", "SubjectAccessReview", "Pod", VALIDATING, "Lease"] {
        cluster
            .api
            .deny(Match::any().kind(kind), &format!("{kind} is forbidden"));
    }
    let diagnosis = diagnosis(&cluster).await;
    assert_eq!(diagnosis.findings, []);
    for kind in ["Secret", "SubjectAccessReview", "Pod", VALIDATING, "Lease"] {
        let told = diagnosis
            .unread
            .iter()
            .filter(|why| why.contains(&format!("{kind} is forbidden")));
        assert!(told.count() >= 1, "{kind}: {:?}", diagnosis.unread);
    }
    let text = diagnosis.text(&PLAIN);
    assert!(
        text.contains("not read: ")
            && text.contains("not looked at: permissions, leader and clocks"),
        "{text}"
    );
}

#[test]
fn the_clock_of_this_machine_is_compared_with_that_of_the_api_server() {
    let installation = |seconds| Installation {
        now: now(),
        api_time: Some(now() + SignedDuration::from_secs(seconds)),
        ..Installation::default()
    };
    let what = |seconds| {
        lease::check(&installation(seconds))
            .into_iter()
            .map(|it| it.what)
            .collect::<Vec<_>>()
    };
    assert_eq!(what(20), [""; 0]);
    assert!(what(-90)[0].contains("by 90 s"), "{:?}", what(-90));
}

/// Where the chart is installed elsewhere, the webhook says where.
#[tokio::test]
async fn another_namespace_of_the_operator_is_named() {
    let cluster = healthy();
    cluster.api.put(namespace("elsewhere", &[]));
    let mut asked = cluster.cluster();
    asked.operator_namespace = "elsewhere".into();
    let findings = examine(&asked, now()).await.unwrap().findings;
    let told = findings.iter().any(|it| {
        it.remedy
            .contains("--operator-namespace mcp-operator-system")
    });
    assert!(told, "{findings:#?}");
}

/// Permissions by namespaces, before the first MCPServer: nobody knows yet which namespaces those will be.
#[tokio::test]
async fn permissions_by_namespaces_are_not_missing_where_there_is_no_server_yet() {
    let denied = |kinds: &'static [&'static str]| {
        let cluster = healthy();
        _ = cluster.api.delete("MCPServer", "tools", "weather");
        cluster.api.admit("SubjectAccessReview", move |review| {
            let asked = &review["spec"]["resourceAttributes"];
            if asked["verb"] == "patch"
                && kinds.iter().any(|kind| asked["resource"] == *kind)
                && asked["namespace"].is_null()
            {
                review["status"] = json!({ "allowed": false });
            }
        });
        cluster
    };
    let found = diagnosis(&denied(&["services"])).await;
    assert_eq!(found.outcome(), Outcome::Fine);
    assert!(
        found.findings[0].what.contains("there is none yet"),
        "{found:?}"
    );
    // What no tenant grants is missing all the same.
    let found = diagnosis(&denied(&["services", "mcpservers"])).await;
    assert_eq!(found.outcome(), Outcome::Wrong, "{found:?}");
}

/// Where webhooks are switched off on purpose, the configurations need not be there.
#[tokio::test]
async fn without_webhooks_their_configurations_are_not_missed() {
    let cluster = healthy();
    operator::option(&cluster.api, "ENABLE_WEBHOOKS", "false");
    for kind in [VALIDATING, MUTATING] {
        _ = cluster.api.delete(kind, "", "mcp-operator");
    }
    let found = diagnosis(&cluster).await;
    assert_eq!(found.outcome(), Outcome::Fine, "{found:?}");
    assert_eq!(found.findings.len(), 2, "{found:?}");
}
