//! Memory of the people that manifests selected, for the guard on shrinking selections.

use std::collections::{BTreeMap, BTreeSet};

use super::UserId;

/// Selections of a portal's manifests in their last runs, by the name of the manifest.
///
/// A renamed manifest continues the selection under its former name; see [`Selections::previous`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selections(BTreeMap<String, Selection>);

/// Selection of one manifest in its last run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Number of people.
    pub count: u32,
    /// The people, sorted. Empty if an older version of recard wrote only their number.
    pub people: Vec<UserId>,
    /// The file of the manifest. Empty if it came from standard input or is not known.
    pub file: String,
    /// Position in time: a selection that changed later has a higher number.
    pub order: u64,
}

/// Manifest of the present run, with its selection.
#[derive(Clone, Copy, Debug)]
pub struct CurrentSelection<'a> {
    /// The name of the manifest.
    pub manifest: &'a str,
    /// The file; empty if there is none.
    pub file: &'a str,
    /// The people, sorted.
    pub people: &'a [UserId],
}

impl Selections {
    /// Creates the value from stored selections.
    pub fn new(selections: BTreeMap<String, Selection>) -> Self {
        Self(selections)
    }

    /// Returns all selections, by the name of the manifest.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Selection)> {
        self.0.iter().map(|(name, selection)| (name.as_str(), selection))
    }

    /// Returns the number of people that each manifest of a run selected last time, where it is
    /// known.
    ///
    /// A manifest with a new name continues the selection of a name that the run no longer has, if
    /// that one came from the same file; or if its file is gone, and at least half of the people
    /// were selected there. `is_gone` tells if a file is gone.
    pub fn previous(
        &self,
        run: &[CurrentSelection<'_>],
        is_gone: impl Fn(&str) -> bool,
    ) -> BTreeMap<String, u32> {
        let names: BTreeSet<&str> = run.iter().map(|selection| selection.manifest).collect();
        let left: Vec<&Selection> = self
            .0
            .iter()
            .filter(|(name, _)| !names.contains(name.as_str()))
            .map(|(_, selection)| selection)
            .collect();
        let previous = |current: &CurrentSelection<'_>| match self.0.get(current.manifest) {
            Some(known) => Some(known.count),
            None => {
                let continued = left.iter().filter(|selection| {
                    let same_file = !current.file.is_empty() && current.file == selection.file;
                    same_file
                        || (is_gone(&selection.file)
                            && shares_half(current.people, &selection.people))
                });
                merged(continued.copied())
            }
        };
        run.iter()
            .filter_map(|selection| Some((selection.manifest.to_owned(), previous(selection)?)))
            .collect()
    }

    /// Stores the selections of a run. Returns `false` if they were stored already.
    pub fn keep(&mut self, run: &[CurrentSelection<'_>]) -> bool {
        let order = self
            .0
            .values()
            .map(|selection| selection.order)
            .max()
            .unwrap_or_default()
            .saturating_add(1);
        let mut changed = false;
        for CurrentSelection { manifest, file, people } in run {
            let same = self
                .0
                .get(*manifest)
                .is_some_and(|known| known.people == *people && known.file == *file);
            if !same {
                let count = u32::try_from(people.len()).unwrap_or(u32::MAX);
                let selection =
                    Selection { count, people: people.to_vec(), file: (*file).to_owned(), order };
                self.0.insert((*manifest).to_owned(), selection);
                changed = true;
            }
        }
        changed
    }
}

/// Returns `true` if at least half of the people, and at least one, are among others.
fn shares_half(people: &[UserId], others: &[UserId]) -> bool {
    let shared = people.iter().filter(|user| others.binary_search(user).is_ok()).count();
    shared > 0 && shared * 2 >= people.len()
}

/// Returns the number of distinct people in the newest of some selections.
fn merged<'a>(selections: impl Iterator<Item = &'a Selection>) -> Option<u32> {
    let all: Vec<&Selection> = selections.collect();
    let newest = all.iter().map(|selection| selection.order).max()?;
    let newest: Vec<&Selection> =
        all.into_iter().filter(|selection| selection.order == newest).collect();
    let people: BTreeSet<UserId> =
        newest.iter().flat_map(|selection| selection.people.iter().copied()).collect();
    let counted: u32 = newest.iter().map(|selection| selection.count).max().unwrap_or_default();
    Some(u32::try_from(people.len()).unwrap_or(u32::MAX).max(counted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(ids: std::ops::Range<u64>) -> Vec<UserId> {
        ids.map(|id| UserId::new(id).unwrap()).collect()
    }

    fn one<'a>(manifest: &'a str, file: &'a str, people: &'a [UserId]) -> CurrentSelection<'a> {
        CurrentSelection { manifest, file, people }
    }

    #[test]
    fn selections_of_a_renamed_manifest_are_continued() {
        let (many, few, others) = (people(2..102), people(2..5), people(200..203));
        let mut kept = Selections::default();
        assert!(kept.keep(&[one("sales", "sales.yaml", &many)]));
        assert!(!kept.keep(&[one("sales", "sales.yaml", &many)]));
        let previous = |manifest, file, people: &[UserId], gone: bool| {
            kept.previous(&[one(manifest, file, people)], |_| gone).get(manifest).copied()
        };
        assert_eq!(previous("sales", "other.yaml", &few, false), Some(100));
        assert_eq!(previous("renamed", "sales.yaml", &others, false), Some(100));
        assert_eq!(previous("renamed", "moved.yaml", &few, true), Some(100));
        // A second manifest beside the first one, and one of other people, have no previous
        // selection.
        assert_eq!(previous("second", "second.yaml", &few, false), None);
        assert_eq!(previous("second", "second.yaml", &others, true), None);
        let both = kept
            .previous(&[one("sales", "a.yaml", &many), one("new", "sales.yaml", &few)], |_| true);
        assert_eq!(both, BTreeMap::from([("sales".to_owned(), 100)]));
    }

    #[test]
    fn selections_renamed_twice_are_measured_against_the_last_name() {
        let (many, some, few) = (people(2..102), people(2..92), people(2..80));
        let mut kept = Selections::default();
        kept.keep(&[one("first", "a.yaml", &many)]);
        kept.keep(&[one("second", "a.yaml", &some)]);
        assert_eq!(kept.previous(&[one("third", "a.yaml", &few)], |_| false)["third"], 90);
        // Two manifests that became one are counted together.
        kept.keep(&[
            one("left", "a.yaml", &people(2..52)),
            one("right", "a.yaml", &people(40..92)),
        ]);
        assert_eq!(kept.previous(&[one("third", "a.yaml", &few)], |_| false)["third"], 90);
    }
}
