//! `recard demo`: plan, apply, plan again and restore on the emulator.
//!
//! Every printed command works as it is, typed into an empty folder from top to bottom, and prints
//! the text below it.

use std::time::Duration;

use crate::app::{ApplyOptions, RestoreOptions, RestoreSelection, TargetFilter};
use crate::cli::args::{DemoArgs, GlobalArgs, GroupBy, JsonFlag, OutputArgs, PlanView};
use crate::cli::commands::apply::{self, ApplyRequest};
use crate::cli::commands::plan::{self, PlanRequest};
use crate::cli::commands::restore::{self, RestoreRequest};
use crate::cli::error::CliError;
use crate::cli::output::Outputs;
use crate::cli::output_format::Output;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::{env, exit, sources};
use crate::engine::NewerLayouts;
use crate::manifest::Source;
use crate::report::{HTML_LIMIT, MARKDOWN_LIMIT, OutputFormat, Purpose};

/// Manifest of the demo; the one in the documents, with comments on its file on top.
const QUICKSTART: &str = include_str!("../../../examples/quickstart.yaml");

/// File name of the manifest in the printed commands.
const FILE: &str = "quickstart.yaml";

/// Returns the manifest without the comments on top.
fn manifest_text() -> String {
    let lines = QUICKSTART.lines().skip_while(|line| line.starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Runs the demo in a temporary folder.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &DemoArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let text = manifest_text();
    if arguments.manifest {
        ui.result(&text)?;
        return Ok(exit::DONE);
    }
    let cannot = |problem: std::io::Error| {
        CliError::general(tr!("cannot make a folder to play in: {problem}", problem))
    };
    let place = tempfile::tempdir_in(env::temporary_folder()).map_err(cannot)?;
    let source = Source { name: FILE.into(), bytes: text.clone().into_bytes() };
    let output_args = || OutputArgs {
        output: vec![Output { format: OutputFormat::Text, path: None }],
        json_flag: JsonFlag::default(),
        markdown_limit: MARKDOWN_LIMIT,
        html_limit: HTML_LIMIT,
        sanitize: false,
        marker: None,
    };
    let view = |detail| PlanView {
        output_args: output_args(),
        detail,
        unchanged: false,
        group: GroupBy::default(),
    };
    let (briefly, in_detail) = (view(false), view(true));
    // The notes of a command name the temporary folder.
    let part = &ui.without_notes();
    let planned = Outputs::open_for_plan(part, Purpose::Plan, &briefly)?;
    let planned_in_detail = Outputs::open_for_plan(part, Purpose::Plan, &in_detail)?;
    let applied = Outputs::open_for_plan(part, Purpose::Apply, &briefly)?;
    let manifest = sources::check(&planned, vec![source])?;
    let global = GlobalArgs {
        emulator: Some(None),
        portal: None,
        webhook_url_file: None,
        store: place.path().join("store").into(),
        ..global.clone()
    };
    let on = format!("--emulator {FILE}");

    ui.result(format_args!(
        "{}\n\n",
        tr!("An emulated portal with a small company, and this manifest:")
    ))?;
    ui.result(format_args!("$ recard demo --manifest > {FILE}\n\n"))?;
    ui.result(text.lines().map(|line| format!("    {line}\n")).collect::<String>())?;
    ui.result(format_args!("\n$ recard plan {on} --detail\n\n"))?;
    plan::run_with(&planned_in_detail, &global, &PlanRequest::default(), &manifest, interrupt)
        .await?;

    ui.result(format_args!("\n$ recard apply {on} --auto-approve\n\n"))?;
    let applying = ApplyRequest { options: ApplyOptions::default(), auto_approve: true };
    let code = apply::run_with(&applied, &global, &applying, &manifest, interrupt).await?;
    if code != exit::DONE {
        return Ok(code);
    }

    ui.result(format_args!("\n$ recard plan {on}\n\n"))?;
    plan::run_with(&planned, &global, &PlanRequest::default(), &manifest, interrupt).await?;

    ui.result("\n$ recard restore last --all --auto-approve --emulator\n\n")?;
    let restoring = RestoreRequest {
        options: RestoreOptions {
            selection: RestoreSelection {
                run: "last".to_owned(),
                filter: TargetFilter { all: true, ..TargetFilter::default() },
                newer: NewerLayouts::Keep,
            },
            lock_timeout: Duration::ZERO,
        },
        auto_approve: true,
    };
    let restored = Outputs::open_for_plan(part, Purpose::Restore, &briefly)?.with_every_target();
    restore::run_with(&restored, &global, &restoring, interrupt).await?;
    ui.note(format_args!(
        "\n{}",
        tr!(
            "Nothing of this is left. To go on by yourself, type these commands in an empty folder."
        )
    ));
    Ok(exit::DONE)
}
