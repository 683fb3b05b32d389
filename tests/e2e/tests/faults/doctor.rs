//! `kubectl mcp doctor` on a real API server: what somebody breaks there is found, and nothing when it is mended.
//!
//! The operator runs beside the cluster here, so that its pods and its Service are not looked at; those faults are planted in the
//! unit tests.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcp_cluster::Kubectl;
use mcp_e2e::{Environment, Operator, OwnCluster, eventually};
use serde_json::{Value, json};

/// The API server takes seconds to know a changed configuration, and the doctor waits for a webhook that does not answer.
const SOON: Duration = Duration::from_mins(1);

/// What is broken by a patch of JSON, where, and what is found.
struct Fault {
    object: [&'static str; 2],
    patch: fn() -> Value,
    found: &'static str,
}

const VALIDATING: [&str; 2] = ["validatingwebhookconfiguration", "mcp-operator"];
const DEFINITION: [&str; 2] = ["crd", "mcpservers.mcp.litellm.ai"];

const FAULTS: [Fault; 13] = [
    Fault {
        object: VALIDATING,
        patch: || json!([{ "op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore" }]),
        found: "failurePolicy of rules.mcpservers.mcp.litellm.ai",
    },
    Fault {
        object: VALIDATING,
        patch: || json!([{ "op": "add", "path": "/webhooks/0/objectSelector/matchLabels", "value": { "a": "b" } }]),
        found: "rules.mcpservers.mcp.litellm.ai has an objectSelector",
    },
    Fault {
        object: VALIDATING,
        patch: || json!([{ "op": "replace", "path": "/webhooks/0/rules/0/scope", "value": "Cluster" }]),
        found: "have the scope Cluster",
    },
    Fault {
        object: VALIDATING,
        patch: || json!([{ "op": "replace", "path": "/webhooks/0/matchPolicy", "value": "Exact" }]),
        found: "is Exact",
    },
    Fault {
        object: VALIDATING,
        patch: || json!([{ "op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 1 }]),
        found: "timeoutSeconds of rules.mcpservers.mcp.litellm.ai is 1",
    },
    Fault {
        object: VALIDATING,
        patch: || json!([{ "op": "remove", "path": "/webhooks/0" }]),
        found: "the webhook rules.mcpservers.mcp.litellm.ai is not in it",
    },
    Fault {
        object: ["mutatingwebhookconfiguration", "mcp-operator"],
        patch: || json!([{ "op": "add", "path": "/webhooks/0/objectSelector/matchLabels", "value": { "a": "b" } }]),
        found: "it would be stored without the operator being asked",
    },
    Fault {
        object: DEFINITION,
        patch: || json!([{ "op": "remove", "path": "/spec/versions/0/subresources/scale" }]),
        found: "lacks the subresource scale",
    },
    Fault {
        object: DEFINITION,
        patch: || json!([{ "op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/replicas/maximum", "value": 2000 }]),
        found: "lacks maximum 1000 of spec.replicas",
    },
    Fault {
        object: ["validatingadmissionpolicy", "mcp-operator"],
        patch: || json!([{ "op": "replace", "path": "/spec/matchConditions/0/expression", "value": "false" }]),
        found: "it is not as it is shipped: matchConditions",
    },
    Fault {
        object: ["validatingadmissionpolicybinding", "mcp-operator"],
        patch: || json!([{ "op": "replace", "path": "/spec/validationActions", "value": ["Audit"] }]),
        found: "it denies nothing",
    },
    Fault {
        object: ["mcpplugin", "validation"],
        patch: || json!([{ "op": "add", "path": "/spec/mode", "value": "audit" }]),
        found: "its mode is audit",
    },
    Fault {
        object: ["clusterrole", "mcp-operator-manager-role"],
        patch: || json!([{ "op": "remove", "path": "/rules/0" }]),
        found: "it may not, everywhere",
    },
];

struct Doctor {
    kubectl: Kubectl,
    folder: tempfile::TempDir,
}

impl Doctor {
    fn new(environment: &Environment, kubectl: &Kubectl) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        symlink(
            &environment.artifacts.operator,
            folder.path().join("kubectl-mcp"),
        )?;
        Ok(Self {
            kubectl: kubectl.clone(),
            folder,
        })
    }

    /// What is wrong or doubtful: where, and what.
    fn findings(&self) -> Result<Vec<String>> {
        let output = Command::new(self.folder.path().join("kubectl-mcp"))
            .args(["doctor", "--output=json"])
            .env_clear()
            .env("KUBECONFIG", self.kubectl.kubeconfig())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let found: Value = serde_json::from_str(&said)
            .with_context(|| format!("{said}{}", String::from_utf8_lossy(&output.stderr)))?;
        let findings = found["findings"].as_array().context("findings")?;
        let text = |finding: &Value| format!("{}: {}", finding["place"], finding["what"]);
        Ok(findings.iter().map(text).collect())
    }

    fn finds(&self, what: &str) -> Result<()> {
        eventually(&format!("the doctor finds {what:?}"), SOON, || {
            let findings = self.findings()?;
            ensure!(findings.iter().any(|it| it.contains(what)), "{findings:#?}");
            Ok(())
        })
    }

    /// As it was before.
    fn finds_only(&self, before: &[String]) -> Result<()> {
        eventually("the doctor finds nothing more", SOON, || {
            let findings = self.findings()?;
            ensure!(findings == before, "{findings:#?} instead of {before:#?}");
            Ok(())
        })
    }
}

#[test]
fn what_somebody_breaks_is_found_by_the_doctor_and_nothing_when_it_is_mended() -> Result<()> {
    let own = OwnCluster::start("doctor", &[])?;
    let kubectl = own.kubectl();
    let mut operator = Operator::start(&own.environment, "doctor")?;
    kubectl.run(&[
        "wait",
        "--for=condition=Ready",
        "mcpplugins",
        "--all",
        "--timeout=60s",
    ])?;
    kubectl.apply(&server().to_string())?;
    let doctor = Doctor::new(&own.environment, kubectl)?;
    // What is not there on a control plane: pods of the operator, and LiteLLM.
    let healthy = eventually("the doctor has nothing to say of the webhook", SOON, || {
        let findings = doctor.findings()?;
        let is_expected =
            |finding: &String| finding.contains("Deployment ") || finding.contains("litellm");
        ensure!(findings.iter().all(is_expected), "{findings:#?}");
        Ok(findings)
    })?;
    for fault in FAULTS {
        let [kind, name] = fault.object;
        let before = kubectl.json(&["get", kind, name])?;
        let patch = (fault.patch)().to_string();
        kubectl.run(&["patch", kind, name, "--type=json", "--patch", &patch])?;
        doctor.finds(fault.found)?;
        mend(kubectl, kind, name, &before)?;
        doctor.finds_only(&healthy)?;
    }
    operator.kill();
    doctor.finds("the operator does not answer the API server")
}

/// One that all rules let pass: the doctor asks about one like it.
fn server() -> Value {
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": "weather", "namespace": OwnCluster::NAMESPACE },
        "spec": {
            "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" },
            "resources": { "limits": { "cpu": "500m", "memory": "64Mi" } },
            "litellm": { "autoRegister": false },
        },
    })
}

/// What was there, in the place of what is there.
fn mend(kubectl: &Kubectl, kind: &str, name: &str, before: &Value) -> Result<()> {
    let part = |object: &Value| -> Vec<String> {
        let members = object.as_object().into_iter().flatten();
        let members = members.map(|(name, _)| name.clone());
        members
            .filter(|name| !["apiVersion", "kind", "metadata", "status"].contains(&name.as_str()))
            .collect()
    };
    let replaced: Vec<Value> = part(before)
        .into_iter()
        .map(|name| json!({ "op": "replace", "path": format!("/{name}"), "value": before[&name] }))
        .collect();
    let patch = json!(replaced).to_string();
    kubectl
        .run(&["patch", kind, name, "--type=json", "--patch", &patch])
        .map(drop)
}
