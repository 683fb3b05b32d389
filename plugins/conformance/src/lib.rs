//! The plugin that checks hosts, as `wit/1.0.0/conformance` describes it: its settings say what it answers.

mod echo;
mod script;

#[allow(
    missing_docs,
    clippy::pedantic,
    clippy::unwrap_used,
    reason = "generated code; the WIT package documents it"
)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/1.0.0",
        world: "complete-plugin",
        generate_all,
        pub_export_macro: true,
    });
}

use std::sync::atomic::{AtomicU32, Ordering};

use bindings::exports::mcp_operator::plugin::defaulter::{
    self, DefaultingRequest, Patch, PatchOperation, PathValue,
};
use bindings::exports::mcp_operator::plugin::metadata::{self, Description, Rule};
use bindings::exports::mcp_operator::plugin::registrar::{
    self, Read, Registration, RegistrationPlan, RegistrationState, Registry,
};
use bindings::exports::mcp_operator::plugin::validator::{self, Request};
use bindings::mcp_operator::plugin::types::{Failure, Finding, NamedJson, Severity};
use serde_json::Value;

use script::{Answer, Unreadable};

struct Conformance;

#[cfg(target_arch = "wasm32")]
bindings::export!(Conformance with_types_in bindings);

// The names of the exports are not valid for a native linker.
#[cfg(not(target_arch = "wasm32"))]
const _: () = {
    const fn is_a<P>()
    where
        P: metadata::Guest + validator::Guest + defaulter::Guest + registrar::Guest,
    {
    }
    is_a::<Conformance>();
};

/// How often rules were asked in this instance.
static CALLS: AtomicU32 = AtomicU32::new(0);

impl metadata::Guest for Conformance {
    fn describe() -> Description {
        Description {
            name: "conformance".into(),
            version: "1.0.0".into(),
            summary: "Answers what its settings say ✓".into(),
            url: "https://example.com/?a=1&b=ü".into(),
            rules: vec![Rule {
                code: "echo".into(),
                summary: "says what it was asked".into(),
            }],
            context: vec!["namespace".into(), "rendered".into()],
            settings_schema: Some(r#"{"type":"object"}"#.into()),
            extra: vec![NamedJson {
                name: "conformance".into(),
                value: "[1,null]".into(),
            }],
        }
    }

    fn validate_settings(settings: String) -> Vec<Finding> {
        let read: Value = serde_json::from_str(&settings).unwrap_or_default();
        script::findings(&read["findings"]).unwrap_or_default()
    }
}

impl validator::Guest for Conformance {
    fn validate(settings: String, request: Request) -> Result<Vec<Finding>, Failure> {
        let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
        match script::answer(&settings)? {
            Answer::Echo => Ok(vec![finding("echo", Some(echo::request(&request)), "echo")]),
            Answer::Count => Ok(vec![finding("count", None, &calls.to_string())]),
            Answer::Ok(said) => script::findings(&said).map_err(Into::into),
        }
    }
}

impl defaulter::Guest for Conformance {
    fn defaults(settings: String, request: DefaultingRequest) -> Result<Vec<Patch>, Failure> {
        match script::answer(&settings)? {
            Answer::Echo => Ok(vec![Patch {
                object: 0,
                code: "echo".into(),
                operations: vec![PatchOperation::Add(PathValue {
                    path: "/echo".into(),
                    value: echo::defaulting_request(&request).to_string(),
                })],
            }]),
            Answer::Count => Err(Unreadable.into()),
            Answer::Ok(said) => script::patches(&said).map_err(Into::into),
        }
    }
}

impl registrar::Guest for Conformance {
    fn observe(settings: String) -> Result<Vec<Read>, Failure> {
        match script::answer(&settings)? {
            Answer::Ok(said) => script::reads(&said).map_err(Into::into),
            Answer::Echo | Answer::Count => Err(Unreadable.into()),
        }
    }

    fn plan(settings: String, registry: Registry) -> Result<RegistrationPlan, Failure> {
        match script::answer(&settings)? {
            Answer::Echo => Ok(RegistrationPlan {
                steps: Vec::new(),
                registrations: vec![Registration {
                    server: String::new(),
                    registered_name: String::new(),
                    state: RegistrationState::Pending,
                    reason: "Echo".into(),
                    message: echo::registry(&registry).to_string(),
                }],
                extra: Vec::new(),
            }),
            Answer::Count => Err(Unreadable.into()),
            Answer::Ok(said) => script::plan(&said).map_err(Into::into),
        }
    }
}

fn finding(code: &str, value: Option<Value>, message: &str) -> Finding {
    Finding {
        code: code.into(),
        field: String::new(),
        error_type: "Invalid".into(),
        bad_value: value.map(|value| value.to_string()),
        message: message.into(),
        severity: Severity::Warning,
    }
}
