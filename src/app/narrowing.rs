//! Narrowing of a run to a part of the targets that its manifests select.
//!
//! It takes targets away and never adds one. A value that no target has is an error: a mistyped id
//! must not end with "no changes".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::manifest::DepartmentName;
use crate::model::{CardKey, Department, DepartmentId, DesiredState, Person, UserId};

/// Person as a command line names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonSelector {
    /// By id.
    Id(UserId),
    /// By e-mail address, in lower case.
    Email(Arc<str>),
}

impl PersonSelector {
    /// Returns `true` if it names this person.
    pub fn is(&self, person: &Person) -> bool {
        match self {
            Self::Id(id) => person.id == *id,
            Self::Email(email) => {
                person.email.as_deref().is_some_and(|own| own.to_lowercase() == **email)
            }
        }
    }
}

/// Part of the targets. Values of one kind add up; the kinds narrow each other. Empty means all
/// targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrowing {
    /// The personal cards of these people.
    pub people: Vec<PersonSelector>,
    /// The personal cards of the people of these departments and those below.
    pub departments: Vec<DepartmentName>,
    /// These cards.
    pub targets: BTreeSet<CardKey>,
}

/// Error: a value of a narrowing matches no target of the manifests.
#[derive(Debug, PartialEq, Eq)]
pub struct NarrowingError {
    /// The value.
    pub unmatched: Unmatched,
    /// The values that match targets: ids with names, or cards.
    pub available: Vec<String>,
}

/// Value of a narrowing that matches no target.
#[derive(Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// A person.
    Person(PersonSelector),
    /// A department.
    Department(DepartmentName),
    /// The name of several departments.
    AmbiguousDepartment(DepartmentName),
    /// A card.
    Target(CardKey),
    /// Each value matches a target, and no target matches all kinds of values.
    Together,
}

impl Narrowing {
    /// Returns `true` if it takes no target away.
    pub fn is_whole(&self) -> bool {
        let Self { people, departments, targets } = self;
        people.is_empty() && departments.is_empty() && targets.is_empty()
    }

    /// Takes the other targets away from a desired state. `departments` are all of the portal; they
    /// matter only if the narrowing names departments.
    ///
    /// # Errors
    ///
    /// If a value matches no target.
    pub(super) fn narrow(
        &self,
        desired: &mut DesiredState,
        departments: &[Department],
    ) -> Result<(), NarrowingError> {
        let owner = |key: &CardKey| key.user().and_then(|user| desired.people.get(&user));
        let owners: Vec<&Person> = desired.people.values().collect();
        for selector in &self.people {
            if !owners.iter().any(|person| selector.is(person)) {
                let available = owners.iter().map(|person| named(person.id, person.name.as_str()));
                let available = available.collect();
                return Err(Unmatched::Person(selector.clone()).with(available));
            }
        }
        let mut members: BTreeSet<DepartmentId> = BTreeSet::new();
        for name in &self.departments {
            let tree = tree(name, departments).ok_or_else(|| {
                let same = departments.iter().filter(|department| is_named(department, name));
                let same = same.map(|department| named(department.id, &department.name)).collect();
                Unmatched::AmbiguousDepartment(name.clone()).with(same)
            })?;
            if !owners.iter().any(|person| belongs(person, &tree)) {
                let known = departments.iter().filter(|department| {
                    owners.iter().any(|person| person.departments.contains(&department.id))
                });
                let available =
                    known.map(|department| named(department.id, &department.name)).collect();
                return Err(Unmatched::Department(name.clone()).with(available));
            }
            members.extend(tree);
        }
        let all = || desired.targets.iter().map(|target| target.key);
        if let Some(missing) =
            self.targets.iter().find(|key| !all().any(|planned| planned == **key))
        {
            let available = all().map(|key| key.to_string()).collect();
            return Err(Unmatched::Target(*missing).with(available));
        }
        let is_left = |key: &CardKey| {
            let by_person = self.people.is_empty()
                || owner(key)
                    .is_some_and(|person| self.people.iter().any(|known| known.is(person)));
            let by_department = self.departments.is_empty()
                || owner(key).is_some_and(|person| belongs(person, &members));
            let by_target = self.targets.is_empty() || self.targets.contains(key);
            by_person && by_department && by_target
        };
        let left: BTreeSet<CardKey> = all().filter(is_left).collect();
        if left.is_empty() {
            let available = all().map(|key| key.to_string()).collect();
            return Err(Unmatched::Together.with(available));
        }
        let DesiredState { targets, people, guards: _, shared, gaps, departments: _, kinds: _ } =
            desired;
        targets.retain(|target| left.contains(&target.key));
        shared.retain(|key, _| left.contains(key));
        gaps.retain(|key, _| left.contains(key));
        let users: BTreeSet<UserId> = left.iter().filter_map(|key| key.user()).collect();
        people.retain(|user, _| users.contains(user));
        Ok(())
    }
}

impl Unmatched {
    fn with(self, available: Vec<String>) -> NarrowingError {
        NarrowingError { unmatched: self, available }
    }
}

fn named(id: impl std::fmt::Display, name: &str) -> String {
    format!("{id} {name}").trim_end().to_owned()
}

fn is_named(department: &Department, name: &DepartmentName) -> bool {
    match name {
        DepartmentName::Id(id) => department.id == *id,
        DepartmentName::Name(name) => department.name.trim() == &**name,
    }
}

fn belongs(person: &Person, departments: &BTreeSet<DepartmentId>) -> bool {
    person.departments.iter().any(|id| departments.contains(id))
}

/// Returns a department and all below it; empty if the portal has none of that name, `None` if it
/// has several. A ring of departments terminates.
fn tree(name: &DepartmentName, departments: &[Department]) -> Option<BTreeSet<DepartmentId>> {
    let mut open: Vec<DepartmentId> = departments
        .iter()
        .filter(|department| is_named(department, name))
        .map(|department| department.id)
        .collect();
    if open.len() > 1 {
        return None;
    }
    let mut below: BTreeMap<DepartmentId, Vec<DepartmentId>> = BTreeMap::new();
    for department in departments {
        if let Some(parent) = department.parent {
            below.entry(parent).or_default().push(department.id);
        }
    }
    let mut found = BTreeSet::new();
    while let Some(id) = open.pop() {
        if found.insert(id) {
            open.extend(below.get(&id).into_iter().flatten());
        }
    }
    Some(found)
}
