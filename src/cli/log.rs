//! Log lines on stderr, for those who ask for them with `RECARD_LOG`.

use std::io;

use indicatif::MultiProgress;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{FilterExt as _, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::args::LogFormat;
use super::environment;
use super::failure::Failure;
use super::ui::Ui;

/// These crates print requests and headers at finer levels, and the address of a request holds the webhook's secret. No
/// filter makes them speak.
const SILENCED: &[&str] = &["h2", "hyper", "hyper_util", "reqwest", "rustls"];

/// Starts logging.
pub(super) fn start(ui: &Ui, format: LogFormat) -> Result<(), Failure> {
    let wanted = environment::log_filter().unwrap_or_else(|| "off".to_owned());
    let wanted: Targets = wanted.parse().map_err(|problem| {
        Failure::error(tr!("RECARD_LOG does not say which log lines: {problem}", problem))
            .hint(tr!("for example RECARD_LOG=recard=debug"))
    })?;
    let may_speak = filter_fn(|line| !is_silenced(line.target())).with_max_level_hint(LevelFilter::TRACE);
    let writer = AboveBars { bars: ui.bars().cloned() };
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(ui.colours_stderr());
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let started = tracing_subscriber::registry().with(lines.with_filter(wanted.and(may_speak))).try_init();
    started.map_err(|problem| Failure::error(tr!("cannot start logging: {problem}", problem)))
}

/// Whether a line is of one of these crates, or of any module in them.
fn is_silenced(target: &str) -> bool {
    let of = target.split_once("::").map_or(target, |(of, _)| of);
    SILENCED.contains(&of)
}

/// Writes lines above the progress bars, which are drawn again below them.
struct AboveBars {
    bars: Option<MultiProgress>,
}

struct Line {
    bars: Option<MultiProgress>,
}

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { bars: self.bars.clone() }
    }
}

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.bars {
            Some(bars) => bars.suspend(|| io::stderr().write_all(bytes))?,
            None => io::stderr().write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
