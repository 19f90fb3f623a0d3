//! Wording of a filter of a restore that the run has no card for, with the people whose cards it
//! has: a mistyped id must not end with "nothing to put back".

use std::collections::BTreeSet;

use super::error::CliError;
use super::session::CliSession;
use super::use_cases::use_case_error;
use crate::app::{self, Error, RestoreSelection, TargetFilter};
use crate::i18n::Text;
use crate::model::{CardKey, CardKind, RunId, UserId};
use crate::report::visible;

/// Number of people of a run that an error lists.
const MAX_LISTED: usize = 20;

/// Words the error of a filter; returns any other error as it is.
pub(super) async fn restore_error(
    session: &CliSession,
    selection: &RestoreSelection,
    error: Error,
) -> Result<CliError, Error> {
    match error {
        Error::Filter { run, cards } => {
            let missing = missing(&run, &cards, &selection.filter);
            Ok(with_people(session, &run, &cards, missing).await)
        }
        Error::NotInDepartment { run, department, cards } => {
            let missing =
                tr!("the run {run} has no card of the department {department}", run, department);
            Ok(with_people(session, &run, &cards, missing).await)
        }
        error @ Error::UnknownDepartment(_) => Ok(use_case_error(session, error)),
        error => Err(error),
    }
}

/// Returns the part of a filter that the run has no card for.
fn missing(run: &RunId, cards: &[CardKey], filter: &TargetFilter) -> Text {
    let has = |whose: Option<UserId>, kind: Option<CardKind>| {
        cards.iter().any(|key| key.user() == whose && kind.is_none_or(|kind| kind == key.kind))
    };
    let of_kind = |kind: CardKind| cards.iter().any(|key| kind == key.kind);
    if let Some(user) = filter.users.iter().find(|user| !has(Some(**user), None)) {
        tr!("user {user} is not in the run {run}", user, run)
    } else if filter.common && !has(None, None) {
        tr!("the run {run} has no common card", run)
    } else if let Some(kind) = filter.kind.filter(|kind| !of_kind(*kind)) {
        tr!("the run {run} has no card {kind}", kind, run)
    } else if filter.common
        && let Some(kind) = filter.kind.filter(|kind| !has(None, Some(*kind)))
    {
        tr!("the run {run} has no common card {kind}", kind, run)
    } else if let Some(user) = filter.users.iter().find(|user| !has(Some(**user), filter.kind)) {
        match filter.kind {
            Some(kind) => tr!("user {user} has no card {kind} in the run {run}", user, kind, run),
            None => tr!("the run {run} has no such card", run),
        }
    } else {
        tr!("the run {run} has no such card", run)
    }
}

/// Returns a failure that lists the people whose cards the run has.
async fn with_people(
    session: &CliSession,
    run: &RunId,
    cards: &[CardKey],
    missing: Text,
) -> CliError {
    let people: BTreeSet<UserId> = cards.iter().filter_map(|key| key.user()).collect();
    if people.is_empty() {
        return CliError::general(missing).hint(tr!("the run has common cards only"));
    }
    let names = app::names_of_run(&session.app.store, run).await;
    let named = |user: &UserId| match names.get(user) {
        Some(name) => format!("{user} {}", visible(name.as_str())),
        None => user.to_string(),
    };
    let listed = people.iter().take(MAX_LISTED).map(named).collect::<Vec<_>>().join(", ");
    let hint = match people.len().checked_sub(MAX_LISTED) {
        Some(more @ 1..) => {
            tr!(
                "the run has cards of {listed}, and {more} more; `recard show {run}` lists all",
                listed,
                more,
                run
            )
        }
        Some(0) | None => tr!("the run has cards of {listed}", listed),
    };
    CliError::general(missing).hint(hint)
}
