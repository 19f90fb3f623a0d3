//! Plans on the command line: options, cost, and the report with all that its readers want to know
//! around a plan.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

use super::args::{LedgerArgs, PolicyArgs};
use super::error::CliError;
use super::git_log::{self, GitQuery};
use super::session::CliSession;
use super::sources::LoadedManifests;
use crate::app::{PlanOptions, Planned};
use crate::diagnostic::Diagnostic;
use crate::plan::{BlindReset, Plan};
use crate::portal::{Estimate, PlannedWork};
use crate::report::{Commit, Cost, PlanReport};

/// Returns the options of a plan.
pub(super) fn plan_options(arguments: &PolicyArgs) -> PlanOptions {
    let blind = if arguments.blind_reset { BlindReset::Allowed } else { BlindReset::Never };
    PlanOptions { blind, max_users: arguments.max_users, ..ledger_options(&arguments.ledger_args) }
}

/// Returns the options of a plan that resets nothing blindly and has no limit of its own.
pub(super) fn ledger_options(arguments: &LedgerArgs) -> PlanOptions {
    PlanOptions { ledger: arguments.ledger.clone(), ..PlanOptions::default() }
}

/// Returns the number of resets of a plan.
pub(super) fn reset_count(plan: &Plan) -> usize {
    usize::try_from(plan.counts().reset).unwrap_or(usize::MAX)
}

/// Returns what the resets of a plan cost, whose cards were read just now.
pub(super) fn cost(session: &CliSession, plan: &Plan) -> Cost {
    estimate_cost(session, PlannedWork::Resets(reset_count(plan)))
}

/// Returns what a later apply costs, which reads so many cards first. If there is nothing to reset,
/// there is none.
pub(super) fn apply_cost(session: &CliSession, plan: &Plan, reads: usize) -> Cost {
    match reset_count(plan) {
        0 => cost(session, plan),
        resets => estimate_cost(session, PlannedWork::ReadsThenResets(reads, resets)),
    }
}

fn estimate_cost(session: &CliSession, work: PlannedWork) -> Cost {
    let Estimate { requests, time, operating_share } = session.app.estimate(work);
    Cost { requests, seconds: time.as_secs_f64(), operating_share }
}

/// Manifests of a command, and the last commits of their files, which git is asked for while the
/// portal is.
pub(super) struct ManifestView<'a> {
    pub(super) manifests: &'a LoadedManifests,
    git: RefCell<Option<GitQuery>>,
    commits: OnceCell<BTreeMap<String, Commit>>,
}

impl<'a> ManifestView<'a> {
    /// Asks git for the commits.
    pub(super) fn new(manifests: &'a LoadedManifests) -> Self {
        let git = RefCell::new(Some(git_log::query(&manifests.sources)));
        Self { manifests, git, commits: OnceCell::new() }
    }

    /// Waits for the answer of git.
    pub(super) async fn wait(&self, session: &CliSession) -> Result<(), CliError> {
        let git = self.git.borrow_mut().take();
        if let Some(git) = git {
            let answer = async { Ok(git.answer().await) };
            let commits = session.interrupt().unless_cancelled(answer).await?;
            let _ = self.commits.set(commits);
        }
        Ok(())
    }

    /// Returns the warnings of the manifests and of a plan.
    pub(super) fn warnings(&self, planned: &Planned) -> Vec<Diagnostic> {
        self.manifests.warnings.iter().chain(&planned.warnings).cloned().collect()
    }

    /// Returns the report of a plan.
    pub(super) fn report<'b>(
        &'b self,
        session: &'b CliSession,
        planned: &'b Planned,
        warnings: &'b [Diagnostic],
        cost: Cost,
    ) -> PlanReport<'b> {
        static NONE: BTreeMap<String, Commit> = BTreeMap::new();
        let documents = self.manifests.declaration.documents.iter();
        PlanReport {
            plan: &planned.plan,
            caller: &session.app.caller,
            manifests: documents.map(|document| (&*document.name, &*document.reason)).collect(),
            commits: self.commits.get().unwrap_or(&NONE),
            cost,
            warnings,
            drift: None,
            labels: &planned.labels,
        }
    }
}
