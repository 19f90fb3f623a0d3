//! `--output FORMAT[=PATH]`: which forms of a report go where.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::args::{Shown, Written};
use super::failure::Failure;
use super::ui::{Ui, safe};
use super::{environment, exit};
use crate::diagnostic::mask;
use crate::language::{self, Text};
use crate::model::decimal;
use crate::report::{
    Content, Failed, Format, History, Listing, MARKDOWN_LIMIT, Options, Purpose, Report, Subject,
};
use crate::store::{destination, write_whole};

/// Less than this would not hold a headline.
const SMALLEST_LIMIT: usize = 1_000;

/// The largest summary of a step that GitHub shows, with what other commands of the step have
/// written.
const SUMMARY_LIMIT: u64 = 1 << 20;

/// A form of output and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Output {
    /// The form.
    pub(super) format: Format,
    /// A file; stdout if there is none.
    pub(super) path: Option<PathBuf>,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, path) = match text.split_once('=') {
            Some((_, "")) => return Err("there is no path behind the =".to_owned()),
            Some((format, path)) => (format, Some(PathBuf::from(path))),
            None => (text, None),
        };
        match Format::ALL.into_iter().find(|(known, _)| *known == word) {
            Some((_, format)) => Ok(Self { format, path }),
            None => {
                let known = Format::ALL.map(|(known, _)| known).join(", ");
                Err(format!("there is no format {word:?}; there are {known}"))
            }
        }
    }
}

/// Reads the output of a command that knows text and JSON only.
pub(super) fn text_or_json(text: &str) -> Result<Output, String> {
    one_of(&[Format::Text, Format::Json], text)
}

/// Reads the output of a command that knows text, JSON and tables.
pub(super) fn text_json_or_csv(text: &str) -> Result<Output, String> {
    one_of(&[Format::Text, Format::Json, Format::Csv], text)
}

/// Reads the output of a command that lists runs.
pub(super) fn of_history(text: &str) -> Result<Output, String> {
    one_of(&History::FORMATS, text)
}

fn one_of(formats: &[Format], text: &str) -> Result<Output, String> {
    let output: Output = text.parse()?;
    if formats.contains(&output.format) {
        return Ok(output);
    }
    let mut words: Vec<String> = formats.iter().map(ToString::to_string).collect();
    let last = words.pop().unwrap_or_default();
    Err(format!(
        "this command has no format {}; it has {} and {last}",
        output.format,
        words.join(", ")
    ))
}

/// Reads the limit on the bytes of Markdown.
pub(super) fn markdown_limit(text: &str) -> Result<usize, String> {
    match decimal::whole(text).and_then(|limit| usize::try_from(limit).ok()) {
        Some(limit) if limit >= SMALLEST_LIMIT => Ok(limit),
        Some(_) => Err(format!("less than {SMALLEST_LIMIT} bytes would not hold a headline")),
        None => Err(format!("a limit is a number of bytes, for example {MARKDOWN_LIMIT}")),
    }
}

/// Reads the name in the marker of a comment.
pub(super) fn marker(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let right = !text.is_empty()
        && text.len() <= 64
        && text.split('-').all(|part| !part.is_empty() && part.chars().all(fits));
    if right {
        return Ok(text.to_owned());
    }
    Err("a name has 1 to 64 letters, digits, dots, underscores, and single hyphens between them"
        .to_owned())
}

/// Where a command's reports go. Opened before anything else is done, so that nothing is done whose
/// report is lost.
///
/// Every output gets exactly one report in the end, whatever becomes of the command: what it is
/// about, or why it failed. A file of an earlier run never stays in place of it.
pub(super) struct Outputs<'a> {
    /// Who speaks.
    pub(super) ui: &'a Ui,
    purpose: Purpose,
    outputs: &'a [Output],
    options: Options,
    /// The text so far: a preview, and what became of it.
    text: RefCell<String>,
    written: Cell<bool>,
    heard: Option<&'a (dyn Fn(Subject<'_>) + Send + Sync)>,
    summary: Option<PathBuf>,
}

impl<'a> Outputs<'a> {
    /// Finds out whether every file can be written.
    pub(super) fn open(
        ui: &'a Ui,
        purpose: Purpose,
        written: &'a Written,
    ) -> Result<Self, Failure> {
        let Written { output: outputs, markdown_limit, marker } = written;
        check_paths(outputs)?;
        let has_github = outputs.iter().any(|output| output.format == Format::Github);
        let summary = environment::step_summary().filter(|_| has_github);
        if let Some(path) = &summary {
            append(path, "")?;
        }
        let options = Options {
            language: ui.language(),
            markdown_limit: *markdown_limit,
            marker: marker.clone().unwrap_or_default(),
            ..Options::default()
        };
        let (text, written) = (RefCell::default(), Cell::new(false));
        Ok(Self { ui, purpose, outputs, options, text, written, heard: None, summary })
    }

