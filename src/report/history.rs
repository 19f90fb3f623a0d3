//! Runs of a store, as text, JSON, Markdown and CSV.

use std::fmt::{self, Write as _};

use super::escape::markdown;
use super::humanize::truncate_to_width;
use super::{MARKDOWN_LIMIT, OutputFormat, Purpose, ReportJson, ReportedRun, csv, pretty, visible};
use crate::i18n::Text;
use crate::model::Totals;
use crate::ports::RunPurpose;

/// Number of characters of a commit id that are shown.
const COMMIT_CHARS: usize = 12;

/// Maximum length of a person's text in a table, in characters.
const MAX_TEXT_CHARS: usize = 80;

/// Runs of a store, the newest first in every format, each with its header.
#[derive(Clone, Debug)]
pub struct RunHistory<'a> {
    /// The runs.
    pub runs: Vec<ReportedRun<'a>>,
}

impl RunHistory<'_> {
    /// Formats of a history: those without lines of a manifest.
    pub const FORMATS: [OutputFormat; 4] =
        [OutputFormat::Text, OutputFormat::Json, OutputFormat::Markdown, OutputFormat::Csv];

    /// Renders the history in one of its formats; as text in any other.
    pub fn render(&self, format: OutputFormat) -> String {
        match format {
            OutputFormat::Json => pretty(
                &self
                    .runs
                    .iter()
                    .map(|run| ReportJson::new(run, Purpose::Show))
                    .collect::<Vec<_>>(),
            ),
            OutputFormat::Markdown => self.markdown(),
            OutputFormat::Csv => self.csv(),
            _ => self.to_string(),
        }
    }

    fn csv(&self) -> String {
        let mut table = csv::CsvTable::new(&[
            "run",
            "command",
            "restores",
            "end",
            "planned",
            "done",
            "skipped",
            "failed",
            "unknown",
            "caller",
            "actor",
            "commit",
            "manifests",
        ]);
        for run in &self.runs {
            let Totals { done, skipped, failed, unknown } = run.totals();
            let line = HistoryRow::new(run);
            let caller = run.header.map(|about| about.caller.to_string()).unwrap_or_default();
            table.row(&[
                &line.run,
                &line.command,
                &line.restores,
                &run.stopped.unwrap_or("complete"),
                &line.planned,
                &done,
                &skipped,
                &failed,
                &unknown,
                &caller,
                &line.actor,
                &line.commit,
                &line.manifests,
            ]);
        }
        table.into_text()
    }

    /// Renders as many of the newest runs as a comment holds.
    fn markdown(&self) -> String {
        let title = tr!("recard history: {n} run" | "recard history: {n} runs" % self.runs.len());
        let mut text = format!("<!-- recard:history -->\n### {title}\n");
        if self.runs.is_empty() {
            return text;
        }
        let columns =
            tr!("run | what | done | skipped | failed | unknown | by | commit | manifests");
        let _ = writeln!(text, "\n| {columns} |\n|---|---|--:|--:|--:|--:|---|---|---|");
        for (shown, run) in self.runs.iter().enumerate() {
            let Totals { done, skipped, failed, unknown } = run.totals();
            let line = HistoryRow::new(run);
            let what = match line.restores.as_str() {
                "" => Text::from(line.command),
                of => tr!("restore of {of}", of = format_args!("`{of}`")),
            };
            let end =
                run.stopped.map(|end| format!(", {}", Text::from_msgid(end))).unwrap_or_default();
            let done = tr!("{done} of {planned}", done, planned = line.planned);
            let cell = |text: &str| markdown(&truncate_to_width(text, MAX_TEXT_CHARS));
            let commit: String = line.commit.chars().take(COMMIT_CHARS).collect();
            let row = format!(
                "| `{}` | {what}{end} | {done} | {skipped} | {failed} | {unknown} | {} | {} | {} |\n",
                line.run,
                cell(line.actor),
                cell(&commit),
                cell(&line.manifests),
            );
            let rest = format!("\n{}\n", tr!("and {} older", self.runs.len() - shown));
            if text.len() + row.len() + rest.len() > MARKDOWN_LIMIT {
                text.push_str(&rest);
                break;
            }
            text.push_str(&row);
        }
        text
    }
}

impl fmt::Display for RunHistory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.runs.is_empty() {
            return writeln!(f, "{}", tr!("The store has no run for this portal."));
        }
        for run in &self.runs {
            writeln!(f, "{}", run.headline())?;
            let line = HistoryRow::new(run);
            let mut parts: Vec<String> = line.names.iter().map(|name| (*name).to_owned()).collect();
            parts.extend((!line.actor.is_empty()).then(|| tr!("by {}", line.actor).to_string()));
            let commit: String = line.commit.chars().take(COMMIT_CHARS).collect();
            parts.extend((!commit.is_empty()).then(|| tr!("commit {commit}", commit).to_string()));
            if !parts.is_empty() {
                writeln!(f, "    {}", visible(&parts.join(", ")))?;
            }
        }
        Ok(())
    }
}

impl ReportedRun<'_> {
    /// Returns a run of the store in one line: its purpose and its end.
    pub fn headline(&self) -> String {
        let Totals { done, skipped, failed, unknown } = self.totals();
        let line = HistoryRow::new(self);
        let what = match line.restores.as_str() {
            "" => Text::from(line.command),
            of => tr!("restore of {of}", of),
        };
        let end = match self.stopped {
            None => Text::default(),
            Some("unfinished") => tr!(", unfinished: recard recover"),
            Some(_) => tr!(", interrupted"),
        };
        let sums = tr!(
            "{done} of {planned} done, {skipped} skipped, {failed} failed, {unknown} unknown{end}",
            done,
            planned = line.planned,
            skipped,
            failed,
            unknown,
            end
        );
        format!("{}  {what}: {sums}", line.run)
    }
}

/// Common fields of a run in all formats, beside its totals.
struct HistoryRow<'a> {
    run: String,
    command: &'static str,
    restores: String,
    planned: usize,
    actor: &'a str,
    commit: &'a str,
    names: Vec<&'a str>,
    manifests: String,
}

impl<'a> HistoryRow<'a> {
    fn new(run: &ReportedRun<'a>) -> Self {
        let (command, restores) = match run.header.map(|about| &about.purpose) {
            Some(RunPurpose::Restore(of)) => ("restore", of.to_string()),
            Some(RunPurpose::Apply) | None => ("apply", String::new()),
        };
        let names: Vec<&str> = run.manifests.iter().map(|(name, _)| *name).collect();
        Self {
            run: run.run.map(ToString::to_string).unwrap_or_default(),
            command,
            restores,
            planned: run.header.map_or(run.targets.len(), |about| about.targets.len()),
            actor: run.header.map_or("", |about| &about.actor),
            commit: run.header.and_then(|about| about.commit.as_deref()).unwrap_or(""),
            manifests: names.join(", "),
            names,
        }
    }
}
