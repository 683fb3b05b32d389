//! On labels and annotations: those that are roles, ways in and other programs for whoever reads them.

use serde_json::{Value, json};

use super::{attacks, deployment, granted};

attacks! {
    a_role_by_kiam: "/spec/template/metadata/annotations", { "iam.amazonaws.com/role": "admin" } => "spec.template.metadata.annotations[iam.amazonaws.com/role]";
    an_identity_of_azure: "/spec/template/metadata/labels/azure.workload.identity~1use", "true" => "spec.template.metadata.labels[azure.workload.identity/use]";
    secrets_by_vault: "/spec/template/metadata/annotations", { "vault.hashicorp.com/agent-inject": "true" } => "spec.template.metadata.annotations[vault.hashicorp.com/agent-inject]";
    another_proxy: "/spec/template/metadata/annotations", { "sidecar.istio.io/proxyImage": "evil" } => "spec.template.metadata.annotations[sidecar.istio.io/proxyImage]";
    no_proxy: "/spec/template/metadata/labels/sidecar.istio.io~1inject", "false" => "spec.template.metadata.labels[sidecar.istio.io/inject]";
    another_network: "/spec/template/metadata/annotations", { "k8s.v1.cni.cncf.io/networks": "host" } => "spec.template.metadata.annotations[k8s.v1.cni.cncf.io/networks]";
    no_app_armor: "/spec/template/metadata/annotations", { "container.apparmor.security.beta.kubernetes.io/server": "unconfined" } => "spec.template.metadata.annotations[container.apparmor.security.beta.kubernetes.io/server]";
    another_server: "/metadata/labels/mcp.litellm.ai~1server", "other" => "metadata.labels[mcp.litellm.ai/server]";
    nobodys_object: "/metadata/labels", {} => "metadata.labels[mcp.litellm.ai/server]";
    pods_of_another_server: "/spec/template/metadata/labels/app.kubernetes.io~1instance", "other" => "spec.template.metadata.labels[app.kubernetes.io/instance]";
    labels_that_are_none: "/metadata/labels", "none" => "metadata.labels";
    somebody_elses: "/metadata/ownerReferences", [{ "uid": "1" }] => "metadata.ownerReferences";
    another_namespace: "/metadata/namespace", "kube-system" => "metadata.namespace";
    another_object: "/metadata/name", "mcp-other" => "metadata.name";
    another_kind: "/kind", "DaemonSet" => "kind";
    a_status: "/status", { "readyReplicas": 2 } => "status";
}

/// Every way to ask for it, and none is enough.
#[test]
fn what_the_operator_goes_by_is_never_granted() {
    let everything = |name: &str| {
        let domain = name.split_once('/').map_or("", |(domain, _)| domain);
        json!([name, format!("{domain}/"), "/", ""])
    };
    for (list, name) in [
        ("labels", "mcp.litellm.ai/server"),
        ("labels", "app.kubernetes.io/name"),
        ("labels", "app.kubernetes.io/instance"),
        ("labels", "app.kubernetes.io/managed-by"),
        ("annotations", "mcp.litellm.ai/config-hash"),
        ("annotations", "mcp.litellm.ai/defaults"),
        (
            "annotations",
            "container.apparmor.security.beta.kubernetes.io/server",
        ),
        ("annotations", "seccomp.security.alpha.kubernetes.io/pod"),
    ] {
        let grants = json!({ list: everything(name) });
        for place in ["/metadata", "/spec/template/metadata"] {
            let value: Value = json!({ name: "x" });
            let operation =
                json!({ "op": "add", "path": format!("{place}/{list}"), "value": value });
            let refused = granted(deployment(), json!([operation]), &grants);
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("which no plugin may"), "{refused}");
        }
    }
}

#[test]
fn what_is_granted_may_be_set_and_nothing_beside_it() {
    let grants =
        json!({ "labels": ["team", "cost.acme.io/"], "annotations": ["prometheus.io/scrape"] });
    let set = |list: &str, name: &str| {
        let path = format!("/spec/template/metadata/{list}");
        let mut object = deployment();
        let metadata = &mut object["spec"]["template"]["metadata"];
        metadata["annotations"] = json!({});
        let name = name.replace('/', "~1");
        let operation = json!({ "op": "add", "path": format!("{path}/{name}"), "value": "x" });
        granted(object, json!([operation]), &grants).map_err(|error| error.to_string())
    };
    set("labels", "team").unwrap();
    set("labels", "cost.acme.io/centre").unwrap();
    set("annotations", "prometheus.io/scrape").unwrap();
    for (list, name) in [
        ("labels", "prometheus.io/scrape"),
        ("annotations", "team"),
        ("labels", "team-b"),
        ("annotations", "prometheus.io/scrape2"),
    ] {
        assert_eq!(
            set(list, name).unwrap_err(),
            format!(
                "rule rule changes spec.template.metadata.{list}[{name}] of Deployment, which it is not granted: add {name} to spec.grants.{list} of its MCPPlugin if it should"
            )
        );
    }
}
