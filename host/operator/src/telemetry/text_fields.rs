//! Fields of a line of text: those of the event, and the trace that it belongs to.

use std::fmt;

use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};

use super::trace_id;

/// As `DefaultFields` writes them, with `trace_id` at the end where there is one.
#[derive(Default)]
pub(super) struct TextFields(DefaultFields);

impl<'writer> FormatFields<'writer> for TextFields {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        self.0.format_fields(writer.by_ref(), fields)?;
        match trace_id() {
            Some(id) => write!(writer, " trace_id={id}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::fmt::Subscriber;

    use super::super::test_output::Output;
    use super::*;

    #[test]
    fn a_line_of_text_ends_with_its_trace_if_it_has_one() {
        let output = Output::default();
        let subscriber = Subscriber::builder()
            .fmt_fields(TextFields::default())
            .with_writer(output.clone())
            .with_ansi(false)
            .without_time();
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        tracing::subscriber::with_default(subscriber.finish(), || {
            tracing::info!(target: "x", count = 1, "without");
            tracer.in_span("span", |_| tracing::info!(target: "x", count = 2, "within"));
        });
        let text = output.text();
        let [without, within] = text.lines().collect::<Vec<_>>()[..] else {
            panic!("{text}")
        };
        assert_eq!(without.trim(), "INFO x: without count=1");
        let (line, id) = within.split_once(" trace_id=").unwrap();
        assert_eq!((line.trim(), id.len()), ("INFO x: within count=2", 32));
    }
}
