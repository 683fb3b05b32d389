//! Judges one server by the settings.

use std::collections::{BTreeMap, BTreeSet};

use kube_cel::cel::{Context, ExecutionError, Value};
use mcp_plugin_sdk::{Finding, Request, Stage, normalized};
use serde_json::Value as Json;

use crate::expression::Expression;
use crate::settings::{MatchCondition, Settings, Validation};
use crate::{ast, bindings, engine, errors, field};

/// Everything that is wrong with the server of a request.
pub(crate) fn judge(settings: &Settings, request: &Request) -> Vec<Finding> {
    match Policy::compile(settings) {
        Ok(policy) => policy.judge(settings, request),
        // Settings with an error are not put into force; whatever comes here all the same refuses.
        Err(reason) => vec![Finding::forbidden("settings", "", reason)],
    }
}

struct Policy {
    conditions: Vec<Condition>,
    /// In the order of the settings.
    variables: Vec<(String, Expression)>,
    validations: Vec<Rule>,
}

struct Condition {
    name: String,
    expression: Expression,
}

struct Rule {
    conditions: Vec<Condition>,
    expression: Expression,
}

/// What a rule needs that not every call has.
#[derive(Clone, Copy, Default)]
struct Needs {
    old_object: bool,
    requester: bool,
}

impl Policy {
    fn compile(settings: &Settings) -> Result<Self, String> {
        let conditions = |list: &[MatchCondition]| {
            let compiled = list.iter().map(|condition| {
                let expression = Expression::parse(&condition.expression)?;
                Ok(Condition {
                    name: condition.name.clone(),
                    expression,
                })
            });
            compiled.collect::<Result<Vec<_>, String>>()
        };
        let variables = settings.variables.iter().map(|variable| {
            Ok((
                variable.name.clone(),
                Expression::parse(&variable.expression)?,
            ))
        });
        let validations = settings.validations.iter().map(|validation| {
            let conditions = conditions(&validation.match_conditions)?;
            let expression = Expression::parse(&validation.expression)?;
            Ok(Rule {
                conditions,
                expression,
            })
        });
        Ok(Self {
            conditions: conditions(&settings.match_conditions)?,
            variables: variables.collect::<Result<_, String>>()?,
            validations: validations.collect::<Result<_, String>>()?,
        })
    }

    fn judge(&self, settings: &Settings, request: &Request) -> Vec<Finding> {
        let object = normalized(request.object());
        let mut scope = Scope::new(self, settings, request, &object);
        let mut findings = Vec::new();
        for (index, (rule, validation)) in self
            .validations
            .iter()
            .zip(&settings.validations)
            .enumerate()
        {
            let needs = self.needs(rule);
            if request.stage == Stage::Reconcile && (needs.old_object || needs.requester) {
                continue;
            }
            let code = validation.code(index);
            if needs.requester && bindings::lacks_requester(request) {
                let message = "was not judged: it asks who sends the request, which only the API server knows";
                findings.push(Finding::forbidden(&code, "", message).warning());
                continue;
            }
            findings.extend(scope.finding(rule, validation, &code));
        }
        findings
    }

    /// What a rule needs, by itself, its conditions and its variables.
    fn needs(&self, rule: &Rule) -> Needs {
        let mut needs = Needs::default();
        let conditions = self.conditions.iter().chain(&rule.conditions);
        let own = conditions.map(|condition| &condition.expression);
        for expression in own.chain([&rule.expression]) {
            needs.add(expression);
            for name in self.used(expression) {
                for (_, variable) in self.variables.iter().filter(|(known, _)| *known == name) {
                    needs.add(variable);
                }
            }
        }
        needs
    }

    /// The variables that an expression uses, and those that they use.
    fn used(&self, expression: &Expression) -> BTreeSet<String> {
        let mut used = expression.references.variables.clone();
        // Each uses only those before it.
        for (name, variable) in self.variables.iter().rev() {
            if used.contains(name) {
                used.extend(variable.references.variables.iter().cloned());
            }
        }
        used
    }

    fn roots(&self) -> BTreeSet<&str> {
        let rules = self.validations.iter().flat_map(|rule| {
            let conditions = rule
                .conditions
                .iter()
                .map(|condition| &condition.expression);
            conditions.chain([&rule.expression])
        });
        let conditions = self
            .conditions
            .iter()
            .map(|condition| &condition.expression);
        let variables = self.variables.iter().map(|(_, expression)| expression);
        rules
            .chain(conditions)
            .chain(variables)
            .flat_map(|expression| expression.references.roots.iter().map(String::as_str))
            .collect()
    }
}

impl Needs {
    fn add(&mut self, expression: &Expression) {
        let references = &expression.references;
        self.old_object |= references.roots.contains("oldObject");
        self.requester |= references.paths.iter().any(|path| {
            // `request` as a whole may be searched for anything.
            let mut parts = path.iter().map(String::as_str);
            parts.next() == Some("request")
                && matches!(parts.next(), None | Some("userInfo" | ast::ITEM))
        });
    }
}

