//! What the rules in force let be registered of an MCPServer.

use std::sync::Arc;

use mcp_operator_api::v1alpha1::{McpServer, OnExisting};

use crate::build::Settings;
use crate::desired_entries::RegistrationEntry;
use crate::field::FieldError;

/// What the rules in force let be registered of an MCPServer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistrationBasis {
    /// Nobody has said anything about it yet, or nobody can: one that is registered stays as it was, another one waits.
    Unknown,
    /// This, by all rules and with what plugins default.
    Admitted(Arc<RegistrationEntry>),
    /// Nothing, by the server's own wish.
    OptedOut,
    /// Nothing, since it breaks rules. The text says which.
    Forbidden(String),
}

impl RegistrationBasis {
    /// Of a server that passes all rules, as plugins completed it.
    pub fn of_admitted(server: &McpServer, settings: &Settings) -> Self {
        if server.spec.litellm.auto_register {
            Self::Admitted(Arc::new(RegistrationEntry::of(server, settings)))
        } else {
            Self::OptedOut
        }
    }

    /// Of a server that breaks rules. `on_existing` is what the strictest of their plugins wants.
    pub fn of_denied(
        server: &McpServer,
        settings: &Settings,
        errors: &[FieldError],
        on_existing: OnExisting,
    ) -> Self {
        match on_existing {
            OnExisting::Keep => Self::Unknown,
            OnExisting::Deregister => Self::forbidden(errors),
            OnExisting::Restrict => match restricted(server, errors) {
                Some(server) => Self::of_admitted(&server, settings),
                None => Self::forbidden(errors),
            },
        }
    }

    fn forbidden(errors: &[FieldError]) -> Self {
        let errors = errors.iter().map(ToString::to_string);
        Self::Forbidden(errors.collect::<Vec<_>>().join("; "))
    }
}

/// The server without the groups and tools that are forbidden. `None` if something else is, or no tool would be left: of a
/// server without tools, prompts and resources would stay in the gateway, which no list is about.
fn restricted(server: &McpServer, errors: &[FieldError]) -> Option<McpServer> {
    let mut server = server.clone();
    let litellm = &mut server.spec.litellm;
    let (mut groups, mut tools) = (Vec::new(), Vec::new());
    for error in errors {
        let (list, index) = list_item(&error.field)?;
        match list {
            "spec.litellm.allowedUserGroups" => groups.push(index),
            "spec.litellm.allowedTools" => tools.push(index),
            _ => return None,
        }
    }
    remove_all(&mut litellm.allowed_user_groups, groups);
    if let Some(allowed) = litellm.allowed_tools.as_mut().filter(|_| !tools.is_empty()) {
        remove_all(allowed, tools);
        if allowed.is_empty() {
            return None;
        }
    }
    Some(server)
}

/// `spec.list[3]`: the list, and the number.
fn list_item(field: &str) -> Option<(&str, usize)> {
    let (list, rest) = field.split_once('[')?;
    Some((list, rest.strip_suffix(']')?.parse().ok()?))
}

fn remove_all(list: &mut Vec<String>, forbidden: Vec<usize>) {
    let mut index = 0;
    list.retain(|_| {
        index += 1;
        !forbidden.contains(&(index - 1))
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::field::ErrorType;

    fn server() -> McpServer {
        serde_json::from_value(json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "a", "namespace": "tools" },
            "spec": {
                "image": { "repository": "acme/mcp" },
                "litellm": { "allowedUserGroups": ["tools", "finance"], "allowedTools": ["read"] },
            },
        }))
        .unwrap()
    }

    fn denied(fields: &[&str], on_existing: OnExisting) -> RegistrationBasis {
        let errors: Vec<FieldError> = fields
            .iter()
            .map(|field| FieldError {
                field: (*field).into(),
                error_type: ErrorType::Forbidden,
                bad_value: None,
                message: "not allowed".into(),
                code: "access-groups".into(),
            })
            .collect();
        RegistrationBasis::of_denied(&server(), &Settings::default(), &errors, on_existing)
    }

    const GROUP: &str = "spec.litellm.allowedUserGroups[1]";

    #[test]
    fn a_server_that_breaks_rules_leaves_with_their_words_unless_it_may_stay() {
        assert_eq!(
            denied(&[GROUP, "spec.aws.iamRole"], OnExisting::Deregister),
            RegistrationBasis::Forbidden(format!(
                "{GROUP}: Forbidden: not allowed; spec.aws.iamRole: Forbidden: not allowed"
            ))
        );
        assert_eq!(
            denied(&[GROUP], OnExisting::Keep),
            RegistrationBasis::Unknown
        );
    }

    #[test]
    fn only_what_is_forbidden_goes_where_it_can_be_taken_away() {
        let RegistrationBasis::Admitted(entry) = denied(&[GROUP], OnExisting::Restrict) else {
            panic!("it stays without the group");
        };
        assert_eq!(entry.access_groups, ["tools"]);
        assert_eq!(entry.allowed_tools, Some(vec!["read".to_owned()]));
    }

    #[test]
    fn what_cannot_be_taken_away_takes_the_server_with_it() {
        for field in [
            "spec.image.tag",
            "spec.litellm.description",
            "spec.litellm.allowedUserGroups",
            "spec.litellm.allowedUserGroups[x]",
            // The one tool that it has.
            "spec.litellm.allowedTools[0]",
        ] {
            let basis = denied(&[GROUP, field], OnExisting::Restrict);
            assert!(matches!(basis, RegistrationBasis::Forbidden(_)), "{field}");
        }
    }
}
