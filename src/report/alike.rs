//! Held cards that are alike: many cards of one kind with one reason are one thing to read.

use std::collections::BTreeMap;

use super::report_model::{Row, RowGroup};

/// Number of held cards of one kind and reason from which on only the first ones are listed.
const MAX_ALIKE: usize = 5;

/// Number of cards that stand for all of a kind and reason.
const FEW_ALIKE: usize = 2;

/// Returns the rows to be listed one by one, and for each kind with many held cards of one reason
/// the number of those that are left out, with the last row before them.
pub(super) fn fold_alike<'r, 'a>(rows: &[&'r Row<'a>]) -> Vec<(&'r Row<'a>, usize)> {
    let alike = |row: &Row<'a>| {
        let is_held = row.group == Some(RowGroup::Held);
        row.key.filter(|_| is_held).map(|key| (key.kind, row.reason_text().to_string()))
    };
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    rows.iter().filter_map(|row| alike(row)).for_each(|kind| *counts.entry(kind).or_insert(0) += 1);
    let mut listed: BTreeMap<_, usize> = BTreeMap::new();
    let mut left = Vec::new();
    for row in rows {
        let Some(kind) = alike(row) else {
            left.push((*row, 0));
            continue;
        };
        let all: usize = counts.get(&kind).copied().unwrap_or_default();
        let so_far = listed.entry(kind).or_default();
        *so_far += 1;
        if all <= MAX_ALIKE || *so_far < FEW_ALIKE {
            left.push((*row, 0));
        } else if *so_far == FEW_ALIKE {
            left.push((*row, all - FEW_ALIKE));
        }
    }
    left
}
