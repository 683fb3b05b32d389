//! On which nodes pods run, and how they are replaced.

use k8s_openapi::api::apps::v1::{DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{PodSecurityContext, Toleration};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mcp_operator_api::v1alpha1::{
    self as api, IntOrPercent, McpServerSpec, Spread, StrategyType, TaintEffect, TolerationOperator,
};

use crate::field::{ErrorType, FieldError};

/// No pod is stopped before its successor serves. Only where pods must not share a node, or where there may be none in
/// addition, one must be stopped first.
pub(super) fn strategy(spec: &McpServerSpec) -> DeploymentStrategy {
    let asked = &spec.strategy;
    match asked.strategy_type {
        StrategyType::Recreate => DeploymentStrategy {
            type_: Some("Recreate".into()),
            rolling_update: None,
        },
        StrategyType::RollingUpdate => {
            let surge = asked.max_surge.as_ref().map_or(IntOrString::Int(1), number);
            let must_stop_one = spec.affinity.pod_anti_affinity == Spread::Required
                || matches!(&surge, IntOrString::Int(0))
                || matches!(&surge, IntOrString::String(percent) if percent == "0%");
            let unavailable = asked
                .max_unavailable
                .as_ref()
                .map_or_else(|| IntOrString::Int(i32::from(must_stop_one)), number);
            DeploymentStrategy {
                type_: Some("RollingUpdate".into()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(surge),
                    max_unavailable: Some(unavailable),
                }),
            }
        }
    }
}

fn number(value: &IntOrPercent) -> IntOrString {
    match value {
        IntOrPercent::Int(pods) => IntOrString::Int(*pods),
        IntOrPercent::Percent(percent) => IntOrString::String(percent.clone()),
    }
}

pub(super) fn tolerations(spec: &McpServerSpec) -> Option<Vec<Toleration>> {
    let tolerations: Vec<Toleration> = spec.tolerations.iter().map(toleration).collect();
    (!tolerations.is_empty()).then_some(tolerations)
}

fn toleration(asked: &api::Toleration) -> Toleration {
    let operator = match asked.operator {
        TolerationOperator::Equal => "Equal",
        TolerationOperator::Exists => "Exists",
    };
    let effect = asked.effect.map(|effect| match effect {
        TaintEffect::NoSchedule => "NoSchedule",
        TaintEffect::PreferNoSchedule => "PreferNoSchedule",
        TaintEffect::NoExecute => "NoExecute",
    });
    Toleration {
        key: asked.key.clone(),
        operator: Some(operator.into()),
        value: asked.value.clone(),
        effect: effect.map(Into::into),
        toleration_seconds: asked.toleration_seconds,
    }
}

/// Who the pods run as, if the specification says so. The rest of the context is the plugin's `compliance`.
pub(super) fn security_context(spec: &McpServerSpec) -> Option<PodSecurityContext> {
    let asked = &spec.security_context;
    let context = PodSecurityContext {
        run_as_user: asked.run_as_user,
        run_as_group: asked.run_as_group,
        fs_group: asked.fs_group,
        ..PodSecurityContext::default()
    };
    (context != PodSecurityContext::default()).then_some(context)
}

/// What is wrong with the keys of `spec.nodeSelector`.
pub(crate) fn node_selector_errors<'a>(
    keys: impl IntoIterator<Item = &'a String>,
) -> Vec<FieldError> {
    let wrong = keys.into_iter().filter(|key| !is_label_key(key));
    wrong
        .map(|key| FieldError {
            field: "spec.nodeSelector".into(),
            error_type: ErrorType::Invalid,
            bad_value: Some(key.as_str().into()),
            message: "must be the name of a label of nodes, such as pool or kubernetes.io/arch"
                .into(),
            code: "node-selector".into(),
        })
        .collect()
}

/// A name of 63 characters at most, after a domain of 253 at most.
fn is_label_key(key: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let is_part = |text: &str, longest: usize, others: &str| {
        text.len() <= longest
            && is_end(text.chars().next())
            && is_end(text.chars().next_back())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
    };
    match key.split_once('/') {
        Some((domain, name)) => {
            let is_lower_case = !domain.chars().any(|c| c.is_ascii_uppercase());
            is_lower_case && is_part(domain, 253, "-.") && is_part(name, 63, "-_.")
        }
        None => is_part(key, 63, "-_."),
    }
}
