//! Options about traces of the operator. Their variables are those of OpenTelemetry.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Error, Result, ensure};
use clap::{Args, ValueEnum, value_parser};
use opentelemetry_sdk::trace::Sampler;
use reqwest::Url;

/// Where a collector takes traces, below its own URL.
const PATH: &str = "v1/traces";

/// Options about traces.
#[derive(Clone, Debug, Args)]
pub struct TraceArguments {
    /// URL of an OpenTelemetry Collector, such as `http://collector:4318`: traces go to `/v1/traces` below it, as protobuf over
    /// HTTP. Headers with a credential are taken from OTEL_EXPORTER_OTLP_HEADERS. [default: no traces]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<CollectorUrl>,

    /// The URL for traces as it is, in place of --otlp-endpoint.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value_name = "URL")]
    pub otlp_traces_endpoint: Option<CollectorUrl>,

    /// File with the certificate authorities of the collector, in PEM. [default: the system's]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_CERTIFICATE", value_name = "FILE")]
    pub otlp_certificate: Option<PathBuf>,

    /// How traces are sent; there is no other way.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_PROTOCOL",
        default_value = "http/protobuf",
        value_parser = ["http/protobuf"]
    )]
    pub otlp_protocol: String,

    /// Milliseconds that the collector has for its answer.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_TIMEOUT",
        default_value_t = 10_000,
        value_parser = value_parser!(u32).range(1..=60_000)
    )]
    pub otlp_timeout_milliseconds: u32,

    /// Which traces are exported.
    #[arg(
        long,
        env = "OTEL_TRACES_SAMPLER",
        default_value = "parentbased_always_on",
        value_enum
    )]
    pub traces_sampler: TracesSampler,

    /// Part of the traces that a sampler by ratio takes, from 0 to 1.
    #[arg(
        long,
        env = "OTEL_TRACES_SAMPLER_ARG",
        default_value_t = 1.0,
        value_parser = ratio
    )]
    pub traces_sampler_arg: f64,

    /// Where traces go: `none` switches them off whatever else is said.
    #[arg(long, env = "OTEL_TRACES_EXPORTER", default_value = "otlp", value_enum)]
    pub traces_exporter: TracesExporter,
}

/// URL of a collector. An empty variable says nothing, as OpenTelemetry has it.
#[derive(Clone, Debug)]
pub struct CollectorUrl(Option<Url>);

/// OpenTelemetry's names of samplers. `parentbased` ones go by the sender of a request, if that says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum TracesSampler {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// A part.
    #[value(name = "traceidratio")]
    TraceIdRatio,
    /// All.
    #[value(name = "parentbased_always_on")]
    ParentBasedAlwaysOn,
    /// None.
    #[value(name = "parentbased_always_off")]
    ParentBasedAlwaysOff,
    /// A part.
    #[value(name = "parentbased_traceidratio")]
    ParentBasedTraceIdRatio,
}

/// OpenTelemetry's names of exporters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TracesExporter {
    /// To a collector, if one is named.
    Otlp,
    /// Nowhere.
    None,
}

impl TraceArguments {
    /// Where traces are sent to, if anywhere.
    pub(crate) fn endpoint(&self) -> Option<Url> {
        if self.traces_exporter == TracesExporter::None {
            return None;
        }
        let below = |mut url: Url| {
            let path = format!("{}/{PATH}", url.path().trim_end_matches('/'));
            url.set_path(&path);
            url
        };
        let said = |url: &Option<CollectorUrl>| url.as_ref()?.0.clone();
        said(&self.otlp_traces_endpoint).or_else(|| said(&self.otlp_endpoint).map(below))
    }

    /// How long a collector may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.otlp_timeout_milliseconds.into())
    }

    /// Which traces are exported.
    pub(crate) fn sampler(&self) -> Sampler {
        let by_parent = |sampler| Sampler::ParentBased(Box::new(sampler));
        let part = Sampler::TraceIdRatioBased(self.traces_sampler_arg);
        match self.traces_sampler {
            TracesSampler::AlwaysOn => Sampler::AlwaysOn,
            TracesSampler::AlwaysOff => Sampler::AlwaysOff,
            TracesSampler::TraceIdRatio => part,
            TracesSampler::ParentBasedAlwaysOn => by_parent(Sampler::AlwaysOn),
            TracesSampler::ParentBasedAlwaysOff => by_parent(Sampler::AlwaysOff),
            TracesSampler::ParentBasedTraceIdRatio => by_parent(part),
        }
    }
}

impl FromStr for CollectorUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let url = Url::parse(text)?;
        ensure!(
            matches!(url.scheme(), "http" | "https") && url.has_host(),
            "must be an http:// or https:// URL"
        );
        ensure!(
            url.username().is_empty() && url.password().is_none(),
            "must not hold a credential: OTEL_EXPORTER_OTLP_HEADERS is for that"
        );
        Ok(Self(Some(url)))
    }
}

fn ratio(text: &str) -> Result<f64> {
    let ratio: f64 = text.parse()?;
    ensure!((0.0..=1.0).contains(&ratio), "must be between 0 and 1");
    Ok(ratio)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        traces: TraceArguments,
    }

    fn read(arguments: &[&str]) -> Result<TraceArguments, String> {
        let arguments = ["program"].iter().chain(arguments);
        let read = Program::try_parse_from(arguments);
        read.map(|program| program.traces)
            .map_err(|error| error.to_string())
    }

    fn endpoint(arguments: &[&str]) -> Option<String> {
        let endpoint = read(arguments).unwrap().endpoint();
        endpoint.map(String::from)
    }

    #[test]
    fn traces_are_off_unless_a_collector_is_named() {
        assert_eq!(endpoint(&[]), None);
        let empty = ["--otlp-endpoint=", "--otlp-traces-endpoint="];
        assert_eq!(endpoint(&empty), None);
        let base = "--otlp-endpoint=http://collector:4318";
        let below = Some("http://collector:4318/v1/traces".to_owned());
        assert_eq!(endpoint(&[base]), below);
        assert_eq!(endpoint(&[&format!("{base}/")]), below);
        let exact = "--otlp-traces-endpoint=https://traces/here";
        assert_eq!(
            endpoint(&[base, exact]).as_deref(),
            Some("https://traces/here")
        );
        assert_eq!(endpoint(&[base, "--traces-exporter=none"]), None);
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        for (argument, said) in [
            ("--otlp-endpoint=collector:4317", "http:// or https://"),
            (
                "--otlp-endpoint=http://me:word@collector",
                "OTEL_EXPORTER_OTLP_HEADERS",
            ),
            ("--otlp-protocol=grpc", "http/protobuf"),
            ("--traces-sampler=xray", "parentbased_traceidratio"),
            ("--traces-sampler-arg=2", "between 0 and 1"),
        ] {
            let refused = read(&[argument]).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }

    #[test]
    fn samplers_have_the_names_of_opentelemetry() {
        let sampler = |arguments: &[&str]| format!("{:?}", read(arguments).unwrap().sampler());
        assert_eq!(sampler(&[]), "ParentBased(AlwaysOn)");
        assert_eq!(sampler(&["--traces-sampler=always_off"]), "AlwaysOff");
        let part = [
            "--traces-sampler=parentbased_traceidratio",
            "--traces-sampler-arg=0.25",
        ];
        assert_eq!(sampler(&part), "ParentBased(TraceIdRatioBased(0.25))");
    }
}
