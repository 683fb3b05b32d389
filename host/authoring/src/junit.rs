//! Results as JUnit's XML, which CI systems read.

use std::fmt::Write as _;
use std::time::Duration;

/// How one case ended.
pub(crate) struct CaseResult {
    pub(crate) name: String,
    pub(crate) took: Duration,
    /// What is wrong; nothing if the case passed.
    pub(crate) failure: Option<String>,
}

/// One suite with all cases of a plugin.
pub(crate) fn xml(plugin: &str, results: &[CaseResult]) -> String {
    let failures = results
        .iter()
        .filter(|result| result.failure.is_some())
        .count();
    let seconds: f64 = results.iter().map(|result| result.took.as_secs_f64()).sum();
    let (suite, tests) = (escaped(plugin), results.len());
    let counts =
        format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" time=\"{seconds:.6}\"");
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"{suite}\" {counts}>\n"
    );
    for result in results {
        let (name, time) = (escaped(&result.name), result.took.as_secs_f64());
        let head =
            format!("    <testcase classname=\"{suite}\" name=\"{name}\" time=\"{time:.6}\"");
        // Writing into a text cannot fail.
        let _ = match &result.failure {
            None => writeln!(text, "{head}/>"),
            Some(failure) => {
                let first = failure.lines().next().unwrap_or_default();
                writeln!(
                    text,
                    "{head}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                    escaped(first),
                    escaped(failure)
                )
            }
        };
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

/// Characters that XML 1.0 has no room for are replaced.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(one),
            other if other.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_and_text_is_escaped() {
        let result = |name: &str, failure: Option<&str>| CaseResult {
            name: name.into(),
            took: Duration::from_millis(2),
            failure: failure.map(Into::into),
        };
        let text = xml(
            "a",
            &[
                result("ok", None),
                result("a < \"b\"", Some("x\n  y & \u{1}")),
            ],
        );
        assert!(
            text.contains(
                "<testsuite name=\"a\" tests=\"2\" failures=\"1\" errors=\"0\" time=\"0.004000\">"
            ),
            "{text}"
        );
        assert!(text.contains("name=\"ok\" time=\"0.002000\"/>"));
        assert!(text.contains("name=\"a &lt; &quot;b&quot;\""));
        assert!(text.contains("<failure message=\"x\">x\n  y &amp; \u{fffd}</failure>"));
    }
}
