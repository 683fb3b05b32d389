use std::collections::BTreeMap;

use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::admission::{Denial, decide};
use mcp_operator_core::build;
use mcp_operator_core::retry::Classify;
use serde_json::{Value, json};

use super::*;
use crate::{
    NamespaceFacts, Operation, PolicyError, ReconcileInputs, Snapshot, default_and_validate,
};

fn plugin(spec: Value) -> McpPlugin {
    serde_json::from_value(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": "rule" }, "spec": spec,
    }))
    .unwrap()
}

/// A plugin from a ConfigMap, with these fields besides.
fn from_map(fields: Value) -> McpPlugin {
    let mut spec = json!({ "source": { "configMap": { "namespace": "a", "name": "rule" } } });
    let fields = fields.as_object().unwrap().clone();
    spec.as_object_mut().unwrap().extend(fields);
    plugin(spec)
}

fn gone() -> Rejection {
    Rejection {
        category: "SourceNotFound",
        message: "ConfigMap a/rule: does not exist".into(),
        operator_fault: false,
        retry: true,
        interfaces: None,
    }
}

fn loaded_as(validator: bool, defaulter: bool) -> Rejection {
    let interfaces = Interfaces {
        validator,
        defaulter,
        registrar: true,
    };
    Rejection {
        interfaces: Some(interfaces),
        ..gone()
    }
}

fn namespace(env: &str) -> NamespaceFacts {
    NamespaceFacts {
        name: "tools".into(),
        labels: BTreeMap::from([("env".to_owned(), env.to_owned())]),
        ..NamespaceFacts::default()
    }
}

fn context(stage: Stage, env: &str) -> PolicyContext {
    PolicyContext {
        operation: Operation::Create,
        stage,
        object: Some(json!({ "metadata": { "labels": { "team": "a" } }, "spec": {} })),
        old_object: None,
        name: "a".into(),
        namespace: Some(namespace(env)),
        user: None,
        dry_run: false,
        rendered: None,
    }
}

fn without(plugin: &McpPlugin, why: &Rejection) -> Snapshot {
    let missing = vec![UnavailablePlugin::new(plugin, Some(why))];
    Snapshot::with_unavailable(Vec::new(), missing, true)
}

/// Whether the request is refused: for what a plugin would have defaulted, and for what it would have said.
async fn refused(snapshot: &Snapshot, stage: Stage, env: &str) -> (bool, bool) {
    let context = context(stage, env);
    let defaults = snapshot.default_server(&context).await.is_err();
    let denial = decide(&snapshot.validate(&context, Vec::new()).await).denial;
    (defaults, denial.is_some())
}

async fn refused_at_admission(plugin: &McpPlugin, why: &Rejection) -> (bool, bool) {
    refused(&without(plugin, why), Stage::Admission, "prod").await
}

#[tokio::test]
async fn an_enforced_plugin_that_is_not_loaded_refuses_by_name_and_reason_and_says_what_to_do() {
    let snapshot = without(&from_map(json!({})), &gone());
    let outcomes = snapshot
        .validate(&context(Stage::Admission, "prod"), Vec::new())
        .await;
    let Some(Denial::PluginFailed(failures)) = decide(&outcomes).denial else {
        panic!("it is admitted")
    };
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].category, "PluginUnavailable");
    assert_eq!(
        failures[0].message,
        "plugin rule is not loaded (SourceNotFound): ConfigMap a/rule: does not exist; mend the MCPPlugin rule, or set its spec.mode to warn to go on without it"
    );
}

#[tokio::test]
async fn only_fail_in_enforce_refuses_requests() {
    for (fields, expected) in [
        (json!({}), true),
        (json!({ "mode": "enforce", "failurePolicy": "Fail" }), true),
        (json!({ "failurePolicy": "Ignore" }), false),
        (json!({ "mode": "warn" }), false),
        (json!({ "mode": "audit" }), false),
    ] {
        let found = refused_at_admission(&from_map(fields.clone()), &gone()).await;
        assert_eq!(found, (expected, expected), "{fields}");
    }
}

#[tokio::test]
async fn it_refuses_only_what_it_is_for_and_everything_where_that_is_not_known() {
    let by_namespace =
        json!({ "match": { "namespaceSelector": { "matchLabels": { "env": "prod" } } } });
    let snapshot = without(&from_map(by_namespace), &gone());
    assert_eq!(
        refused(&snapshot, Stage::Admission, "prod").await,
        (true, true)
    );
    assert_eq!(
        refused(&snapshot, Stage::Admission, "test").await,
        (false, false)
    );
    let unusable = json!({ "match": { "namespaceSelector": { "matchExpressions": [{ "key": "env", "operator": "Like" }] } } });
    let snapshot = without(&from_map(unusable), &gone());
    assert_eq!(
        refused(&snapshot, Stage::Admission, "test").await,
        (true, true)
    );
    let unreadable = vec![UnavailablePlugin::unreadable("rule", "spec.mode: unknown")];
    let snapshot = Snapshot::with_unavailable(Vec::new(), unreadable, true);
    assert_eq!(
        refused(&snapshot, Stage::Admission, "test").await,
        (true, true)
    );
}

