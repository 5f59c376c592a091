//! One event as one line of JSON, flat, with the fields other programs look for.

use std::fmt::{self, Write};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

/// The format: `{"timestamp":…,"level":…,"component":…,"message":…,` and the event's and its spans' own fields `}`.
///
/// `component` is the field of that name, else the module the event comes from, without the crate's name.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields(Map::new());
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            if let Some(formatted) = span.extensions().get::<FormattedFields<N>>() {
                fields.0.extend(serde_json::from_str::<Map<String, Value>>(formatted).unwrap_or_default());
            }
        }
        event.record(&mut fields);
        writeln!(writer, "{}", line(event, fields.0)?)
    }
}

/// The four fields every line begins with, then the rest in alphabetical order.
fn line(event: &Event<'_>, mut fields: Map<String, Value>) -> Result<String, fmt::Error> {
    let mut timestamp = String::new();
    SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
    let level = event.metadata().level().as_str();
    let component = fields.remove("component").unwrap_or_else(|| Value::from(module(event.metadata().target())));
    let message = fields.remove("message").unwrap_or_else(|| Value::from(""));
    let mut line =
        format!("{{\"timestamp\":\"{timestamp}\",\"level\":\"{level}\",\"component\":{component},\"message\":{message}");
    for (name, value) in fields {
        write!(line, ",{}:{value}", Value::from(name))?;
    }
    line.push('}');
    Ok(line)
}

fn module(target: &str) -> &str {
    target.strip_prefix("apos::").unwrap_or(target)
}

struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let chain: Vec<String> = std::iter::successors(Some(value), |error| error.source()).map(ToString::to_string).collect();
        self.0.insert(field.name().to_owned(), Value::from(chain.join(": ")));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), Value::from(format!("{value:?}")));
    }
}
