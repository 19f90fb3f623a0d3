//! Resolution of selectors to people and targets.
//!
//! Everything that the manifests name is looked up first ([`directory`](super::org_directory));
//! then the targets are computed. A name that the portal does not have is a problem with its
//! position.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::card_directory::{CardDirectory, kind_names};
use super::org_directory::Directory;
use crate::diagnostic::{Diagnostic, DiagnosticCode, Severity};
use crate::i18n::Text;
use crate::manifest::{
    CardSelector, Declaration, DepartmentName, DepartmentSelector, Document, Exceptions, Located,
    PersonalBlock, UserSelection,
};
use crate::model::{
    CardKey, CardKind, CardLabels, Department, DepartmentId, DesiredState, DesiredTarget, Mode,
    Origin, Selector, SourceLocation, TreeGap, UserId,
};
use crate::ports::{PortalError, ReadPortal};

/// Targets of the manifests on this portal.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// The targets.
    pub desired: DesiredState,
    /// The warnings.
    pub warnings: Vec<Diagnostic>,
    /// The number of employees, if the manifests had all people listed.
    pub employees: Option<u32>,
    /// The labels of the types that the manifests name, leads aside.
    pub labels: CardLabels,
}

/// Resolves the people and departments that the portal still has. Missing ones are left out of the
/// targets and stand among the warnings as errors: such a resolution may be shown, and must never
/// be applied. `sees_all_pipelines` is `true` for administrators of the portal.
pub async fn resolve_existing<P: ReadPortal>(
    portal: &P,
    declaration: &Declaration,
    sees_all_pipelines: bool,
) -> Result<Resolution, PortalError> {
    let directory = Directory::read(portal, declaration).await?;
    let cards = CardDirectory::read(portal, declaration, sees_all_pipelines).await?;
    let mut resolver = Resolver {
        directory,
        diagnostics: cards.warnings(declaration),
        cards,
        targets: BTreeMap::new(),
        shared: BTreeMap::new(),
        gaps: BTreeMap::new(),
        repeated: BTreeMap::new(),
    };
    for document in &declaration.documents {
        resolver.document(document);
    }
    resolver.report_repeated();
    let Resolver { directory, cards, diagnostics, targets, shared, gaps, repeated: _ } = resolver;
    let targets: Vec<DesiredTarget> = targets.into_values().collect();
    let selected: BTreeSet<UserId> =
        targets.iter().filter_map(|target| target.key.user()).collect();
    let people = directory.people.into_iter().filter(|(id, _)| selected.contains(id)).collect();
    let departments =
        directory.departments.into_iter().map(|(id, department)| (id, department.name)).collect();
    let guards = declaration.guards();
    let desired = DesiredState {
        targets,
        people,
        departments,
        guards,
        shared,
        gaps,
        kinds: kind_names(&cards.catalog),
    };
    let employees = directory.employees;
    let labels =
        cards.catalog.types.into_iter().filter_map(|(of, catalog)| Some((of, catalog.labels?)));
    Ok(Resolution { desired, warnings: diagnostics, employees, labels: labels.collect() })
}

struct Resolver {
    directory: Directory,
    cards: CardDirectory,
    diagnostics: Vec<Diagnostic>,
    targets: BTreeMap<CardKey, DesiredTarget>,
    /// The further manifests of targets that several select.
    shared: BTreeMap<CardKey, BTreeSet<Arc<str>>>,
    /// Targets of which the exception is not known.
    gaps: BTreeMap<CardKey, TreeGap>,
    /// Targets that are selected twice, by the positions of the second and the first mention.
    repeated: BTreeMap<(SourceLocation, SourceLocation), RepeatedSelection>,
}

/// Targets that are selected at two positions.
struct RepeatedSelection {
    first: CardKey,
    count: u32,
    contradicts: bool,
    manifests: [Arc<str>; 2],
}

impl Resolver {
    fn document(&mut self, document: &Document) {
        for card in &document.common {
            let origin = self.origin(document, &card.place, Selector::Common);
            for kind in self.kinds(std::slice::from_ref(card)) {
                self.target(CardKey::common(kind), Mode::Enforce, &origin, None);
            }
        }
        for block in &document.personal {
            self.block(document, block);
        }
    }

