//! `recard show`: one run, or the content of a plan file. Reads the store alone; with `--detail`
//! the cards of a plan file, too. Reads only, by type.

use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;

use crate::app::{self, ReviewedPlanFile, ReviewedRestore, UnusablePlanFile};
use crate::cli::args::{GlobalArgs, ShowArgs};
use crate::cli::commands::history;
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::output::Outputs;
use crate::cli::plan_files::NamedPlan;
use crate::cli::session::{CliSession, PortalEndpoint};
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::use_cases::{CliObserver, plan_file_error, use_case_error};
use crate::cli::{exit, plan_files, session};
use crate::i18n::Text;
use crate::records::plan_file::RestorePlanFile;
use crate::report::{
    PlanFileReport, PresentCards, Purpose, RestorePlanUse, RestoreReport, RunText, Subject, visible,
};
use crate::store::Store;

/// Shows one run, or a plan file.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &ShowArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let outputs = Outputs::open(ui, Purpose::Show, &arguments.output_args)?;
    let outputs = if arguments.detail { outputs.with_layouts() } else { outputs };
    let shown = match plan_files::path(&arguments.run) {
        Some(path) => show_plan(&outputs, global, arguments, &path, interrupt).await,
        None if arguments.detail => {
            Err(CliError::new(exit::USAGE, tr!("--detail is for plan files, and not for runs"))
                .hint(tr!(
                    "`recard show {run}` shows what became of its cards",
                    run = arguments.run
                )))
        }
        None => show_run(&outputs, global, arguments).await,
    };
    outputs.finish(shown)
}

async fn show_run(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &ShowArgs,
) -> Result<u8, CliError> {
    let store = session::store(global).await?;
    let found = store.find_run(&arguments.run).await?;
    let summary = history::summary(outputs.ui, &store, &found).await?;
    let targets = history::targets(&summary);
    let header = &summary.header;
    let names = app::names_of_run(&store, &summary.run).await;
    let run = history::reported_run(&summary, &targets, Some(&names));
    let mut text = run.headline() + "\n";
    for (name, reason) in &header.reasons {
        push(&mut text, &tr!("manifest {name}: {reason}", name, reason));
    }
    if let Some(digest) = &header.manifest {
        push(&mut text, &tr!("manifests' digest {digest}", digest));
    }
    if let Some(commit) = &header.commit {
        push(&mut text, &tr!("commit {commit}", commit));
    }
    if !header.actor.is_empty() {
        push(&mut text, &tr!("by {}", header.actor));
    }
    push(
        &mut text,
        &tr!("as user {user} of {portal}", user = header.caller, portal = header.portal),
    );
    text.push('\n');
    let named = targets.iter().map(|settled| (settled.key, run.person_name(settled.key)));
    let shown = RunText::new(&summary.run, &targets, summary.totals())
        .with_names(named)
        .with_every_target();
    text.push_str(&shown.to_string());
    outputs.write_with(Subject::Run(&run), &text)?;
    Ok(exit::DONE)
}

/// Shows a plan file; with `--detail` beside the cards as the portal has them now.
async fn show_plan(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &ShowArgs,
    path: &Path,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let plan = path.to_owned();
    let named = interrupt.run_blocking(move || plan_files::read_either(&plan)).await??;
    let (portal, id) = match &named {
        NamedPlan::Apply(file, _) => (&file.content.portal, file.id),
        NamedPlan::Restore(file) => (&file.content.portal, file.id),
    };
    let used = Store::open_current(&global.store, portal).await?.consumed_at(id).await?;
    if !arguments.detail {
        write_plan(outputs, &named, used, &PlanReview::None)?;
        return Ok(exit::DONE);
    }
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Read, interrupt).await?;
    if endpoint.name() != portal {
        let (planned, portal) = (portal.clone(), endpoint.name().clone());
        let problem = UnusablePlanFile::OtherPortal { planned, portal };
        return Err(named.with_hint(plan_file_error(problem)));
    }
    let session = endpoint.connect(global, outputs.ui, interrupt).await?;
    let work = async |session: &CliSession| {
        let observer = CliObserver::new(outputs.ui, session);
        let review = match &named {
            NamedPlan::Apply(file, _) => {
                app::review_plan_file(&session.app, &file.content, &observer)
                    .await
                    .map(PlanReview::Apply)
            }
            NamedPlan::Restore(file) => {
                app::review_restore_plan_file(&session.app, &file.content, &observer)
                    .await
                    .map(PlanReview::Restore)
            }
        };
        let review = review.map_err(|error| named.with_hint(use_case_error(session, error)))?;
        write_plan(outputs, &named, used, &review)
    };
    session.run_and_close(outputs.ui, work).await?;
    Ok(exit::DONE)
}

/// Cards of a plan file as the portal has them now.
enum PlanReview {
    /// They were not read.
    None,
    /// Those of an apply.
    Apply(ReviewedPlanFile),
    /// Those of a restore.
    Restore(ReviewedRestore),
}

fn write_plan(
    outputs: &Outputs<'_>,
    named: &NamedPlan,
    used: Option<Timestamp>,
    review: &PlanReview,
) -> Result<(), CliError> {
    match named {
        NamedPlan::Apply(file, bytes) => {
            let json = String::from_utf8_lossy(bytes);
            let present = match review {
                PlanReview::Apply(ReviewedPlanFile { snapshot, settled }) => {
                    Some(PresentCards { snapshot, settled })
                }
                PlanReview::None | PlanReview::Restore(_) => None,
            };
            let report = PlanFileReport { file, json: &json, used, present };
            outputs.write(Subject::PlanFile(&report))
        }
        NamedPlan::Restore(RestorePlanFile { id, content }) => {
            let (layouts, settled) = match review {
                PlanReview::Restore(ReviewedRestore { plan, settled }) => {
                    (Some(plan), settled.as_slice())
                }
                PlanReview::None | PlanReview::Apply(_) => (None, &[][..]),
            };
            let file = Some(RestorePlanUse { id: *id, used });
            outputs.write(Subject::Restore(&RestoreReport { content, layouts, file, settled }))
        }
    }
}

fn push(text: &mut String, line: &Text) {
    let _ = writeln!(text, "  {}", visible(line));
}
