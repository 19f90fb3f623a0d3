//! Comparison of a plan file with the manifests that it must have been made from.
//!
//! The seal of a plan file detects accidents and is not a signature. If the manifests are given,
//! they replace all statements of the file about them: their limits count for the guards, and each
//! target must be one that they select.

use std::collections::BTreeMap;

use crate::i18n::Text;
use crate::manifest::{Declaration, DepartmentName, Document, PersonalBlock};
use crate::model::{CardKey, DesiredState, Mode, Origin, Outcome, Selector};
use crate::records::plan_file::{PlanFileContent, PlanFileMark, PlanFileTarget};

/// Returns a statement of the plan file that its manifests do not make; `None` if they agree. The
/// portal is not asked.
pub fn difference(file: &PlanFileContent, declaration: &Declaration) -> Option<Text> {
    let other = || tr!("the plan file was made from other manifests, or they have changed since");
    if file.manifest != declaration.digest || file.manifests.len() != declaration.documents.len() {
        return Some(other());
    }
    let documents: BTreeMap<&str, &Document> =
        declaration.documents.iter().map(|document| (&*document.name, document)).collect();
    let is_same = |name: &str, reason: &str| {
        documents.get(name).is_some_and(|document| *document.reason == *reason)
    };
    if !file.manifests.iter().all(|manifest| is_same(&manifest.name, &manifest.reason)) {
        return Some(other());
    }
    if file.limits.manifests != declaration.guards().manifests {
        return Some(tr!(
            "the plan file holds other guards, or another `protect`, than the manifests"
        ));
    }
    let targets = file.targets.iter().map(|PlanFileTarget { key, generation, origin, .. }| {
        (*key, generation.clone().map_or(Mode::Enforce, Mode::Once), origin)
    });
    let marks = file.marks.iter().map(|PlanFileMark { key, generation, origin }| {
        (*key, Mode::Once(generation.clone()), origin)
    });
    let is_stated = |key, mode: &Mode, origin: &Origin| {
        documents
            .get(&*origin.manifest)
            .is_some_and(|document| states(document, key, mode, &origin.selector))
    };
    let foreign = targets.chain(marks).find(|(key, mode, origin)| !is_stated(*key, mode, origin));
    foreign.map(|(key, ..)| {
        tr!("the plan file names {key}, and the manifests do not select it so", key)
    })
}

/// Returns `true` if a document has this selector for this card and mode.
fn states(document: &Document, key: CardKey, mode: &Mode, selector: &Selector) -> bool {
    let Some(user) = key.user() else {
        let named = document.common.iter().any(|card| card.value.can_mean(key.kind));
        return named && *selector == Selector::Common && *mode == Mode::Enforce;
    };
    let has = |block: &PersonalBlock| {
        let users = &block.users;
        let excepted = users.except.ids.iter().any(|id| id.value == user);
        let is_meant = block.cards.iter().any(|card| card.value.can_mean(key.kind));
        let fits = is_meant && block.mode == *mode && !excepted;
        fits && match selector {
            Selector::Id => users.ids.iter().any(|id| id.value == user),
            Selector::Email(email) => users.emails.iter().any(|known| known.value == *email),
            // The portal alone knows which department has a name; the targets are compared again
            // once it was asked.
            Selector::Department { id, recursive } => users.departments.iter().any(|known| {
                let is_meant = match &known.value.department {
                    DepartmentName::Id(named) => named == id,
                    DepartmentName::Name(_) => true,
                };
                is_meant && known.value.recursive == *recursive
            }),
            Selector::All => users.all.is_some(),
            Selector::Common => false,
        }
    };
    document.personal.iter().any(has)
}

