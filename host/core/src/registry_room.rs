//! The room that a registrar has for what it is given: all servers are in one call, and a call has an end of memory.
//!
//! Were that exceeded, nobody would be registered and nobody removed, whoever has so much to say. So the bound is here,
//! before the call, and namespaces share the room.

use mcp_operator_fair_share::{Item, fitting};

use crate::desired_entries::RegistrationEntry;
use crate::registration_plan::{Registration, State};

/// Bytes that an entry may need of the room. The largest that the API lets somebody write need more.
pub const MAX_ENTRY_BYTES: usize = 64 << 10;
/// The part of a call's memory that entries may need: a plan has copies of them, and of what it observes.
const MEMORY_PER_ROOM: usize = 4;
/// Bytes that an entry needs without its strings.
const ENTRY_BYTES: usize = 768;
/// Bytes that a string needs besides its text.
const STRING_BYTES: usize = 32;

/// Entries by whether a registrar is given them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fitting<'a> {
    /// Those that it is given, in their order.
    pub given: Vec<&'a RegistrationEntry>,
    /// What is said about the others.
    pub refused: Vec<Registration>,
}

/// Divides entries by whether they fit into a plan with so much memory. A namespace that needs no more than its part of the
/// room loses nothing; of the others the newest are left out.
pub fn fit(entries: &[RegistrationEntry], memory_bytes: usize) -> Fitting<'_> {
    let room = memory_bytes / MEMORY_PER_ROOM;
    let mut fitted = Fitting::default();
    let mut items = Vec::with_capacity(entries.len());
    let mut possible = Vec::with_capacity(entries.len());
    for entry in entries {
        let size = size(entry);
        if size > MAX_ENTRY_BYTES {
            fitted.refused.push(too_large(entry, size));
            continue;
        }
        possible.push(entry);
        items.push(Item {
            group: &*entry.key.namespace,
            age: (&*entry.created, &entry.key),
            size,
        });
    }
    for (entry, fits) in possible.into_iter().zip(fitting(room, &items)) {
        if fits {
            fitted.given.push(entry);
        } else {
            fitted.refused.push(full(entry, room));
        }
    }
    fitted
}

/// Bytes that an entry needs, about.
fn size(entry: &RegistrationEntry) -> usize {
    let labels = entry.labels.iter().flat_map(|(name, value)| [name, value]);
    let tools = entry.allowed_tools.iter().flatten();
    let lists = entry.access_groups.iter().chain(tools);
    let texts = [&entry.url, &entry.description];
    let strings = labels.chain(lists).chain(texts).chain(entry.extra.values());
    ENTRY_BYTES + strings.map(|text| STRING_BYTES + text.len()).sum::<usize>()
}

fn too_large(entry: &RegistrationEntry, size: usize) -> Registration {
    let message = format!(
        "spec.litellm, the URL and metadata.labels take {size} bytes, and {MAX_ENTRY_BYTES} are allowed: shorten the description, groups or tools, or remove labels"
    );
    refused(entry, "EntryTooLarge", message)
}

fn full(entry: &RegistrationEntry, room: usize) -> Registration {
    let message = format!(
        "A plan has room for {room} bytes of servers, which namespaces share, and the newest of {} did not fit: remove servers there or shorten their spec.litellm, or let an administrator raise spec.limits.memory of the registrar's MCPPlugin",
        entry.key.namespace
    );
    refused(entry, "RegistryFull", message)
}

fn refused(entry: &RegistrationEntry, reason: &str, message: String) -> Registration {
    Registration {
        server: entry.key.to_string(),
        registered_name: String::new(),
        state: State::Refused,
        reason: reason.to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server_key::ServerKey;

    const MEMORY: usize = 64 << 20;

    fn entry(namespace: &str, name: &str, created: &str, tools: usize) -> RegistrationEntry {
        RegistrationEntry {
            key: ServerKey::new(namespace, name),
            uid: name.into(),
            created: created.into(),
            labels: vec![("team".into(), "platform".into())],
            url: format!("http://mcp-{name}.{namespace}.svc.cluster.local:8080/mcp"),
            is_remote: false,
            transport: "http",
            description: "Issues and pull requests".into(),
            access_groups: Vec::new(),
            allowed_tools: Some(vec!["x".repeat(128); tools]),
            extra: [("auth", r#"{"type":"bearerToken"}"#.to_owned())].into(),
        }
    }

    #[test]
    fn ten_thousand_usual_servers_fit() {
        let entries: Vec<_> = (0..10_000)
            .map(|number| entry("tools", &format!("s{number}"), "2026", 3))
            .collect();
        let fitted = fit(&entries, MEMORY);
        assert_eq!((fitted.given.len(), fitted.refused.len()), (10_000, 0));
    }

    #[test]
    fn one_namespace_leaves_room_for_others() {
        let mut entries: Vec<_> = (0..1000)
            .map(|number| {
                entry(
                    "crowd",
                    &format!("s{number:03}"),
                    &format!("2025-{number:03}"),
                    256,
                )
            })
            .collect();
        entries.push(entry("quiet", "young", "2026", 100));
        let fitted = fit(&entries, MEMORY);
        assert!(
            fitted
                .given
                .iter()
                .any(|entry| entry.key.namespace == "quiet")
        );
        let refused: Vec<&str> = fitted
            .refused
            .iter()
            .map(|registration| registration.server.as_str())
            .collect();
        let newest: Vec<String> = (1000 - refused.len()..1000)
            .map(|number| format!("crowd/s{number:03}"))
            .collect();
        assert_eq!(refused, newest);
        assert!(fitted.refused[0].message.contains("spec.limits.memory"));
        let given: usize = fitted.given.iter().map(|entry| size(entry)).sum();
        assert!(given <= MEMORY / MEMORY_PER_ROOM && fitted.given.len() > 300);
    }

    #[test]
    fn an_entry_has_a_largest_size() {
        let mut large = entry("tools", "large", "2025", 0);
        large.labels = (0..2000)
            .map(|number| (format!("example.com/label-{number}"), "x".repeat(60)))
            .collect();
        let entries = [large, entry("tools", "usual", "2026", 256)];
        let fitted = fit(&entries, MEMORY);
        assert_eq!(fitted.given, [&entries[1]]);
        assert_eq!(fitted.refused[0].reason, "EntryTooLarge");
    }
}
