//! Adapts the traits of this crate to the generated ones.

use std::marker::PhantomData;

use json_patch::PatchOperation as Change;

use crate::bindings::metadata::types::{
    Failure, Finding as WitFinding, NamedJson, Operation, Severity, Stage,
};
use crate::bindings::{defaulter, metadata, registrar, validator};
use crate::{
    Defaulter, DefaultingRequest, Object, Plugin, Read, Registrar, Registry, Request, Validator,
    settings,
};

/// Implements the generated traits for a plugin; [`export!`](crate::export) uses it.
pub struct Adapter<T>(PhantomData<T>);

impl<T: Plugin> metadata::Guest for Adapter<T> {
    fn describe() -> metadata::Description {
        let description = T::description();
        metadata::Description {
            name: description.name,
            version: description.version,
            summary: description.summary,
            url: description.url,
            rules: description
                .rules
                .into_iter()
                .map(|(code, summary)| metadata::Rule { code, summary })
                .collect(),
            context: description.context,
            settings_schema: description.settings_schema,
            extra: Vec::new(),
        }
    }

    fn validate_settings(settings: String) -> Vec<WitFinding> {
        let findings = match settings::parse::<T::Settings>(&settings) {
            Ok(settings) => T::check_settings(&settings),
            Err(finding) => vec![*finding],
        };
        findings.into_iter().map(Into::into).collect()
    }
}

impl<T: Validator> validator::Guest for Adapter<T> {
    fn validate(settings: String, request: validator::Request) -> Result<Vec<WitFinding>, Failure> {
        let settings = settings::parse_checked::<T::Settings>(&settings)?;
        let server = settings::parse_document("object", &request.object)?;
        let (username, user_uid, groups, extra) = match request.user {
            Some(user) => (Some(user.username), user.uid, user.groups, user.extra),
            None => Default::default(),
        };
        let request = Request {
            operation: request.operation.into(),
            stage: request.stage.into(),
            username,
            groups,
            user_uid,
            user_extra: by_name_and_value(extra),
            dry_run: request.dry_run,
            object: request.object,
            old_object: request.old_object,
            context: by_name(request.context),
        };
        let findings = T::validate(&settings, &server, &request);
        let findings = findings.into_iter().map(Into::into).collect();
        drop_with_the_instance((settings, server, request));
        Ok(findings)
    }
}

impl<T: Defaulter> defaulter::Guest for Adapter<T> {
    fn defaults(
        settings: String,
        request: defaulter::DefaultingRequest,
    ) -> Result<Vec<defaulter::Patch>, Failure> {
        let settings = settings::parse_checked::<T::Settings>(&settings)?;
        if !T::is_concerned(&settings, request.stage.into()) {
            drop_with_the_instance(request);
            return Ok(Vec::new());
        }
        let defaulting = DefaultingRequest {
            stage: request.stage.into(),
            server: settings::parse_document("server", &request.server)?,
            context: by_name(request.context),
        };
        let mut patches = Vec::new();
        for (index, object) in (0..).zip(&request.objects) {
            let mut object = Object::new(settings::parse_document("object", object)?);
            T::complete(&settings, &mut object, &defaulting);
            patches.extend(object.into_changes().into_iter().map(|(code, changes)| {
                defaulter::Patch {
                    object: index,
                    code,
                    operations: changes.0.into_iter().filter_map(operation).collect(),
                }
            }));
        }
        drop_with_the_instance((settings, defaulting, request.objects));
        Ok(patches)
    }
}

impl<T: Registrar> registrar::Guest for Adapter<T> {
    fn observe(settings: String) -> Result<Vec<Read>, Failure> {
        Ok(T::observe(&settings::parse_checked::<T::Settings>(
            &settings,
        )?))
    }

