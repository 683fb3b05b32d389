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

/// A Deployment by hand with these parts, and manifests beside it.
fn deployment(pod: &str, beside: &str) -> (String, Vec<String>) {
    let text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: mcp-a}}\nspec:\n  template:\n    metadata: {{labels: {{app: a}}}}\n    spec: {pod}\n---\n{beside}"
    );
    imported(documents::parse("a.yaml", &text).unwrap(), None).unwrap()
}

#[test]
fn a_token_is_mounted_where_it_was_and_nowhere_else() {
    let home = |said: &str| {
        let text = format!(
            "apiVersion: litellm.home-operations.com/v1alpha1\nkind: LiteLLMMCPServer\nmetadata: {{name: a}}\nspec: {{workload: {{image: a/b:1, serviceAccountName: reader{said}}}}}"
        );
        let made = imported(documents::parse("a.yaml", &text).unwrap(), None);
        made.unwrap()
            .0
            .contains("automountServiceAccountToken: true")
    };
    assert!(home(""));
    assert!(!home(", automountServiceAccountToken: false"));
    let by_hand = |said: &str| {
        let pod = format!("{{containers: [{{name: a, image: a/b:1}}]{said}}}");
        deployment(&pod, "").0
    };
    for account in ["serviceAccountName", "serviceAccount"] {
        let text = by_hand(&format!(", {account}: reader"));
        assert!(
            text.contains("automountServiceAccountToken: true")
                && text.contains("serviceAccountName: reader"),
            "{text}"
        );
    }
    let no = ", serviceAccountName: reader, automountServiceAccountToken: false";
    assert!(!by_hand(no).contains("automountServiceAccountToken: true"));
}

#[test]
fn of_several_sources_of_a_variable_the_last_one_counts() {
    let beside = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: base}\ndata: {ENDPOINT: staging}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: prod}\ndata: {ENDPOINT: prod}\n";
    let pod = |env: &str| {
        format!(
            "{{containers: [{{name: a, image: a/b:1, envFrom: [{{configMapRef: {{name: base}}}}, {{configMapRef: {{name: prod}}}}]{env}}}]}}"
        )
    };
    let (text, _) = deployment(&pod(""), beside);
    assert!(text.contains("ENDPOINT: prod"), "{text}");
    let (text, _) = deployment(&pod(", env: [{name: ENDPOINT, value: own}]"), beside);
    assert!(
        text.contains("value: own") && !text.contains("ENDPOINT: prod"),
        "{text}"
    );
}

#[test]
fn secrets_of_another_store_or_another_make_stay_as_they_are() {
    let external = |name: &str, store: &str, remote: &str| {
        format!(
            "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: {name}}}\nspec:\n  secretStoreRef: {{name: {store}, kind: ClusterSecretStore}}\n  target: {{name: {name}}}\n  data: [{{secretKey: {name}, remoteRef: {{key: of/{name}{remote}}}}}]\n---\n"
        )
    };
    let beside = [
        external("first", "aws", ""),
        external("second", "vault", ""),
        external("third", "aws", ", version: v7"),
    ]
    .concat();
    let variable = |name: &str| {
        format!("{{name: V_{name}, valueFrom: {{secretKeyRef: {{name: {name}, key: {name}}}}}}}")
    };
    let env = ["first", "second", "third"].map(variable).join(", ");
    let pod = format!("{{containers: [{{name: a, image: a/b:1, env: [{env}]}}]}}");
    let (text, notes) = deployment(&pod, &beside);
    assert!(text.contains("awsSecretKey: of/first"), "{text}");
    assert!(
        !text.contains("of/second") && !text.contains("of/third"),
        "{text}"
    );
    for why in [
        "V_second stays a key of the Secret second: its ExternalSecret is of another store",
        "V_third stays a key of the Secret third: its ExternalSecret says more",
    ] {
        assert!(notes.iter().any(|note| note.contains(why)), "{notes:?}");
    }
}

#[test]
fn what_pods_of_servers_do_not_have_is_named() {
    for (pod, what) in [
        ("dnsPolicy: None", "dnsPolicy"),
        ("schedulerName: gpu", "schedulerName"),
    ] {
        let pod = format!("{{{pod}, containers: [{{name: a, image: a/b:1}}]}}");
        let (_, notes) = deployment(&pod, "");
        assert!(notes.iter().any(|note| note.contains(what)), "{notes:?}");
    }
    for (container, what) in [
        (
            "livenessProbe: {httpGet: {port: 8080, scheme: HTTPS}}",
            "livenessProbe",
        ),
        (
            "readinessProbe: {successThreshold: 2, tcpSocket: {port: 8080}}",
            "readinessProbe",
        ),
        (
            "readinessProbe: {httpGet: {port: elsewhere}}",
            "readinessProbe",
        ),
        (
            "readinessProbe: {httpGet: {port: 8080, host: a.example.com}}",
            "readinessProbe",
        ),
        (
            "securityContext: {capabilities: {add: [NET_ADMIN]}}",
            "capabilities",
        ),
    ] {
        let pod = format!("{{containers: [{{name: a, image: a/b:1, {container}}}]}}");
        let (_, notes) = deployment(&pod, "");
        assert!(
            notes.iter().any(|note| note.contains(what)),
            "{container}: {notes:?}"
        );
    }
}

#[test]
fn two_servers_do_not_become_one() {
    let text = "mcp_servers: {my_server: {url: https://a.example.com/mcp}, my-server: {url: https://b.example.com/mcp}}";
    let (text, notes) = imported(documents::parse("a.yaml", text).unwrap(), None).unwrap();
    assert!(
        text.contains("name: my-server\n") && text.contains("name: my-server-2\n"),
        "{text}"
    );
    assert!(
        notes
            .iter()
            .any(|note| note.contains("is taken by another one")),
        "{notes:?}"
    );
}
