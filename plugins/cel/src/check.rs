//! What is wrong with settings, before they judge anything.

use std::collections::BTreeSet;

use kube_cel::cel::Context;
use mcp_plugin_sdk::{Finding, Path};

use crate::ast::ITEM;
use crate::expression::Expression;
use crate::fields::Fields;
use crate::settings::{MatchCondition, Settings};
use crate::{bindings, engine, errors, field, functions};

/// Every mistake that shows without a server.
pub(crate) fn check(settings: &Settings) -> Vec<Finding> {
    let mut check = Check {
        context: engine::context(),
        fields: Fields::new(),
        variables: BTreeSet::new(),
        findings: Vec::new(),
    };
    if settings.validations.is_empty() {
        let message = "say what must be true, as in [{name: replicas, expression: 'object.spec.replicas <= 3'}]";
        check
            .findings
            .push(Finding::required("settings", "validations", message));
    }
    check.variables(settings);
    check.conditions(&Path::new("matchConditions"), &settings.match_conditions);
    check.validations(settings);
    check.findings
}

struct Check {
    context: Context<'static>,
    fields: Fields,
    /// Those that are known so far.
    variables: BTreeSet<String>,
    findings: Vec<Finding>,
}

impl Check {
    fn variables(&mut self, settings: &Settings) {
        for (index, variable) in settings.variables.iter().enumerate() {
            let at = Path::new("variables").index(index);
            let who = format!("variable {}", variable.name);
            self.expression(
                at.clone().child("expression"),
                &who,
                &variable.expression,
                false,
            );
            if !is_identifier(&variable.name) {
                let message =
                    "must be a name of letters, digits and `_`, and not begin with a digit";
                self.invalid(at.clone().child("name"), &variable.name, message);
            }
            if !self.variables.insert(variable.name.clone()) {
                self.invalid(
                    at.child("name"),
                    &variable.name,
                    "is the name of another variable",
                );
            }
        }
    }

    fn conditions(&mut self, at: &Path, conditions: &[MatchCondition]) {
        for (index, condition) in conditions.iter().enumerate() {
            let at = at.clone().index(index);
            let who = format!("match condition {}", condition.name);
            self.expression(
                at.clone().child("expression"),
                &who,
                &condition.expression,
                true,
            );
            if condition.name.is_empty() {
                self.invalid(at.child("name"), "", "must not be empty");
            }
        }
    }

    fn validations(&mut self, settings: &Settings) {
        let mut codes = BTreeSet::new();
        for (index, validation) in settings.validations.iter().enumerate() {
            let at = Path::new("validations").index(index);
            let code = validation.code(index);
            if !is_code(&code) {
                let message =
                    "must be lower-case letters, digits and `-`, at most 63, as in replica-bounds";
                self.invalid(at.clone().child("name"), &code, message);
            }
            if !codes.insert(code.clone()) {
                self.invalid(
                    at.clone().child("name"),
                    &code,
                    "is the name of another validation",
                );
            }
            let who = format!("rule {code}");
            self.expression(
                at.clone().child("expression"),
                &who,
                &validation.expression,
                true,
            );
            if let Some(source) = &validation.message_expression {
                self.expression(at.clone().child("messageExpression"), &who, source, false);
            }
            if validation
                .message
                .as_deref()
                .is_some_and(|message| message.trim().is_empty())
            {
                self.invalid(at.clone().child("message"), "", "must not be empty");
            }
            if let Some(path) = &validation.field_path {
                self.field_path(at.clone().child("fieldPath"), path);
            }
            self.conditions(&at.child("matchConditions"), &validation.match_conditions);
        }
    }

    fn expression(&mut self, at: Path, who: &str, source: &str, is_bool: bool) {
        let mut complaints = match Expression::checked(source) {
            Ok(expression) => {
                let mut complaints = self.complaints(&expression);
                if is_bool && let Some(what) = expression.is_never_bool() {
                    complaints.push(format!("is {what}, where true or false is wanted"));
                }
                complaints
            }
            Err(reason) => vec![reason],
        };
        // As many as somebody mends at once.
        complaints.truncate(4);
        for complaint in complaints {
            self.invalid(
                at.clone(),
                &errors::shortened(source),
                &format!("{who}: {complaint}"),
            );
        }
    }

    fn complaints(&self, expression: &Expression) -> Vec<String> {
        let references = &expression.references;
        let roots = references
            .roots
            .iter()
            .filter(|root| !bindings::ROOTS.contains(&root.as_str()))
            .map(|root| {
                let known = bindings::ROOTS.join(", ");
                format!("`{root}` is not known; there are {known} and variables")
            });
        let variables = references
            .variables
            .difference(&self.variables)
            .map(|name| format!("there is no variable {name} before it"));
        let functions = references
            .functions
            .iter()
            .filter(|name| !engine::has_function(&self.context, name))
            .map(|name| unknown_function(name));
        let patterns = references
            .patterns
            .iter()
            .filter_map(|pattern| functions::compile(pattern).err());
        let fields = references
            .paths
            .iter()
            .filter_map(|path| self.fields.complaint(path));
        references
            .unsupported
            .iter()
            .cloned()
            .chain(roots)
            .chain(variables)
            .chain(functions)
            .chain(patterns)
            .chain(fields)
            .collect()
    }

    fn field_path(&mut self, at: Path, path: &str) {
        let complaint = match field::parts(&field::normalized(path)) {
            Some(parts) => {
                let is_index = |part: &String| part.bytes().all(|byte| byte.is_ascii_digit());
                let item = |part: String| {
                    if is_index(&part) {
                        ITEM.to_owned()
                    } else {
                        part
                    }
                };
                let path: Vec<String> = std::iter::once("object".into())
                    .chain(parts.into_iter().map(item))
                    .collect();
                self.fields.complaint(&path)
            }
            None => Some("is no path such as spec.image.tag or metadata.labels[team]".into()),
        };
        if let Some(complaint) = complaint {
            self.invalid(at, path, &complaint);
        }
    }

    fn invalid(&mut self, at: Path, value: &str, message: &str) {
        self.findings
            .push(Finding::invalid("settings", at, value, message));
    }
}

fn unknown_function(name: &str) -> String {
    let hint = match name {
        "all" | "exists" | "existsOne" | "exists_one" | "transformList" | "transformMap"
        | "transformMapEntry" => ": loops with two names are not known here",
        "sortBy" => ": `sort()` is, of lists of plain values",
        "optMap" | "optFlatMap" => ": `orValue(..)` and `hasValue()` are",
        "allowed" | "check" | "group" | "resource" | "path" | "serviceAccount" => {
            ": a rule cannot ask what a user may do"
        }
        _ => "",
    };
    format!("there is no function {name}{hint}")
}

fn is_identifier(name: &str) -> bool {
    let is_first = |first: char| first.is_ascii_alphabetic() || first == '_';
    name.starts_with(is_first)
        && name
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || each == '_')
}

fn is_code(code: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&code.len())
        && code.bytes().all(is_inner)
        && !code.starts_with('-')
        && !code.ends_with('-')
}
