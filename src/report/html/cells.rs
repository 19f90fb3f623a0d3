//! Cells of the table: what the numbers of a row point to.

use serde::Serialize;

use crate::i18n::Text;
use crate::report::report_model::{Row, RowGroup};

/// Index that points to nothing.
pub(super) const NOTHING: i64 = -1;

/// Index of a layout that is reset without reading.
pub(super) const NOT_READ: i64 = -2;

/// Index in place of a layout that is put back over a card at its default.
pub(super) const AT_DEFAULT: i64 = -3;

/// Decision, kind of drift or outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Badge {
    /// The word for people.
    pub(super) label: String,
    /// The color.
    pub(super) tone: &'static str,
    /// `true` if its rows are hidden at first.
    pub(super) off: bool,
}

/// Place in the manifests, as indexes of texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct OriginData {
    pub(super) place: usize,
    pub(super) selector: usize,
    pub(super) because: usize,
    pub(super) commit: usize,
    pub(super) manifest: usize,
}

/// Card in a view: the words for it, and its layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seen {
    pub(super) card: i64,
    pub(super) layout: i64,
    pub(super) built_in: bool,
}

/// Cards that are seen in each view. A common card has no personal view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct After {
    pub(super) own: Option<Seen>,
    pub(super) common_now: Seen,
    pub(super) common: Seen,
}

/// Size of a layout, and the number of other cards that have it, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Size {
    pub(super) size: usize,
    pub(super) more: usize,
}

impl Badge {
    /// Returns the badge of a row: its kind of drift, its decision or its outcome.
    pub(super) fn of_row(row: &Row<'_>) -> Self {
        match (row.drift, row.group) {
            (Some(kind), _) => {
                let tone = if kind.is_pending() { "amber" } else { "" };
                Self { label: kind.to_string(), tone, off: false }
            }
            (None, Some(RowGroup::CustomizedAgain)) => {
                Self { label: tr!("customized again").into(), tone: "amber", off: false }
            }
            (None, _) => Self::from_word(row.word),
        }
    }

    /// Returns the badge of a word.
    pub(super) fn from_word(word: &'static str) -> Self {
        let (label, tone, off) = match word {
            "reset" => (tr!("reset"), "red", false),
            "restore" => (tr!("put back"), "green", false),
            "hold" | "held" => (tr!("hold"), "amber", false),
            "keep" => (tr!("keep"), "", true),
            "done" => (tr!("done"), "green", false),
            "skipped" => (tr!("skipped"), "amber", false),
            "failed" => (tr!("failed"), "red", false),
            "unknown" => (tr!("unknown"), "red", false),
            "" => (tr!("as wanted"), "green", true),
            word => (Text::from(word), "", false),
        };
        Self { label: label.into(), tone, off }
    }
}

/// Returns the position of an item in a short list, to which it is added if it is missing.
pub(super) fn position<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|there| *there == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}

pub(super) fn at<T>(list: &[T], index: i64) -> Option<&T> {
    usize::try_from(index).ok().and_then(|index| list.get(index))
}

pub(super) fn number(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

pub(super) fn capitalized(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map_or_else(String::new, |first| first.to_uppercase().chain(signs).collect())
}
