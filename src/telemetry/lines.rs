//! How a log line looks.

use std::{
    cell::Cell,
    fmt::{self, Debug, Write},
    io,
    time::SystemTime,
};

use opentelemetry::trace::TraceContextExt;
use tracing::{Event, Level, Subscriber, dispatcher, field::Field, field::Visit};
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::{Layer, layer::Context};

use super::gather::Gather;
use crate::trace;

thread_local! {
    /// Where a line is put together. Taken meanwhile, because a value that is written may log something itself.
    static LINE: Cell<String> = const { Cell::new(String::new()) };
}

/// A line for each event: time, level, what, the fields, and the trace it belongs to. Not of `tracing_subscriber::fmt`,
/// which does more with each, because every RPC has one.
pub(super) struct Lines<W> {
    pub(super) json: bool,
    pub(super) out: Gather<W>,
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber,
    W: io::Write + Send + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = LINE.try_with(Cell::take).unwrap_or_default();
        line.clear();
        write_line(&mut line, event, self.json);
        self.out.line(&line, *event.metadata().level() <= Level::WARN);
        // A thread that is about to end has none.
        let _ = LINE.try_with(|kept| kept.set(line));
    }
}

fn write_line(line: &mut String, event: &Event<'_>, json: bool) {
    let time = humantime::format_rfc3339_millis(SystemTime::now());
    let (level, target) = (event.metadata().level(), event.metadata().target());
    // OpenTelemetry's own events have a name and no message.
    let names = event.metadata().fields();
    let title = if names.field("message").is_some() { "message" } else { "name" };
    put(line, if json { "{\"time\":\"" } else { "" }, format_args!("{time}"));
    if json {
        for part in ["\",\"level\":\"", level.as_str(), "\",\"target\":\"", target, "\",\"message\":"] {
            line.push_str(part);
        }
    } else {
        put(line, " ", format_args!("{level:>5} "));
    }
    let mut fields = Fields { line, json, title, part: Part::All };
    // A message comes first in any case, a name where its event has it.
    if names.iter().next().is_none_or(|first| first.name() != title) {
        fields.part = Part::Title;
        event.record(&mut fields);
        if json && names.field(title).is_none() {
            fields.line.push_str("\"\"");
        }
        fields.part = Part::Others;
    }
    event.record(&mut fields);
    if names.field("trace_id").is_none() {
        fields.trace();
    }
    line.push_str(if json { "}\n" } else { "\n" });
}

fn put(line: &mut String, before: &str, value: fmt::Arguments<'_>) {
    line.push_str(before);
    // To a string, which takes everything.
    let _ = line.write_fmt(value);
}

/// What a pass over the fields writes.
#[derive(PartialEq, Eq)]
enum Part {
    All,
    Title,
    Others,
}

/// Writes fields, one after the other.
struct Fields<'a> {
    line: &'a mut String,
    json: bool,
    title: &'static str,
    part: Part,
}

impl Fields<'_> {
    /// The trace and the span that this belongs to, if there are.
    fn trace(&mut self) {
        match current_ids() {
            Some((trace_id, span_id)) => {
                self.text("trace_id", &trace_id);
                self.text("span_id", &span_id);
            }
            None => {
                if let Some(trace) = trace::current() {
                    self.text("trace_id", trace.text(&mut [0; 32]));
                }
            }
        }
    }

    /// Writes a name and what comes before the value; false for what this pass does not write.
    fn begin(&mut self, name: &str) -> bool {
        let is_title = name == self.title;
        let is_written = match self.part {
            Part::All => true,
            Part::Title => is_title,
            Part::Others => !is_title,
        };
        if is_written && !is_title {
            let (before, after) = if self.json { (",\"", "\":") } else { (" ", "=") };
            for part in [before, name, after] {
                self.line.push_str(part);
            }
        }
        is_written
    }

    fn plain(&mut self, name: &str, value: fmt::Arguments<'_>) {
        if self.begin(name) {
            put(self.line, "", value);
        }
    }

    /// In quotes where it could be taken for more than one word.
    fn text(&mut self, name: &str, text: &str) {
        if !self.begin(name) {
            return;
        }
        if self.json || (name != self.title && text.contains(' ')) {
            quoted(self.line, text);
        } else {
            self.line.push_str(text);
        }
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if !self.json {
            self.text(field.name(), &format!("{value:?}"));
        } else if self.begin(field.name()) {
            self.line.push('"');
            let _ = write!(Escaped(self.line), "{value:?}");
            self.line.push('"');
        }
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field.name(), format_args!("{value}"));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field.name(), format_args!("{value}"));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field.name(), format_args!("{value}"));
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        match value.is_finite() {
            true => self.plain(field.name(), format_args!("{value}")),
            false => self.plain(field.name(), format_args!("null")),
        }
    }
}

/// As a JSON string.
fn quoted(line: &mut String, text: &str) {
    line.push('"');
    escaped(line, text);
    line.push('"');
}

/// With what JSON strings may not contain escaped.
fn escaped(line: &mut String, text: &str) {
    let is_special = |byte: u8| byte == b'"' || byte == b'\\' || byte < b' ';
    // Mostly nothing is: to look at all bytes once is faster than to stop at the first.
    if !text.bytes().fold(false, |found, byte| found | is_special(byte)) {
        return line.push_str(text);
    }
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_special) {
        line.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'\n' => line.push_str("\\n"),
            byte @ (b'"' | b'\\') => line.extend(['\\', char::from(byte)]),
            byte => put(line, "\\u", format_args!("{byte:04x}")),
        }
        rest = &rest[at + 1..];
    }
    line.push_str(rest);
}

/// Escapes what is written through it.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escaped(self.0, text);
        Ok(())
    }
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
    use tracing::{subscriber::with_default, warn};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::{super::gather::Written, *};

    fn told(json: bool, tell: impl FnOnce()) -> String {
        let written = Written::default();
        let out = Gather::start(written.clone()).unwrap();
        with_default(tracing_subscriber::registry().with(Lines { json, out: out.clone() }), tell);
        out.flush();
        written.text()
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
    fn a_line_of_json_has_a_message_wherever_it_stands() {
        let message = |tell: &dyn Fn()| {
            let line = told(true, tell);
            let object: serde_json::Value = serde_json::from_str(&line).unwrap();
            (object["message"].clone(), line.matches("message").count())
        };
        assert_eq!(message(&|| warn!(code = 1, name = "Exporter.Error")), ("Exporter.Error".into(), 1));
        assert_eq!(message(&|| warn!(name = "Exporter.Error", code = 1)), ("Exporter.Error".into(), 1));
        assert_eq!(message(&|| warn!(code = 1)), ("".into(), 1));
    }

    #[test]
    fn a_line_of_text_quotes_what_has_spaces() {
        let line = told(false, || warn!(app = "demo", why = "not now", "two words"));
        assert!(line.ends_with(" WARN two words app=demo why=\"not now\"\n"), "{line}");
        let line = told(false, || warn!(name = "BatchSpanProcessor.ExportError", error = "x"));
        assert!(line.ends_with(" WARN BatchSpanProcessor.ExportError error=x\n"), "{line}");
    }
}