    /// Returns the kinds of cards that selectors mean, each once. A selector that the portal has no
    /// card for is a problem.
    fn kinds(&mut self, cards: &[Located<CardSelector>]) -> BTreeSet<CardKind> {
        let mut kinds = BTreeSet::new();
        for card in cards {
            match self.cards.kinds(card) {
                Ok(found) => kinds.extend(found),
                Err(problem) => self.diagnostics.push(*problem),
            }
        }
        kinds
    }

    /// Adds all people of a block, for each of its kinds of cards.
    fn block(&mut self, document: &Document, block: &PersonalBlock) {
        let errors_before = self.diagnostics.len();
        let mut selected = self.selected(&block.users);
        let gaps = self.leave_out(&block.users.except, &mut selected);
        let new_errors = self
            .diagnostics
            .iter()
            .skip(errors_before)
            .any(|found| found.severity == Severity::Error);
        if selected.is_empty() && !new_errors {
            let text = tr!("this block selects nobody on the portal");
            let help = tr!(
                "an empty selection is more often a mistake than a wish: mend the selectors or remove the block"
            );
            self.diagnostics.push(
                Diagnostic::error(DiagnosticCode::EmptySelection, block.place.clone(), text)
                    .help(help),
            );
        }
        let kinds = self.kinds(&block.cards);
        let mut origins: BTreeMap<(Selector, SourceLocation), Arc<Origin>> = BTreeMap::new();
        for (user, (selector, place)) in selected {
            let origin =
                origins.entry((selector, place)).or_insert_with_key(|(selector, place)| {
                    self.origin(document, place, selector.clone())
                });
            let origin = Arc::clone(origin);
            for kind in &kinds {
                self.target(
                    CardKey::personal(user, *kind),
                    block.mode.clone(),
                    &origin,
                    gaps.get(&user).copied(),
                );
            }
        }
    }

    /// Returns the people that the selectors of a block match, each with the first matching
    /// selector.
    fn selected(&mut self, users: &UserSelection) -> BTreeMap<UserId, (Selector, SourceLocation)> {
        let mut selected: BTreeMap<UserId, (Selector, SourceLocation)> = BTreeMap::new();
        for id in &users.ids {
            if self.known_id(id) {
                self.warn_of_dismissed(id);
                selected.entry(id.value).or_insert((Selector::Id, id.place.clone()));
            }
        }
        for email in &users.emails {
            if let Some(user) = self.person_of(email) {
                selected
                    .entry(user)
                    .or_insert((Selector::Email(Arc::clone(&email.value)), email.place.clone()));
            }
        }
        for department in &users.departments {
            let members = self.members_of(department);
            // A department that is not found is a problem already.
            let Some(id) = self.directory.department_id(&department.value.department) else {
                continue;
            };
            let recursive = department.value.recursive;
            if recursive && self.directory.is_below_itself(id) {
                self.diagnostics.push(ring_problem(id, &department.place));
                continue;
            }
            if members.is_empty() {
                let text = tr!("nobody active is in department {id}", id);
                let help = match recursive {
                    true => self.similar_departments(),
                    false => tr!(
                        "people of the departments below count only with `{{ id: …, recursive: true }}`"
                    ),
                };
                let (code, place) = (DiagnosticCode::EmptyDepartment, department.place.clone());
                self.diagnostics.push(Diagnostic::warning(code, place, text).help(help));
            }
            for user in members {
                selected
                    .entry(user)
                    .or_insert((Selector::Department { id, recursive }, department.place.clone()));
            }
        }
        if let Some(place) = &users.all {
            let employees = self.directory.people.values().filter(|person| person.is_employee());
            for person in employees {
                selected.entry(person.id).or_insert((Selector::All, place.clone()));
            }
        }
        selected
    }

