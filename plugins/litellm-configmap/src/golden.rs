//! Compares rendered files with those in `tests/golden`, each of which a real proxy loads. `UPDATE_GOLDEN=1 cargo test`
//! updates them after an intended change.

use std::path::Path;

use litellm_identity::assign_names;
use mcp_plugin_sdk::Server;
use mcp_plugin_sdk::testing::{extra, registrable};

use crate::render::render;

fn check(case: &str, servers: &[Server]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{case}.yaml"));
    let file = render("mcp-operator", &mut assign_names(servers, |_| None));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &file).unwrap();
    }
    assert_eq!(file, std::fs::read_to_string(&path).unwrap(), "{case}");
}

fn server(change: impl FnOnce(&mut Server)) -> Server {
    let mut server = registrable("tools", "git-hub");
    change(&mut server);
    server
}

#[test]
fn no_server() {
    check("empty", &[]);
}

#[test]
fn one_server() {
    check("one", &[server(|_| ())]);
}

#[test]
fn several_servers_are_sorted_by_name() {
    let servers = [("tools", "slack"), ("litellm", "github"), ("tools", "jira")];
    check(
        "several",
        &servers.map(|(namespace, name)| registrable(namespace, name)),
    );
}

#[test]
fn server_sent_events() {
    let url = "http://mcp-git-hub.tools.svc.cluster.local:8080/sse";
    check(
        "sse",
        &[server(|server| {
            server.transport = "sse".into();
            server.url = url.into();
        })],
    );
}

#[test]
fn access_groups() {
    check(
        "access-groups",
        &[server(|server| {
            server.access_groups = vec!["litellm-admins".into(), "litellm-developers".into()];
        })],
    );
}

#[test]
fn allowed_tools() {
    check(
        "allowed-tools",
        &[server(|server| {
            server.allowed_tools = Some(vec!["create_issue".into(), "search-code".into()]);
        })],
    );
}

/// LiteLLM takes an empty list for all tools, unless it is told otherwise.
#[test]
fn no_tools() {
    check(
        "no-tools",
        &[server(|server| server.allowed_tools = Some(Vec::new()))],
    );
}

/// One server of each type. The name of the variable follows from that of the server, and is in no field.
#[test]
fn auth() {
    let servers = ["bearerToken", "apiKey", "basic", "token", "authorization"].map(|kind| Server {
        extra: vec![extra("auth", &format!(r#"{{"type":"{kind}"}}"#))],
        ..registrable("tools", &format!("git-{}", kind.to_lowercase()))
    });
    check("auth", &servers);
}

/// Everything that LiteLLM knows about calls.
#[test]
fn calls() {
    let limits = r#"{"requestsPerMinute":60,"maxConcurrentRequests":4,"timeoutSeconds":90}"#;
    let parameters = r#"[{"tool":"search","parameters":["query","limit"]},{"tool":"list: all","parameters":[]}]"#;
    let extras = vec![
        extra("limits", limits),
        extra("allowed-parameters", parameters),
        extra("protocol-version", r#""2026-07-28""#),
        extra(
            "instructions",
            r#""Ask \"search\" first:\n - then os.environ/HOME""#,
        ),
    ];
    check("calls", &[server(|server| server.extra = extras)]);
}

/// LiteLLM gets its token itself, with what is in its own environment.
#[test]
fn client_credentials() {
    let auth = r#"{"type":"oauth2ClientCredentials","tokenUrl":"https://login.example.com/oauth2/token","scopes":["read"]}"#;
    check(
        "client-credentials",
        &[server(|server| {
            server.url = "https://mcp.example.com/mcp".into();
            server.extra = vec![extra("auth", auth)];
        })],
    );
}

#[test]
fn remote() {
    check(
        "remote",
        &[server(|server| {
            server.url = "https://mcp.example.com/v1/mcp?tools=a,b".into();
            server.extra = vec![extra("auth", r#"{"type":"bearerToken"}"#)];
        })],
    );
}

#[test]
fn no_team() {
    check("no-team", &[server(|server| server.labels.clear())]);
}

/// A description cannot add anything to the file.
#[test]
fn descriptions() {
    let descriptions = [
        "",
        "It's a \"server\": with # and {braces} & - more",
        "two lines\n  evil: {url: http://evil}\n",
        "Übersetzt 翻訳 🦀",
        "unprintable \u{0}\u{7f}\u{85}\u{9f}\u{2028}\u{feff}\u{ffff} signs",
        "see os.environ/HOME",
        "yes",
    ];
    let servers: Vec<_> = (1..)
        .zip(descriptions)
        .map(|(number, description)| Server {
            description: description.into(),
            ..registrable("tools", &format!("s{number}"))
        })
        .collect();
    check("descriptions", &servers);
}

/// `0x1_a` and `1_2` are numbers in YAML 1.1, and LiteLLM does not start if a name is a number.
#[test]
fn names_like_numbers() {
    let servers = [("0x1", "a"), ("12", "e3"), ("0", "x1f")];
    check(
        "names-like-numbers",
        &servers.map(|(namespace, name)| registrable(namespace, name)),
    );
}

#[test]
fn long_names() {
    let servers = ["a", "b"].map(|end| {
        registrable(
            "a-rather-long-namespace",
            &format!("{}{end}", "x".repeat(49)),
        )
    });
    check("long-names", &servers);
}

/// Servers whose names read alike have each their own, and each their own credential.
#[test]
fn names_that_read_alike() {
    let servers = [("a", "b-c"), ("a-b", "c"), ("a", "b.c")].map(|(namespace, name)| Server {
        extra: vec![extra("auth", r#"{"type":"bearerToken"}"#)],
        ..registrable(namespace, name)
    });
    check("names-that-read-alike", &servers);
}

/// A server that would keep LiteLLM from starting, or show its secrets, is left out.
#[test]
fn refused() {
    let leak = server(|server| server.description = "os.environ/LITELLM_MASTER_KEY".into());
    let stdio = Server {
        transport: "stdio".into(),
        ..registrable("tools", "stdio")
    };
    check("refused", &[leak, stdio, registrable("tools", "slack")]);
}
