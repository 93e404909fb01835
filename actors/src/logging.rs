//! Log lines in OpenDNSSEC's form: `ods-signerd: [module] text`, to standard error or to syslog.
//! In: tracing events; the target becomes the module. Out: lines. Level 0 to 7 as in
//! `<Verbosity>`: 0 to 2 errors, 3 and above also information, 5 and above debugging.
//! Control characters in fields never reach the terminal as they are.

use crate::io::local_time::syslog_time;
use crate::io::syslog::{Severity, Syslog};
use crate::runtime::wall_clock;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::writer::MakeWriter;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Registry, reload};

/// Modules whose lines are the enforcer's.
const ENFORCER_MODULES: [&str; 2] = ["enforcer", "hsm_key_factory"];

struct OpenDnssecFormat;

/// Finds the text of an event; its other fields are there for machines.
struct TextOf<'a> {
    text: &'a mut String,
    error: Option<String>,
}

impl Visit for TextOf<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            // Writing to a String cannot fail.
            "message" => drop(write!(self.text, "{value:?}")),
            "error" => self.error = Some(format!("{value:?}")),
            _ => {}
        }
    }
}

impl<S, N> FormatEvent<S, N> for OpenDnssecFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        let mut visitor = TextOf { text: &mut text, error: None };
        event.record(&mut visitor);
        let error = visitor.error.take();
        let target = event.metadata().target();
        let module = target.rsplit("::").next().unwrap_or(target);
        let ident = match ENFORCER_MODULES.contains(&module) {
            true => "ods-enforcerd",
            false => "ods-signerd",
        };
        write!(writer, "{ident}: [{module}] ")?;
        write_clean(&mut writer, &text)?;
        if let Some(error) = error.filter(|error| !text.contains(error.as_str())) {
            writer.write_str(": ")?;
            write_clean(&mut writer, &error)?;
        }
        writeln!(writer)
    }
}

/// Line ends become blanks, other control characters `\xNN`.
fn write_clean(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        match character {
            '\n' | '\t' => writer.write_char(' ')?,
            control if control.is_control() => write!(writer, "\\x{:02x}", control as u32)?,
            character => writer.write_char(character)?,
        }
    }
    Ok(())
}

/// The level, as it was given.
static VERBOSITY: AtomicU64 = AtomicU64::new(3);
static FILTER: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

fn filter(verbosity: u64) -> LevelFilter {
    match verbosity {
        0..=1 => LevelFilter::ERROR,
        2 => LevelFilter::WARN,
        3..=4 => LevelFilter::INFO,
        5..=6 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

/// Where log lines go.
#[derive(Debug)]
pub enum Destination {
    /// To this process's standard error.
    StandardError,
    /// To the machine's syslog daemon.
    Syslog(Syslog),
}

/// One line on its way.
#[derive(Debug)]
pub enum LineWriter<'a> {
    /// To standard error.
    StandardError(io::Stderr),
    /// To syslog.
    Syslog {
        /// The daemon.
        syslog: &'a Syslog,
        /// How urgent it is.
        severity: Severity,
    },
}

impl Write for LineWriter<'_> {
    /// A whole line at once: so the formatter writes.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            LineWriter::StandardError(stderr) => stderr.write_all(octets)?,
            LineWriter::Syslog { syslog, severity } => {
                let line = String::from_utf8_lossy(octets);
                let line = line.trim_end_matches('\n');
                let (ident, text) = line.split_once(": ").unwrap_or(("ods-signerd", line));
                let time = syslog_time(wall_clock());
                syslog.send(*severity, &time, ident, text);
            }
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Destination {
    fn writer(&self, severity: Severity) -> LineWriter<'_> {
        match self {
            Destination::StandardError => LineWriter::StandardError(io::stderr()),
            Destination::Syslog(syslog) => LineWriter::Syslog { syslog, severity },
        }
    }
}

impl<'a> MakeWriter<'a> for Destination {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        self.writer(Severity::Information)
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> LineWriter<'a> {
        self.writer(match *event.level() {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warning,
            Level::INFO => Severity::Information,
            _ => Severity::Debug,
        })
    }
}

/// Sends log lines to standard error from now on. To be called once, by a program's main.
pub fn start(verbosity: u64) {
    start_to(verbosity, Destination::StandardError);
}

/// Sends log lines there from now on. To be called once, by a program's main.
pub fn start_to(verbosity: u64, destination: Destination) {
    let (level, handle) = reload::Layer::new(filter(verbosity));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(destination)
        .with_ansi(false)
        .event_format(OpenDnssecFormat);
    let subscriber = Registry::default().with(level).with(lines);
    // A second start, as in tests, keeps the first.
    if tracing::subscriber::set_global_default(subscriber).is_ok() && FILTER.set(handle).is_ok() {
        VERBOSITY.store(verbosity, Relaxed);
    }
}

/// The level.
pub fn verbosity() -> u64 {
    VERBOSITY.load(Relaxed)
}

/// Sets the level until the program ends. Nothing happens before [`start`].
pub fn set_verbosity(verbosity: u64) {
    let Some(handle) = FILTER.get() else { return };
    // Fails only when the subscriber is gone, and with it all log lines.
    if handle.reload(filter(verbosity)).is_ok() {
        VERBOSITY.store(verbosity, Relaxed);
    }
}