    fn plan(
        settings: String,
        registry: registrar::Registry,
    ) -> Result<registrar::RegistrationPlan, Failure> {
        let registry = Registry {
            instance: registry.instance,
            servers: registry.servers,
            observations: registry.observations,
        };
        let settings = settings::parse_checked::<T::Settings>(&settings)?;
        let plan = T::plan(&settings, &registry);
        drop_with_the_instance(registry);
        Ok(registrar::RegistrationPlan {
            steps: plan.steps,
            registrations: plan.registrations,
            extra: Vec::new(),
        })
    }
}

/// Not freed piece by piece, which would take time: the memory of the instance is dropped as a whole after the call.
fn drop_with_the_instance<V>(value: V) {
    std::mem::forget(value);
}

fn by_name(values: Vec<NamedJson>) -> std::collections::BTreeMap<String, String> {
    values
        .into_iter()
        .map(|value| (value.name, value.value))
        .collect()
}

fn by_name_and_value(
    pairs: Vec<(String, String)>,
) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut values = std::collections::BTreeMap::<String, Vec<String>>::new();
    for (name, value) in pairs {
        values.entry(name).or_default().push(value);
    }
    values
}

/// `json_patch::diff` makes only these three operations.
fn operation(change: Change) -> Option<defaulter::PatchOperation> {
    use defaulter::{PatchOperation, PathValue};
    match change {
        Change::Add(add) => Some(PatchOperation::Add(PathValue {
            path: add.path.to_string(),
            value: add.value.to_string(),
        })),
        Change::Replace(new) => Some(PatchOperation::Replace(PathValue {
            path: new.path.to_string(),
            value: new.value.to_string(),
        })),
        Change::Remove(old) => Some(PatchOperation::Remove(old.path.to_string())),
        Change::Move(_) | Change::Copy(_) | Change::Test(_) => None,
    }
}

impl From<crate::Finding> for WitFinding {
    fn from(finding: crate::Finding) -> Self {
        Self {
            code: finding.code,
            field: finding.field,
            error_type: finding.error_type.to_owned(),
            bad_value: finding.bad_value.map(|value| value.to_string()),
            message: finding.message,
            severity: match finding.severity {
                crate::Severity::Error => Severity::Error,
                crate::Severity::Warning => Severity::Warning,
            },
        }
    }
}

impl From<settings::InputError> for Failure {
    fn from(error: settings::InputError) -> Self {
        match error {
            settings::InputError::Settings(message) => Self::InvalidSettings(message),
            settings::InputError::Document(message) => Self::Unsupported(message),
        }
    }
}

impl From<Stage> for crate::Stage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Admission => Self::Admission,
            Stage::Reconcile => Self::Reconcile,
        }
    }
}

impl From<Operation> for crate::Operation {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Create => Self::Create,
            Operation::Update => Self::Update,
        }
    }
}

/// Makes a type the plugin of this component: `export!(MyRule: Validator);`, with `Validator`, `Defaulter`,
/// `Validator + Defaulter` or `Registrar`.
///
/// In a native build it only checks that the type implements these traits, so that tests can call them directly: the names of
/// the exports are not valid for a native linker.
#[macro_export]
macro_rules! export {
    ($plugin:ident: $first:ident $(+ $more:ident)*) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type McpPlugin = $crate::Adapter<$plugin>;
            $crate::bindings::metadata::export_metadata!(McpPlugin with_types_in $crate::bindings::metadata);
            $crate::export!(@ $first);
            $($crate::export!(@ $more);)*
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn is_a<P: $crate::$first $(+ $crate::$more)*>() {}
            is_a::<$plugin>();
        };
    };
    (@ Validator) => {
        $crate::bindings::validator::export_validator!(McpPlugin with_types_in $crate::bindings::validator);
    };
    (@ Defaulter) => {
        $crate::bindings::defaulter::export_defaulter!(McpPlugin with_types_in $crate::bindings::defaulter);
    };
    (@ Registrar) => {
        $crate::bindings::registrar::export_registrar!(McpPlugin with_types_in $crate::bindings::registrar);
    };
}
