//! Environment variables of the container. Who says it most precisely wins: `spec.env` over
//! `spec.secrets` over tracing over `spec.config`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMapKeySelector, EnvVar, EnvVarSource, SecretKeySelector};
use kube::ResourceExt;
use mcp_operator_api::v1alpha1::{self as api, McpServer, Secret};

use super::Settings;
use super::authority::Authority;
use super::config_map::{scalars, variable_name};
use super::external_secret::secret_object_name;
use super::metadata::child_name;

const OTLP_GRPC_PORT: u16 = 4317;

/// All variables, sorted by name: an order that depends on nothing else never makes a new rollout.
pub(super) fn build(server: &McpServer, settings: &Settings) -> Vec<EnvVar> {
    let mut variables = BTreeMap::new();
    let layers = config(server)
        .chain(tracing(server, settings))
        .chain(
            server
                .spec
                .secrets
                .iter()
                .map(|secret| secret_variable(server, secret)),
        )
        .chain(server.spec.env.iter().map(user_variable));
    for variable in layers {
        variables.insert(variable.name.clone(), variable);
    }
    variables.into_values().collect()
}

fn config(server: &McpServer) -> impl Iterator<Item = EnvVar> {
    let map = child_name(&server.name_any());
    scalars(&server.spec.config).map(move |(name, _)| {
        let selector = ConfigMapKeySelector {
            name: map.clone(),
            key: name.clone(),
            optional: None,
        };
        from(
            name,
            EnvVarSource {
                config_map_key_ref: Some(selector),
                ..EnvVarSource::default()
            },
        )
    })
}

/// Where traces go, for a server that sends any.
pub(super) fn tracing_endpoint(server: &McpServer, settings: &Settings) -> Option<String> {
    let tracing = &server.spec.observability.tracing;
    let endpoint = tracing
        .jaeger_endpoint
        .clone()
        .or_else(|| settings.tracing_endpoint.clone());
    endpoint.filter(|_| tracing.enabled)
}

/// OpenTelemetry's names, and the two that the servers of LiteLLM's users read.
fn tracing(server: &McpServer, settings: &Settings) -> impl Iterator<Item = EnvVar> {
    let variables = match tracing_endpoint(server, settings) {
        Some(endpoint) => {
            let tracing = &server.spec.observability.tracing;
            let rate = tracing.sampling_rate.to_string();
            vec![
                text("JAEGER_ENDPOINT", &endpoint),
                text("JAEGER_SAMPLING_RATE", &rate),
                text("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
                text("OTEL_EXPORTER_OTLP_PROTOCOL", protocol(&endpoint)),
                text("OTEL_RESOURCE_ATTRIBUTES", &resource_attributes(server)),
                text("OTEL_SERVICE_NAME", &child_name(&server.name_any())),
                text("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
                text("OTEL_TRACES_SAMPLER_ARG", &rate),
            ]
        }
        None => Vec::new(),
    };
    variables.into_iter()
}

/// Port 4317 is where OTLP speaks gRPC; an exporter that speaks HTTP there loses everything without a word.
fn protocol(endpoint: &str) -> &'static str {
    match Authority::of(endpoint).port {
        Some(OTLP_GRPC_PORT) => "grpc",
        _ => "http/protobuf",
    }
}

/// Servers of the same name in two namespaces are two.
fn resource_attributes(server: &McpServer) -> String {
    let namespace = server.namespace().unwrap_or_default();
    format!("service.namespace={namespace}")
}

fn secret_variable(server: &McpServer, secret: &Secret) -> EnvVar {
    let name = secret
        .env_var
        .clone()
        .unwrap_or_else(|| variable_name(&secret.name));
    let selector = SecretKeySelector {
        name: secret_object_name(server, secret),
        key: secret.name.clone(),
        optional: secret.optional.then_some(true),
    };
    from(
        name,
        EnvVarSource {
            secret_key_ref: Some(selector),
            ..EnvVarSource::default()
        },
    )
}

fn user_variable(variable: &api::EnvVar) -> EnvVar {
    let source = variable.value_from.as_ref();
    let secret = source
        .and_then(|source| source.secret_key_ref.as_ref())
        .map(|selector| SecretKeySelector {
            name: selector.name.clone(),
            key: selector.key.clone(),
            optional: selector.optional.then_some(true),
        });
    let config = source
        .and_then(|source| source.config_map_key_ref.as_ref())
        .map(|selector| ConfigMapKeySelector {
            name: selector.name.clone(),
            key: selector.key.clone(),
            optional: selector.optional.then_some(true),
        });
    if secret.is_none() && config.is_none() {
        return text(
            &variable.name,
            variable.value.as_deref().unwrap_or_default(),
        );
    }
    let source = EnvVarSource {
        secret_key_ref: secret,
        config_map_key_ref: config,
        ..EnvVarSource::default()
    };
    from(variable.name.clone(), source)
}

fn text(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.into(),
        value: Some(value.into()),
        ..EnvVar::default()
    }
}

fn from(name: String, source: EnvVarSource) -> EnvVar {
    EnvVar {
        name,
        value_from: Some(source),
        ..EnvVar::default()
    }
}