    /// The same, for plans and what becomes of them.
    pub(super) fn showing(ui: &'a Ui, purpose: Purpose, shown: &'a Shown) -> Result<Self, Failure> {
        let opened = Self::open(ui, purpose, &shown.written)?;
        let listing = if shown.unchanged { Listing::Targets } else { Listing::Changes };
        let content = if shown.detail { Content::Shown } else { Content::Left };
        Ok(Self { options: Options { listing, content, ..opened.options }, ..opened })
    }

    /// Lets somebody hear what the reports are about, whatever their formats.
    pub(super) fn heard_by(self, listener: &'a (dyn Fn(Subject<'_>) + Send + Sync)) -> Self {
        Self { heard: Some(listener), ..self }
    }

    /// Lists every target of a run, not only those that went otherwise than planned.
    pub(super) fn with_every_target(self) -> Self {
        Self { options: Options { listing: Listing::Targets, ..self.options }, ..self }
    }

    /// How reports are shown.
    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// Whether people read along on stdout.
    pub(super) fn has_text(&self) -> bool {
        self.outputs.iter().any(|output| output.format == Format::Text && output.path.is_none())
    }

    /// Writes what is going to happen, into outputs for people only: machines want one document,
    /// what became of it.
    pub(super) fn preview(&self, subject: Subject<'_>) -> Result<(), Failure> {
        let text = self.report(subject).render(Format::Text, &self.options);
        self.preview_text(&text)
    }

    /// Like [`Outputs::preview`], of something that has no other form than text.
    pub(super) fn preview_text(&self, text: &str) -> Result<(), Failure> {
        self.keep_text(text);
        if self.has_text() { self.ui.result(text) } else { Ok(()) }
    }

    /// Keeps what was said for the files that are to hold all of it, if there are any.
    fn keep_text(&self, text: &str) {
        if self.outputs.iter().any(|output| output.format == Format::Text && output.path.is_some())
        {
            self.text.borrow_mut().push_str(text);
        }
    }

    /// Writes the report into every output.
    pub(super) fn write(&self, subject: Subject<'_>) -> Result<(), Failure> {
        let text = self.report(subject).render(Format::Text, &self.options);
        self.write_with(subject, &text)
    }

    /// Like [`Outputs::write`], with a text that is told in place of the report's own.
    pub(super) fn write_with(&self, subject: Subject<'_>, text: &str) -> Result<(), Failure> {
        self.keep_text(text);
        self.written.set(true);
        if let Some(listener) = self.heard {
            listener(subject);
        }
        let report = self.report(subject);
        let mut problem = None;
        for output in self.outputs {
            let done = match (&output.path, output.format) {
                // What stands against the manifests, and why a command failed, stands on stderr
                // already.
                (None, Format::Text) => self.ui.result(text),
                (None, format) => self.ui.document(&report.render(format, &self.options)),
                (Some(path), Format::Text) => write_text(path, &self.text.borrow()),
                (Some(path), format) => write_document(path, &report.render(format, &self.options)),
            };
            // One file that cannot be written costs only itself.
            problem = problem.or(done.err());
        }
        if let Some(path) = &self.summary {
            problem = problem.or(self.summarize(path, &report).err());
        }
        problem.map_or(Ok(()), Err)
    }

    /// Adds the report to the summary of a step, as far as there is room: GitHub shows nothing of a
    /// summary that is too large.
    fn summarize(&self, path: &Path, report: &Report<'_>) -> Result<(), Failure> {
        let there = path.metadata().map_or(0, |there| there.len());
        let room = SUMMARY_LIMIT.saturating_sub(there);
        let options = Options {
            markdown_limit: usize::try_from(room).unwrap_or(usize::MAX),
            ..self.options.clone()
        };
        let text = report.render(Format::Markdown, &options);
        let text = mask(&text);
        if room < SMALLEST_LIMIT as u64 || text.len() as u64 > room {
            self.ui.warn(tr!(
                "the step summary has no room for the report: GitHub shows at most {limit} bytes, and {there} are taken",
                limit = SUMMARY_LIMIT,
                there
            ));
            return Ok(());
        }
        append(path, &text)
    }

    /// Ends the command: if it failed before there was anything to tell, the outputs tell why.
    pub(super) fn finish(&self, outcome: Result<u8, Failure>) -> Result<u8, Failure> {
        let Err(failure) = outcome else { return outcome };
        if !self.written.get() {
            let code = self.ui.signal().get().copied().unwrap_or(failure.code);
            let failed = Failed { code, chain: &failure.chain, hints: &failure.hints };
            self.without_stdout_text(Subject::Failure(&failed));
        }
        Err(failure)
    }

    /// Writes what people have read on stderr already.
    pub(super) fn without_stdout_text(&self, subject: Subject<'_>) {
        let text = self.report(subject).render(Format::Text, &self.options);
        self.text.borrow_mut().push_str(&text);
        // The command has failed already; what failed beside that must not hide why.
        if let Err(beside) = self.write_with(subject, "") {
            self.ui.warn(&beside);
        }
    }

    fn report<'r>(&self, subject: Subject<'r>) -> Report<'r> {
        Report { purpose: self.purpose, subject }
    }
}

