//! How a log line looks.

use std::{fmt, time::SystemTime};

use opentelemetry::trace::TraceContextExt;
use serde_json::{Map, Value};
use tracing::{Event, Subscriber, dispatcher, field::Field, field::Visit};
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// One log line: time, level, what, the fields, and the trace it belongs to.
pub(super) struct Line {
    pub(super) json: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if let Some((trace_id, span_id)) = current_ids() {
            fields.0.entry("trace_id").or_insert(trace_id.into());
            fields.0.entry("span_id").or_insert(span_id.into());
        }
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        let (level, target) = (event.metadata().level(), event.metadata().target());
        // OpenTelemetry's own events have a name and no message.
        let message = fields.0.shift_remove("message").or_else(|| fields.0.shift_remove("name"));
        let message = message.unwrap_or_default();
        if self.json {
            let mut line = Map::new();
            line.insert("time".to_owned(), time.to_string().into());
            line.insert("level".to_owned(), level.to_string().into());
            line.insert("target".to_owned(), target.into());
            line.insert("message".to_owned(), message);
            line.append(&mut fields.0);
            return writeln!(out, "{}", Value::Object(line));
        }
        write!(out, "{time} {level:>5} {}", message.as_str().unwrap_or_default())?;
        for (key, value) in &fields.0 {
            match value {
                Value::String(text) if !text.contains(' ') => write!(out, " {key}={text}")?,
                value => write!(out, " {key}={value}")?,
            }
        }
        writeln!(out)
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

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
