//! Rows of the options table that hold cards.
//!
//! Behavior notes, section 6: the current release stores names in lower case and finds every
//! spelling; older ones keep the spelling, and only `get` tells spellings apart.

use crate::encode;
use crate::option_rows::{CATEGORY, CardRow, MAX_USER_ID, OptionKey, OptionRow};
use crate::php::PhpValue;
use crate::state::{PortalState, Release};

fn key(user: i64, name: &str) -> OptionKey {
    (user, CATEGORY.to_owned(), name.to_lowercase())
}

impl PortalState {
    /// Returns a row as `get` finds it: older releases tell spellings of the name apart.
    pub(super) fn row(&self, user: i64, name: &str) -> Option<&OptionRow> {
        let any_spelling = self.release == Release::Current;
        self.row_of_any_spelling(user, name).filter(|row| any_spelling || row.name == name)
    }

    /// Returns a row as `reset` finds it.
    pub(super) fn row_of_any_spelling(&self, user: i64, name: &str) -> Option<&OptionRow> {
        self.rows.get(&key(user, name))
    }

    /// Stores a row; an existing one keeps the spelling of its name. Ids that the database cannot
    /// hold are clamped to the largest.
    pub(super) fn store(&mut self, user: i64, name: &str, common: bool, value: PhpValue) {
        let key = key(user.clamp(-MAX_USER_ID - 1, MAX_USER_ID), name);
        let name = match (self.rows.get(&key), self.release) {
            (Some(row), _) => row.name.clone(),
            (None, Release::Current) => name.to_lowercase(),
            (None, Release::Mid | Release::LegacyRead) => name.to_owned(),
        };
        self.changes += 1;
        self.rows.insert(key, OptionRow { name, common, value });
    }

    /// Returns all rows of cards, by owner and name.
    pub(super) fn card_rows(&self) -> Vec<CardRow> {
        let rows = self.rows.iter().filter(|((_, category, _), _)| category == CATEGORY);
        let row = |((user, _, _), row): (&OptionKey, &OptionRow)| CardRow {
            user: *user,
            name: row.name.clone(),
            common: row.common,
            value: encode::value(&row.value),
        };
        rows.map(row).collect()
    }

    /// Puts a row, with the spelling of its name, in place of one of any spelling.
    pub(super) fn put(&mut self, row: CardRow) {
        let CardRow { user, name, common, value } = row;
        self.changes += 1;
        let key = key(user, &name);
        self.rows.insert(key, OptionRow { name, common, value: PhpValue::from(value) });
    }

    /// Removes a row of any spelling; returns `true` if there was one.
    pub(super) fn remove(&mut self, user: i64, name: &str) -> bool {
        let removed = self.rows.remove(&key(user, name)).is_some();
        self.changes += u64::from(removed);
        removed
    }

    /// Removes the rows with these names, in lower case, of all owners; returns their number.
    pub(super) fn remove_everywhere(&mut self, names: &[String]) -> usize {
        let before = self.rows.len();
        self.rows.retain(|(_, category, name), _| category != CATEGORY || !names.contains(name));
        let removed = before - self.rows.len();
        self.changes += removed as u64;
        removed
    }
}
