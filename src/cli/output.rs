//! `--output FORMAT[=PATH]`: formats and destinations of a report.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use super::args::{GroupBy, OutputArgs, PlanView};
use super::clock::SystemClock;
use super::error::CliError;
use super::output_format::{MIN_MARKDOWN_LIMIT, Output};
use super::ui::{Ui, safe};
use super::{env, exit};
use crate::diagnostic::mask;
use crate::i18n::{self, Text};
use crate::ports::Clock as _;
use crate::records::Anonymizer;
use crate::records::fleet::FleetReport;
use crate::report::{
    DiffDetail, FailureReport, Grouping, OutputFormat, Purpose, RenderOptions, Report, RowFilter,
    Subject,
};
use crate::store::{destination, write_whole};

/// Maximum size of a step's summary that GitHub shows, other commands of the step included.
const MAX_SUMMARY_BYTES: u64 = 1 << 20;

/// Outputs of a command. Opened before any other work, so that no work is done whose report is
/// lost.
///
/// Every output gets exactly one report in the end: the result of the command, or its failure. A
/// file of an earlier run never stays in place of it.
pub(super) struct Outputs<'a> {
    /// The printer.
    pub(super) ui: &'a Ui,
    purpose: Purpose,
    outputs: &'a [Output],
    options: RenderOptions,
    /// The text so far: the preview and the report.
    text: RefCell<String>,
    written: Cell<bool>,
    observer: Option<&'a (dyn Fn(Subject<'_>) + Send + Sync)>,
    summary: Option<PathBuf>,
}

impl<'a> Outputs<'a> {
    /// Checks that every file can be written.
    pub(super) fn open(
        ui: &'a Ui,
        purpose: Purpose,
        output_args: &'a OutputArgs,
    ) -> Result<Self, CliError> {
        let OutputArgs {
            output: outputs,
            json_flag: _,
            markdown_limit,
            html_limit,
            sanitize,
            marker,
        } = output_args;
        check_paths(outputs)?;
        let has_github = outputs.iter().any(|output| output.format == OutputFormat::Github);
        let summary = env::step_summary().filter(|_| has_github);
        if let Some(path) = &summary {
            append(path, "")?;
        }
        let options = RenderOptions {
            language: ui.language(),
            markdown_limit: *markdown_limit,
            html_limit: *html_limit,
            sanitizer: sanitize.then(|| Anonymizer::new(rand::random())),
            made: Some(SystemClock.now()),
            marker: marker.clone().unwrap_or_default(),
            ..RenderOptions::default()
        };
        let (text, written) = (RefCell::default(), Cell::new(false));
        Ok(Self { ui, purpose, outputs, options, text, written, observer: None, summary })
    }

    /// Creates outputs of a command that writes no report.
    pub(super) fn none(ui: &'a Ui, purpose: Purpose) -> Self {
        let (text, written) = (RefCell::default(), Cell::new(false));
        let options = RenderOptions::default();
        Self { ui, purpose, outputs: &[], options, text, written, observer: None, summary: None }
    }

    /// Opens outputs for plans and their reports.
    pub(super) fn open_for_plan(
        ui: &'a Ui,
        purpose: Purpose,
        view: &'a PlanView,
    ) -> Result<Self, CliError> {
        let opened = Self::open(ui, purpose, &view.output_args)?;
        let listing = if view.unchanged { RowFilter::Targets } else { RowFilter::Changes };
        let content = if view.detail { DiffDetail::Shown } else { DiffDetail::Hidden };
        let grouping = match view.group {
            GroupBy::Layout => Grouping::Layout,
            GroupBy::None => Grouping::None,
        };
        let options = RenderOptions { listing, content, grouping, ..opened.options };
        Ok(Self { options, ..opened })
    }

