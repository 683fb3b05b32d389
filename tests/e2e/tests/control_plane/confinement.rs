//! What somebody could do who has the token of the operator, had its roles no limits at all: the admission policy of
//! `deploy/base/confinement.yaml` refuses it. That it refuses nothing that the operator does, every other test proves.

use anyhow::{Result, ensure};
use mcp_e2e::{OPERATOR_USER, eventually};
use serde_json::{Value, json};

use crate::world::{SOON, World};

/// The operator's account, which may do everything as far as roles are concerned.
struct Thief {
    world: World,
}

impl Thief {
    fn new(namespace: &str) -> Self {
        let world = World::allowed(namespace, &[("gateway", "gateway, other-gateway")]);
        Self { world }
    }

    /// `kubectl`, which changes nothing.
    fn run(&self, args: &[&str], input: &Value) -> Result<String> {
        let user = format!("--as={OPERATOR_USER}");
        let who = [&user, "--as-group=system:masters", "--dry-run=server"];
        let input = input.to_string();
        self.world.kubectl.pipe(&[args, &who].concat(), &input)
    }

    fn apply(&self, object: &Value) -> Result<String> {
        let manager = "--field-manager=mcp-operator";
        let apply = ["apply", "--server-side", "--force-conflicts", manager];
        self.run(&[&apply[..], &["--filename=-"]].concat(), object)
    }

    fn patch(&self, kind: &str, name: &str, patch: &Value) -> Result<String> {
        let (patch, namespace) = (patch.to_string(), &self.world.namespace);
        let type_ = if patch.starts_with('[') {
            "--type=json"
        } else {
            "--type=merge"
        };
        let patch = ["patch", kind, name, type_, "--patch", &patch];
        self.run(
            &[&patch[..], &["--namespace", namespace]].concat(),
            &Value::Null,
        )
    }

    fn metadata(&self, name: &str, owner: &str) -> Value {
        let mut metadata = json!({ "name": name, "namespace": self.world.namespace });
        if !owner.is_empty() {
            metadata["ownerReferences"] = json!([{
                "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": owner, "name": "a", "uid": "a", "controller": true,
            }]);
        }
        metadata
    }

    /// A Deployment as the operator makes it.
    fn deployment(&self) -> Value {
        let container = json!({ "name": "server", "image": "a" });
        let pod = json!({ "serviceAccountName": "mcp-a", "containers": [container] });
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": self.metadata("mcp-a", "MCPServer"),
            "spec": {
                "selector": { "matchLabels": { "a": "b" } },
                "template": { "metadata": { "labels": { "a": "b" } }, "spec": pod },
            },
        })
    }

    fn config_map(&self, name: &str, owner: &str) -> Value {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": self.metadata(name, owner), "data": { "a": "b" } })
    }
}

/// By the policy, and by nothing else.
fn refused(what: &str, answer: Result<String>, words: &str) -> Result<()> {
    let Err(error) = answer else {
        anyhow::bail!("{what} was accepted");
    };
    let error = error.to_string();
    ensure!(
        error.contains("ValidatingAdmissionPolicy 'mcp-operator'") && error.contains(words),
        "{what}: {error}"
    );
    Ok(())
}

/// A change of a JSON document.
fn with(object: &Value, pointer: &str, value: Value) -> Value {
    let (parent, member) = pointer.rsplit_once('/').unwrap_or_default();
    let mut object = object.clone();
    if let Some(parent) = object.pointer_mut(parent) {
        parent[member] = value;
    }
    object
}

