//! `recard apply`: plans, shows the plan, asks, and executes it.

use std::path::PathBuf;

use crate::app::{
    self, ApplyOptions, Approval, Approver, Declined, PlanOptions, Planned, Proposal,
};
use crate::cli::args::{ApplyArgs, GlobalArgs};
use crate::cli::commands::apply_plan_file;
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::output::Outputs;
use crate::cli::plan_files;
use crate::cli::plan_view::{self, ManifestView};
use crate::cli::run_report;
use crate::cli::session::{CliSession, PortalEndpoint};
use crate::cli::signals::Interrupt;
use crate::cli::sources::{self, LoadedManifests};
use crate::cli::ui::Ui;
use crate::cli::use_cases::{CliObserver, Question, refuse_error};
use crate::report::{HeldTarget, OutputFormat, PlanReport, Purpose, Report, ReportedRun, Subject};

/// Plans, shows, asks and applies; or applies a plan file.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &ApplyArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let outputs = Outputs::open_for_plan(ui, Purpose::Apply, &arguments.view)?;
    let outcome = async {
        let manifest = match find_input(arguments, interrupt).await? {
            Input::PlanFile(path, bytes) => {
                let plan = apply_plan_file::GivenPlan { path, bytes };
                return apply_plan_file::run_with(&outputs, global, arguments, plan, interrupt)
                    .await;
            }
            Input::Files(files) => sources::load(&outputs, &files, interrupt).await?,
            Input::Pipe(path, bytes) => sources::load_read(&outputs, &path, bytes)?,
        };
        let request = ApplyRequest {
            options: ApplyOptions {
                plan: PlanOptions {
                    narrowing: arguments.narrowing_args.narrowing(),
                    ..plan_view::plan_options(&arguments.policy_args)
                },
                lock_timeout: global.lock_timeout,
            },
            auto_approve: arguments.auto_approve,
        };
        run_with(&outputs, global, &request, &manifest, interrupt).await
    };
    outputs.finish(outcome.await)
}

/// Files that an apply was given.
enum Input {
    PlanFile(PathBuf, Vec<u8>),
    Files(Vec<PathBuf>),
    /// A manifest in a pipe, which cannot be read again.
    Pipe(PathBuf, Vec<u8>),
}

/// Tells a plan file from manifests, by its content.
async fn find_input(arguments: &ApplyArgs, interrupt: &Interrupt) -> Result<Input, CliError> {
    let ApplyArgs { positional, files, .. } = arguments;
    let all = || positional.iter().chain(files).cloned().collect::<Vec<_>>();
    let [path] = positional.as_slice() else {
        let named =
            positional.iter().find(|path| path.is_file() && plan_files::is_named_as_plan(path));
        return match named {
            None => Ok(Input::Files(all())),
            Some(plan) => Err(CliError::new(
                exit::USAGE,
                tr!("a plan file is applied alone: {}", plan.display()),
            )
            .hint(tr!("put -f in front of the manifests that it must have been made from"))),
        };
    };
    if path.as_os_str() == "-"
        || path.is_dir()
        || !(path.exists() || plan_files::is_named_as_plan(path))
    {
        return Ok(Input::Files(all()));
    }
    let (read, is_file) = (path.clone(), path.is_file());
    let bytes = interrupt.run_blocking(move || plan_files::read_bytes(&read)).await??;
    Ok(match plan_files::is_plan(path, &bytes) {
        true => Input::PlanFile(path.clone(), bytes),
        false if is_file || !files.is_empty() => Input::Files(all()),
        false => Input::Pipe(path.clone(), bytes),
    })
}

/// Options of an apply, and whether it was approved beforehand.
pub(super) struct ApplyRequest {
    pub(super) options: ApplyOptions,
    pub(super) auto_approve: bool,
}

