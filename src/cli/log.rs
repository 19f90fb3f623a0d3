//! Log lines on stderr, enabled by `RECARD_LOG` or `--log-format json`.

use std::fmt;
use std::io;
use std::sync::OnceLock;

use indicatif::MultiProgress;
use tracing::Span;
use tracing::field::{Empty, Field};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::{FilterExt as _, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::args::LogFormat;
use super::env;
use super::error::CliError;
use super::ui::Ui;
use crate::diagnostic::{mask, visible};
use crate::model::PortalId;
use crate::report::json_document;

/// Crates that print requests and headers at finer levels; the URL of a request holds the webhook's
/// secret. No filter enables them.
const SILENCED: &[&str] = &["h2", "hyper", "hyper_util", "reqwest", "rustls"];

/// Starts logging.
pub(super) fn start(ui: &Ui, format: LogFormat) -> Result<(), CliError> {
    // Whoever asks for JSON wants lines.
    let usual = match format {
        LogFormat::Text => "off",
        LogFormat::Json => "recard=info",
    };
    let wanted = env::log_filter().unwrap_or_else(|| usual.to_owned());
    let wanted: Targets = wanted.parse().map_err(|problem| {
        CliError::general(tr!("RECARD_LOG does not say which log lines: {problem}", problem))
            .hint(tr!("for example RECARD_LOG=recard=debug"))
    })?;
    let may_speak =
        filter_fn(|line| !is_silenced(line.target())).with_max_level_hint(LevelFilter::TRACE);
    let writer = SuspendingWriter { bars: ui.bars().cloned(), format };
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(ui.colors_stderr());
    let lines = match format {
        LogFormat::Text => lines.fmt_fields(debug_fn(write_field).delimited(" ")).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let started =
        tracing_subscriber::registry().with(lines.with_filter(wanted.and(may_speak))).try_init();
    started.map_err(|problem| CliError::general(tr!("cannot start logging: {problem}", problem)))
}

/// Span of the whole command. Every line of the log has its fields.
///
/// The run is that of the program, which every command has; a run of the store has a line that
/// names it.
pub(super) fn command_span(command: &str) -> Span {
    let run = format!("{:08x}", rand::random::<u32>());
    tracing::error_span!("recard", command, run, portal = Empty)
}

/// Adds the portal to the fields of every later line. The first one counts: a loop finds its portal
/// anew in each round.
pub(super) fn record_portal(portal: &PortalId) {
    static RECORDED: OnceLock<()> = OnceLock::new();
    if RECORDED.set(()).is_ok() {
        Span::current().record("portal", portal.as_str());
    }
}

/// Returns `true` if a line is of one of these crates, or of any module in them.
fn is_silenced(target: &str) -> bool {
    let of = target.split_once("::").map_or(target, |(of, _)| of);
    SILENCED.contains(&of)
}

/// Writes one field of a line of text. Its value may be foreign text; the names of modules in front
/// of it, which have colons, are not.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let value = format!("{value:?}");
    match field.name() {
        "message" => write!(writer, "{}", visible(&value)),
        name => write!(writer, "{name}={}", visible(&value)),
    }
}

/// Returns a line with its secrets covered, made safe for build servers.
fn safe(line: &str, format: LogFormat) -> String {
    let line = mask(line);
    match format {
        // The fields are safe already.
        LogFormat::Text => line.into_owned(),
        LogFormat::Json => json_document(&line),
    }
}

/// Writer that puts lines above the progress bars.
struct SuspendingWriter {
    bars: Option<MultiProgress>,
    format: LogFormat,
}

struct LogLine {
    bars: Option<MultiProgress>,
    format: LogFormat,
}

impl<'a> MakeWriter<'a> for SuspendingWriter {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine { bars: self.bars.clone(), format: self.format }
    }
}

impl io::Write for LogLine {
    /// Writes a whole line: the layer passes it in one piece, so that no secret is split.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = safe(&String::from_utf8_lossy(bytes), self.format);
        match &self.bars {
            Some(bars) => bars.suspend(|| io::stderr().write_all(line.as_bytes()))?,
            None => io::stderr().write_all(line.as_bytes())?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
