//! Directory of the people and departments that the manifests name.
//!
//! The portal ignores a filter that it does not know and returns all people. Every person in an
//! answer is therefore checked against the query, and the department tree is walked here and not by
//! the portal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::manifest::{Declaration, DepartmentName, DepartmentSelector};
use crate::model::{Department, DepartmentId, Person, TreeGap, TreeHole, UserId};
use crate::ports::{PeopleQuery, PortalError, ReadPortal};

/// Answers of the portal.
#[derive(Default)]
pub(super) struct Directory {
    /// All people in the answers.
    pub(super) people: BTreeMap<UserId, Person>,
    /// The people with each requested e-mail address, in lower case, and `true` if they are active.
    pub(super) by_email: BTreeMap<Arc<str>, Vec<(UserId, bool)>>,
    /// All departments, if any was requested.
    pub(super) departments: BTreeMap<DepartmentId, Department>,
    /// The number of employees, if all people were listed.
    pub(super) employees: Option<u32>,
}

impl Directory {
    /// Asks the portal for everything that the manifests name, each thing once.
    pub(super) async fn read<P: ReadPortal>(
        portal: &P,
        declaration: &Declaration,
    ) -> Result<Self, PortalError> {
        LookupRequest::from_declaration(declaration).send(portal).await
    }

    fn add(&mut self, person: Person) {
        self.people.insert(person.id, person);
    }

    /// Returns the active departments that a manifest means: one, unless no department or several
    /// have that id or name.
    pub(super) fn departments_named(&self, name: &DepartmentName) -> Vec<&Department> {
        match name {
            DepartmentName::Id(id) => self.departments.get(id).into_iter().collect(),
            DepartmentName::Name(name) => {
                let all = self.departments.values();
                all.filter(|department| department.name.trim() == &**name).collect()
            }
        }
    }

    /// Returns the id of the one department that a manifest means.
    pub(super) fn department_id(&self, name: &DepartmentName) -> Option<DepartmentId> {
        match self.departments_named(name).as_slice() {
            [one] => Some(one.id),
            [] | [..] => None,
        }
    }

    /// Returns the department and, if requested, all below it; empty if it does not exist or is
    /// ambiguous. A ring of departments terminates.
    pub(super) fn department_tree(&self, selector: &DepartmentSelector) -> BTreeSet<DepartmentId> {
        let Some(id) = self.department_id(&selector.department) else { return BTreeSet::new() };
        match selector.recursive {
            true => departments_below(&self.departments, id),
            false => BTreeSet::from([id]),
        }
    }

    /// Returns the gap in the tree because of which it is not known if a user is below a
    /// department; `None` if it is known.
    ///
    /// The portal lists active departments alone. A department that it does not list may be below
    /// any other one, and so may those that are below it. A ring has no root, so its true place in
    /// the tree is not known either.
    pub(super) fn gap(&self, user: UserId, excepted: DepartmentId) -> Option<TreeGap> {
        let missing = |department: DepartmentId| {
            let (mut id, mut seen) = (department, BTreeSet::new());
            while seen.insert(id) {
                match self.departments.get(&id) {
                    None => {
                        return Some(TreeGap {
                            excepted,
                            department,
                            hole: TreeHole::NotListed(id),
                        });
                    }
                    Some(found) => id = found.parent?,
                }
            }
            Some(TreeGap { excepted, department, hole: TreeHole::Ring(id) })
        };
        self.people.get(&user)?.departments.iter().copied().find_map(missing)
    }

    /// Returns `true` if a department is in a ring: all that is above it counts as below it, too.
    pub(super) fn is_below_itself(&self, id: DepartmentId) -> bool {
        let above =
            |id: DepartmentId| self.departments.get(&id).and_then(|department| department.parent);
        let mut seen = BTreeSet::new();
        let mut next = above(id);
        while let Some(parent) = next.filter(|parent| seen.insert(*parent)) {
            next = above(parent);
        }
        seen.contains(&id)
    }

    /// Returns `true` if a user, dismissed or not, belongs directly to one of the departments.
    pub(super) fn belongs(&self, user: UserId, departments: &BTreeSet<DepartmentId>) -> bool {
        let person = self.people.get(&user);
        person.is_some_and(|person| person.departments.iter().any(|id| departments.contains(id)))
    }

    /// Returns the active people who belong directly to one of the departments.
    pub(super) fn members<'a>(
        &'a self,
        departments: &'a BTreeSet<DepartmentId>,
    ) -> impl Iterator<Item = UserId> + 'a {
        let fits = |person: &&Person| {
            person.active && person.departments.iter().any(|id| departments.contains(id))
        };
        self.people.values().filter(fits).map(|person| person.id)
    }
}

