//! The command line's side of the use cases: progress, warnings, questions, wording of errors.

use std::cell::RefCell;
use std::sync::Arc;

use jiff::Timestamp;

use super::error::CliError;
use super::exit;
use super::field_labels::labels_not_saved;
use super::ledger_error::{ledger_error, ledger_not_named};
use super::output::Outputs;
use super::progress::ProgressReporter;
use super::session::CliSession;
use super::signals::{Interrupt, interrupted};
use super::sources::{self, LoadedManifests};
use super::ui::Ui;
use super::warnings;
use crate::app::{
    Approval, Declined, Error, NarrowingError, Observer, PersonSelector, Phase, Unmatched,
    UnusablePlanFile, Warning,
};
use crate::diagnostic::visible;
use crate::i18n::Text;
use crate::manifest::Source;
use crate::model::UserId;
use crate::plan::Plan;
use crate::ports::PortalError;
use crate::records::plan_file::MAX_PLAN_AGE;
use crate::store::ConsumePlanError;

/// Number of values that an error lists.
const MAX_LISTED: usize = 20;

/// Observer that shows progress and warnings.
pub(super) struct CliObserver<'a> {
    ui: &'a Ui,
    session: &'a CliSession,
    /// Texts of the manifests, for warnings about them.
    sources: &'a [Source],
}

impl<'a> CliObserver<'a> {
    /// Makes an observer of a use case without manifests.
    pub(super) fn new(ui: &'a Ui, session: &'a CliSession) -> Self {
        Self { ui, session, sources: &[] }
    }

    /// Makes an observer of a use case with manifests.
    pub(super) fn with_sources(ui: &'a Ui, session: &'a CliSession, sources: &'a [Source]) -> Self {
        Self { ui, session, sources }
    }

    fn warn_all(&self, texts: Vec<Text>) {
        texts.into_iter().for_each(|text| self.ui.warn(text));
    }
}

impl Observer for CliObserver<'_> {
    type Progress = ProgressReporter;

    fn progress(&self) -> ProgressReporter {
        ProgressReporter::new(self.ui, Arc::new(self.session.app.duration_estimator()))
    }

    fn warn(&self, warning: Warning) {
        let text = match warning {
            Warning::Manifests(found) => return sources::show(self.ui, &found, self.sources),
            Warning::Lock(note) => return self.ui.note(note),
            Warning::LabelsNotSaved(problem) => labels_not_saved(&problem),
            Warning::ProofNotSaved(problem) => {
                tr!("the proof of the portal's release could not be kept: {problem}", problem)
            }
            Warning::ReportNotSaved(problem) => tr!(
                "the report of the run could not be kept ({problem}); recard show makes it from the journal",
                problem
            ),
            Warning::HiddenKinds { listed, is_complete } => {
                return self.warn_all(warnings::hidden_kinds(&listed, is_complete));
            }
            Warning::RenamedKinds(kinds, planned, present) => {
                return self.warn_all(warnings::renamed_kinds(&kinds, &planned, &present));
            }
            Warning::RenamedPeople(people) => warnings::renamed_people(&people),
            Warning::UnreadJournal(problem) => {
                let problem = CliError::from_store(problem);
                tr!("{problem}; the run ended, and no other run needs it", problem)
            }
            Warning::DamagedJournal(damage) => {
                tr!("{damage}; its whole lines and the backups are used", damage)
            }
            Warning::LostIntents(cards) => tr!(
                "lines of the journal are lost: {n} card has no intent in a whole line and may have been written to"
                    | "lines of the journal are lost: {n} cards have no intent in a whole line and may have been written to"
                        % cards
            ),
            Warning::LostPreImages(cards) => tr!(
                "what {n} card held before the run is lost with the head of the journal; it cannot be put back"
                    | "what {n} cards held before the run is lost with the head of the journal; they cannot be put back"
                        % cards
            ),
            Warning::UnnamedBackups(backups) => tr!(
                "{n} backup belongs to no card that a whole line names; it lies in backups.jsonl beside the journal"
                    | "{n} backups belong to no card that a whole line names; they lie in backups.jsonl beside the journal"
                        % backups
            ),
            Warning::DamagedAudit(damage) => tr!(
                "{damage}; new lines follow its last whole one, and `recard audit verify` tells the damage",
                damage
            ),
        };
        self.ui.warn(text);
    }

    fn begin_writing(&self) -> Result<(), Declined> {
        self.session.begin_writing().map_err(|_| Declined::Interrupted)
    }
}

