//! Calls of plugins.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::histogram::Histogram;

/// Functions of the contract, with the interface that each belongs to. `instantiate` is the host's own, when it loads one.
const FUNCTIONS: [(&str, &str); 8] = [
    ("validate", "validator"),
    ("defaults", "defaulter"),
    ("observe", "registrar"),
    ("plan", "registrar"),
    ("describe", "metadata"),
    ("validate-settings", "metadata"),
    ("instantiate", "metadata"),
    ("other", "other"),
];

/// Upper ends of buckets, in seconds: a call of a plugin in Rust takes some 50 µs, and one has a second.
const SECONDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 5.0,
];

/// The outcome of a call that gave an answer.
const ANSWERED: &str = "Answered";
/// The outcome of one that nobody waits for any more.
const CANCELLED: &str = "Cancelled";

/// Counts calls of plugins. The series of a plugin are there for as long as a component of its name is loaded. Cheap to
/// clone.
#[derive(Clone, Debug, Default)]
pub struct PluginCallMetrics(Arc<Mutex<BTreeMap<Arc<str>, Weak<PluginCalls>>>>);

impl PluginCallMetrics {
    /// Those of one plugin: the same for all of its components that are loaded at the same time, so that an update does not
    /// begin at zero.
    pub fn of(&self, plugin: &str) -> Arc<PluginCalls> {
        let mut plugins = self.lock();
        plugins.retain(|_, calls| calls.strong_count() > 0);
        if let Some(known) = plugins.get(plugin).and_then(Weak::upgrade) {
            return known;
        }
        let new = Arc::<PluginCalls>::default();
        plugins.insert(plugin.into(), Arc::downgrade(&new));
        new
    }

    fn all(&self) -> Vec<(Arc<str>, Arc<PluginCalls>)> {
        let plugins = self.lock();
        let loaded = plugins.iter();
        loaded
            .filter_map(|(name, calls)| Some((Arc::clone(name), calls.upgrade()?)))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Weak<PluginCalls>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls of one plugin.
#[derive(Debug)]
pub struct PluginCalls([FunctionCalls; FUNCTIONS.len()]);

#[derive(Debug)]
struct FunctionCalls {
    answered: AtomicU64,
    /// By category. What fails has taken longer than this lock.
    failed: Mutex<BTreeMap<&'static str, u64>>,
    seconds: Histogram,
    largest_memory: AtomicU64,
    memory_limit: AtomicU64,
}

impl Default for PluginCalls {
    fn default() -> Self {
        Self(FUNCTIONS.map(|_| FunctionCalls {
            answered: AtomicU64::new(0),
            failed: Mutex::default(),
            seconds: Histogram::new(SECONDS),
            largest_memory: AtomicU64::new(0),
            memory_limit: AtomicU64::new(0),
        }))
    }
}

impl PluginCalls {
    /// A call of a function of the contract begins. One that is dropped without an end counts as cancelled.
    pub fn begin(&self, function: &str) -> PluginCall<'_> {
        let known = FUNCTIONS.iter().position(|(name, _)| *name == function);
        PluginCall {
            calls: &self.0[known.unwrap_or(FUNCTIONS.len() - 1)],
            began: Instant::now(),
            outcome: Err(CANCELLED),
        }
    }
}

/// A call that is going on; it is counted when this is dropped.
pub struct PluginCall<'a> {
    calls: &'a FunctionCalls,
    began: Instant,
    outcome: Result<(), &'static str>,
}

impl PluginCall<'_> {
    /// How much linear memory the instance had at the end, and might have had.
    pub fn used_memory(&self, bytes: usize, limit: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let largest = &self.calls.largest_memory;
        // Read first: most calls are no record, and a read is shared between cores.
        if largest.load(Ordering::Relaxed) < bytes {
            largest.fetch_max(bytes, Ordering::Relaxed);
        }
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        if self.calls.memory_limit.load(Ordering::Relaxed) != limit {
            self.calls.memory_limit.store(limit, Ordering::Relaxed);
        }
    }

    /// Has it counted as answered, or as failed with this category.
    pub fn ended(mut self, outcome: Result<(), &'static str>) {
        self.outcome = outcome;
    }
}

impl Drop for PluginCall<'_> {
    fn drop(&mut self) {
        self.calls.seconds.observe(self.began.elapsed());
        match self.outcome {
            Ok(()) => {
                self.calls.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(category) => *self.calls.failed().entry(category).or_default() += 1,
        }
    }
}

