use proptest::prelude::*;
use serde_json::{Value, json};

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
    let listed = parse_server_list(&answer).unwrap();
    assert!(listed[0].is_from_config_file() && listed[0].has_id_of("mcp-operator"));
    assert!(!listed[0].is_owned_by("mcp-operator"));
    assert_eq!(listed[0].key("mcp-operator").as_deref(), Some("tenants/a"));
    assert_eq!(listed[0].key("mcp"), None);
    assert_eq!(listed[0].names().collect::<Vec<_>>(), ["tenants_a"]);
}

#[test]
fn an_mcp_info_without_a_mark_has_no_owner() {
    for info in [
        json!(null),
        json!("text"),
        json!({ "managed_by": 1 }),
        json!({}),
    ] {
        let answer = json!([{ "server_id": "mcp-operator.a.b", "mcp_info": info }]).to_string();
        assert!(!only(&answer).is_owned_by("mcp-operator"));
    }
}

#[test]
fn an_entry_of_the_database_is_owned_by_either_mark() {
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
        assert!(listed.is_owned_by("mcp-operator") && !listed.is_owned_by("mcp"));
        assert_eq!(listed.spec_hash(), "9f86d081");
        assert!(listed.has_endpoint("a", "http://a", "http"));
    }
    let theirs =
        json!([{ "server_id": id, "source_url": "https://github.com/acme/a" }]).to_string();
    assert!(!only(&theirs).is_owned_by("mcp-operator"));
}

fn only(answer: &str) -> ListedServer<'_> {
    let mut listed = parse_server_list(answer).unwrap();
    assert_eq!(listed.len(), 1);
    listed.remove(0)
}

#[test]
fn an_error_names_the_byte() {
    for (answer, at) in [
        ("<html>", 0),
        ("{}", 0),
        (r#"[{"server_id":null}]"#, 17),
        (r#"[{"server_id":"a","url":1}]"#, 24),
        (r#"[{"server_id":"a","is_config":"no"}]"#, 33),
        (r#"[{"server_id":"a"}"#, 17),
    ] {
        let error = parse_server_list(answer).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("from byte {at} on")),
            "{answer}: {error}"
        );
    }
}

/// Anything that can stand in a member that is skipped.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        any_string().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any_string(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// Often with characters that end strings, lists and objects.
fn any_string() -> impl Strategy<Value = String> {
    prop_oneof!["[\"\\\\{}\\[\\],: a\n]{0,20}", "\\PC{0,20}"]
}

proptest! {
    #[test]
    fn other_members_do_not_matter(
        servers in prop::collection::vec((any_string(), any_string(), any_value()), 0..4),
        is_pretty in any::<bool>(),
    ) {
        let write = if is_pretty { serde_json::to_string_pretty } else { serde_json::to_string };
        let list: Vec<_> = servers
            .iter()
            .map(|(id, description, other)| json!({
                "a": other, "server_id": id, "mcp_info": other, "description": description, "z": other,
            }))
            .collect();
        let answer = write(&list).unwrap();
        let listed = parse_server_list(&answer).unwrap();
        prop_assert_eq!(listed.len(), servers.len());
        for (listed, (id, description, other)) in listed.iter().zip(&servers) {
            prop_assert_eq!(&listed.server_id, id);
            prop_assert_eq!(&listed.description.as_ref().unwrap().0, description);
            let info: Value = serde_json::from_str(listed.mcp_info.unwrap().get()).unwrap();
            // Of the same text: parsing a printed number may change its last digit.
            prop_assert_eq!(info, serde_json::from_str::<Value>(&other.to_string()).unwrap());
        }
        // A list that is cut off is an error, wherever it is cut.
        for end in 0..answer.len() {
            if answer.is_char_boundary(end) {
                prop_assert!(parse_server_list(&answer[..end]).is_err(), "{}", &answer[..end]);
            }
        }
    }

    #[test]
    fn a_text_that_is_not_json_is_an_error(answer in "[\"\\\\{}\\[\\],: a1\n]{0,40}|\\PC*") {
        if serde_json::from_str::<Value>(&answer).is_err() {
            prop_assert!(parse_server_list(&answer).is_err());
        }
    }
}

/// Users may keep anything in `mcp_info`, and LiteLLM may add members: neither may exhaust the stack of the plugin.
#[test]
fn members_that_are_nested_deeply_are_skipped() {
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let answer = format!(
        r#"[{{"server_id":"mcp-operator.a.b","other":{deep},"mcp_info":{deep},"allowed_tools":{deep}}}]"#
    );
    let listed = only(&answer);
    assert!(!listed.is_owned_by("mcp-operator"));
    let server = mcp_plugin_sdk::testing::registrable("a", "b");
    assert!(listed.has_details_of(&server), "it shows no URL");
}

#[test]
fn a_list_that_is_null_is_empty_and_a_missing_one_unknown() {
    let mut server = mcp_plugin_sdk::testing::registrable("a", "b");
    server.description = "It adds".into();
    let entry = |groups: &str| {
        format!(r#"[{{"server_id":"id","url":"http://a","description":"It adds"{groups}}}]"#)
    };
    for (groups, none, some) in [
        ("", true, true),
        (r#","mcp_access_groups":null"#, true, false),
        (r#","mcp_access_groups":[]"#, true, false),
        (r#","mcp_access_groups":["b","a"]"#, false, true),
        (r#","mcp_access_groups":7"#, false, false),
    ] {
        let answer = entry(groups);
        server.access_groups.clear();
        assert_eq!(only(&answer).has_details_of(&server), none, "{groups}");
        server.access_groups = vec!["a".into(), "b".into()];
        assert_eq!(only(&answer).has_details_of(&server), some, "{groups}");
    }
}
