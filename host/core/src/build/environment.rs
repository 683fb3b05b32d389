//! Environment variables of the container. Of two with the same name the more specific source wins: `spec.env` over
//! `spec.secrets` over tracing over `spec.config`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMapKeySelector, EnvVar, EnvVarSource, SecretKeySelector};
use mcp_operator_api::authority::Authority;
use mcp_operator_api::v1alpha1::{self as api, Secret};

use super::config_map::{scalars, variable_name};
use super::external_secret::secret_object_name;
use super::metadata::child_name;
use super::variable_order::by_reference;
use super::{Settings, config_map};
use crate::validated_server::ValidatedServer;

const OTLP_GRPC_PORT: u16 = 4317;

/// All variables, sorted by name as far as their references allow: a change of their order alone would replace all pods.
pub(super) fn build(server: &ValidatedServer, settings: &Settings) -> Vec<EnvVar> {
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
    by_reference(variables)
}

fn config(server: &ValidatedServer) -> impl Iterator<Item = EnvVar> {
    let map = config_map::name(server).unwrap_or_default();
    scalars(&server.spec.config).map(move |(name, _)| {
        let selector = ConfigMapKeySelector {
            name: map.clone(),
            key: name.clone(),
            optional: None,
        };
        referring(
            name,
            EnvVarSource {
                config_map_key_ref: Some(selector),
                ..EnvVarSource::default()
            },
        )
    })
}

/// Where a server sends its traces, if it does.
pub(super) fn tracing_endpoint(server: &ValidatedServer, settings: &Settings) -> Option<String> {
    let tracing = &server.spec.observability.tracing;
    let endpoint = tracing
        .jaeger_endpoint
        .clone()
        .or_else(|| settings.tracing_endpoint.clone());
    endpoint.filter(|_| tracing.enabled)
}

/// The variables that OpenTelemetry specifies, and two for servers that configure Jaeger.
fn tracing(server: &ValidatedServer, settings: &Settings) -> impl Iterator<Item = EnvVar> {
    let variables = match tracing_endpoint(server, settings) {
        Some(endpoint) => {
            let tracing = &server.spec.observability.tracing;
            let rate = tracing.sampling_rate.to_string();
            vec![
                literal("JAEGER_ENDPOINT", &endpoint),
                literal("JAEGER_SAMPLING_RATE", &rate),
                literal("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
                literal("OTEL_EXPORTER_OTLP_PROTOCOL", protocol(&endpoint)),
                literal("OTEL_RESOURCE_ATTRIBUTES", &resource_attributes(server)),
                literal("OTEL_SERVICE_NAME", &child_name(&server.key.name)),
                literal("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
                literal("OTEL_TRACES_SAMPLER_ARG", &rate),
            ]
        }
        None => Vec::new(),
    };
    variables.into_iter()
}

/// Port 4317 is where OTLP speaks gRPC; an exporter that speaks HTTP there loses all traces and reports no error.
fn protocol(endpoint: &str) -> &'static str {
    match Authority::of(endpoint).port {
        Some(OTLP_GRPC_PORT) => "grpc",
        _ => "http/protobuf",
    }
}

/// The namespace keeps servers of the same name apart.
fn resource_attributes(server: &ValidatedServer) -> String {
    format!("service.namespace={}", server.key.namespace)
}

fn secret_variable(server: &ValidatedServer, secret: &Secret) -> EnvVar {
    let name = secret
        .env_var
        .clone()
        .unwrap_or_else(|| variable_name(&secret.name));
    let selector = SecretKeySelector {
        name: secret_object_name(&server.key, &server.spec, secret),
        key: secret.name.clone(),
        optional: secret.optional.then_some(true),
    };
    referring(
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
        return literal(
            &variable.name,
            variable.value.as_deref().unwrap_or_default(),
        );
    }
    let source = EnvVarSource {
        secret_key_ref: secret,
        config_map_key_ref: config,
        ..EnvVarSource::default()
    };
    referring(variable.name.clone(), source)
}

fn literal(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.into(),
        value: Some(value.into()),
        ..EnvVar::default()
    }
}

fn referring(name: String, source: EnvVarSource) -> EnvVar {
    EnvVar {
        name,
        value_from: Some(source),
        ..EnvVar::default()
    }
}