impl FunctionCalls {
    fn failed(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcomes(&self) -> Vec<(&'static str, u64)> {
        let mut outcomes = vec![(ANSWERED, self.answered.load(Ordering::Relaxed))];
        let failed = self.failed();
        outcomes.extend(failed.iter().map(|(category, count)| (*category, *count)));
        outcomes
    }
}

/// Labels of one function of one plugin.
type Labels<'a> = [(&'static str, &'a str); 3];

/// The functions that have been called, with their labels.
fn called(
    plugins: &[(Arc<str>, Arc<PluginCalls>)],
) -> impl Iterator<Item = (Labels<'_>, &FunctionCalls)> {
    plugins.iter().flat_map(|(plugin, calls)| {
        let functions = FUNCTIONS.iter().zip(&calls.0);
        functions
            .filter(|(_, calls)| calls.seconds.count() > 0)
            .map(|((function, interface), calls)| {
                let labels = [
                    ("plugin", &**plugin),
                    ("interface", *interface),
                    ("function", *function),
                ];
                (labels, calls)
            })
    })
}

impl Collector for PluginCallMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let plugins = self.all();
        if called(&plugins).next().is_none() {
            return Ok(());
        }
        let mut total = encoder.encode_descriptor(
            "mcp_operator_plugin_calls",
            "Calls of plugins by interface, function and outcome: Answered, Cancelled, or the category of the failure.",
            None,
            MetricType::Counter,
        )?;
        for (labels, calls) in called(&plugins) {
            for (outcome, count) in calls.outcomes() {
                let labels = (labels, [("outcome", outcome)]);
                let mut series = total.encode_family(&labels)?;
                series.encode_counter::<NoLabelSet, u64, u64>(&count, None)?;
            }
        }
        let mut seconds = encoder.encode_descriptor(
            "mcp_operator_plugin_call_seconds",
            "How long calls of plugins take, with what they wait for an instance.",
            None,
            MetricType::Histogram,
        )?;
        for (labels, calls) in called(&plugins) {
            calls.seconds.encode(seconds.encode_family(&labels)?)?;
        }
        let gauge = |load: fn(&FunctionCalls) -> &AtomicU64| {
            let series = called(&plugins);
            series.map(move |(labels, calls)| (labels, load(calls).load(Ordering::Relaxed)))
        };
        let mut largest = encoder.encode_descriptor(
            "mcp_operator_plugin_call_largest_memory_bytes",
            "The most linear memory that a call has had at its end since the plugin was loaded.",
            None,
            MetricType::Gauge,
        )?;
        for (labels, bytes) in gauge(|calls| &calls.largest_memory) {
            largest.encode_family(&labels)?.encode_gauge(&bytes)?;
        }
        let mut limit = encoder.encode_descriptor(
            "mcp_operator_plugin_call_memory_limit_bytes",
            "The linear memory that a call may have.",
            None,
            MetricType::Gauge,
        )?;
        for (labels, bytes) in gauge(|calls| &calls.memory_limit) {
            limit.encode_family(&labels)?.encode_gauge(&bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Format, Metrics};

    #[test]
    fn calls_are_counted_by_function_and_outcome_with_their_memory() {
        let metrics = Metrics::new("1.0.0");
        let calls = metrics.plugin_calls().of("tenancy");
        let call = calls.begin("validate");
        call.used_memory(1 << 20, 64 << 20);
        call.ended(Ok(()));
        let call = calls.begin("validate");
        call.used_memory(1 << 16, 64 << 20);
        call.ended(Err("DeadlineExceeded"));
        drop(calls.begin("plan"));
        let text = metrics.encode(Format::Prometheus);
        let validate = r#"plugin="tenancy",interface="validator",function="validate""#;
        for line in [
            format!(r#"mcp_operator_plugin_calls_total{{{validate},outcome="Answered"}} 1"#),
            format!(
                r#"mcp_operator_plugin_calls_total{{{validate},outcome="DeadlineExceeded"}} 1"#
            ),
            r#"mcp_operator_plugin_calls_total{plugin="tenancy",interface="registrar",function="plan",outcome="Cancelled"} 1"#.to_owned(),
            format!("mcp_operator_plugin_call_seconds_count{{{validate}}} 2"),
            format!("mcp_operator_plugin_call_largest_memory_bytes{{{validate}}} 1048576"),
            format!("mcp_operator_plugin_call_memory_limit_bytes{{{validate}}} 67108864"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn the_series_of_a_plugin_stay_with_its_update_and_go_with_it() {
        let metrics = Metrics::new("1.0.0");
        let (first, other) = (
            metrics.plugin_calls().of("tenancy"),
            metrics.plugin_calls().of("other"),
        );
        first.begin("validate").ended(Ok(()));
        other.begin("validate").ended(Ok(()));
        let update = metrics.plugin_calls().of("tenancy");
        drop(first);
        update.begin("validate").ended(Ok(()));
        let answered = |plugin: &str| {
            let begin = format!(r#"mcp_operator_plugin_calls_total{{plugin="{plugin}","#);
            let text = metrics.encode(Format::Prometheus);
            let line = text.lines().find(|line| line.starts_with(&begin))?;
            line.split_whitespace().last()?.parse::<u64>().ok()
        };
        assert_eq!((answered("tenancy"), answered("other")), (Some(2), Some(1)));
        drop(update);
        assert_eq!((answered("tenancy"), answered("other")), (None, Some(1)));
        let _again = metrics.plugin_calls().of("tenancy");
        assert_eq!(answered("tenancy"), None);
    }
}
