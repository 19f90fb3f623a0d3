//! Filter of the cards of a run, for a restore. A part of it that the run has no card for is an
//! error: a mistyped id must not end with nothing to do.

use std::collections::BTreeSet;

use super::{Error, Phase, Session};
use crate::engine;
use crate::model::{CardKey, CardKind, DepartmentId, RunId, UserId};
use crate::ports::ReadPortal as _;

/// Filter of cards.
#[derive(Clone, Debug, Default)]
pub struct TargetFilter {
    /// All cards.
    pub all: bool,
    /// Personal cards of these people.
    pub users: BTreeSet<UserId>,
    /// Personal cards of the people of these departments and of those below them.
    pub departments: BTreeSet<DepartmentId>,
    /// Common cards.
    pub common: bool,
    /// Cards of this kind alone. Without anything else, all cards of it.
    pub kind: Option<CardKind>,
    /// These cards alone, if there is a list. A card of it that the run does not have is left out.
    pub cards: Option<BTreeSet<CardKey>>,
}

/// Filter whose departments were resolved on the portal.
pub(super) struct ResolvedFilter {
    everything: bool,
    users: BTreeSet<UserId>,
    common: bool,
    kind: Option<CardKind>,
    cards: Option<BTreeSet<CardKey>>,
}

impl TargetFilter {
    /// Creates a filter of these cards.
    pub fn only(cards: impl Iterator<Item = CardKey>) -> Self {
        Self { cards: Some(cards.collect()), ..Self::default() }
    }

    /// Resolves the departments, and checks that each part of the filter has a card among the cards
    /// of the run.
    pub(super) async fn resolve(
        &self,
        session: &Session,
        run: &RunId,
        cards: &BTreeSet<CardKey>,
    ) -> Result<ResolvedFilter, Error> {
        let Self { all, users, departments, common, kind, cards: listed } = self;
        let of_run = || cards.iter().copied().collect();
        if !self.is_met(cards) {
            return Err(Error::Filter { run: run.clone(), cards: of_run() });
        }
        let mut filter = ResolvedFilter {
            everything: *all || (users.is_empty() && departments.is_empty() && !common),
            users: users.clone(),
            common: *common,
            kind: *kind,
            cards: listed.clone(),
        };
        if departments.is_empty() {
            return Ok(filter);
        }
        let of_kind = |key: &&CardKey| kind.is_none_or(|kind| kind == key.kind);
        let people: BTreeSet<UserId> =
            cards.iter().filter(of_kind).filter_map(|key| key.user()).collect();
        for department in departments {
            let members = members(session, *department, &people).await?;
            if members.is_empty() {
                let (run, department) = (run.clone(), *department);
                return Err(Error::NotInDepartment { run, department, cards: of_run() });
            }
            filter.users.extend(members);
        }
        Ok(filter)
    }

    /// Returns whether each part of the filter has a card among `cards`, departments aside.
    fn is_met(&self, cards: &BTreeSet<CardKey>) -> bool {
        let has = |owner: Option<UserId>, kind: Option<CardKind>| {
            cards.iter().any(|key| key.user() == owner && kind.is_none_or(|kind| kind == key.kind))
        };
        self.users.iter().all(|user| has(Some(*user), self.kind))
            && (!self.common || has(None, self.kind))
            && self.kind.is_none_or(|kind| cards.iter().any(|key| kind == key.kind))
    }
}

impl ResolvedFilter {
    /// Returns whether a card passes.
    pub(super) fn passes(&self, key: CardKey) -> bool {
        let of_owner = match key.user() {
            None => self.common,
            Some(user) => self.users.contains(&user),
        };
        self.kind.is_none_or(|kind| kind == key.kind)
            && self.cards.as_ref().is_none_or(|cards| cards.contains(&key))
            && (self.everything || of_owner)
    }
}

/// Returns those of the people who belong to a department or to one below it, dismissed people
/// included: their cards were reset, too.
async fn members(
    session: &Session,
    department: DepartmentId,
    people: &BTreeSet<UserId>,
) -> Result<Vec<UserId>, Error> {
    let portal = session.portal.reader();
    let lookup = |error| Error::Portal(Phase::Lookup, error);
    let departments = portal.departments().await.map_err(lookup)?.into_iter();
    let tree = engine::departments_below(
        &departments.map(|department| (department.id, department)).collect(),
        department,
    );
    if tree.is_empty() {
        return Err(Error::UnknownDepartment(department));
    }
    let asked = people.iter().copied().collect();
    let found = engine::look_up(&portal, asked).await.map_err(lookup)?;
    let is_member = |user: &&UserId| {
        found.get(*user).is_some_and(|person| person.departments.iter().any(|id| tree.contains(id)))
    };
    Ok(people.iter().filter(is_member).copied().collect())
}
