//! Exceptions from the rules of a plugin: for a server, by somebody, until a day.

use jiff::Timestamp;
use mcp_operator_api::v1alpha1::PluginException;

use crate::admission::{Excepted, Finding};
use crate::field::{ErrorType, FieldError};

/// The exceptions of an MCPPlugin, with ends that can be compared.
#[derive(Clone, Debug, Default)]
pub struct Exceptions(Vec<(Timestamp, PluginException)>);

impl Exceptions {
    /// Those of which the end can be read; of others [`errors`] says it.
    pub fn of(exceptions: &[PluginException]) -> Self {
        let readable = exceptions.iter().filter_map(|exception| {
            let until = exception.until.parse().ok()?;
            Some((until, exception.clone()))
        });
        Self(readable.collect())
    }

    /// Makes warnings of what is excepted at this time: it is told, with who answers for it, and refuses nothing.
    pub fn except(&self, namespace: &str, name: &str, findings: &mut [Finding], now: Timestamp) {
        let of_server: Vec<&PluginException> = self
            .in_force(now)
            .filter(|exception| {
                let is_named = exception.name.as_deref().is_none_or(|only| only == name);
                exception.namespace == namespace && is_named
            })
            .collect();
        for finding in findings.iter_mut().filter(|finding| !finding.warning) {
            let code = &finding.error.code;
            let exception = of_server
                .iter()
                .find(|exception| exception.rules.is_empty() || exception.rules.contains(code));
            if let Some(exception) = exception {
                finding.warning = true;
                let (until, owner) = (&exception.until, &exception.owner);
                let message = &mut finding.error.message;
                *message = format!("{message} (excepted until {until} by {owner})");
                finding.excepted = Some(Excepted {
                    owner: owner.clone(),
                    until: until.clone(),
                });
            }
        }
    }

    /// Those that have not ended.
    pub fn in_force(&self, now: Timestamp) -> impl Iterator<Item = &PluginException> {
        let live = self.0.iter().filter(move |(until, _)| *until > now);
        live.map(|(_, exception)| exception)
    }

    /// When the next one ends.
    pub fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.0.iter().map(|(until, _)| *until);
        ends.filter(|until| *until > now).min()
    }
}

/// What is wrong with exceptions that the schema cannot say.
pub(crate) fn errors(exceptions: &[PluginException]) -> Vec<FieldError> {
    let unreadable = exceptions
        .iter()
        .enumerate()
        .filter_map(|(index, exception)| {
            let error = exception.until.parse::<Timestamp>().err()?;
            Some(FieldError {
                field: format!("spec.exceptions[{index}].until"),
                error_type: ErrorType::Invalid,
                bad_value: Some(exception.until.clone().into()),
                message: format!("{error}: give a day and time such as 2027-01-31T00:00:00Z"),
                code: "exception-end".into(),
            })
        });
    unreadable.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn exceptions(list: Value) -> Exceptions {
        let list: Vec<PluginException> = serde_json::from_value(list).unwrap();
        assert_eq!(errors(&list), []);
        Exceptions::of(&list)
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn finding(code: &str) -> Finding {
        Finding {
            error: FieldError {
                field: "spec".into(),
                error_type: ErrorType::Invalid,
                bad_value: None,
                message: "no".into(),
                code: code.into(),
            },
            warning: false,
            excepted: None,
        }
    }

    /// Codes of what still refuses.
    fn refusing(it: &Exceptions, namespace: &str, name: &str, now: &str) -> Vec<String> {
        let mut findings = [finding("tag"), finding("team")];
        it.except(namespace, name, &mut findings, at(now));
        let errors = findings.into_iter().filter(|finding| !finding.warning);
        errors.map(|finding| finding.error.code).collect()
    }

    #[test]
    fn an_exception_is_for_its_server_and_rules_until_it_ends() {
        let it = exceptions(json!([
            { "namespace": "tools", "name": "old", "rules": ["tag"], "owner": "ann", "until": "2027-01-31T00:00:00Z" },
        ]));
        let before = "2027-01-30T23:59:59Z";
        assert_eq!(refusing(&it, "tools", "old", before), ["team"]);
        assert_eq!(refusing(&it, "tools", "new", before), ["tag", "team"]);
        assert_eq!(refusing(&it, "other", "old", before), ["tag", "team"]);
        let end = "2027-01-31T00:00:00Z";
        assert_eq!(refusing(&it, "tools", "old", end), ["tag", "team"]);
        assert_eq!(it.next_end(at(before)), Some(at(end)));
        assert_eq!(it.next_end(at(end)), None);
    }

    #[test]
    fn without_a_name_and_rules_it_is_for_the_whole_namespace() {
        let it = exceptions(json!([
            { "namespace": "tools", "owner": "ann", "until": "2027-01-31T01:00:00+01:00" },
        ]));
        assert_eq!(
            refusing(&it, "tools", "any", "2027-01-30T00:00:00Z"),
            [""; 0]
        );
        assert_eq!(
            refusing(&it, "tools", "any", "2027-01-31T00:00:00Z").len(),
            2
        );
    }

    #[test]
    fn what_is_excepted_is_told_with_who_answers_for_it() {
        let it = exceptions(json!([
            { "namespace": "tools", "owner": "ann", "until": "2027-01-31T00:00:00Z" },
        ]));
        let mut findings = [finding("tag")];
        it.except("tools", "a", &mut findings, at("2026-01-01T00:00:00Z"));
        let message = &findings[0].error.message;
        assert_eq!(message, "no (excepted until 2027-01-31T00:00:00Z by ann)");
        let excepted = findings[0].excepted.as_ref().unwrap();
        assert_eq!(excepted.owner, "ann");
        assert_eq!(excepted.until, "2027-01-31T00:00:00Z");
    }

    #[test]
    fn an_end_that_is_none_is_an_error_and_excepts_nothing() {
        let list = json!([{ "namespace": "tools", "owner": "ann", "until": "tomorrow" }]);
        let list: Vec<PluginException> = serde_json::from_value(list).unwrap();
        assert_eq!(errors(&list)[0].field, "spec.exceptions[0].until");
        let it = Exceptions::of(&list);
        assert_eq!(refusing(&it, "tools", "a", "2026-01-01T00:00:00Z").len(), 2);
    }
}
