//! Lists in pages of fifty.

use super::php::Php;

/// How many rows a page has.
const PAGE: usize = 50;

/// A page of a list, and what stands beside it in the answer.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) rows: Php,
    pub(super) total: Option<usize>,
    pub(super) next: Option<usize>,
}

/// Which rows to show.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) total: usize,
    pub(super) next: Option<usize>,
}

/// The page that a `start` asks for. A negative one shows the first page and counts nothing.
pub(super) fn page(start: Option<&Php>, rows: usize) -> Page {
    let start = start.map_or(0, Php::to_int);
    let Ok(from) = usize::try_from(start) else {
        return Page { from: 0, to: rows.min(PAGE), total: 0, next: None };
    };
    let from = from.min(rows);
    let to = (from + PAGE).min(rows);
    Page { from, to, total: rows, next: (to < rows).then_some(to) }
}
