//! Cache of parsed layouts.
//!
//! A card that is reset is read twice, most often with the same text, and people of one department
//! often have the same layout. The canonical form of a layout takes longer than all other work for
//! a card.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde_json::value::RawValue;

use super::wire::card;
use crate::model::{Layout, LayoutError};

/// Maximum number of cached layouts. The cache is cleared beyond it, so that a program which runs
/// for weeks does not grow.
const MAX_LAYOUTS: usize = 1 << 16;

/// Layouts by their text, byte for byte.
#[derive(Default)]
pub(crate) struct LayoutCache(Mutex<BTreeSet<ByText>>);

impl LayoutCache {
    /// Parses the result of `get`, as [`card::layout`] does.
    pub(crate) fn layout(&self, result: &RawValue) -> Result<Option<Layout>, LayoutError> {
        let mut layouts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ByText(layout)) = layouts.get(result.get()) {
            return Ok(Some(layout.clone()));
        }
        let layout = card::layout(result)?;
        if let Some(new) = &layout {
            if layouts.len() >= MAX_LAYOUTS {
                layouts.clear();
            }
            layouts.insert(ByText(new.clone()));
        }
        Ok(layout)
    }
}

/// Layout with its text as the key. Two texts of equal meaning are two layouts here: each is
/// returned as it came.
struct ByText(Layout);

impl Borrow<str> for ByText {
    fn borrow(&self) -> &str {
        self.0.as_json()
    }
}

impl Ord for ByText {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.as_json().cmp(other.0.as_json())
    }
}

impl PartialOrd for ByText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByText {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByText {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_cache_shares_equal_texts_and_keeps_other_texts_of_the_same_meaning() {
        let layouts = LayoutCache::default();
        let read =
            |text: &str| layouts.layout(&RawValue::from_string(text.to_owned()).unwrap()).unwrap();
        let (tight, loose) = (r#"[{"name":"a"}]"#, r#"[ {"name":"a"} ]"#);
        let first = read(tight).unwrap();
        let again = read(tight).unwrap();
        assert!(std::ptr::eq(first.as_json(), again.as_json()), "it was taken apart again");
        let other = read(loose).unwrap();
        assert_eq!((other.as_json(), &other), (loose, &first));
        assert_eq!(read("null"), None);
    }

    #[test]
    fn layout_cache_over_its_limit_is_cleared() {
        let layouts = LayoutCache::default();
        for number in 0..=MAX_LAYOUTS {
            layouts.layout(&RawValue::from_string(number.to_string()).unwrap()).unwrap();
        }
        assert_eq!(layouts.0.lock().unwrap().len(), 1);
    }
}
