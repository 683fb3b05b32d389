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
    use std::io;
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::fmt::Subscriber;

    use super::*;

    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_of_text_ends_with_its_trace_if_it_has_one() {
        let output = Output::default();
        let written = output.clone();
        let subscriber = Subscriber::builder()
            .fmt_fields(TextFields::default())
            .with_writer(move || written.clone())
            .with_ansi(false)
            .without_time();
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        tracing::subscriber::with_default(subscriber.finish(), || {
            tracing::info!(target: "x", count = 1, "without");
            tracer.in_span("span", |_| tracing::info!(target: "x", count = 2, "within"));
        });
        let text = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
        let [without, within] = text.lines().collect::<Vec<_>>()[..] else {
            panic!("{text}")
        };
        assert_eq!(without.trim(), "INFO x: without count=1");
        let (line, id) = within.split_once(" trace_id=").unwrap();
        assert_eq!((line.trim(), id.len()), ("INFO x: within count=2", 32));
    }
}
