//! From any state to any other.

use mcp_plugin_sdk::testing::any_servers;
use proptest::prelude::*;

use super::*;

/// Entries that are not ours to change: of people, and those of the file, also under an id of ours.
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
    /// One plan is enough, every request of it succeeds, and then there is nothing left to do.
    #[test]
    fn any_two_states_converge_in_one_plan(
        before in any_servers("http|sse", 0.1),
        after in any_servers("http|sse", 0.1),
        others in any_others(),
        limited_key in any::<bool>(),
        date in "[0-9]{2}",
    ) {
        let mut world = World { entries: others.clone(), limited_key, date, ..World::default() };
        for servers in [&before, &after] {
            let plan = world.plan(servers);
            for (request, status) in world.carry_out(plan) {
                prop_assert!(status < 300, "{:?} is answered with {}", request, status);
            }
            let settled = world.plan(servers);
            prop_assert!(settled.steps.is_empty(), "{:?}", settled.steps);
            let pending = settled.registrations.iter().find(|registration| {
                matches!(registration.state, Pending | RegistrationState::Absent) && registration.reason != "LeavingConfigurationFile"
            });
            prop_assert!(pending.is_none(), "{:?}", pending);
            prop_assert_eq!(&world.entries[..others.len()], &others[..]);
            // Everything that is registered is there as it should be, and nothing else.
            let registered = settled.registrations.iter().filter(|registration| registration.state == RegistrationState::Registered);
            let mut count = 0;
            for registration in registered {
                let server = servers.iter().find(|server| server.key() == registration.server).unwrap();
                let id = format!("mcp-operator.{}.{}", server.namespace, server.name);
                let entry = world.entries.iter().find(|entry| entry["server_id"] == id.as_str()).unwrap();
                prop_assert_eq!(&entry["server_name"], registration.registered_name.as_str());
                prop_assert_eq!(&entry["url"], server.url.as_str());
                prop_assert_eq!(&entry["transport"], server.transport.as_str());
                prop_assert_eq!(&entry["description"], server.description.as_str());
                prop_assert_eq!(&entry["mcp_access_groups"], &json!(server.access_groups));
                prop_assert_eq!(&entry["allowed_tools"], &json!(server.allowed_tools));
                prop_assert_eq!(entry["mcp_info"]["owner"].as_str(), server.labels.first().map(|(_, team)| team.as_str()));
                count += 1;
            }
            prop_assert_eq!(world.entries.len(), others.len() + count);
        }
        let mut reordered = after;
        reordered.reverse();
        prop_assert!(world.plan(&reordered).steps.is_empty(), "the order of servers must not matter");
    }
}