/// Question at the terminal, and what kept a plan from being shown.
pub(super) struct Question<'a> {
    ui: &'a Ui,
    interrupt: &'a Interrupt,
    auto_approve: bool,
    not_shown: RefCell<Option<CliError>>,
}

impl<'a> Question<'a> {
    /// Makes a question, which `--auto-approve` answers.
    pub(super) fn new(ui: &'a Ui, interrupt: &'a Interrupt, auto_approve: bool) -> Self {
        Self { ui, interrupt, auto_approve, not_shown: RefCell::default() }
    }

    /// Returns whether a person is going to be asked.
    pub(super) fn is_asked(&self) -> bool {
        !self.auto_approve && self.ui.can_ask()
    }

    /// Keeps the reason why a plan could not be shown.
    pub(super) fn shown(&self, shown: Result<(), CliError>) -> Result<(), Declined> {
        shown.map_err(|problem| {
            *self.not_shown.borrow_mut() = Some(problem);
            Declined::NotShown
        })
    }

    /// Asks, unless the answer was given beforehand.
    pub(super) async fn ask(&self, question: &Text) -> Result<Approval, Declined> {
        if self.auto_approve {
            return Ok(Approval::Given);
        }
        if !self.ui.can_ask() {
            return Err(Declined::NotAsked);
        }
        tokio::select! {
            yes = self.ui.confirm(question) => {
                if yes { Ok(Approval::Asked) } else { Err(Declined::No) }
            }
            () = self.interrupt.cancelled() => Err(Declined::InterruptedAtQuestion),
        }
    }

    /// Words the error of a use case, with the reason why a plan could not be shown.
    pub(super) fn error(&self, session: &CliSession, error: Error) -> CliError {
        match (self.not_shown.borrow_mut().take(), error) {
            (Some(problem), Error::Declined(Declined::NotShown)) => problem,
            (_, error) => use_case_error(session, error),
        }
    }
}

/// Words the error of a use case, with the webhook if the portal refuses it.
pub(super) fn use_case_error(session: &CliSession, error: Error) -> CliError {
    session.with_webhook_hint(CliError::from(error))
}