#[test]
fn only_what_belongs_to_a_server_is_made_changed_or_deleted() -> Result<()> {
    let thief = Thief::new("confined-objects");
    let ours = thief.deployment();
    thief.apply(&ours)?;
    thief.apply(&thief.config_map("mcp-a", "MCPServer"))?;
    let namespace = "/metadata/namespace";
    let pod =
        |member: &str, value: Value| with(&ours, &format!("/spec/template/spec/{member}"), value);
    let mine = "is neither named mcp-* with an MCPServer as its controller";
    let pods = "the service account of their own name";
    for (what, object, words) in [
        (
            "in kube-system",
            with(&ours, namespace, json!("kube-system")),
            "begin with kube-",
        ),
        (
            "at home",
            with(&ours, namespace, json!("mcp-operator-system")),
            "never does CREATE of apps/deployments",
        ),
        (
            "without an owner",
            with(&ours, "/metadata/ownerReferences", json!([])),
            mine,
        ),
        (
            "of another owner",
            thief.config_map("mcp-a", "ReplicaSet"),
            mine,
        ),
        (
            "of another name",
            with(&ours, "/metadata/name", json!("coredns")),
            mine,
        ),
        (
            "of another account",
            pod("serviceAccountName", json!("default")),
            pods,
        ),
        (
            "with the node's files",
            pod(
                "volumes",
                json!([{ "name": "a", "hostPath": { "path": "/" } }]),
            ),
            pods,
        ),
        (
            "with the node's network",
            pod("hostNetwork", json!(true)),
            pods,
        ),
        (
            "with the node's processes",
            pod("hostPID", json!(true)),
            pods,
        ),
    ] {
        refused(what, thief.apply(&object), words)?;
    }
    // What is there already is somebody else's.
    let theirs = thief.config_map("mcp-theirs", "");
    thief.world.kubectl.apply(&theirs.to_string())?;
    let taken = thief.config_map("mcp-theirs", "MCPServer");
    refused("what is theirs", thief.apply(&taken), mine)?;
    let delete = [
        "delete",
        "configmap/mcp-theirs",
        "--namespace",
        &thief.world.namespace,
    ];
    refused("their deletion", thief.run(&delete, &Value::Null), mine)?;
    for create in [
        ["secret", "generic", "mcp-a"],
        ["clusterrolebinding", "a", "--clusterrole=cluster-admin"],
        ["namespace", "mcp-a", "--output=name"],
    ] {
        let create = [
            &["create"][..],
            &create,
            &["--namespace", &thief.world.namespace],
        ]
        .concat();
        let answer = thief.run(&create, &Value::Null);
        refused(
            &create.join(" "),
            answer,
            "the operator never does CREATE of",
        )?;
    }
    Ok(())
}

/// The namespace's annotation is the platform's word, to the policy as to the rules.
#[test]
fn an_account_that_the_namespace_names_is_given_to_pods() -> Result<()> {
    let mut thief = Thief::new("confined-accounts");
    let with_account = |thief: &Thief, name: &str| {
        with(
            &thief.deployment(),
            "/spec/template/spec/serviceAccountName",
            json!(name),
        )
    };
    let pods = "the service account of their own name";
    refused("before", thief.apply(&with_account(&thief, "reader")), pods)?;
    thief.world = World::allowed(
        "confined-accounts",
        &[("service-accounts", "reader, view.*, <namespace>-own")],
    );
    eventually("the policy sees the annotation", SOON, || {
        thief.apply(&with_account(&thief, "reader")).map(drop)
    })?;
    for (name, allowed) in [
        ("view.all", true),
        ("confined-accounts-own", true),
        ("reader2", false),
        ("areader", false),
        ("viewall", false),
        ("default", false),
    ] {
        let answer = thief.apply(&with_account(&thief, name));
        if allowed {
            answer.map(drop)?;
        } else {
            refused(name, answer, pods)?;
        }
    }
    Ok(())
}

#[test]
fn at_home_there_is_only_what_it_keeps() -> Result<()> {
    let thief = Thief::new("confined-home");
    let at_home = |name: &str, owner: &str| {
        let map = thief.config_map(name, owner);
        with(&map, "/metadata/namespace", json!("mcp-operator-system"))
    };
    thief.apply(&at_home("mcp-operator-registry", ""))?;
    thief.apply(&at_home("mcp-plugin-a", "MCPPlugin"))?;
    for (name, owner) in [
        ("require-team-label", ""),
        ("mcp-plugin-a", ""),
        ("mcp-a", "MCPServer"),
    ] {
        let answer = thief.apply(&at_home(name, owner));
        refused(name, answer, "the operator never does CREATE of configmaps")?;
    }
    let secret = |name: &str| {
        let create = [
            "create",
            "secret",
            "generic",
            name,
            "--namespace=mcp-operator-system",
        ];
        thief.run(&create, &Value::Null)
    };
    refused(
        "a Secret",
        secret("litellm-mcp-operator"),
        "the operator never does CREATE of secrets",
    )
}

