//! Components that were built once and are never built again: a host that no longer runs them breaks what was promised.
//!
//! Each is the fixture plugin of its time (`plugins/fixtures`), which has all interfaces.

use std::path::Path;

use mcp_plugin_host::contract::registrar::{
    Action, HttpResponse, Observation, Observed, ReadSource, Server, WorkloadState,
};
use mcp_plugin_host::contract::{
    DefaultingRequest, GroupVersionKind, NamedJson, Operation, PatchOperation, RegistrationState,
    Registry, Request, Severity, Stage, UserInfo,
};
use mcp_plugin_host::{ContractVersion, Digest, Limits, Plugin};

use crate::common::{OBJECT, host};

const OF_0_1_0: &[u8] = include_bytes!("../components/0.1.0.wasm");
const OF_1_0_0: &[u8] = include_bytes!("../components/1.0.0.wasm");

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

/// What a registrar sees of its input, in either version.
const SEEN: [&str; 6] = [
    r#"Server { namespace: "team-a", name: "docs""#,
    r#"NamedJson { name: "auth", value: "{}" }"#,
    r#"ConfigKey(Some("content"))"#,
    r#"rolled-to: Some("v1"), complete: true, message: "done""#,
    r#"status: 200, headers: [("etag", "x")], body: "[]""#,
    r#"Unavailable("no connection")"#,
];

#[tokio::test]
async fn a_component_of_0_1_0_goes_on_working() {
    let version = ContractVersion::V0_1;
    let plugin = every_interface_answers("of-0.1.0", OF_0_1_0, version).await;
    let seen = echoed(&plugin, None).await;
    for part in SEEN {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    // What 0.1.0 has no word for is said as it always was.
    assert!(seen.contains("allowed-tools: []"), "{seen}");
    let seen = echoed(&plugin, Some(&[])).await;
    assert!(seen.contains(r#"allowed-tools: [""]"#), "{seen}");
}

#[tokio::test]
async fn a_component_of_1_0_0_goes_on_working() {
    let version = ContractVersion::V1;
    let plugin = every_interface_answers("of-1.0.0", OF_1_0_0, version).await;
    let seen = echoed(&plugin, None).await;
    for part in SEEN {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    assert!(seen.contains("allowed-tools: None"), "{seen}");
    let seen = echoed(&plugin, Some(&[])).await;
    assert!(seen.contains("allowed-tools: Some([])"), "{seen}");
}

/// Whoever changes a version changes what hosts and components that exist already agree on.
#[test]
fn what_a_version_of_the_contract_says_never_changes() {
    for (version, expected) in [
        (
            "0.1.0",
            "e848f3a50d12a9d119e2b7ffec364dfea563e2d1aed0a2a81092e5a5178cace6",
        ),
        (
            "1.0.0",
            "72f7ec5a9b3794f1cd93aa618cd598bbcd8e644275a6cd4ec60a73b4a041ecd3",
        ),
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../wit")
            .join(version);
        let entries = folder
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
        files.sort();
        // Comments may say more.
        let mut said = String::new();
        for file in files {
            let text = std::fs::read_to_string(file).unwrap();
            let lines = text.lines().map(str::trim);
            for line in lines.filter(|line| !line.is_empty() && !line.starts_with("//")) {
                said.push_str(line);
                said.push('\n');
            }
        }
        assert_eq!(
            Digest::of(said.as_bytes()).to_string(),
            expected,
            "wit/{version}: what is new goes into a new interface or a new folder"
        );
    }
}