    /// Removes the people that a block excepts. Returns those of whom the exception is not known:
    /// an exception that is computed from a tree with gaps excepts too few.
    fn leave_out(
        &mut self,
        except: &Exceptions,
        selected: &mut BTreeMap<UserId, (Selector, SourceLocation)>,
    ) -> BTreeMap<UserId, TreeGap> {
        for id in &except.ids {
            if self.known_id(id) {
                selected.remove(&id.value);
            }
        }
        for email in &except.emails {
            if let Some(user) = self.person_of(email) {
                selected.remove(&user);
            }
        }
        for department in &except.departments {
            // A dismissed person still belongs to their department, and may have been selected by
            // id.
            let tree = self.tree_of(department);
            selected.retain(|user, _| !self.directory.belongs(*user, &tree));
        }
        let recursive = except.departments.iter().filter(|department| department.value.recursive);
        let recursive: Vec<DepartmentId> = recursive
            .filter_map(|department| self.directory.department_id(&department.value.department))
            .collect();
        let gap = |user: UserId| {
            recursive.iter().find_map(|excepted| self.directory.gap(user, *excepted))
        };
        selected.keys().filter_map(|user| Some((*user, gap(*user)?))).collect()
    }

    fn origin(
        &self,
        document: &Document,
        place: &SourceLocation,
        selector: Selector,
    ) -> Arc<Origin> {
        let (manifest, reason) = (Arc::clone(&document.name), Arc::clone(&document.reason));
        Arc::new(Origin { manifest, reason, place: place.clone(), selector })
    }

    /// Adds a target. The first mention stays; a later one with another mode is a contradiction,
    /// any other one a repetition.
    fn target(&mut self, key: CardKey, mode: Mode, origin: &Arc<Origin>, gap: Option<TreeGap>) {
        let Some(known) = self.targets.get(&key) else {
            self.gaps.extend(gap.map(|gap| (key, gap)));
            self.targets.insert(key, DesiredTarget { key, mode, origin: Arc::clone(origin) });
            return;
        };
        if gap.is_none() {
            // One certain mention is enough.
            self.gaps.remove(&key);
        }
        if known.origin.manifest != origin.manifest {
            self.shared.entry(key).or_default().insert(Arc::clone(&origin.manifest));
        }
        let contradicts = known.mode != mode;
        // A repetition in the same words was reported when the manifests were read.
        if contradicts || known.origin.selector != origin.selector {
            let places = (origin.place.clone(), known.origin.place.clone());
            let manifests = [Arc::clone(&known.origin.manifest), Arc::clone(&origin.manifest)];
            let repeated = self.repeated.entry(places).or_insert(RepeatedSelection {
                first: key,
                count: 0,
                contradicts,
                manifests,
            });
            repeated.count += 1;
        }
    }

    /// Reports targets that are selected twice: one problem for each pair of positions.
    fn report_repeated(&mut self) {
        for (
            (place, first_place),
            RepeatedSelection { first: key, count, contradicts, manifests },
        ) in &self.repeated
        {
            let more = match count.saturating_sub(1) {
                0 => Text::default(),
                more => tr!(" (and {n} more card)" | " (and {n} more cards)" % more),
            };
            let found = if *contradicts {
                let text = tr!("{key} is selected twice, with different modes{more}", key, more);
                Diagnostic::error(DiagnosticCode::Contradiction, place.clone(), text)
                    .help(tr!("leave the person out of one of the blocks with `except`"))
            } else {
                let text = tr!("{key} is selected twice{more}", key, more);
                let [one, other] = manifests;
                Diagnostic::warning(DiagnosticCode::DuplicateTarget, place.clone(), text).help(
                    if one == other {
                        tr!("one of them can go; the card is reset once")
                    } else {
                        tr!("the card is reset once, and counts for the guards of both manifests")
                    },
                )
            };
            self.diagnostics.push(found.label(first_place.clone(), tr!("first selected here")));
        }
    }

    fn known_id(&mut self, id: &Located<UserId>) -> bool {
        let known = self.directory.people.contains_key(&id.value);
        if !known {
            let text = tr!("the portal has no user {}", id.value);
            let help = tr!(
                "bots and guests have no lead cards and are not found; check the number in the person's profile"
            );
            self.diagnostics.push(
                Diagnostic::error(DiagnosticCode::UnknownPerson, id.place.clone(), text).help(help),
            );
        }
        known
    }

    /// Warns of a dismissed person. An explicit id is valid, but the reset of a dismissed person's
    /// card should be a conscious choice.
    fn warn_of_dismissed(&mut self, id: &Located<UserId>) {
        if self.directory.people.get(&id.value).is_some_and(|person| !person.active) {
            let text = tr!("user {} was dismissed, and is selected by id", id.value);
            let help = tr!(
                "the card is treated like any other; remove the id if that is not what you want"
            );
            self.diagnostics.push(
                Diagnostic::warning(DiagnosticCode::DismissedPerson, id.place.clone(), text)
                    .help(help),
            );
        }
    }