#[test]
fn of_a_gateway_only_data_and_the_rollout_change() -> Result<()> {
    let thief = Thief::new("confined-gateway");
    let map = thief.config_map("gateway", "");
    thief.apply(&map)?;
    refused(
        "another one",
        thief.apply(&thief.config_map("coredns", "")),
        "name it in the annotation",
    )?;
    thief.world.kubectl.apply(&map.to_string())?;
    thief.apply(&with(&map, "/data", json!({ "b": "c" })))?;
    let data_only = "the operator changes data only";
    for (pointer, value) in [
        ("/metadata/labels", json!({ "a": "b" })),
        ("/metadata/annotations", json!({ "a": "b" })),
        ("/immutable", json!(true)),
    ] {
        refused(pointer, thief.apply(&with(&map, pointer, value)), data_only)?;
    }

    let mut deployment = thief.deployment();
    deployment["metadata"] = thief.metadata("other-gateway", "");
    thief.world.kubectl.apply(&deployment.to_string())?;
    let template = |template: Value| {
        let patch = json!({ "spec": { "template": template } });
        thief.patch("deployment", "other-gateway", &patch)
    };
    let annotation = |name: &str| template(json!({ "metadata": { "annotations": { name: "1" } } }));
    annotation("mcp.litellm.ai/rolled-to")?;
    let rolled_only = "the annotation mcp.litellm.ai/rolled-to of its pods only";
    refused("another annotation", annotation("a"), rolled_only)?;
    let image = json!([{ "name": "server", "image": "evil" }]);
    refused(
        "the image",
        template(json!({ "spec": { "containers": image } })),
        rolled_only,
    )?;
    let replicas = json!({ "spec": { "replicas": 0 } });
    refused(
        "replicas",
        thief.patch("deployment", "other-gateway", &replicas),
        rolled_only,
    )?;
    let labels = json!({ "metadata": { "labels": { "a": "b" } } });
    refused(
        "labels",
        thief.patch("deployment", "other-gateway", &labels),
        rolled_only,
    )
}

#[test]
fn of_webhook_configurations_only_the_ca_bundle_changes() -> Result<()> {
    let thief = Thief::new("confined-webhooks");
    for kind in [
        "mutatingwebhookconfiguration",
        "validatingwebhookconfiguration",
    ] {
        let found = thief.world.kubectl.json(&["get", kind, "mcp-operator"])?;
        let client = &found["webhooks"][0]["clientConfig"];
        let replace = |path: &str, value: Value| {
            let path = format!("/webhooks/0/{path}");
            let patch = json!([{ "op": "add", "path": path, "value": value }]);
            thief.patch(kind, "mcp-operator", &patch)
        };
        replace("clientConfig/caBundle", client["caBundle"].clone())?;
        // Any other authority will do; this is the API server's own.
        let other = thief.world.kubectl.run(&[
            "get",
            "configmap/kube-root-ca.crt",
            "--namespace",
            &thief.world.namespace,
            r"--output=go-template={{index .data `ca.crt` | base64encode}}",
        ]);
        if let Ok(other) = other {
            replace("clientConfig/caBundle", json!(other))?;
        }
        for (path, value) in [
            ("rules/0/resources", json!(["*"])),
            ("rules/0/apiGroups", json!(["*"])),
            ("clientConfig/url", json!("https://203.0.113.1/a")),
            ("failurePolicy", json!("Ignore")),
            ("timeoutSeconds", json!(30)),
            ("namespaceSelector", json!({})),
            ("objectSelector", json!({ "matchLabels": { "a": "b" } })),
            ("matchConditions", json!([])),
        ] {
            refused(path, replace(path, value), "changes caBundle only")?;
        }
        let delete = ["delete", kind, "mcp-operator"];
        refused(
            "its deletion",
            thief.run(&delete, &Value::Null),
            "the operator never does DELETE of",
        )?;
    }
    Ok(())
}