    /// Passes the subject of each report to an observer, whatever the formats.
    pub(super) fn with_observer(self, listener: &'a (dyn Fn(Subject<'_>) + Send + Sync)) -> Self {
        Self { observer: Some(listener), ..self }
    }

    /// Lists every target of a run, not only those that did not go as planned.
    pub(super) fn with_every_target(self) -> Self {
        Self { options: RenderOptions { listing: RowFilter::Targets, ..self.options }, ..self }
    }

    /// Shows the layouts of cards.
    pub(super) fn with_layouts(self) -> Self {
        let content = DiffDetail::Shown;
        Self { options: RenderOptions { content, ..self.options }, ..self }
    }

    /// Returns the options of rendering.
    pub(super) fn options(&self) -> &RenderOptions {
        &self.options
    }

    /// Returns `true` if text goes to stdout.
    pub(super) fn has_text(&self) -> bool {
        self.outputs
            .iter()
            .any(|output| output.format == OutputFormat::Text && output.path.is_none())
    }

    /// Writes a preview into outputs for people only: machine formats are one document, the report.
    pub(super) fn preview(&self, subject: Subject<'_>) -> Result<(), CliError> {
        let text = self.report(subject).render(OutputFormat::Text, &self.options);
        self.preview_text(&text)
    }

    /// Writes a preview like [`Outputs::preview`] that exists as text only.
    pub(super) fn preview_text(&self, text: &str) -> Result<(), CliError> {
        self.keep_text(text);
        if self.has_text() { self.ui.result(text) } else { Ok(()) }
    }

    /// Appends a text for the files that hold all of it, if there are any.
    fn keep_text(&self, text: &str) {
        if self
            .outputs
            .iter()
            .any(|output| output.format == OutputFormat::Text && output.path.is_some())
        {
            self.text.borrow_mut().push_str(text);
        }
    }

    /// Writes the report into every output.
    pub(super) fn write(&self, subject: Subject<'_>) -> Result<(), CliError> {
        let text = self.report(subject).render(OutputFormat::Text, &self.options);
        self.write_with(subject, &text)
    }

    /// Writes the report like [`Outputs::write`], with a text in place of the report's own.
    pub(super) fn write_with(&self, subject: Subject<'_>, text: &str) -> Result<(), CliError> {
        self.keep_text(text);
        self.written.set(true);
        if let Some(listener) = self.observer {
            listener(subject);
        }
        let report = self.report(subject);
        self.write_each(text, |format, options| report.render(format, options))
    }

    /// Writes the report over many portals into every output.
    pub(super) fn write_fleet(&self, report: &FleetReport) -> Result<(), CliError> {
        let text = report.render(OutputFormat::Text, &self.options);
        self.keep_text(&text);
        self.written.set(true);
        self.write_each(&text, |format, options| report.render(format, options))
    }

    fn write_each(
        &self,
        text: &str,
        render: impl Fn(OutputFormat, &RenderOptions) -> String,
    ) -> Result<(), CliError> {
        let options =
            RenderOptions { requests: self.ui.traffic().totals(), ..self.options.clone() };
        let mut problem = None;
        for output in self.outputs {
            let done = match (&output.path, output.format) {
                // Problems of the manifests, and the failure of a command, stand on stderr already.
                (None, OutputFormat::Text) => self.ui.result(text),
                (None, format) => self.ui.document(&render(format, &options)),
                (Some(path), OutputFormat::Text) => write_text(path, &self.text.borrow()),
                (Some(path), format) => write_document(path, &render(format, &options)),
            };
            // One file that cannot be written does not affect the others.
            problem = problem.or(done.err());
        }
        if let Some(path) = &self.summary {
            problem = problem.or(self.summarize(path, &render).err());
        }
        problem.map_or(Ok(()), Err)
    }

    /// Appends the report to the summary of a step, within the limit: GitHub shows no part of a
    /// summary that is too large.
    fn summarize(
        &self,
        path: &Path,
        render: &impl Fn(OutputFormat, &RenderOptions) -> String,
    ) -> Result<(), CliError> {
        let there = path.metadata().map_or(0, |there| there.len());
        let room = MAX_SUMMARY_BYTES.saturating_sub(there);
        let options = RenderOptions {
            markdown_limit: usize::try_from(room).unwrap_or(usize::MAX),
            ..self.options.clone()
        };
        let text = render(OutputFormat::Markdown, &options);
        let text = mask(&text);
        if room < MIN_MARKDOWN_LIMIT as u64 || text.len() as u64 > room {
            self.ui.warn(tr!(
                "the step summary has no room for the report: GitHub shows at most {limit} bytes, and {there} are taken",
                limit = MAX_SUMMARY_BYTES,
                there
            ));
            return Ok(());
        }
        append(path, &text)
    }

    /// Ends the command: if it failed before it had a result, the outputs get the failure.
    pub(super) fn finish(&self, outcome: Result<u8, CliError>) -> Result<u8, CliError> {
        let Err(failure) = outcome else { return outcome };
        if !self.written.get() {
            let code = self.ui.signal().get().copied().unwrap_or(failure.code);
            let failed = FailureReport { code, chain: &failure.chain, hints: &failure.hints };
            self.write_after_stderr(Subject::Failure(&failed));
        }
        Err(failure)
    }

    /// Writes a report that people have read on stderr already.
    pub(super) fn write_after_stderr(&self, subject: Subject<'_>) {
        let text = self.report(subject).render(OutputFormat::Text, &self.options);
        self.text.borrow_mut().push_str(&text);
        // The command has failed already; a second failure must not hide the first.
        if let Err(beside) = self.write_with(subject, "") {
            self.ui.warn(&beside);
        }
    }

    fn report<'r>(&self, subject: Subject<'r>) -> Report<'r> {
        Report { purpose: self.purpose, subject }
    }
}

