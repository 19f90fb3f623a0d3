//! Log lines on stderr, for those who ask for them with `RECARD_LOG`.

use std::io;

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::args::LogFormat;
use super::environment;
use super::failure::Failure;
use super::ui::Ui;

/// These crates print requests and headers at finer levels, and the address of a request holds the webhook's secret. No
/// filter makes them speak.
const SILENCED: &[&str] = &["h2=off", "hyper=off", "hyper_util=off", "reqwest=off", "rustls=off"];

/// Starts logging.
pub(super) fn start(ui: &Ui, format: LogFormat) -> Result<(), Failure> {
    let wanted = environment::log_filter().unwrap_or_else(|| "off".to_owned());
    let mut filter = EnvFilter::try_new(&wanted).map_err(|problem| {
        Failure::error(tr!("RECARD_LOG does not say which log lines: {problem}", problem))
            .hint(tr!("for example RECARD_LOG=recard=debug"))
    })?;
    for silence in SILENCED {
        let directive =
            silence.parse().map_err(|problem| Failure::error(tr!("cannot start logging: {problem}", problem)))?;
        filter = filter.add_directive(directive);
    }
    let writer = AboveBars { bars: ui.bars().cloned() };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(ui.colours_stderr());
    let started = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|problem| Failure::error(tr!("cannot start logging: {problem}", problem)))
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