/// The values of one call, and what was found out so far.
struct Scope<'a> {
    policy: &'a Policy,
    settings: &'a Settings,
    request: &'a Request,
    object: &'a Json,
    context: Context<'static>,
    /// Variables that were evaluated, and why not.
    known: BTreeMap<String, Result<(), String>>,
}

impl<'a> Scope<'a> {
    fn new(
        policy: &'a Policy,
        settings: &'a Settings,
        request: &'a Request,
        object: &'a Json,
    ) -> Self {
        let mut context = engine::context();
        bindings::bind(
            &mut context,
            &policy.roots(),
            &settings.params,
            object,
            request,
        );
        let known = BTreeMap::new();
        Self {
            policy,
            settings,
            request,
            object,
            context,
            known,
        }
    }

    /// What is wrong by one rule.
    fn finding(&mut self, rule: &Rule, validation: &Validation, code: &str) -> Option<Finding> {
        let message = match self.is_exempt(rule) {
            Ok(true) => return None,
            Ok(false) => match self.truth(&rule.expression) {
                Ok(true) => return None,
                Ok(false) => self.message(validation),
                Err(reason) => format!(
                    "the rule {code} cannot be evaluated: {reason}, in `{}`",
                    errors::shortened(&validation.expression)
                ),
            },
            Err(message) => format!("the rule {code} {message}"),
        };
        let field = field::normalized(validation.field_path.as_deref().unwrap_or_default());
        let bad_value = field::shown(self.object, &field);
        let mut finding = Finding::invalid(code, field, (), message);
        finding.error_type = validation.reason.error_type();
        finding.bad_value = bad_value.filter(|_| finding.error_type == "Invalid");
        finding.severity = validation.severity.into();
        Some(finding)
    }

    /// Whether a match condition leaves the server out. One that is false does, even where another fails.
    fn is_exempt(&mut self, rule: &Rule) -> Result<bool, String> {
        let mut failed = None;
        for condition in self.policy.conditions.iter().chain(&rule.conditions) {
            match self.truth(&condition.expression) {
                Ok(true) => {}
                Ok(false) => return Ok(true),
                Err(reason) => {
                    failed = failed.or(Some(format!(
                        "cannot be evaluated: its match condition {}: {reason}",
                        condition.name
                    )));
                }
            }
        }
        failed.map_or(Ok(false), Err)
    }

    fn truth(&mut self, expression: &Expression) -> Result<bool, String> {
        match self.value(expression)? {
            Value::Bool(is_true) => Ok(is_true),
            _ => Err("it is neither true nor false".into()),
        }
    }

    fn value(&mut self, expression: &Expression) -> Result<Value, String> {
        self.evaluate_variables(expression);
        let evaluated = expression.evaluate(&self.context);
        evaluated.map_err(|error| self.reason(&error))
    }

    fn reason(&self, error: &ExecutionError) -> String {
        if let ExecutionError::UndeclaredReference(name) = error
            && let Some(Err(reason)) = self.known.get(name.as_str())
        {
            return format!("{name}: {reason}");
        }
        errors::sentence(error)
    }

    /// One that fails is not bound: whoever really uses it fails by it, and not who might have.
    fn evaluate_variables(&mut self, expression: &Expression) {
        let used = self.policy.used(expression);
        for (name, variable) in &self.policy.variables {
            let bound = ast::variable(name);
            if !used.contains(name) || self.known.contains_key(&bound) {
                continue;
            }
            let result = match variable.evaluate(&self.context) {
                Ok(value) => {
                    self.context.add_variable_from_value(bound.as_str(), value);
                    Ok(())
                }
                Err(error) => Err(self.reason(&error)),
            };
            self.known.insert(bound, result);
        }
    }

    /// What users are told. A `messageExpression` that fails leaves the message, as in Kubernetes.
    fn message(&mut self, validation: &Validation) -> String {
        let made = validation.message_expression.as_deref().and_then(|source| {
            let expression = Expression::parse(source).ok()?;
            self.bind_further(&expression);
            match self.value(&expression) {
                Ok(Value::String(text)) => Some(text.trim().to_owned()),
                _ => None,
            }
        });
        let made = made.filter(|text| !text.is_empty() && !text.contains('\n'));
        made.or_else(|| validation.message.clone())
            .unwrap_or_else(|| {
                format!(
                    "failed expression: {}",
                    errors::shortened(&validation.expression)
                )
            })
    }

    /// A message may name what no expression does.
    fn bind_further(&mut self, expression: &Expression) {
        let bound = self.policy.roots();
        let roots = expression.references.roots.iter().map(String::as_str);
        let further: BTreeSet<&str> = roots.filter(|root| !bound.contains(root)).collect();
        bindings::bind(
            &mut self.context,
            &further,
            &self.settings.params,
            self.object,
            self.request,
        );
    }
}