/// Checks that every file can be written, before any work whose report would be lost otherwise.
pub(super) fn check_paths(outputs: &[Output]) -> Result<(), CliError> {
    // Workflow commands are lines of a log; they may follow a text.
    let is_document =
        |output: &&Output| output.path.is_none() && output.format != OutputFormat::Github;
    if outputs.iter().filter(is_document).count() > 1 {
        return Err(CliError::new(exit::USAGE, tr!("two outputs go to stdout"))
            .hint(tr!("give all but one of them a file: --output json=plan.json")));
    }
    outputs.iter().filter_map(|output| output.path.as_deref()).try_for_each(check_path)
}

/// Checks that a file can be written.
pub(super) fn check_path(path: &Path) -> Result<(), CliError> {
    let cannot = |problem: Text| {
        CliError::general(tr!("cannot write {}: {problem}", path.display(), problem))
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

/// Writes every output of a command whose result is not a report; `text` renders a format.
pub(super) fn write(
    ui: &Ui,
    outputs: &[Output],
    text: impl Fn(OutputFormat) -> String,
) -> Result<(), CliError> {
    for Output { format, path } in outputs {
        let text = i18n::with_language(format.language(ui.language()), || text(*format));
        match path {
            None if *format == OutputFormat::Text => ui.result(text)?,
            None => ui.document(&text)?,
            Some(path) if *format == OutputFormat::Text => write_text(path, &text)?,
            Some(path) => write_document(path, &text)?,
        }
    }
    Ok(())
}

/// Writes a text for people into a file, without colors.
fn write_text(path: &Path, text: &str) -> Result<(), CliError> {
    let plain = anstream::adapter::strip_str(&safe(text)).to_string();
    write_whole(path, plain.as_bytes()).map_err(CliError::from_store)
}

/// Writes a document, whose format escapes foreign text itself, into a file. Known secrets are
/// covered.
pub(super) fn write_document(path: &Path, text: &str) -> Result<(), CliError> {
    write_whole(path, mask(text).as_bytes()).map_err(CliError::from_store)
}

/// Appends to a file that others write, too.
fn append(path: &Path, text: &str) -> Result<(), CliError> {
    use std::io::Write as _;
    let mut opened = std::fs::File::options().append(true).create(true).open(path);
    let done = opened.as_mut().map_err(|problem| problem.to_string());
    done.and_then(|file| file.write_all(text.as_bytes()).map_err(|problem| problem.to_string()))
        .map_err(|problem| {
            CliError::general(tr!(
                "cannot write the step summary {}: {problem}",
                path.display(),
                problem
            ))
            .hint(tr!("it is where GITHUB_STEP_SUMMARY points to"))
        })
}
