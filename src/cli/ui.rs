//! Printer: results go to stdout, messages to stderr. No other module prints.
//!
//! In every printed text the known secrets are covered ([`mask`]), and commands to a terminal or a
//! build server are removed ([`terminal_safe`]), except in documents whose format escapes them
//! itself.

use std::fmt;
use std::io::{self, BufRead as _, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anstream::ColorChoice;
use anstream::adapter::StripBytes;
use anstyle::{AnsiColor, Style};
use indicatif::MultiProgress;

use super::error::{CliError, Tone};
use super::exit;
use super::metrics::Traffic;
use crate::diagnostic::{mask, terminal_safe, visible, visible_lines};
use crate::i18n::{self, Language, Text};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// Number of bytes of a result that are written at once.
const WRITE_SIZE: usize = 1 << 16;

/// Amount of messages on stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Verbosity {
    /// Notes, warnings and errors.
    #[default]
    Normal,
    /// Warnings and errors only.
    Quiet,
}

/// Printer.
#[derive(Clone)]
pub(super) struct Ui {
    verbosity: Verbosity,
    choice: ColorChoice,
    bars: MultiProgress,
    signal: Arc<OnceLock<u8>>,
    /// `true` if the reader of stdout has gone away.
    stdout_closed: Arc<AtomicBool>,
    traffic: Traffic,
}

impl Ui {
    /// Creates a printer with a use of color and an amount of messages.
    pub(super) fn new(choice: ColorChoice, verbosity: Verbosity) -> Self {
        // Both streams apply the choice themselves, `NO_COLOR` and terminals included.
        choice.write_global();
        Self {
            verbosity,
            choice,
            bars: MultiProgress::new(),
            signal: Arc::default(),
            stdout_closed: Arc::default(),
            traffic: Traffic::default(),
        }
    }

    /// Returns the same printer without notes, for a command within another one.
    pub(super) fn without_notes(&self) -> Self {
        Self { verbosity: Verbosity::Quiet, ..self.clone() }
    }

    /// Returns the place for the exit code of a signal: it takes precedence over every later
    /// failure.
    pub(super) fn signal(&self) -> Arc<OnceLock<u8>> {
        Arc::clone(&self.signal)
    }

    /// Returns the count of requests to portals.
    pub(super) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Returns the language of texts for people.
    pub(super) fn language(&self) -> Language {
        i18n::current_language()
    }

    /// Returns the progress bars, if there is a terminal to draw them on.
    pub(super) fn bars(&self) -> Option<&MultiProgress> {
        (self.verbosity == Verbosity::Normal && io::stderr().is_terminal()).then_some(&self.bars)
    }

    /// Returns `true` if a question can be asked.
    pub(super) fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Returns `true` if diagnostics on stderr have colors.
    pub(super) fn colors_stderr(&self) -> bool {
        match self.choice {
            ColorChoice::Always | ColorChoice::AlwaysAnsi => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => anstream::AutoStream::choice(&io::stderr()) != ColorChoice::Never,
        }
    }

    /// Prints a result for people. A reader that has gone away is not an error.
    pub(super) fn result(&self, text: impl fmt::Display) -> Result<(), CliError> {
        self.print(&safe(&text.to_string()))
    }

    /// Prints the changes of a command. If that fails, they go to stderr, and the exit code is 3.
    pub(super) fn changed(&self, text: &str) -> Result<(), CliError> {
        self.result(text).map_err(|problem| {
            self.diagnostics(text);
            CliError { code: exit::PARTIAL, ..problem }
                .context(tr!("the command is over, but its result could not be written"))
        })
    }

    /// Prints one line of a result, whose values may be foreign text.
    pub(super) fn line(&self, text: impl fmt::Display) -> Result<(), CliError> {
        self.result(format_args!("{}\n", visible(&text.to_string())))
    }

    /// Prints a document whose format escapes foreign text itself.
    pub(super) fn document(&self, text: &str) -> Result<(), CliError> {
        self.print(&mask(text))
    }

    /// Prints a text of recard itself that must not be changed: a completion script, a schema, the
    /// webhooks of an emulator.
    pub(super) fn verbatim(&self, text: &str) -> Result<(), CliError> {
        self.print(text)
    }

