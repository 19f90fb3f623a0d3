//! Lists in pages of fifty.

use crate::php::PhpValue;

/// Number of rows on a page.
const PAGE: usize = 50;

/// Page of a list, with the other fields of the answer.
#[derive(Debug)]
pub(super) struct MethodResult {
    pub(super) rows: PhpValue,
    pub(super) total: Option<usize>,
    pub(super) next: Option<usize>,
}

/// Range of rows on a page.
#[derive(Debug)]
pub(super) struct PageRange {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) total: usize,
    pub(super) next: Option<usize>,
}

/// Returns the page of a `start`. A negative one shows the first page and counts nothing.
pub(super) fn page(start: Option<&PhpValue>, rows: usize) -> PageRange {
    let start = start.map_or(0, PhpValue::to_int);
    let Ok(from) = usize::try_from(start) else {
        return PageRange { from: 0, to: rows.min(PAGE), total: 0, next: None };
    };
    let from = from.min(rows);
    let to = (from + PAGE).min(rows);
    PageRange { from, to, total: rows, next: (to < rows).then_some(to) }
}

/// Returns the page as [`page`], for lists that are read by whole pages: a `start` within a page
/// gives that page, and one beyond the end the first.
pub(super) fn whole_page(start: Option<&PhpValue>, rows: usize) -> PageRange {
    let start = start.map_or(0, PhpValue::to_int);
    let begin = start - start.rem_euclid(PAGE as i64);
    let is_beyond = usize::try_from(begin).is_ok_and(|begin| begin >= rows);
    page(Some(&PhpValue::Int(if start >= 0 && is_beyond { 0 } else { begin })), rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(page: &PageRange) -> (usize, usize, usize, Option<usize>) {
        let PageRange { from, to, total, next } = page;
        (*from, *to, *total, *next)
    }

    #[test]
    fn page_begins_anywhere_or_at_whole_pages_only() {
        let start = |number: i64| Some(PhpValue::Int(number));
        for (number, any, whole) in [
            (0, (0, 50, 74, Some(50)), (0, 50, 74, Some(50))),
            (10, (10, 60, 74, Some(60)), (0, 50, 74, Some(50))),
            (60, (60, 74, 74, None), (50, 74, 74, None)),
            (100, (74, 74, 74, None), (0, 50, 74, Some(50))),
            (-1, (0, 50, 0, None), (0, 50, 0, None)),
        ] {
            assert_eq!(shown(&page(start(number).as_ref(), 74)), any, "{number}");
            assert_eq!(shown(&whole_page(start(number).as_ref(), 74)), whole, "{number}");
        }
        assert_eq!(shown(&whole_page(None, 0)), (0, 0, 0, None));
    }
}
