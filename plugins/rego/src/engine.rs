//! The interpreter, with the modules of the settings.

use mcp_plugin_sdk::{Finding, Path, Request, Severity, Stage, normalized};
use serde_json::{Value as Json, json};

use crate::input;
use crate::settings::{Module, RegoVersion, Settings};

/// Modules that are ready, and the rules that each of them is asked by.
pub(crate) struct Engine {
    engine: regorus::Engine,
    /// In the order of the settings.
    questions: Vec<Vec<Question>>,
}

/// A rule that answers with what is wrong.
#[derive(Clone, Debug)]
struct Question {
    /// `data.labels.violation`
    path: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Violation,
    Deny,
    Warn,
}

const KINDS: [(&str, Kind); 3] = [
    ("violation", Kind::Violation),
    ("deny", Kind::Deny),
    ("warn", Kind::Warn),
];

/// Why modules cannot be used.
#[derive(Debug)]
pub(crate) struct EngineError {
    /// Position of the module, if it is one of them.
    module: Option<usize>,
    pub(crate) message: String,
}

impl EngineError {
    pub(crate) fn finding(&self, settings: &Settings) -> Finding {
        let Some(index) = self.module else {
            return Finding::required("settings", "modules", self.message.as_str());
        };
        let name = settings
            .modules
            .get(index)
            .map(|module| module.name.as_str());
        let field = Path::new("modules").index(index).child("rego");
        Finding::invalid("settings", field, name, self.message.as_str())
    }
}

impl Engine {
    pub(crate) fn new(settings: &Settings) -> Result<Self, EngineError> {
        let mut engine = regorus::Engine::new();
        engine.set_rego_v0(settings.rego_version == RegoVersion::V0);
        // As in OPA: a function that fails is undefined.
        engine.set_strict_builtin_errors(false);
        let mut questions = Vec::new();
        for (index, module) in settings.modules.iter().enumerate() {
            let failed = |error: &dyn ToString| EngineError {
                module: Some(index),
                message: sentence(&error.to_string()),
            };
            let path = format!("{}.rego", module.name);
            let package = engine
                .add_policy(path.clone(), module.rego.clone())
                .map_err(|error| failed(&error))?;
            let mut asked = Vec::new();
            for (name, kind) in KINDS {
                let is_there = engine
                    .has_declared_rule_rooted_at(&path, name)
                    .map_err(|error| failed(&error))?;
                if is_there {
                    asked.push(Question {
                        path: format!("{package}.{name}"),
                        kind,
                    });
                }
            }
            questions.push(asked);
        }
        if questions.iter().all(Vec::is_empty) {
            let message = "none of them has a rule violation, deny or warn";
            return Err(EngineError {
                module: None,
                message: message.into(),
            });
        }
        let data = Json::Object(settings.data.clone()).to_string();
        engine.add_data_json(&data).map_err(|error| EngineError {
            module: None,
            message: sentence(&error.to_string()),
        })?;
        Ok(Self { engine, questions })
    }

    /// Everything that is wrong with the server of a request.
    pub(crate) fn judge(&mut self, settings: &Settings, request: &Request) -> Vec<Finding> {
        let object = normalized(request.object());
        let mut findings = Vec::new();
        for (index, module) in settings.modules.iter().enumerate() {
            let is_reconcile = request.stage == Stage::Reconcile;
            let mut words = ["oldObject", "userInfo"].iter();
            if is_reconcile && words.any(|word| settings.needs(module, word)) {
                continue;
            }
            if settings.lacks_requester(module, request) {
                let message = "was not judged: it asks who sends the request, which only the API server knows";
                findings.push(Finding::forbidden(&module.name, "", message).warning());
                continue;
            }
            findings.extend(self.ask(index, module, &object, request));
        }
        findings
    }

    fn ask(
        &mut self,
        index: usize,
        module: &Module,
        object: &Json,
        request: &Request,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        for question in self.questions.get(index).cloned().unwrap_or_default() {
            let input = match question.kind {
                Kind::Violation => input::gatekeeper(module, object, request),
                Kind::Deny | Kind::Warn => object.clone(),
            };
            match self.evaluate(&question, &input) {
                Ok(answers) => findings.extend(answers.into_iter().map(|mut finding| {
                    finding.code.clone_from(&module.name);
                    finding
                })),
                Err(reason) => {
                    let message =
                        format!("the rules of {} cannot be evaluated: {reason}", module.name);
                    findings.push(Finding::forbidden(&module.name, "", message));
                }
            }
        }
        findings
    }

    /// What fails whatever the server is shows without one.
    pub(crate) fn rehearse(&mut self, settings: &Settings) -> Vec<Finding> {
        let object = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "rehearsal", "namespace": "default" },
            "spec": { "image": { "repository": "example.com/mcp", "tag": "1.0.0" } },
        });
        let request = Request::default();
        let mut findings = Vec::new();
        for (index, module) in settings.modules.iter().enumerate() {
            for question in self.questions.get(index).cloned().unwrap_or_default() {
                let input = match question.kind {
                    Kind::Violation => input::gatekeeper(module, &object, &request),
                    Kind::Deny | Kind::Warn => object.clone(),
                };
                if let Err(message) = self.evaluate(&question, &input) {
                    let error = EngineError {
                        module: Some(index),
                        message,
                    };
                    findings.push(error.finding(settings));
                }
            }
        }
        findings
    }

    fn evaluate(&mut self, question: &Question, input: &Json) -> Result<Vec<Finding>, String> {
        let told = |error: &dyn ToString| sentence(&error.to_string());
        self.engine
            .set_input_json(&input.to_string())
            .map_err(|error| told(&error))?;
        let value = self
            .engine
            .eval_rule(question.path.clone())
            .map_err(|error| told(&error))?;
        if value == regorus::Value::Undefined {
            return Ok(Vec::new());
        }
        let json = value.to_json_str().map_err(|error| told(&error))?;
        let answers: Json = serde_json::from_str(&json).map_err(|error| told(&error))?;
        let severity = match question.kind {
            Kind::Violation | Kind::Deny => Severity::Error,
            Kind::Warn => Severity::Warning,
        };
        Ok(findings(&answers, severity))
    }
}

/// Texts and objects with a `msg`, in a set, a list or an object.
fn findings(answers: &Json, severity: Severity) -> Vec<Finding> {
    let one = |answer: &Json| {
        let text = |name: &str| answer.get(name).and_then(Json::as_str);
        let message = match answer.as_str().or_else(|| text("msg")) {
            Some(message) => message.to_owned(),
            None => answer.to_string(),
        };
        let mut finding = Finding::invalid("", text("field").unwrap_or_default(), (), message);
        finding.bad_value = None;
        finding.severity = severity;
        finding
    };
    match answers {
        Json::Array(answers) => answers.iter().map(one).collect(),
        Json::Object(answers) => answers.values().map(one).collect(),
        Json::Null | Json::Bool(false) => Vec::new(),
        other => vec![one(other)],
    }
}

/// One line of an error, which shows the source in several.
fn sentence(error: &str) -> String {
    const MAX: usize = 300;
    let lines = error.lines().map(str::trim);
    let told: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('|') && *line != "^")
        .collect();
    let line = told.join(" ");
    match line.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}
