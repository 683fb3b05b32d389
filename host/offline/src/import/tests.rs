//! One file of each kind, as its authors write it, and what becomes of it.

use super::*;

fn of(name: &str, text: &str) -> String {
    let documents = documents::parse(name, text).unwrap();
    let (text, notes) = imported(documents, None).unwrap();
    format!("{text}\n--- standard error\n{}\n", notes.join("\n"))
}

macro_rules! golden {
    ($test:ident, $file:literal) => {
        #[test]
        fn $test() {
            insta::assert_snapshot!(of($file, include_str!(concat!("tests/", $file))));
        }
    };
}

golden!(litellm_s_own_configuration, "litellm.yaml");
golden!(kinds_of_toolhive, "toolhive.yaml");
golden!(a_server_of_the_lifecycle_operator, "lifecycle.yaml");
golden!(servers_of_kmcp, "kmcp.yaml");
golden!(servers_of_home_operations, "home-operations.yaml");

/// The seven manifests that a team has for each server without an operator.
fn by_hand() -> Vec<Document> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/import/tests/by-hand");
    documents::read(&[folder.into()]).unwrap()
}

#[test]
fn seven_manifests_by_hand_are_one_server() {
    assert_eq!(by_hand().len(), 7);
    let (text, notes) = imported(by_hand(), None).unwrap();
    let text = format!("{text}\n--- standard error\n{}\n", notes.join("\n"));
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_not_adopted_is_said_before() {
    let mut documents = by_hand();
    for document in &mut documents {
        let object = &mut document.object;
        match object["kind"].as_str().unwrap() {
            "ServiceMonitor" => object["metadata"]["namespace"] = "monitoring".into(),
            "Service" => {
                object["spec"]["ports"][0]["port"] = 80.into();
                object["spec"]["type"] = "LoadBalancer".into();
            }
            _ => {}
        }
    }
    let (text, notes) = imported(documents, None).unwrap();
    for part in [
        "# ServiceMonitor mcp-github is not adopted: it is in another namespace",
        "# Service mcp-github is not adopted: it is reached from outside",
        "# port 80 of the Service goes",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        notes.iter().any(|note| note.contains("port 80")),
        "{notes:?}"
    );
    let mut other = by_hand();
    for document in &mut other {
        if document.object["kind"] == "Deployment" {
            document.object["metadata"]["name"] = "github".into();
        }
    }
    let (text, _) = imported(other, None).unwrap();
    assert!(
        text.contains("name: github") && text.contains("Nothing is adopted"),
        "{text}"
    );
}

#[test]
fn what_nobody_knows_is_said() {
    let error = |text: &str| {
        let documents = documents::parse("a.yaml", text).unwrap();
        imported(documents, None).unwrap_err().to_string()
    };
    assert_eq!(
        error("kind: Service\napiVersion: v1\nmetadata: {name: a}\n"),
        "a.yaml: there is no server that is known: `import --help` names the kinds"
    );
    let mixed = "kind: Service\napiVersion: v1\nmetadata: {name: a}\n---\nmcp_servers: {a: {url: https://a.example.com/mcp}}\n";
    let (_, notes) = imported(documents::parse("a.yaml", mixed).unwrap(), Some("tools")).unwrap();
    assert_eq!(
        notes,
        ["a.yaml: Service a is not known, and nothing is made of it"]
    );
}

/// Of a field that nobody has heard of, too.
#[test]
fn nothing_is_lost_without_a_word() {
    let text = "mcp_servers: {a: {url: https://a.example.com/mcp, of_tomorrow: {x: 1}, mcp_info: {logo: b}, empty: []}}";
    let (_, notes) = imported(documents::parse("a.yaml", text).unwrap(), None).unwrap();
    assert_eq!(
        notes,
        [
            "mcp_servers.a: mcp_info.logo: an MCPServer has no such field, and it is left out",
            "mcp_servers.a: of_tomorrow: an MCPServer has no such field, and it is left out",
        ]
    );
}

#[test]
fn a_server_that_says_everything_leaves_nothing_to_say() {
    let text = "mcp_servers: {weather: {url: https://mcp.example.com/mcp, transport: http, description: Weather, allowed_tools: [add]}}";
    let (manifest, notes) =
        imported(documents::parse("a.yaml", text).unwrap(), Some("tools")).unwrap();
    assert_eq!(notes, [""; 0]);
    assert!(
        !manifest.contains('#') && manifest.contains("namespace: tools"),
        "{manifest}"
    );
}

#[test]
fn images_are_taken_apart_as_registries_do() {
    for (reference, expected) in [
        ("a", json!({ "repository": "a" })),
        (
            "localhost:5000/a/b:1.0",
            json!({ "repository": "localhost:5000/a/b", "tag": "1.0" }),
        ),
        (
            "localhost:5000/a",
            json!({ "repository": "localhost:5000/a" }),
        ),
        (
            "ghcr.io/a:1@sha256:00",
            json!({ "repository": "ghcr.io/a", "tag": "1", "digest": "sha256:00" }),
        ),
    ] {
        let mut spec = Map::new();
        container::image(&mut spec, reference, &mut Fields::of(&json!({}), ""));
        assert_eq!(spec["image"], expected, "{reference}");
    }
}

#[test]
fn names_become_dns_labels() {
    for (name, expected) in [
        ("weather", "weather"),
        ("My_Server.2", "my-server-2"),
        ("9lives", "lives"),
        ("___", "imported"),
    ] {
        let mut imported = Imported {
            origin: String::new(),
            name: String::new(),
            namespace: None,
            labels: Map::new(),
            spec: None,
            notes: Vec::new(),
            advice: Vec::new(),
        };
        imported.rename(name);
        assert_eq!(imported.name, expected);
        assert_eq!(imported.notes.is_empty(), name == expected);
    }
}