/// Words the error of a use case; problems of the manifests are shown with the lines that they are
/// in.
pub(super) fn refuse_error(
    outputs: &Outputs<'_>,
    session: &CliSession,
    manifests: &LoadedManifests,
    error: Error,
) -> CliError {
    match error {
        Error::Manifests(found) => {
            sources::refuse(outputs, &found, &manifests.sources, &tr!("nothing was written"))
        }
        error => use_case_error(session, error),
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        match error {
            Error::Portal(phase, problem) => portal_error(phase, problem),
            Error::Store(problem) => problem.into(),
            Error::Ledger { path, source } => ledger_error(&path, *source),
            Error::LedgerNotNamed { run, ledger } => ledger_not_named(&run, ledger.as_deref()),
            Error::NoBackups(problem) => Self::from(problem)
                .context(tr!("backups cannot be written, so nothing was reset")),
            Error::Manifests(found) => Self::general(tr!(
                "{n} problem in the manifests; {harm}"
                    | "{n} problems in the manifests; {harm}" % found.len(),
                harm = tr!("nothing was written")
            )),
            Error::NotOnePerson { selector, found } => person_error(&selector, &found),
            Error::Narrowing(problem) => narrowing_error(*problem),
            Error::Verification(finding) => verification_error(&finding),
            Error::NotReviewed(key) => {
                let key = key.to_string();
                verification_error(&tr!("{} would be reset, but was not reviewed so", key.as_str()))
            }
            Error::FaultyPlan => {
                Self::general(tr!("internal error: the plan is faulty; nothing was written"))
            }
            Error::Guards(planned) => guard_error(&planned.plan),
            Error::PlanFileGuards(plan) => guard_error(&plan),
            Error::Declined(declined) => declined_error(declined),
            Error::Unfinished(run) => {
                Self::refused(tr!("the run {run} was cut before its end; nothing was written", run))
                    .hint(tr!("`recard recover` finds out what became of it, and closes it"))
            }
            Error::UnreadableRun(problem) => {
                Self { code: exit::REFUSED, ..Self::from(problem) }.context(tr!(
                    "the newest run may have been cut before its end; nothing was written"
                ))
            }
            Error::OtherPortal { run, of, portal } => Self::refused(tr!(
                "the run {run} is of the portal {portal}, and the webhook is one of {here}; nothing was written",
                run,
                portal = of,
                here = portal
            ))
            .hint(tr!(
                "move the folder of the run back to the store of {portal}, and use a webhook of that portal",
                portal = of
            )),
            Error::NoHeader { run, damage } => {
                let failure = match damage {
                    Some(damage) => Self::from_store(*damage),
                    None => Self::general(tr!("the journal has no head of a run")),
                };
                Self { code: exit::REFUSED, ..failure }
                    .context(tr!(
                        "no file tells which portal the run {run} is of; nothing was written",
                        run
                    ))
                    .hint(tr!("fetch its journal, plan.json, report.json or the audit log from a copy of the store"))
            }
            Error::NoRun => Self::general(tr!("no apply in the store has changed a card")).hint(
                tr!("a restore is undone by its name: `recard history` lists the runs of the store"),
            ),
            Error::Filter { run, cards: _ } => {
                Self::general(tr!("the run {run} has no such card", run))
            }
            Error::UnknownDepartment(department) => {
                Self::general(tr!("the portal has no active department {unknown}", unknown = department))
                    .hint(tr!("`recard inventory` lists the departments with people"))
            }
            Error::UnlistedKind { kind, listed } => {
                let known: Vec<String> = listed
                    .pipelines
                    .iter()
                    .map(|(kind, name)| format!("{kind} ({})", visible(name)))
                    .collect();
                let failure =
                    Self::general(tr!("the portal lists no kind of card {kind}", kind));
                match known.as_slice() {
                    [] => failure.hint(tr!("it lists no pipeline of this type")),
                    known => failure.hint(tr!("it lists {known}", known = known.join(", "))),
                }
            }
            Error::NotInDepartment { run, department, cards: _ } => Self::general(tr!(
                "the run {run} has no card of the department {department}",
                run,
                department
            )),
            Error::PlanFile(problem) => plan_file_error(*problem),
            Error::Consumed(ConsumePlanError::Store(problem)) => problem.into(),
            Error::Consumed(problem) => Self::plan_file(Text::from_display(&problem)),
            Error::PlanFormat(problem) => {
                Self::general(tr!("cannot make a plan file: {problem}", problem))
            }
            Error::PlanAge(problem) => {
                Self::general(tr!("cannot make a plan file: {problem}", problem))
            }
            Error::RunName(problem) => Self::general(tr!("cannot name a run: {problem}", problem)),
            Error::Restore(problem) => problem.into(),
            Error::Recovery(problem) => problem.into(),
        }
    }
}

/// Words a person who is not exactly one on the portal, as the manifests' problems do.
fn person_error(selector: &PersonSelector, found: &[UserId]) -> CliError {
    match (selector, found) {
        (PersonSelector::Id(id), _) => {
            CliError::general(tr!("the portal has no user {}", *id)).hint(tr!(
                "bots and guests have no lead cards and are not found; check the number in the person's profile"
            ))
        }
        (PersonSelector::Email(email), []) => {
            CliError::general(tr!("nobody on the portal has the e-mail {}", *email))
                .hint(tr!("the address must be the one in the person's profile"))
        }
        (PersonSelector::Email(email), several) => {
            let ids = several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            CliError::general(tr!("several people have the e-mail {}: users {ids}", *email, ids))
                .hint(tr!("select the person by id"))
        }
    }
}