#[tokio::test]
async fn what_a_component_is_is_known_from_itself_or_from_the_image_and_not_from_a_status() {
    let rule = from_map(json!({}));
    for (why, expected) in [
        (loaded_as(true, false), (false, true)),
        (loaded_as(false, true), (true, false)),
        (loaded_as(false, false), (false, false)),
        (gone(), (true, true)),
    ] {
        assert_eq!(refused_at_admission(&rule, &why).await, expected, "{why:?}");
    }
    let registrar = plugin(json!({ "source": { "builtin": "litellm-configmap" } }));
    assert_eq!(
        refused_at_admission(&registrar, &gone()).await,
        (false, false)
    );
    let mut told = from_map(json!({}));
    told.status = serde_json::from_value(json!({ "interfaces": "registrar" })).unwrap();
    assert_eq!(refused_at_admission(&told, &gone()).await, (true, true));
}

/// Objects are written as a whole: without its defaults, pods would lose them.
#[tokio::test]
async fn no_object_is_written_without_a_defaulter_in_enforce_whatever_its_failure_policy() {
    let compliance = |fields: Value| {
        let mut spec = json!({ "source": { "builtin": "compliance" } });
        spec.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        plugin(spec)
    };
    let mut was_one = from_map(json!({ "failurePolicy": "Ignore" }));
    was_one.status =
        serde_json::from_value(json!({ "interfaces": "validator,defaulter" })).unwrap();
    for (plugin, admission, reconcile) in [
        (compliance(json!({})), true, true),
        (
            compliance(json!({ "failurePolicy": "Ignore" })),
            false,
            true,
        ),
        (was_one, false, true),
        (compliance(json!({ "mode": "warn" })), false, false),
        (from_map(json!({ "failurePolicy": "Ignore" })), false, false),
    ] {
        let snapshot = without(&plugin, &gone());
        let at_admission = refused(&snapshot, Stage::Admission, "prod").await.0;
        let at_reconcile = refused(&snapshot, Stage::Reconcile, "prod").await.0;
        assert_eq!(
            (at_admission, at_reconcile),
            (admission, reconcile),
            "{plugin:?}"
        );
        let objects = vec![json!({ "kind": "Deployment" })];
        let written = snapshot
            .default_objects(&context(Stage::Reconcile, "prod"), objects)
            .await;
        assert_eq!(written.is_err(), reconcile);
    }
}

async fn judged(snapshot: &Snapshot) -> Result<(), PolicyError> {
    let server: McpServer = serde_json::from_value(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "metadata": { "name": "a", "namespace": "tools" },
        "spec": { "image": { "repository": "acme/mcp", "tag": "1" } },
    }))
    .unwrap();
    let settings = build::Settings::default();
    let inputs = ReconcileInputs {
        build: &settings,
        namespace: namespace("prod"),
    };
    default_and_validate(&server, &inputs, snapshot)
        .await
        .map(drop)
}

#[tokio::test]
async fn a_reconcile_stops_with_the_reason() {
    let error = judged(&without(&from_map(json!({})), &gone()))
        .await
        .unwrap_err();
    assert_eq!(error.category(), "PluginUnavailable");
    assert!(
        error.to_string().starts_with("plugin rule is not loaded"),
        "{error}"
    );
    assert!(judged(&Snapshot::default()).await.is_ok());
}

#[tokio::test]
async fn nothing_is_decided_before_all_plugins_were_tried() {
    let starting = Snapshot::with_unavailable(Vec::new(), Vec::new(), false);
    let error = judged(&starting).await.unwrap_err();
    assert_eq!(error.category(), "PluginsNotSynced");
    assert!(!crate::Snapshots::channel().1.current().is_synced());
    assert_ne!(starting.fingerprint(), Snapshot::default().fingerprint());
}

#[test]
fn the_fingerprint_tells_what_is_missing_and_not_in_which_words() {
    let rule = from_map(json!({}));
    let fingerprint = |why: Option<&Rejection>| {
        let missing = vec![UnavailablePlugin::new(&rule, why)];
        Snapshot::with_unavailable(Vec::new(), missing, true)
            .fingerprint()
            .to_owned()
    };
    let gone_again = Rejection {
        message: "ConfigMap a/rule: does not exist, since 12 s".into(),
        ..gone()
    };
    assert_eq!(fingerprint(Some(&gone())), fingerprint(Some(&gone_again)));
    assert_ne!(fingerprint(Some(&gone())), fingerprint(None));
    assert_ne!(
        fingerprint(Some(&gone())),
        Snapshot::default().fingerprint()
    );
}