#[test]
fn of_the_definition_only_who_converts_changes() -> Result<()> {
    let thief = Thief::new("confined-definition");
    let name = "mcpservers.mcp.litellm.ai";
    let found = thief.world.kubectl.json(&["get", "crd", name])?;
    let replace = |path: &str, value: Value| {
        let patch = json!([{ "op": "add", "path": path, "value": value }]);
        thief.patch("crd", name, &patch)
    };
    let client = "/spec/conversion/webhook/clientConfig";
    let ca = &found["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"];
    replace(&format!("{client}/caBundle"), ca.clone())?;
    let service = |namespace: &str, path: &str| json!({ "caBundle": ca, "service": { "namespace": namespace, "name": "a", "path": path } });
    replace(client, service("mcp-operator-system", "/convert"))?;
    for (path, value) in [
        (client, service("evil", "/convert")),
        (
            client,
            service("mcp-operator-system", "/validate/mcpserver"),
        ),
        (
            client,
            json!({ "caBundle": ca, "url": "https://203.0.113.1/convert" }),
        ),
        ("/spec/conversion", json!({ "strategy": "None" })),
        ("/spec/versions/1/served", json!(true)),
        ("/spec/versions/0/deprecated", json!(true)),
        ("/spec/names/shortNames", json!(["a"])),
        ("/metadata/labels", json!({ "a": "b" })),
        ("/metadata/finalizers", json!(["example.com/a"])),
    ] {
        let words = "the operator changes only that its own namespace converts them";
        refused(path, replace(path, value), words)?;
    }
    for (verb, name) in [("delete", name), ("delete", "mcpplugins.mcp.litellm.ai")] {
        let answer = thief.run(&[verb, "crd", name], &Value::Null);
        refused(verb, answer, "the operator never does DELETE of")?;
    }
    Ok(())
}

/// What has lost its owner gets it again, and in that moment nothing else changes.
#[test]
fn what_has_all_marks_and_no_owner_may_be_taken_back_as_it_is() -> Result<()> {
    let thief = Thief::new("confined-taking-back");
    let labels = json!({
        "app.kubernetes.io/managed-by": "mcp-operator", "app.kubernetes.io/name": "mcp-a",
        "app.kubernetes.io/instance": "a", "mcp.litellm.ai/server": "a",
    });
    let owner = thief.metadata("mcp-a", "MCPServer")["ownerReferences"].clone();
    let put = |name: &str, change: &dyn Fn(&mut Value)| -> Result<()> {
        let mut map = thief.config_map(name, "");
        map["metadata"]["labels"] = labels.clone();
        change(&mut map);
        thief.world.apply(&map).map(drop)
    };
    let take = json!({ "metadata": { "ownerReferences": owner } });
    put("mcp-a-1", &|_| ())?;
    thief.patch("configmap", "mcp-a-1", &take)?;
    let mine = "is neither named mcp-* with an MCPServer as its controller";
    for (what, member, value) in [
        ("with other data", "/data/a", json!("c")),
        ("with another label", "/metadata/labels/team", json!("c")),
        (
            "with another owner",
            "/metadata/ownerReferences/0/name",
            json!("b"),
        ),
    ] {
        let mut patch = take.clone();
        patch["data"] = json!({ "a": "b" });
        patch["metadata"]["labels"] = json!({});
        let patch = with(&patch, member, value);
        refused(what, thief.patch("configmap", "mcp-a-1", &patch), mine)?;
    }
    put("mcp-a-2", &|map| map["metadata"]["labels"] = json!({}))?;
    put("mcp-a-3", &|map| {
        map["metadata"]["labels"]["mcp.litellm.ai/server"] = json!("b");
    })?;
    put("a-4", &|_| ())?;
    for name in ["mcp-a-2", "mcp-a-3", "a-4"] {
        refused(name, thief.patch("configmap", name, &take), mine)?;
    }
    Ok(())
}