/// Finds out whether every file can be written, before anything is done whose report would be lost
/// otherwise.
pub(super) fn check_paths(outputs: &[Output]) -> Result<(), Failure> {
    // Workflow commands are lines of a log; they may stand below a text.
    let is_document = |output: &&Output| output.path.is_none() && output.format != Format::Github;
    if outputs.iter().filter(is_document).count() > 1 {
        return Err(Failure::new(exit::USAGE, tr!("two outputs go to stdout"))
            .hint(tr!("give all but one of them a file: --output json=plan.json")));
    }
    outputs.iter().filter_map(|output| output.path.as_deref()).try_for_each(check_path)
}

/// Finds out whether a file can be written.
pub(super) fn check_path(path: &Path) -> Result<(), Failure> {
    let cannot = |problem: Text| {
        Failure::error(tr!("cannot write {}: {problem}", path.display(), problem))
            .hint(tr!("nothing was done yet; choose another path"))
    };
    if path.is_dir() {
        return Err(cannot(tr!("it is a folder")));
    }
    // A terminal, a pipe or `/dev/null` is written as it is. Opening a pipe now would wait for its
    // reader.
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        return Ok(());
    }
    let leads_to = destination(path).map_err(|problem| cannot(problem.to_string().into()))?;
    let folder =
        leads_to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.exists() {
        return Err(cannot(tr!("there is no folder {}", folder.display())));
    }
    let probe = tempfile::Builder::new().prefix(".recard-probe").tempfile_in(folder);
    probe.map_err(|problem| cannot(problem.to_string().into()))?;
    Ok(())
}

/// Writes every output of a command whose result is no report; `text` makes the form that is asked
/// for.
pub(super) fn write(
    ui: &Ui,
    outputs: &[Output],
    text: impl Fn(Format) -> String,
) -> Result<(), Failure> {
    for Output { format, path } in outputs {
        let text = language::within(format.language(ui.language()), || text(*format));
        match path {
            None if *format == Format::Text => ui.result(text)?,
            None => ui.document(&text)?,
            Some(path) if *format == Format::Text => write_text(path, &text)?,
            Some(path) => write_document(path, &text)?,
        }
    }
    Ok(())
}

/// Writes a text for people into a file, without colors.
fn write_text(path: &Path, text: &str) -> Result<(), Failure> {
    let plain = anstream::adapter::strip_str(&safe(text)).to_string();
    Ok(write_whole(path, plain.as_bytes())?)
}

/// Writes a document, whose format has made foreign text safe by its own escapes, into a file.
/// Known secrets are covered.
pub(super) fn write_document(path: &Path, text: &str) -> Result<(), Failure> {
    Ok(write_whole(path, mask(text).as_bytes())?)
}

/// Adds to a file that others write, too.
fn append(path: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut opened = std::fs::File::options().append(true).create(true).open(path);
    let done = opened.as_mut().map_err(|problem| problem.to_string());
    done.and_then(|file| file.write_all(text.as_bytes()).map_err(|problem| problem.to_string()))
        .map_err(|problem| {
            Failure::error(tr!(
                "cannot write the step summary {}: {problem}",
                path.display(),
                problem
            ))
            .hint(tr!("it is where GITHUB_STEP_SUMMARY points to"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_may_have_a_path() {
        assert_eq!("json".parse(), Ok(Output { format: Format::Json, path: None }));
        let path = Some(PathBuf::from("a=b.json"));
        assert_eq!("json=a=b.json".parse(), Ok(Output { format: Format::Json, path }));
        for (word, format) in Format::ALL {
            assert_eq!(word.parse::<Output>().map(|output| output.format), Ok(format));
            assert_eq!(format.to_string(), word);
        }
        assert!("json=".parse::<Output>().is_err());
        assert!("yaml".parse::<Output>().is_err());
    }

    #[test]
    fn a_command_says_which_formats_it_has() {
        let other = |read: fn(&str) -> Result<Output, String>| read("sarif").unwrap_err();
        assert_eq!(other(text_or_json), "this command has no format sarif; it has text and json");
        assert_eq!(
            other(of_history),
            "this command has no format sarif; it has text, json, markdown and csv"
        );
        assert_eq!(text_json_or_csv("csv").map(|output| output.format), Ok(Format::Csv));
    }

    #[test]
    fn a_marker_cannot_end_the_comment_that_it_stands_in() {
        assert_eq!(marker("team-a.prod_1"), Ok("team-a.prod_1".to_owned()));
        for wrong in ["", "a--b", "-a", "a-", "a>b", "a b", "-->"] {
            assert!(marker(wrong).is_err(), "{wrong}");
        }
    }
}
