//! How a log line looks.

use std::{
    fmt::{self, Debug, Write},
    time::SystemTime,
};

use opentelemetry::trace::TraceContextExt;
use tracing::{Event, Subscriber, dispatcher, field::Field, field::Visit};
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::trace;

/// One log line: time, level, what, the fields, and the trace it belongs to. Written as it is read, because every RPC
/// has one.
pub(super) struct Line {
    pub(super) json: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        let (level, target) = (event.metadata().level(), event.metadata().target());
        // OpenTelemetry's own events have a name and no message.
        let names = event.metadata().fields();
        let title = if names.field("message").is_some() { "message" } else { "name" };
        if self.json {
            write!(out, r#"{{"time":"{time}","level":"{level}","target":"{target}","message":"#)?;
        } else {
            write!(out, "{time} {level:>5} ")?;
        }
        let mut fields = Fields { out: &mut out, json: self.json, title, part: Part::Title, outcome: Ok(()) };
        event.record(&mut fields);
        if self.json && names.field(title).is_none() {
            fields.outcome = fields.text("");
        }
        fields.part = Part::Fields;
        event.record(&mut fields);
        if names.field("trace_id").is_none() {
            fields.trace();
        }
        fields.outcome?;
        out.write_str(if self.json { "}\n" } else { "\n" })
    }
}

/// What a pass over the fields writes.
#[derive(PartialEq, Eq)]
enum Part {
    Title,
    Fields,
}

/// Writes fields, one after the other.
struct Fields<'a, 'w> {
    out: &'a mut Writer<'w>,
    json: bool,
    title: &'static str,
    part: Part,
    outcome: fmt::Result,
}

impl Fields<'_, '_> {
    /// The trace and the span that this belongs to, if there are.
    fn trace(&mut self) {
        match current_ids() {
            Some((trace_id, span_id)) => {
                self.field("trace_id", |this| this.text(&trace_id));
                self.field("span_id", |this| this.text(&span_id));
            }
            None => {
                if let Some(trace) = trace::current() {
                    self.field("trace_id", |this| this.text(trace.text(&mut [0; 32])));
                }
            }
        }
    }

    fn field(&mut self, name: &str, value: impl FnOnce(&mut Self) -> fmt::Result) {
        let is_title = name == self.title;
        if is_title != (self.part == Part::Title) || self.outcome.is_err() {
            return;
        }
        let (before, after) = match (is_title, self.json) {
            (true, _) => ("", ""),
            (false, true) => (",\"", "\":"),
            (false, false) => (" ", "="),
        };
        let name = if is_title { "" } else { name };
        let mut parts = [before, name, after].into_iter();
        self.outcome = parts.try_for_each(|part| self.out.write_str(part)).and_then(|()| value(self));
    }

    /// In quotes where it could be taken for more than one word.
    fn text(&mut self, text: &str) -> fmt::Result {
        let is_plain = !self.json && (self.part == Part::Title || !text.contains(' '));
        if is_plain { self.out.write_str(text) } else { quoted(self.out, text) }
    }
}

impl Visit for Fields<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.field(field.name(), |this| this.text(&format!("{value:?}")));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field.name(), |this| this.text(value));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field.name(), |this| write!(this.out, "{value}"));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field.name(), |this| write!(this.out, "{value}"));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field.name(), |this| write!(this.out, "{value}"));
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.field(field.name(), |this| match value.is_finite() {
            true => write!(this.out, "{value}"),
            false => this.out.write_str("null"),
        });
    }
}

/// As a JSON string, with what such strings may not contain escaped.
fn quoted(out: &mut dyn Write, text: &str) -> fmt::Result {
    out.write_str("\"")?;
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < b' ') {
        out.write_str(&rest[..at])?;
        match rest.as_bytes()[at] {
            b'\n' => out.write_str("\\n")?,
            byte @ (b'"' | b'\\') => write!(out, "\\{}", char::from(byte))?,
            byte => write!(out, "\\u{byte:04x}")?,
        }
        rest = &rest[at + 1..];
    }
    out.write_str(rest)?;
    out.write_str("\"")
}

/// The trace and span id of the current span, if it is in a trace. Not asked of the [`FmtContext`], which knows no
/// span below the level of the log filter.
fn current_ids() -> Option<(String, String)> {
    let context =
        dispatcher::get_default(|dispatch| get_otel_context(dispatch.current_span().id()?, dispatch))?;
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| (context.trace_id().to_string(), context.span_id().to_string()))
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing::{subscriber::with_default, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(json: bool, tell: impl FnOnce()) -> String {
        let told = Told::default();
        let writer = told.clone();
        let lines = tracing_subscriber::fmt().event_format(Line { json });
        with_default(lines.with_writer(move || writer.clone()).finish(), tell);
        let told = told.0.lock().unwrap();
        String::from_utf8(told.clone()).unwrap()
    }

    fn tell() {
        let error: Result<(), _> = Err("a \"word\"\n\u{1b}[0m\\");
        warn!(
            app = "demo",
            ?error,
            count = 3,
            share = 0.5,
            wrong = f64::NAN,
            yes = true,
            trace_id = "own",
            "two words"
        );
    }

    #[test]
    fn a_line_is_one_json_object_whatever_its_fields_hold() {
        let line = told(true, tell);
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        let expected = serde_json::json!({
            "time": object["time"], "level": "WARN", "target": object["target"], "message": "two words",
            "app": "demo", "error": "Err(\"a \\\"word\\\"\\n\\u{1b}[0m\\\\\")", "count": 3, "share": 0.5,
            "wrong": null, "yes": true, "trace_id": "own",
        });
        assert_eq!(object, expected);
        assert_eq!(line.find('\n'), Some(line.len() - 1));
        let raw = told(true, || warn!(text = "a\tb\u{1b}\r\n\"\\é"));
        assert!(raw.contains(r#""text":"a\u0009b\u001b\u000d\n\"\\é""#), "{raw}");
    }

    #[test]
    fn a_line_of_text_quotes_what_has_spaces() {
        let line = told(false, || warn!(app = "demo", why = "not now", "two words"));
        assert!(line.ends_with(" WARN two words app=demo why=\"not now\"\n"), "{line}");
        let line = told(false, || warn!(name = "BatchSpanProcessor.ExportError", error = "x"));
        assert!(line.ends_with(" WARN BatchSpanProcessor.ExportError error=x\n"), "{line}");
    }
}