/// Applies manifests that were read.
pub(super) async fn run_with(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    request: &ApplyRequest,
    manifest: &LoadedManifests,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Write, interrupt).await?;
    endpoint.check_pin(manifest.declaration.portal(), &manifest.pin_place())?;
    let ui = outputs.ui;
    let session = endpoint.connect(global, ui, interrupt).await?;
    let view = ManifestView::new(manifest);
    let work = async |session: &CliSession| {
        let question = Question::new(ui, interrupt, request.auto_approve);
        let approver = ManifestApprover { outputs, session, view: &view, question };
        let observer = CliObserver::new(ui, session);
        let files = manifest.files();
        let set = manifest.set(&files);
        match app::apply(&session.app, set, &request.options, &approver, &observer).await {
            Ok(applied) => approver.finish(applied),
            Err(error) => Err(approver.refuse(error)),
        }
    };
    session.run_and_close(ui, work).await
}

/// Approval of the plan of manifests at the terminal.
struct ManifestApprover<'a> {
    outputs: &'a Outputs<'a>,
    session: &'a CliSession,
    view: &'a ManifestView<'a>,
    question: Question<'a>,
}

impl Approver for ManifestApprover<'_> {
    async fn show(&self, proposal: Proposal<'_>) -> Result<(), Declined> {
        let Proposal::Apply(planned) = proposal else { return Ok(()) };
        self.question.shown(self.view.wait(self.session).await)?;
        let warnings = self.view.warnings(planned);
        sources::show(self.outputs.ui, &warnings, &self.view.manifests.sources);
        let preview = |report: &PlanReport<'_>| self.outputs.preview(Subject::Plan(report));
        self.question.shown(self.with_report(planned, preview))
    }

    async fn approve(&self, proposal: Proposal<'_>) -> Result<Approval, Declined> {
        let Proposal::Apply(planned) = proposal else { return Ok(Approval::Given) };
        let outputs = self.outputs;
        if self.question.is_asked() && !outputs.has_text() {
            self.with_report(planned, |report| {
                let shown = Report { purpose: Purpose::Apply, subject: Subject::Plan(report) };
                outputs.ui.diagnostics(&shown.render(OutputFormat::Text, outputs.options()));
            });
        }
        let plan = &planned.plan;
        let (portal, resets) = (&plan.portal, plan.counts().reset);
        let unread = plan.resets().filter(|target| target.decision.layout().is_none()).count();
        let question = match unread {
            0 => tr!(
                "Reset {n} card on {portal}? Its layout is backed up first."
                    | "Reset {n} cards on {portal}? Their layouts are backed up first." % resets,
                portal
            ),
            unread => tr!(
                "Reset {n} card on {portal}? {unread} of them without reading it: no backup, no undo."
                    | "Reset {n} cards on {portal}? {unread} of them without reading them: no backup, no undo."
                        % resets,
                portal,
                unread
            ),
        };
        self.question.ask(&question).await
    }
}

impl ManifestApprover<'_> {
    fn with_report<T>(&self, planned: &Planned, show: impl FnOnce(&PlanReport<'_>) -> T) -> T {
        let warnings = self.view.warnings(planned);
        let cost = plan_view::cost(self.session, &planned.plan);
        show(&self.view.report(self.session, planned, &warnings, cost))
    }

    /// Words an error. A plan that guards refuse is written into the outputs.
    fn refuse(&self, error: app::Error) -> CliError {
        if let app::Error::Guards(planned) = &error {
            self.with_report(planned, |report| {
                self.outputs.write_after_stderr(Subject::Plan(report));
            });
        }
        match error {
            error @ app::Error::Manifests(_) => {
                refuse_error(self.outputs, self.session, self.view.manifests, error)
            }
            error => self.question.error(self.session, error),
        }
    }

    /// Writes the report of the run, and returns the exit code.
    fn finish(&self, applied: app::AppliedRun) -> Result<u8, CliError> {
        let app::AppliedRun { planned, run } = applied;
        let plan = &planned.plan;
        let documents = self.view.manifests.declaration.documents.iter();
        let report = ReportedRun {
            manifests: documents.map(|document| (&*document.name, &*document.reason)).collect(),
            held: HeldTarget::from_plan(plan),
            plan: Some(plan),
            labels: Some(&planned.labels),
            ..ReportedRun::not_begun(plan.portal.as_str())
        };
        let held = if plan.counts().hold > 0 { exit::PARTIAL } else { exit::DONE };
        run_report::write_applied(self.outputs, self.session, report, run, held)
    }
}