/// Words a narrowing that matches no target, and lists what there is.
fn narrowing_error(problem: NarrowingError) -> CliError {
    let NarrowingError { unmatched, available } = problem;
    let failure = CliError::general(match unmatched {
        Unmatched::Person(PersonSelector::Id(id)) => {
            tr!("the manifests select no personal card of user {id}", id)
        }
        Unmatched::Person(PersonSelector::Email(email)) => {
            tr!("the manifests select no personal card of {email}", email)
        }
        Unmatched::Department(department) => tr!(
            "the manifests select no personal card of people of department {department}",
            department
        ),
        Unmatched::AmbiguousDepartment(department) => {
            tr!("several departments have the name {department}", department)
        }
        Unmatched::Target(key) => {
            let key = key.to_string();
            tr!("the manifests do not select the card {key}", key)
        }
        Unmatched::Together => {
            tr!("no card matches --user, --department and --target together")
        }
    });
    if available.is_empty() {
        return failure;
    }
    let listed = available.iter().take(MAX_LISTED).map(|name| visible(name).into_owned());
    let listed = listed.collect::<Vec<_>>().join(", ");
    failure.hint(match available.len().checked_sub(MAX_LISTED) {
        Some(more @ 1..) => tr!("there are: {listed}, and {more} more", listed, more),
        Some(0) | None => tr!("there are: {listed}", listed),
    })
}

fn portal_error(phase: Phase, problem: PortalError) -> CliError {
    let failure = CliError::from(problem);
    match phase {
        Phase::Lookup => failure.context(tr!("cannot look up people and departments")),
        Phase::People => failure.context(tr!("cannot look up people")),
        Phase::ReadCards => failure.context(tr!("cannot read the cards")),
        Phase::Inventory => failure.context(tr!("cannot look at everybody's cards")),
        Phase::Employees => failure.context(tr!("cannot count the employees")),
        Phase::Permissions => failure,
    }
}

fn verification_error(finding: &Text) -> CliError {
    CliError::general(tr!("internal error: the plan failed verification: {finding}", finding))
        .hint(tr!("nothing was written; this is a bug in recard, please report it"))
}

/// Words the violations of guards, with the complete block to paste.
fn guard_error(plan: &Plan) -> CliError {
    let refused = CliError::refused(match plan.guards.violations.first() {
        Some(first) => tr!(
            "blocked by guard `{rule}`: {first}; nothing was written",
            rule = first.as_str(),
            first = first.words(&plan.kinds)
        ),
        None => tr!("blocked by the guards; nothing was written"),
    });
    plan.guards.advice().iter().fold(refused, |refused, advice| {
        let lines: String = advice.lines().map(|line| format!("\n{line}")).collect();
        refused.hint(format!("{advice}{lines}"))
    })
}

pub(super) fn declined_error(declined: Declined) -> CliError {
    match declined {
        Declined::No => CliError::answer(tr!("The answer was no. Nothing was written.")),
        Declined::NotAsked => {
            CliError::refused(tr!("there is no terminal to ask on, so nothing was written"))
                .hint(tr!("add --auto-approve after a review of the plan"))
        }
        Declined::InterruptedAtQuestion => {
            CliError::refused(tr!("interrupted at the question; nothing was written"))
        }
        Declined::Interrupted | Declined::NotShown => interrupted(),
    }
}

/// Words the reason why a plan file cannot be used.
pub(super) fn plan_file_error(problem: UnusablePlanFile) -> CliError {
    CliError::plan_file(match problem {
        UnusablePlanFile::OtherPortal { planned, portal } => tr!(
            "the plan file is for the portal {}, and the webhook is one of {portal}",
            planned.as_str(),
            portal
        ),
        UnusablePlanFile::FromTheFuture { created, now } => tr!(
            "the plan file was made at {}, and here it is {}: the clock of one of the machines is wrong",
            format_time(created),
            format_time(now)
        ),
        UnusablePlanFile::Expired(expires) => {
            tr!("the plan file expired at {}", format_time(expires))
        }
        UnusablePlanFile::LastsTooLong { created, expires } => tr!(
            "the plan file of {} may be used until {}, and no plan may be used for longer than {days} days",
            format_time(created),
            format_time(expires),
            days = MAX_PLAN_AGE.as_hours() / 24
        ),
        UnusablePlanFile::OtherManifests(difference) => difference,
        UnusablePlanFile::OtherCaller { planned, caller } => {
            return CliError::plan_file(tr!(
                "the plan file was made as user {}, and this webhook acts as user {}",
                planned.get(),
                caller.get()
            ))
            .hint(tr!("a webhook for plans and one for applying must belong to the same person"));
        }
    })
}

/// Formats a time as people and programs read it, to the second.
pub(super) fn format_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
