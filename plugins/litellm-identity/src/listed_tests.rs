use serde_json::json;

use super::*;

/// As LiteLLM 1.106 lists an entry of its configuration file, shortened.
#[test]
fn an_entry_of_the_file_is_known_by_its_mark() {
    let answer = json!([{
        "server_id": "mcp-operator.tenants.a", "is_config": true, "server_name": "tenants_a", "alias": null,
        "description": "It \"adds\"\n", "url": "http://mcp-a.tenants.svc.cluster.local:8080/mcp", "transport": "http",
        "credentials": null, "teams": [],
        "mcp_info": {
            "managed_by": "mcp-operator", "name": "a", "namespace": "tenants", "server_name": "tenants_a",
            "description": "It \"adds\"\n", "is_public": false, "is_public_explicit": false,
        },
    }])
    .to_string();
    let listed = listed(&answer).unwrap();
    assert!(listed[0].is_in_file() && listed[0].has_our_id("mcp-operator"));
    assert!(!listed[0].is_ours("mcp-operator"));
    assert_eq!(listed[0].key("mcp-operator").as_deref(), Some("tenants/a"));
    assert_eq!(listed[0].key("mcp"), None);
    assert_eq!(listed[0].names().collect::<Vec<_>>(), ["tenants_a"]);
}

#[test]
fn what_is_no_mark_is_none() {
    for info in [
        json!(null),
        json!("text"),
        json!({ "managed_by": 1 }),
        json!({}),
    ] {
        let answer = json!([{ "server_id": "mcp-operator.a.b", "mcp_info": info }]).to_string();
        assert!(!only(&answer).is_ours("mcp-operator"));
    }
}

#[test]
fn an_entry_of_the_database_is_ours_by_either_mark() {
    let server = mcp_plugin_sdk::testing::registrable("tenants", "a");
    let mut source = String::new();
    crate::write_source_url(&mut source, "mcp-operator", &server, "9f86d081");
    assert_eq!(
        source,
        "kubernetes:///apis/mcp.litellm.ai/v1alpha1/namespaces/tenants/mcpservers/a?managed-by=mcp-operator&spec=9f86d081"
    );
    let id = "mcp-operator.tenants.a";
    // As LiteLLM shows it to a key that may do everything, and to one that is limited to some routes.
    for entry in [
        json!({ "server_id": id, "mcp_info": { "managed_by": "mcp-operator", "spec_hash": "9f86d081" } }),
        json!({ "server_id": id, "mcp_info": { "is_public": false }, "url": null, "source_url": source }),
    ] {
        let answer = json!([entry]).to_string();
        let listed = only(&answer);
        assert!(listed.is_ours("mcp-operator") && !listed.is_ours("mcp"));
        assert_eq!(listed.spec_hash(), "9f86d081");
        assert!(listed.has("a", "http://a", "http"));
    }
    let theirs =
        json!([{ "server_id": id, "source_url": "https://github.com/acme/a" }]).to_string();
    assert!(!only(&theirs).is_ours("mcp-operator"));
}

fn only(answer: &str) -> Listed<'_> {
    let mut listed = listed(answer).unwrap();
    assert_eq!(listed.len(), 1);
    listed.remove(0)
}

#[test]
fn what_is_no_list_is_told_apart() {
    for (answer, at) in [
        ("<html>", 0),
        ("{}", 0),
        (r#"[{"server_id":null}]"#, 19),
        (r#"[{"server_id":"a","url":1}]"#, 24),
        (r#"[{"server_id":"a","is_config":"no"}]"#, 30),
        (r#"[{"server_id":"a"}"#, 18),
    ] {
        let error = listed(answer).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("from byte {at} on")),
            "{answer}: {error}"
        );
    }
}
