//! `recard apply PLAN`: executes a plan file, as it was reviewed or less of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::app::{self, ApplyOptions, Approval, Approver, Declined, PlanFileOptions, Proposal};
use crate::cli::args::{ApplyArgs, GlobalArgs};
use crate::cli::clock::SystemClock;
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::output::Outputs;
use crate::cli::run_report::write_applied;
use crate::cli::session::{CliSession, PortalEndpoint};
use crate::cli::signals::Interrupt;
use crate::cli::use_cases::{CliObserver, Question, format_time, plan_file_error, refuse_error};
use crate::cli::{exit, plan_files, plan_view, sources};
use crate::plan::Plan;
use crate::ports::Clock as _;
use crate::records::plan_file::{PlanFile, PlanFileContent};
use crate::report::{Commit, PlanReport, ReportedRun, Subject};

/// Plan file that the command line names, and its bytes.
pub(super) struct GivenPlan {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
}

/// Checks the file against where it is used, and executes it.
pub(super) async fn run_with(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &ApplyArgs,
    GivenPlan { path, bytes }: GivenPlan,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    if arguments.policy_args.blind_reset {
        return Err(CliError::new(
            exit::USAGE,
            tr!("a plan file says itself which cards are reset blindly"),
        )
        .hint(tr!("leave out --blind-reset here, and give it to plan")));
    }
    if !arguments.narrowing_args.narrowing().is_whole() {
        return Err(CliError::new(
            exit::USAGE,
            tr!("a plan file has its targets already, and is not narrowed further"),
        )
        .hint(tr!(
            "give --user, --department and --target to plan, and save that plan with --out"
        )));
    }
    let (mut file, bytes) = interrupt
        .run_blocking(move || plan_files::parse(&path, &bytes).map(|file| (file, bytes)))
        .await??;
    file.content.limits.lower(arguments.policy_args.max_users);
    let manifest = match arguments.files.as_slice() {
        [] => None,
        files => Some(sources::load(outputs, files, interrupt).await?),
    };
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Write, interrupt).await?;
    let declaration = manifest.as_ref().map(|manifest| &manifest.declaration);
    app::check_plan_file(&file.content, endpoint.name(), declaration, SystemClock.now())
        .map_err(plan_file_error)?;
    let ui = outputs.ui;
    let session = endpoint.connect(global, ui, interrupt).await?;
    let work = async |session: &CliSession| {
        let own_files = manifest.as_ref().map(sources::LoadedManifests::files);
        let own_files = own_files.unwrap_or_default();
        let options = ApplyOptions {
            plan: plan_view::ledger_options(&arguments.policy_args.ledger_args),
            lock_timeout: global.lock_timeout,
        };
        let options = PlanFileOptions {
            file: &file,
            bytes: &bytes,
            manifests: manifest.as_ref().map(|manifest| manifest.set(&own_files)),
            files: &sources::manifest_files(&file.content),
            options: &options,
        };
        let texts = manifest.as_ref().map_or(&[][..], |manifest| &manifest.sources);
        let observer = CliObserver::with_sources(ui, session, texts);
        let question = Question::new(ui, interrupt, true);
        let approver = PlanFileApprover { outputs, session, file: &file, question };
        match app::apply_plan_file(&session.app, options, &approver, &observer).await {
            Ok(applied) => approver.finish(applied),
            Err(error @ app::Error::Manifests(_)) if let Some(manifest) = &manifest => {
                Err(refuse_error(outputs, session, manifest, error))
            }
            Err(error) => Err(approver.refuse(error)),
        }
    };
    session.run_and_close(ui, work).await
}

/// Shows what is left of a plan file. It was approved by its review.
struct PlanFileApprover<'a> {
    outputs: &'a Outputs<'a>,
    session: &'a CliSession,
    file: &'a PlanFile,
    question: Question<'a>,
}

impl Approver for PlanFileApprover<'_> {
    async fn show(&self, proposal: Proposal<'_>) -> Result<(), Declined> {
        let Proposal::PlanFile(file, plan) = proposal else { return Ok(()) };
        let head = tr!("Plan {} of {}\n", file.id.short(), format_time(file.content.created));
        self.question.shown(self.outputs.preview_text(&head))?;
        // If no target of the plan is left, the report says why.
        if plan.counts().reset == 0 && !file.content.targets.is_empty() {
            return Ok(());
        }
        // The file does not name the cards that it keeps, so that no number of them would be true.
        if file.content.targets.is_empty() && plan.new_marks() == 0 {
            let nothing = format!("{}\n", tr!("No changes."));
            return self.question.shown(self.outputs.preview_text(&nothing));
        }
        let preview = |report: &PlanReport<'_>| self.outputs.preview(Subject::Plan(report));
        self.question.shown(self.with_report(plan, preview))
    }

    async fn approve(&self, _: Proposal<'_>) -> Result<Approval, Declined> {
        Ok(Approval::Given)
    }
}

impl PlanFileApprover<'_> {
    fn with_report<T>(&self, plan: &Plan, show: impl FnOnce(&PlanReport<'_>) -> T) -> T {
        show(&PlanReport {
            plan,
            caller: &self.session.app.caller,
            manifests: reasons(&self.file.content),
            commits: &BTreeMap::<String, Commit>::new(),
            cost: plan_view::cost(self.session, plan),
            warnings: &[],
            drift: None,
            labels: &self.session.app.labels,
        })
    }

    fn refuse(&self, error: app::Error) -> CliError {
        if let app::Error::PlanFileGuards(plan) = &error {
            self.with_report(plan, |report| {
                self.outputs.write_after_stderr(Subject::Plan(report));
            });
        }
        self.question.error(self.session, error)
    }

    fn finish(&self, applied: app::AppliedPlanFile) -> Result<u8, CliError> {
        let app::AppliedPlanFile { plan, run } = applied;
        let content = &self.file.content;
        let hold = content.counts.hold;
        let incomplete = (hold > 0).then(|| {
            tr!(
                "{n} card was held when the plan was made, and was not tried; a new plan reads it again"
                    | "{n} cards were held when the plan was made, and were not tried; a new plan reads them again"
                        % hold
            )
        });
        let report = ReportedRun {
            manifests: reasons(content),
            incomplete,
            plan: Some(&plan),
            labels: Some(&self.session.app.labels),
            ..ReportedRun::not_begun(plan.portal.as_str())
        };
        if let (None, Some(incomplete)) = (&run, &report.incomplete) {
            self.outputs.ui.warn(incomplete.clone());
        }
        let held = if hold > 0 { exit::PARTIAL } else { exit::DONE };
        write_applied(self.outputs, self.session, report, run, held)
    }
}

fn reasons(content: &PlanFileContent) -> Vec<(&str, &str)> {
    let manifests = content.manifests.iter();
    manifests.map(|manifest| (manifest.name.as_str(), manifest.reason.as_str())).collect()
}
