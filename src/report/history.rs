//! The runs of a store: one value, shown as text, JSON, Markdown and a table for spreadsheets.

use std::fmt::{self, Write as _};

use super::escape::markdown;
use super::words::fitted;
use super::{Format, MARKDOWN_LIMIT, Purpose, ReportJson, SettledRun, csv, pretty, visible};
use crate::language::Text;
use crate::model::Totals;
use crate::port::RunPurpose;

/// A commit is shown by so many of its signs.
const COMMIT_SIGNS: usize = 12;

/// A text of a person's is cut here in a table, in characters.
const LONGEST_TEXT: usize = 80;

/// The runs of a store, the newest first in every format. Each has what it was about.
#[derive(Clone, Debug)]
pub struct History<'a> {
    /// The runs.
    pub runs: Vec<SettledRun<'a>>,
}

impl History<'_> {
    /// The formats that a history has: there is nothing in it that a line of a manifest could be
    /// marked for.
    pub const FORMATS: [Format; 4] = [Format::Text, Format::Json, Format::Markdown, Format::Csv];

    /// The history in one of its formats; as text in any other.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Json => pretty(
                &self
                    .runs
                    .iter()
                    .map(|run| ReportJson::new(run, Purpose::Show))
                    .collect::<Vec<_>>(),
            ),
            Format::Markdown => self.markdown(),
            Format::Csv => self.csv(),
            Format::Text | Format::Junit | Format::Sarif | Format::Github => self.to_string(),
        }
    }

    fn csv(&self) -> String {
        let mut table = csv::Table::default();
        table.row(&[
            &"run",
            &"command",
            &"restores",
            &"end",
            &"planned",
            &"done",
            &"skipped",
            &"failed",
            &"unknown",
            &"caller",
            &"actor",
            &"commit",
            &"manifests",
        ]);
        for run in &self.runs {
            let Totals { done, skipped, failed, unknown } = run.totals();
            let line = Line::of(run);
            let caller = run.about.map(|about| about.caller.to_string()).unwrap_or_default();
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

    /// As many of the newest as a comment holds.
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
            let line = Line::of(run);
            let what = match line.restores.as_str() {
                "" => Text::from(line.command),
                of => tr!("restore of {of}", of = format_args!("`{of}`")),
            };
            let end = run.stopped.map(|end| format!(", {}", Text::known(end))).unwrap_or_default();
            let done = tr!("{done} of {planned}", done, planned = line.planned);
            let cell = |text: &str| markdown(&fitted(text, LONGEST_TEXT));
            let commit: String = line.commit.chars().take(COMMIT_SIGNS).collect();
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

impl fmt::Display for History<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.runs.is_empty() {
            return writeln!(f, "{}", tr!("The store has no run for this portal."));
        }
        for run in &self.runs {
            writeln!(f, "{}", run.headline())?;
            let line = Line::of(run);
            let mut parts: Vec<String> = line.names.iter().map(|name| (*name).to_owned()).collect();
            parts.extend((!line.actor.is_empty()).then(|| tr!("by {}", line.actor).to_string()));
            let commit: String = line.commit.chars().take(COMMIT_SIGNS).collect();
            parts.extend((!commit.is_empty()).then(|| tr!("commit {commit}", commit).to_string()));
            if !parts.is_empty() {
                writeln!(f, "    {}", visible(&parts.join(", ")))?;
            }
        }
        Ok(())
    }
}

impl SettledRun<'_> {
    /// A run of the store in one line: what it was, and how it ended.
    pub fn headline(&self) -> String {
        let Totals { done, skipped, failed, unknown } = self.totals();
        let line = Line::of(self);
        let what = match line.restores.as_str() {
            "" => Text::from(line.command),
            of => tr!("restore of {of}", of),
        };
        let end = match self.stopped {
            None => Text::default(),
            Some("unfinished") => tr!(", unfinished: recard resume"),
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

/// What all forms tell of a run, beside its sums.
struct Line<'a> {
    run: String,
    command: &'static str,
    restores: String,
    planned: usize,
    actor: &'a str,
    commit: &'a str,
    names: Vec<&'a str>,
    manifests: String,
}

impl<'a> Line<'a> {
    fn of(run: &SettledRun<'a>) -> Self {
        let (command, restores) = match run.about.map(|about| &about.purpose) {
            Some(RunPurpose::Restore(of)) => ("restore", of.to_string()),
            Some(RunPurpose::Apply) | None => ("apply", String::new()),
        };
        let names: Vec<&str> = run.manifests.iter().map(|(name, _)| *name).collect();
        Self {
            run: run.run.map(ToString::to_string).unwrap_or_default(),
            command,
            restores,
            planned: run.about.map_or(run.targets.len(), |about| about.targets.len()),
            actor: run.about.map_or("", |about| &about.actor),
            commit: run.about.and_then(|about| about.commit.as_deref()).unwrap_or(""),
            manifests: names.join(", "),
            names,
        }
    }
}