    /// Returns the one active person with an e-mail address.
    fn person_of(&mut self, email: &Located<Arc<str>>) -> Option<UserId> {
        let found = self.directory.by_email.get(&email.value).map_or(&[][..], Vec::as_slice);
        let active: Vec<UserId> =
            found.iter().filter(|(_, active)| *active).map(|(user, _)| *user).collect();
        let problem = match active.as_slice() {
            [one] => return Some(*one),
            [] if !found.is_empty() => {
                let text = tr!("the person with the e-mail {} was dismissed", email.value);
                Diagnostic::error(DiagnosticCode::DismissedPerson, email.place.clone(), text)
                    .help(tr!("remove the address; a dismissed person can still be selected by id"))
            }
            [] => {
                let text = tr!("nobody on the portal has the e-mail {}", email.value);
                Diagnostic::error(DiagnosticCode::UnknownEmail, email.place.clone(), text)
                    .help(tr!("the address must be the one in the person's profile"))
            }
            several => {
                let ids = several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let text = tr!("several people have the e-mail {}: users {ids}", email.value, ids);
                Diagnostic::error(DiagnosticCode::AmbiguousEmail, email.place.clone(), text)
                    .help(tr!("select the person by id"))
            }
        };
        self.diagnostics.push(problem);
        None
    }

    fn members_of(&mut self, department: &Located<DepartmentSelector>) -> Vec<UserId> {
        let tree = self.tree_of(department);
        self.directory.members(&tree).collect()
    }

    /// Returns the departments of a selector; an empty result is a problem.
    fn tree_of(&mut self, department: &Located<DepartmentSelector>) -> BTreeSet<DepartmentId> {
        let tree = self.directory.department_tree(&department.value);
        if tree.is_empty() {
            let problem = self.department_problem(&department.value.department, &department.place);
            self.diagnostics.push(problem);
        }
        tree
    }

    /// Words the reason why a manifest does not name exactly one department.
    fn department_problem(&self, name: &DepartmentName, place: &SourceLocation) -> Diagnostic {
        let candidates = self.directory.departments_named(name);
        if let [first, _, ..] = candidates.as_slice() {
            let shown: Vec<String> =
                candidates.iter().map(|department| self.with_parent(department)).collect();
            let shown = shown.join(", ");
            let text = tr!(
                "several departments have the name {name}: {candidates}",
                name,
                candidates = shown
            );
            return Diagnostic::error(DiagnosticCode::AmbiguousDepartment, place.clone(), text)
                .help(tr!("select the department by id, such as {}", first.id));
        }
        let text = match name {
            DepartmentName::Id(id) => tr!("the portal has no active department {id}", id),
            DepartmentName::Name(_) => {
                tr!("the portal has no active department named {name}", name)
            }
        };
        Diagnostic::error(DiagnosticCode::UnknownDepartment, place.clone(), text)
            .help(self.similar_departments())
    }

    /// Returns a department with its id and the name of the one above it.
    fn with_parent(&self, department: &Department) -> String {
        let parent = department.parent.and_then(|parent| self.directory.departments.get(&parent));
        match parent {
            Some(parent) => format!("{} ({} / {})", department.id, parent.name, department.name),
            None => format!("{} ({})", department.id, department.name),
        }
    }

    fn similar_departments(&self) -> Text {
        let all = self.directory.departments.values();
        let shown: Vec<String> = all
            .take(8)
            .map(|department| format!("{} ({})", department.id, department.name))
            .collect();
        let more = self.directory.departments.len().saturating_sub(shown.len());
        let more = if more == 0 { Text::default() } else { tr!(" and {more} more", more) };
        tr!("departments that the webhook can see: {}{more}", shown.join(", "), more)
    }
}

/// Words the problem of a department that is below itself.
fn ring_problem(id: DepartmentId, place: &SourceLocation) -> Diagnostic {
    let text =
        tr!("department {id} is above itself on the portal; nobody knows who is below it", id);
    let help = tr!("mend the departments there, or select them without `recursive`");
    Diagnostic::error(DiagnosticCode::UnknownDepartment, place.clone(), text).help(help)
}
