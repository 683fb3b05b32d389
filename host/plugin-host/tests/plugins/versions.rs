//! Components that were built once and are never built again: a host that no longer runs them breaks what was promised.
//!
//! Each is the fixture plugin of its time (`plugins/fixtures`), which has all interfaces.

use mcp_plugin_host::contract::registrar::{
    Action, HttpResponse, Observation, Observed, ReadSource, Server, WorkloadState,
};
use mcp_plugin_host::contract::{
    DefaultingRequest, GroupVersionKind, NamedJson, Operation, PatchOperation, RegistrationState,
    Registry, Request, Severity, Stage, UserInfo,
};
use mcp_plugin_host::{ContractVersion, Limits, Plugin};

use crate::common::{OBJECT, host};

const OF_0_1_0: &[u8] = include_bytes!("../components/0.1.0.wasm");

/// What both versions answer alike.
async fn every_interface_answers(name: &str, component: &[u8], version: ContractVersion) -> Plugin {
    let plugin = host().load(name, component).await.unwrap();
    assert_eq!(plugin.contract(), version);
    assert_eq!(
        plugin.interfaces().names().collect::<Vec<_>>(),
        ["metadata", "validator", "defaulter", "registrar"]
    );
    let limits = Limits::default();
    let context = [NamedJson {
        name: "namespace",
        value: "{}",
    }];

    let description = plugin.describe(&limits).await.unwrap();
    assert_eq!(description.rules[0].code, "echo");
    assert_eq!(description.context, ["namespace"]);
    assert_eq!(description.extra, []);
    assert_eq!(plugin.validate_settings("good", &limits).await.unwrap(), []);
    let findings = plugin.validate_settings("bad", &limits).await.unwrap();
    assert!(findings[0].message.contains("no behaviour is named"));

    let request = Request {
        operation: Operation::Update,
        stage: Stage::Admission,
        kind: GroupVersionKind {
            group: "mcp.litellm.ai",
            version: "v1alpha1",
            kind: "MCPServer",
        },
        name: "docs",
        namespace: Some("team-a"),
        user: Some(UserInfo {
            username: "ann",
            uid: "1",
            groups: &["dev"],
            extra: &[("scopes", "a")],
        }),
        dry_run: true,
        object: OBJECT,
        old_object: Some("{}"),
        context: &context,
    };
    let findings = plugin.validate("good", &request, &limits).await.unwrap();
    assert_eq!(findings[0].field, "object");
    assert_eq!(findings[0].bad_value.as_deref(), Some(OBJECT));
    assert_eq!(findings[0].severity, Severity::Warning);
    for (word, category) in [
        ("invalid-settings", "InvalidSettings"),
        ("unsupported", "Unsupported"),
        ("internal", "Internal"),
        ("panic", "Trapped"),
    ] {
        let error = plugin.validate(word, &request, &limits).await.unwrap_err();
        assert_eq!(error.category(), category);
    }

    let request = DefaultingRequest {
        stage: Stage::Reconcile,
        server: OBJECT,
        objects: &[OBJECT, "{}"],
        context: &context,
    };
    let patches = plugin.defaults("good", &request, &limits).await.unwrap();
    assert_eq!((patches[1].object, patches[1].code.as_str()), (1, "echo"));
    let PatchOperation::Add(change) = &patches[1].operations[0] else {
        panic!("{patches:?}")
    };
    assert_eq!(
        (change.path.as_str(), change.value.as_str()),
        ("/said", "\"good\"")
    );
    plugin
}

/// Plans for one server with these tools, by settings of the fixture that make it tell what it was given.
async fn echoed(plugin: &Plugin, allowed_tools: Option<&[&str]>) -> String {
    let limits = Limits::default();
    let reads = plugin.observe("good", &limits).await.unwrap();
    let ReadSource::Workload(workload) = &reads[0].source else {
        panic!("{reads:?}")
    };
    assert_eq!(workload.kind, "Deployment");
    let extra = [NamedJson {
        name: "auth",
        value: "{}",
    }];
    let server = Server {
        namespace: "team-a",
        name: "docs",
        uid: "1",
        created: "2026-01-01T00:00:00Z",
        labels: &[("team", "a")],
        url: "http://mcp-docs.team-a:8080/mcp",
        transport: "http",
        description: "",
        access_groups: &["everyone"],
        allowed_tools,
        extra: &extra,
    };
    let state = |id, state| Observation { id, state };
    let workload = WorkloadState {
        rolled_to: Some("v1"),
        complete: true,
        message: "done",
    };
    let answer = HttpResponse {
        status: 200,
        headers: &[("etag", "x")],
        body: "[]",
    };
    let observations = [
        state("key", Observed::ConfigKey(Some("content"))),
        state("workload", Observed::Workload(Some(workload))),
        state("list", Observed::Http(answer)),
        state("gone", Observed::Unavailable("no connection")),
    ];
    let registry = Registry {
        instance: "test",
        servers: &[server],
        observations: &observations,
        context: &[],
    };
    let plan = plugin.plan("good", &registry, &limits).await.unwrap();
    assert!(matches!(&plan.steps[0].action, Action::Send(request) if request.method == "POST"));
    assert_eq!(plan.steps[0].servers, ["team-a/docs"]);
    assert_eq!(plan.registrations[0].state, RegistrationState::Pending);
    let echo = r#"{"plan":"echo-input"}"#;
    let mut plan = plugin.plan(echo, &registry, &limits).await.unwrap();
    plan.registrations.remove(0).message
}

#[tokio::test]
async fn a_component_of_0_1_0_goes_on_working() {
    let version = ContractVersion::V0_1;
    let plugin = every_interface_answers("of-0.1.0", OF_0_1_0, version).await;
    let seen = echoed(&plugin, None).await;
    for part in [
        "allowed_tools: []",
        r#"Server { namespace: "team-a", name: "docs""#,
        r#"NamedJson { name: "auth", value: "{}" }"#,
        r#"ConfigKey(Some("content"))"#,
        r#"rolled_to: Some("v1"), complete: true, message: "done""#,
        r#"status: 200, headers: [("etag", "x")], body: "[]""#,
        r#"Unavailable("no connection")"#,
    ] {
        let expected = part.to_owned();
        assert!(seen.contains(&expected), "{expected}: {seen}");
    }
    // What 0.1.0 had no word for is said as it always was.
    let seen = echoed(&plugin, Some(&[])).await;
    assert!(seen.contains(r#"allowed_tools: [""]"#), "{seen}");
}
