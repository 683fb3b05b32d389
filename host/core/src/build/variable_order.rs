//! The order of environment variables: Kubernetes expands `$(OTHER)` in a value only where OTHER comes before.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::EnvVar;

/// Sorted by name, but what is referred to comes before what refers to it. In a circle, the last by name is left unexpanded.
pub(super) fn by_reference(mut variables: BTreeMap<String, EnvVar>) -> Vec<EnvVar> {
    let mut ordered = Vec::with_capacity(variables.len());
    let mut visited = BTreeSet::new();
    // A stack of its own: a chain of references is as long as its author likes.
    let mut path: Vec<String> = variables.keys().rev().cloned().collect();
    while let Some(name) = path.pop() {
        let Some(variable) = variables.get(&name) else {
            continue;
        };
        if !visited.insert(name.clone()) {
            ordered.extend(variables.remove(&name));
            continue;
        }
        let before: BTreeSet<String> = references(variable.value.as_deref().unwrap_or_default())
            .filter(|other| variables.contains_key(*other) && !visited.contains(*other))
            .map(str::to_owned)
            .collect();
        path.push(name);
        path.extend(before.into_iter().rev());
    }
    ordered
}

/// The names in `$(NAME)`; `$$` stands for `$` and begins none.
fn references(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once('$')?;
            rest = after;
            if let Some(escaped) = after.strip_prefix('$') {
                rest = escaped;
            } else if let Some((name, _)) =
                after.strip_prefix('(').and_then(|it| it.split_once(')'))
            {
                return Some(name);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(variables: &[(&str, &str)]) -> Vec<String> {
        let variable = |(name, value): &(&str, &str)| {
            let variable = EnvVar {
                name: (*name).into(),
                value: Some((*value).into()),
                ..EnvVar::default()
            };
            ((*name).to_owned(), variable)
        };
        let ordered = by_reference(variables.iter().map(variable).collect());
        ordered.into_iter().map(|variable| variable.name).collect()
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        let found = order(&[
            ("AUTH_HEADER", "Bearer $(MCP_TOKEN)"),
            ("BASE", "https://$(ZONE).example.com/$(AUTH_HEADER)"),
            ("MCP_TOKEN", ""),
            ("PLAIN", "a"),
            ("ZONE", "eu"),
        ]);
        assert_eq!(found, ["MCP_TOKEN", "AUTH_HEADER", "ZONE", "BASE", "PLAIN"]);
    }

    #[test]
    fn without_references_names_decide() {
        let found = order(&[
            ("C", "$(NOWHERE)"),
            ("A", "$$(C)"),
            ("B", "$(C"),
            ("D", "$"),
        ]);
        assert_eq!(found, ["A", "B", "C", "D"]);
    }

    #[test]
    fn circles_lose_nothing() {
        assert_eq!(order(&[("A", "$(A)")]), ["A"]);
        assert_eq!(
            order(&[("A", "$(B)"), ("B", "$(C)"), ("C", "$(A)")]),
            ["C", "B", "A"]
        );
    }

    #[test]
    fn a_long_chain_is_no_recursion() {
        let names: Vec<String> = (0..100_000).map(|index| format!("V{index:06}")).collect();
        let values: Vec<String> = names
            .iter()
            .skip(1)
            .map(|name| format!("$({name})"))
            .collect();
        let values = values.iter().map(String::as_str).chain([""]);
        let chain: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(values).collect();
        let found = order(&chain);
        assert!(found.into_iter().rev().eq(names));
    }

    #[test]
    fn escapes_begin_no_reference() {
        assert_eq!(
            references("$(A)$$(B)$$$(C)$(").collect::<Vec<_>>(),
            ["A", "C"]
        );
    }
}