    fn print(&self, text: &str) -> Result<(), CliError> {
        self.bars.suspend(|| {
            // Both the stream and the filter of colors are line-buffered, and a result may have
            // thousands of lines.
            let stdout = io::stdout().lock();
            let plain = anstream::AutoStream::choice(&stdout) == ColorChoice::Never;
            let out: &mut dyn Write = if plain {
                &mut StripColors::new(stdout)
            } else {
                &mut anstream::AutoStream::auto(stdout)
            };
            let mut out = io::BufWriter::with_capacity(WRITE_SIZE, out);
            match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
                Err(problem) if problem.kind() == io::ErrorKind::BrokenPipe => {
                    self.stdout_closed.store(true, Ordering::Relaxed);
                    Ok(())
                }
                Err(problem) => {
                    Err(CliError::general(tr!("cannot write the result: {problem}", problem)))
                }
                Ok(()) => Ok(()),
            }
        })
    }

    /// Returns the failure to write a result whose reader has gone away, if that happened: the
    /// report of a run must not be lost.
    pub(super) fn stdout_closed(&self) -> Option<CliError> {
        let stdout_closed = self.stdout_closed.load(Ordering::Relaxed);
        stdout_closed.then(|| {
            CliError::general(tr!("cannot write the result: the reader of stdout has gone away"))
        })
    }

    /// Prints a note.
    pub(super) fn note(&self, text: impl fmt::Display) {
        if self.verbosity == Verbosity::Normal {
            self.say(visible_lines(&text.to_string()));
        }
    }

    /// Prints a warning.
    pub(super) fn warn(&self, text: impl fmt::Display) {
        self.say(format_args!(
            "{WARNING}{}{WARNING:#} {}",
            tr!("warning:"),
            visible_lines(&text.to_string())
        ));
    }

    /// Prints the failure of a command.
    pub(super) fn fail(&self, failure: &CliError) {
        let CliError { tone, chain, hints, .. } = failure;
        if *tone == Tone::Answer {
            return self.say(visible(&Text::join(chain, ": ")));
        }
        let (error, caused, help) = (tr!("error:"), tr!("caused by:"), tr!("help:"));
        if let Some((first, causes)) = chain.split_first() {
            self.say(format_args!("{ERROR}{error}{ERROR:#} {}", visible(first)));
            for cause in causes {
                self.say(format_args!("  {caused} {}", visible(cause)));
            }
        }
        for hint in hints {
            // Lines to be copied stand below, without a margin.
            self.say(format_args!(
                "{HINT}{help}{HINT:#} {}",
                visible_lines(hint).replace('\n', "\n    ")
            ));
        }
    }

    /// Asks for a yes, as a word or as its first letter; any other answer is a no. The answer is
    /// read on a thread of its own, so that signals are handled meanwhile.
    pub(super) async fn confirm(&self, question: &Text) -> bool {
        let asked = self.bars.suspend(|| {
            let mut stderr = anstream::stderr().lock();
            let asked = format!("{} {} ", visible_lines(question), tr!("Type yes to continue:"));
            write!(stderr, "{}", safe(&asked)).and_then(|()| stderr.flush())
        });
        if asked.is_err() {
            return false;
        }
        let answer = tokio::task::spawn_blocking(move || {
            let mut answer = String::new();
            io::stdin().lock().read_line(&mut answer).is_ok_and(|_| is_yes(&answer))
        });
        answer.await.unwrap_or(false)
    }

    /// Prints text on stderr as it is, with its line ends.
    pub(super) fn diagnostics(&self, text: &str) {
        self.bars.suspend(|| {
            // A failed write has no further destination.
            let _ = write!(anstream::stderr().lock(), "{}", safe(text));
        });
    }

    fn say(&self, text: impl fmt::Display) {
        self.bars.suspend(|| {
            let _ = writeln!(anstream::stderr().lock(), "{}", safe(&text.to_string()));
        });
    }
}

/// Returns `true` if an answer agrees.
fn is_yes(answer: &str) -> bool {
    ["y", "yes"].iter().any(|yes| answer.trim().eq_ignore_ascii_case(yes))
}

/// Writer that removes colors from its input, which comes in pieces.
struct StripColors<W> {
    colors: StripBytes,
    out: W,
    piece: Vec<u8>,
}

impl<W: Write> StripColors<W> {
    fn new(out: W) -> Self {
        Self { colors: StripBytes::new(), out, piece: Vec::new() }
    }
}

impl<W: Write> Write for StripColors<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.clear();
        self.piece.extend(self.colors.strip_next(bytes).flatten());
        self.out.write_all(&self.piece)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Prints the message of a panic with the same masks as any other text.
pub(super) fn mask_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(anstream::stderr().lock(), "{}", safe(&visible_lines(&panic.to_string())));
    }));
}

/// Returns a finished text with its secrets covered, and without commands to a terminal or a build
/// server.
pub(super) fn safe(text: &str) -> String {
    terminal_safe(&mask(text)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_stripped_also_across_write_boundaries() {
        let mut out = Vec::new();
        let mut plain = StripColors::new(&mut out);
        for piece in ["reset \u{1b}[3", "1mpersonal/7\u{1b}[0m\nF", "ir\u{17e}\n"] {
            plain.write_all(piece.as_bytes()).unwrap();
        }
        assert_eq!(String::from_utf8(out).unwrap(), "reset personal/7\nFir\u{17e}\n");
    }

    #[test]
    fn answer_is_a_yes_in_full_or_by_its_first_letter() {
        for yes in ["y", "Y\n", "yes\r\n", " YES "] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["", "\n", "n", "no", "ye", "yes please", "yy"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }

    #[test]
    fn safe_text_shows_no_secret_and_commands_nothing() {
        crate::diagnostic::register_secret("u1-s3cret-0001");
        assert_eq!(safe("at U1-S3CRET-0001\n::x\u{1b}[2J"), "at ***\n: :x\u{fffd}[2J");
    }
}
