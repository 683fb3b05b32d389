//! From any state to any other.

use mcp_plugin_sdk::testing::any_servers;
use proptest::prelude::*;

use super::*;

/// Entries that must not be changed: those of users, and those of the file, also with an id of the operator.
fn any_others() -> impl Strategy<Value = Vec<Value>> {
    let other =
        ("[a-c]_[a-c]", any::<bool>(), any::<bool>()).prop_map(|(name, is_config, has_our_id)| {
            let mut entry = foreign(&name, is_config || has_our_id);
            if has_our_id {
                entry["server_id"] = json!(format!("mcp-operator.{}", name.replace('_', ".")));
                entry["mcp_info"]["managed_by"] = json!("mcp-operator");
            }
            entry
        });
    prop::collection::vec(other, 0..3).prop_map(|mut others| {
        others.sort_by_key(|entry| entry["server_id"].to_string());
        others.dedup_by_key(|entry| entry["server_id"].to_string());
        others
    })
}

proptest! {
    /// One plan is enough, and every request of it succeeds.
    #[test]
    fn any_two_states_converge_in_one_plan(
        before in any_servers("http|sse", 0.1),
        after in any_servers("http|sse", 0.1),
        others in any_others(),
        limited_key in any::<bool>(),
        date in "[0-9]{2}",
    ) {
        let mut litellm = FakeLiteLlm { entries: others.clone(), limited_key, date, ..FakeLiteLlm::default() };
        for servers in [&before, &after] {
            let plan = litellm.plan(servers);
            for (request, status) in litellm.execute(plan) {
                prop_assert!(status < 300, "{:?} is answered with {}", request, status);
            }
            let converged = litellm.plan(servers);
            prop_assert!(converged.steps.is_empty(), "{:?}", converged.steps);
            let pending = converged.registrations.iter().find(|registration| {
                matches!(registration.state, Pending | RegistrationState::Absent) && registration.reason != "LeavingConfigurationFile"
            });
            prop_assert!(pending.is_none(), "{:?}", pending);
            prop_assert_eq!(&litellm.entries[..others.len()], &others[..]);
            // Everything that is registered is there as it should be, and nothing else.
            let registered = converged.registrations.iter().filter(|registration| registration.state == RegistrationState::Registered);
            let mut count = 0;
            for registration in registered {
                let server = servers.iter().find(|server| server.key() == registration.server).unwrap();
                let id = format!("mcp-operator.{}.{}", server.namespace, server.name);
                let entry = litellm.entries.iter().find(|entry| entry["server_id"] == id.as_str()).unwrap();
                prop_assert_eq!(&entry["server_name"], registration.registered_name.as_str());
                prop_assert_eq!(&entry["url"], server.url.as_str());
                prop_assert_eq!(&entry["transport"], server.transport.as_str());
                prop_assert_eq!(&entry["description"], server.description.as_str());
                prop_assert_eq!(&entry["mcp_access_groups"], &json!(server.access_groups));
                prop_assert_eq!(&entry["allowed_tools"], &json!(server.tool_allowlist().unwrap_or_default()));
                prop_assert_eq!(entry["mcp_info"]["owner"].as_str(), server.labels.first().map(|(_, team)| team.as_str()));
                count += 1;
            }
            prop_assert_eq!(litellm.entries.len(), others.len() + count);
        }
        let mut reordered = after;
        reordered.reverse();
        prop_assert!(litellm.plan(&reordered).steps.is_empty(), "the order of servers must not matter");
    }
}