/// Returns the outcome of a target of a plan file that the manifests no longer select; `None` if
/// they select it.
pub(super) fn unselected(target: &PlanFileTarget, now: &DesiredState) -> Option<Outcome> {
    let mode = target.generation.clone().map_or(Mode::Enforce, Mode::Once);
    let index = now.targets.binary_search_by_key(&target.key, |target| target.key).ok();
    let reason = match index.and_then(|index| now.targets.get(index)) {
        None => tr_later!("the manifests do not select the card any more"),
        Some(_) if now.gaps.contains_key(&target.key) => {
            tr_later!("the manifests may except the person: the tree of departments has a hole")
        }
        Some(found) if found.mode != mode => {
            tr_later!("the manifests select the card in another mode now")
        }
        Some(_) => return None,
    };
    Some(Outcome::NotAttempted(reason.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::manifest::load;
    use crate::model::{DepartmentId, Digest, Generation, UserId};
    use crate::records::plan_file::{PlanManifest, PlannedRemoval};
    use crate::records::samples;

    const MANIFEST: &str = "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: { name: sales, reason: a new form }\n\
                            spec:\n  portal: company.bitrix24.com\n  personal:\n    - users: { ids: [7], emails: \
                            [anna@company.example], departments: [{ id: 41, recursive: true }], except: { ids: [9] } }\n      \
                            leadCustomerTypes: [simple]\n      mode: { once: 2026-11 }\n  protect: { ids: [8] }\n";

    fn declaration(text: &str) -> Declaration {
        load(&[Source { name: "sales.yaml".into(), bytes: text.into() }]).declaration.unwrap()
    }

    /// Returns a plan file of the manifest with one target.
    fn file(user: u64, selector: Selector) -> PlanFileContent {
        let declaration = declaration(MANIFEST);
        let sample = samples::plan();
        let origin = Origin { selector, ..sample.targets[1].origin.clone() };
        let target = PlanFileTarget {
            key: samples::personal(user),
            removal: PlannedRemoval::Unread,
            generation: Generation::new("2026-11"),
            origin,
            ..sample.targets[1].clone()
        };
        PlanFileContent {
            kinds: Default::default(),
            narrowed: false,
            manifest: declaration.digest,
            manifests: vec![PlanManifest {
                name: "sales".to_owned(),
                reason: "a new form".to_owned(),
                file: String::new(),
            }],
            targets: vec![target],
            marks: Vec::new(),
            limits: declaration.guards(),
            ..sample
        }
    }

    fn message(file: &PlanFileContent) -> Option<String> {
        difference(file, &declaration(MANIFEST)).map(|text| text.to_string())
    }

    #[test]
    fn plan_file_of_the_manifests_agrees_with_them() {
        let department =
            |id, recursive| Selector::Department { id: DepartmentId::new(id).unwrap(), recursive };
        for (user, selector) in [
            (7, Selector::Id),
            (12, Selector::Email("anna@company.example".into())),
            (12, department(41, true)),
        ] {
            assert_eq!(message(&file(user, selector)), None);
        }
        for (user, selector) in [
            (12, Selector::Id),
            (12, Selector::Email("other@company.example".into())),
            (12, department(41, false)),
            (12, department(43, true)),
            (12, Selector::All),
            (12, Selector::Common),
            (9, department(41, true)),
        ] {
            let text = message(&file(user, selector)).unwrap();
            assert_eq!(
                text,
                format!(
                    "the plan file names personal/{user}/lead/simple, and the manifests do not select it so"
                )
            );
        }
    }

    #[test]
    fn plan_file_with_other_guards_or_another_once_key_differs() {
        let with = |change: fn(&mut PlanFileContent)| {
            let mut file = file(7, Selector::Id);
            change(&mut file);
            message(&file).unwrap()
        };
        let guards = "the plan file holds other guards, or another `protect`, than the manifests";
        let limits = |file: &mut PlanFileContent| {
            file.limits.manifests.get_mut("sales").unwrap().max_users = Some(99)
        };
        assert_eq!(with(limits), guards);
        assert_eq!(
            with(|file| file.limits.manifests.get_mut("sales").unwrap().protected.clear()),
            guards
        );
        assert_eq!(
            with(|file| {
                file.limits
                    .manifests
                    .get_mut("sales")
                    .unwrap()
                    .acknowledged_people
                    .insert(UserId::FIRST);
            }),
            guards
        );
        assert_eq!(with(|file| file.limits.manifests.clear()), guards);
        assert!(
            with(|file| file.targets[0].generation = Generation::new("2026-12"))
                .contains("do not select it so")
        );
        assert!(with(|file| file.targets[0].generation = None).contains("do not select it so"));
        assert!(
            with(|file| file.targets[0].origin.manifest = "other".into())
                .contains("do not select it so")
        );
        assert!(
            with(|file| file.manifests[0].reason = "another".to_owned())
                .contains("other manifests")
        );
        assert!(with(|file| file.manifest = Digest::hash(b"other")).contains("other manifests"));
    }
}
