//! `recard demo`: the whole round on an emulated portal: plan, apply, plan again, restore.

use crate::cli::args::{
    ApplyArguments, Global, Manifests, Memory, PlanArguments, RestoreArguments, Rules, Shown, Which, Written,
};
use crate::cli::commands::{apply, plan, restore};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::{Output, Outputs};
use crate::cli::sources;
use crate::cli::ui::Ui;
use crate::manifest::Source;
use crate::report::{Format, MARKDOWN_LIMIT, Purpose};

/// The manifest of the demonstration; the one that the documents show.
const MANIFEST: &str = include_str!("../../../examples/quickstart.yaml");

/// Shows the round in a folder that is gone afterwards.
pub(in crate::cli) async fn run(ui: &Ui, global: &Global, interrupt: &Interrupt) -> Result<u8, Failure> {
    let cannot = |problem: std::io::Error| Failure::error(tr!("cannot make a folder to play in: {problem}", problem));
    let place = tempfile::tempdir().map_err(cannot)?;
    let source = Source { name: "examples/quickstart.yaml".into(), bytes: MANIFEST.into() };
    let written = || Written {
        output: vec![Output { format: Format::Text, path: None }],
        markdown_limit: MARKDOWN_LIMIT,
        marker: None,
    };
    let shown = |detail| Shown { written: written(), detail, unchanged: false };
    let (briefly, in_detail) = (shown(false), shown(true));
    let planned = Outputs::showing(ui, Purpose::Plan, &briefly)?;
    let planned_in_detail = Outputs::showing(ui, Purpose::Plan, &in_detail)?;
    let applied = Outputs::showing(ui, Purpose::Apply, &briefly)?;
    let manifest = sources::check(&planned, vec![source])?;
    let global = Global {
        portal: Some("embedded".to_owned()),
        webhook_url_file: None,
        store: place.path().join("store"),
        ..global.clone()
    };
    let files = Manifests { files: Vec::new() };
    let rules = Rules { blind_reset: false, max_users: None, memory: Memory::default() };

    ui.result(format_args!("{}\n\n", tr!("An emulated portal with a small company, and this manifest:")))?;
    ui.result(
        MANIFEST
            .lines()
            .skip_while(|line| line.starts_with('#'))
            .map(|line| format!("    {line}\n"))
            .collect::<String>(),
    )?;
    ui.result("\n$ recard plan --detail\n\n")?;
    let planning = |detail| PlanArguments {
        manifests: files.clone(),
        shown: shown(detail),
        rules: rules.clone(),
        detailed_exitcode: false,
        effective: false,
        out: None,
        max_age: std::time::Duration::ZERO,
    };
    plan::with(&planned_in_detail, &global, &planning(true), &manifest, interrupt).await?;

    ui.result("\n$ recard apply --auto-approve\n\n")?;
    let applying =
        ApplyArguments { plan: None, files: Vec::new(), shown: shown(false), rules: rules.clone(), auto_approve: true };
    let code = apply::with(&applied, &global, &applying, &manifest, interrupt).await?;
    if code != exit::DONE {
        return Ok(code);
    }

    ui.result("\n$ recard plan\n\n")?;
    plan::with(&planned, &global, &planning(false), &manifest, interrupt).await?;

    ui.result("\n$ recard restore last --all --auto-approve\n\n")?;
    let restoring = RestoreArguments {
        run: "last".to_owned(),
        which: Which { all: true, user: Vec::new(), common: false, lead: None },
        shown: shown(false),
        overwrite_newer: false,
        auto_approve: true,
    };
    restore::run(ui, &global, &restoring, interrupt).await?;
    ui.note(format_args!(
        "\n{}",
        tr!("Nothing of this is left. To go on by yourself: recard plan --portal embedded -f examples/quickstart.yaml")
    ));
    Ok(exit::DONE)
}
