//! What a test wants to happen to requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::log::Recorded;
use crate::request::Verb;
use crate::server::ApiServer;
use crate::status::Failure;

/// Which requests are meant: those that are in accordance with everything that is said.
#[derive(Clone, Debug, Default)]
pub struct Match {
    verbs: Vec<Verb>,
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    subresource: Option<String>,
    manager: Option<String>,
}

impl Match {
    /// All.
    pub fn any() -> Self {
        Self::default()
    }

    /// All of a verb.
    pub fn verb(verb: Verb) -> Self {
        Self::any().or_verb(verb)
    }

    /// Everything that changes something.
    pub fn writes() -> Self {
        let writes = [
            Verb::Create,
            Verb::Replace,
            Verb::Apply,
            Verb::Patch,
            Verb::Delete,
            Verb::DeleteCollection,
        ];
        writes.into_iter().fold(Self::any(), Self::or_verb)
    }

    /// Those of this verb too.
    #[must_use]
    pub fn or_verb(mut self, verb: Verb) -> Self {
        self.verbs.push(verb);
        self
    }

    /// Only for objects of this kind.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        self.kind = Some(kind.to_owned());
        self
    }

    /// Only in this namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Only for objects of this name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Only through this subresource; empty for the object itself.
    #[must_use]
    pub fn subresource(mut self, subresource: &str) -> Self {
        self.subresource = Some(subresource.to_owned());
        self
    }

    /// Only by this field manager.
    #[must_use]
    pub fn manager(mut self, manager: &str) -> Self {
        self.manager = Some(manager.to_owned());
        self
    }

    /// Whether a request is meant.
    pub fn matches(&self, request: &Recorded) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        let manager = request.field_manager.as_deref().unwrap_or_default();
        (self.verbs.is_empty() || self.verbs.contains(&request.verb))
            && is(&self.kind, &request.kind)
            && is(&self.namespace, &request.namespace)
            && is(&self.name, &request.name)
            && is(&self.subresource, &request.subresource)
            && is(&self.manager, manager)
    }
}

/// How often a rule is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// For the first request.
    Once,
    /// For the first so many.
    N(usize),
    /// For all.
    Always,
}

impl Times {
    /// Whether it is in force once more.
    fn take(&mut self) -> bool {
        let (left, is_in_force) = match *self {
            Self::Always => (Self::Always, true),
            Self::Once => (Self::N(0), true),
            Self::N(0) => (Self::N(0), false),
            Self::N(left) => (Self::N(left - 1), true),
        };
        *self = left;
        is_in_force
    }
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The server answers so, and does nothing.
    Status(Failure),
    /// The connection breaks before the server does anything.
    ConnectionReset,
    /// The server does it, and the connection breaks before the answer.
    AnswerLost,
    /// There is never an answer, and nothing is done.
    Hang,
    /// It takes so long until the server begins.
    Delay(Duration),
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Status(failure)
    }
}

pub(crate) type Hook = Arc<dyn Fn(&ApiServer, &Recorded) + Send + Sync>;
type Mutate = Arc<dyn Fn(&mut Value) + Send + Sync>;
type Validate = Arc<dyn Fn(&Value) -> Result<(), String> + Send + Sync>;

/// Something for requests that match.
struct Rule<T> {
    requests: Match,
    times: Times,
    what: T,
}

/// All rules of a server.
#[derive(Default)]
pub(crate) struct Rules {
    faults: Vec<Rule<Fault>>,
    hooks: Vec<Rule<Hook>>,
    mutating: Vec<(String, Mutate)>,
    validating: Vec<(String, Validate)>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (faults, hooks) = (self.faults.len(), self.hooks.len());
        write!(formatter, "Rules {{ faults: {faults}, hooks: {hooks} }}")
    }
}

impl Rules {
    pub(crate) fn add_fault(&mut self, requests: Match, what: Fault, times: Times) {
        self.faults.push(Rule {
            requests,
            times,
            what,
        });
    }

    pub(crate) fn add_hook(&mut self, requests: Match, what: Hook, times: Times) {
        self.hooks.push(Rule {
            requests,
            times,
            what,
        });
    }

    pub(crate) fn add_mutating(&mut self, kind: &str, mutate: Mutate) {
        self.mutating.push((kind.to_owned(), mutate));
    }

    pub(crate) fn add_validating(&mut self, kind: &str, validate: Validate) {
        self.validating.push((kind.to_owned(), validate));
    }

    pub(crate) fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// The hooks of a request, used up once.
    pub(crate) fn take_hooks(&mut self, request: &Recorded) -> Vec<Hook> {
        let rules = self.hooks.iter_mut();
        rules
            .filter_map(|rule| {
                let is_in_force = rule.requests.matches(request) && rule.times.take();
                is_in_force.then(|| rule.what.clone())
            })
            .collect()
    }

    /// The first fault of a request, used up once.
    pub(crate) fn take_fault(&mut self, request: &Recorded) -> Option<Fault> {
        let rules = self.faults.iter_mut();
        rules
            .filter(|rule| rule.requests.matches(request))
            .find_map(|rule| rule.times.take().then(|| rule.what.clone()))
    }

    /// What admission makes of an object.
    pub(crate) fn admit(&self, kind: &str, object: &mut Value) -> Result<(), Failure> {
        for (_, mutate) in self.mutating.iter().filter(|(of, _)| of == kind) {
            mutate(object);
        }
        for (_, validate) in self.validating.iter().filter(|(of, _)| of == kind) {
            validate(object).map_err(|why| {
                let message = format!("admission webhook \"testkit\" denied the request: {why}");
                Failure::new(400, "", message)
            })?;
        }
        Ok(())
    }
}