/// Returns a department and all below it; empty if it does not exist. A ring of departments
/// terminates.
pub fn departments_below(
    departments: &BTreeMap<DepartmentId, Department>,
    root: DepartmentId,
) -> BTreeSet<DepartmentId> {
    let mut found = BTreeSet::new();
    let mut open: Vec<DepartmentId> =
        departments.get(&root).map(|department| department.id).into_iter().collect();
    while let Some(id) = open.pop() {
        if found.insert(id) {
            let below = departments.values().filter(|department| department.parent == Some(id));
            open.extend(below.map(|department| department.id));
        }
    }
    found
}

/// Queries of all documents, so that each is asked once.
#[derive(Default)]
struct LookupRequest {
    ids: BTreeSet<UserId>,
    emails: BTreeSet<Arc<str>>,
    departments: Vec<DepartmentSelector>,
    everybody: bool,
}

impl LookupRequest {
    fn from_declaration(declaration: &Declaration) -> Self {
        let mut request = Self::default();
        for block in declaration.documents.iter().flat_map(|document| &document.personal) {
            let users = &block.users;
            request.ids.extend(users.ids.iter().chain(&users.except.ids).map(|id| id.value));
            request.emails.extend(
                users
                    .emails
                    .iter()
                    .chain(&users.except.emails)
                    .map(|email| Arc::clone(&email.value)),
            );
            let departments = users.departments.iter().chain(&users.except.departments);
            request.departments.extend(departments.map(|department| department.value.clone()));
            request.everybody |= users.all.is_some();
        }
        request
    }

    async fn send<P: ReadPortal>(self, portal: &P) -> Result<Directory, PortalError> {
        let mut directory = Directory::default();
        if !self.departments.is_empty() {
            directory.departments =
                portal.departments().await?.into_iter().map(|found| (found.id, found)).collect();
            let wanted: BTreeSet<DepartmentId> = self
                .departments
                .iter()
                .flat_map(|selector| directory.department_tree(selector))
                .collect();
            // One listing of all people answers for all departments as well.
            if !wanted.is_empty() && !self.everybody {
                let query = PeopleQuery::Departments(wanted.iter().copied().collect());
                for person in portal.people(&query).await? {
                    if !person.active || !person.departments.iter().any(|id| wanted.contains(id)) {
                        return Err(filter_ignored("department", &person));
                    }
                    directory.add(person);
                }
            }
        }
        if self.everybody {
            for person in portal.people(&PeopleQuery::AllActive).await? {
                if !person.active {
                    return Err(filter_ignored("activity", &person));
                }
                directory.add(person);
            }
            let employees = directory.people.values().filter(|person| person.is_employee()).count();
            directory.employees = Some(u32::try_from(employees).unwrap_or(u32::MAX));
        }
        let missing: Vec<UserId> =
            self.ids.iter().copied().filter(|id| !directory.people.contains_key(id)).collect();
        if !missing.is_empty() {
            directory.people.extend(look_up(portal, missing).await?);
        }
        if !self.emails.is_empty() {
            let query = PeopleQuery::Emails(self.emails.iter().map(Arc::clone).collect());
            for person in portal.people(&query).await? {
                match person.email.as_deref().map(str::to_lowercase) {
                    Some(email) if self.emails.contains(email.as_str()) => {
                        directory
                            .by_email
                            .entry(email.into())
                            .or_default()
                            .push((person.id, person.active));
                        directory.add(person);
                    }
                    _ => return Err(filter_ignored("e-mail", &person)),
                }
            }
        }
        Ok(directory)
    }
}

/// Returns the people with these ids, as the portal describes them now, dismissed ones included.
/// Unknown ids are missing.
///
/// # Errors
///
/// If the portal cannot be asked, or answers with another person.
pub async fn look_up<P: ReadPortal>(
    portal: &P,
    ids: Vec<UserId>,
) -> Result<BTreeMap<UserId, Person>, PortalError> {
    let wanted: BTreeSet<UserId> = ids.iter().copied().collect();
    let mut people = BTreeMap::new();
    if ids.is_empty() {
        return Ok(people);
    }
    for person in portal.people(&PeopleQuery::Ids(ids)).await? {
        if !wanted.contains(&person.id) {
            return Err(filter_ignored("id", &person));
        }
        people.insert(person.id, person);
    }
    Ok(people)
}

/// Returns the error for an answer with a person outside of the query: the portal did not
/// understand the filter.
fn filter_ignored(what: &str, person: &Person) -> PortalError {
    PortalError::Unexpected(format!(
        "asked for people by {what}, the portal also returned user {}, who does not fit; the filter was ignored, and \
         nothing that came back can be used (does the webhook have the right `user`, which shows e-mail addresses?)",
        person.id
    ))
}
