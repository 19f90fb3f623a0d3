//! Labels and selectors, with the syntax and the meaning of Kubernetes.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

/// Maximum length of a key or a value, in bytes.
const MAX_LENGTH: usize = 63;

/// Selector of portals by their labels: requirements that all must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    /// The values; `None` if any value will do.
    values: Option<BTreeSet<String>>,
    /// `true` if the requirement must not hold.
    is_negated: bool,
}

/// Error of a text that is not a selector.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SelectorError {
    /// It is empty.
    #[error("{}", tr!("the selector is empty; leave it out to select every portal"))]
    Empty,
    /// A requirement cannot be read.
    #[error("{}", tr!("cannot read the requirement {text}; there are key=value, key!=value, key in (a,b), key notin (a,b), key and !key", text = format_args!("{_0:?}")))]
    Requirement(String),
}

impl LabelSelector {
    /// Parses a selector such as `ring=canary,country!=de` or `country in (de,at)`.
    ///
    /// # Errors
    ///
    /// If it is empty, or a requirement of it cannot be read.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        if text.trim().is_empty() {
            return Err(SelectorError::Empty);
        }
        let requirements = split(text).map(|part| {
            requirement(part).ok_or_else(|| SelectorError::Requirement(part.to_owned()))
        });
        requirements.collect::<Result<_, _>>().map(Self)
    }

    /// Creates a selector of labels that must have these values.
    pub(super) fn of_labels(labels: BTreeMap<String, String>) -> Self {
        let requirement = |(key, value)| Requirement {
            key,
            values: Some(BTreeSet::from([value])),
            is_negated: false,
        };
        Self(labels.into_iter().map(requirement).collect())
    }

    /// Returns `true` if labels meet all requirements. As in Kubernetes, a negated one holds for a
    /// missing label, too.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|Requirement { key, values, is_negated }| {
            let holds = labels
                .get(key)
                .is_some_and(|value| values.as_ref().is_none_or(|values| values.contains(value)));
            holds != *is_negated
        })
    }
}

/// Splits a selector at the commas outside of parentheses.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
}

fn requirement(text: &str) -> Option<Requirement> {
    let text = text.trim();
    let one = |value: &str| Some(BTreeSet::from([value.trim().to_owned()]));
    let (key, values, is_negated) = if let Some((key, value)) = text.split_once("!=") {
        (key, one(value), true)
    } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        (key, one(value), false)
    } else if let Some(list) = text.strip_suffix(')') {
        let (head, list) = list.split_once('(')?;
        let (key, operator) = head.trim().rsplit_once(char::is_whitespace)?;
        let values = list.split(',').map(|value| value.trim().to_owned()).collect();
        match operator {
            "in" => (key, Some(values), false),
            "notin" => (key, Some(values), true),
            _ => return None,
        }
    } else {
        match text.strip_prefix('!') {
            Some(key) => (key, None, true),
            None => (text, None, false),
        }
    };
    let key = key.trim();
    let is_readable = is_key(key) && values.iter().flatten().all(|value: &String| is_value(value));
    is_readable.then(|| Requirement { key: key.to_owned(), values, is_negated })
}

/// Returns `true` if a text can be the key of a label.
pub(super) fn is_key(text: &str) -> bool {
    !text.is_empty() && is_value(&text.replacen('/', ".", 1))
}

/// Returns `true` if a text can be the value of a label.
pub(super) fn is_value(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.len() <= MAX_LENGTH && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selector_matches_labels_as_kubernetes_does() {
        let labels: BTreeMap<String, String> = [("ring", "canary"), ("country", "de")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        for (text, matches) in [
            ("ring=canary", true),
            ("ring==canary,country=de", true),
            ("ring=canary,country!=de", false),
            ("country in (de,at)", true),
            ("country in ( at , ch )", false),
            ("country notin (at),ring", true),
            ("size!=large", true),
            ("size notin (large)", true),
            ("size", false),
            ("!size,!tier", true),
            ("!ring", false),
        ] {
            assert_eq!(LabelSelector::parse(text).unwrap().matches(&labels), matches, "{text}");
        }
    }

    #[test]
    fn selector_that_cannot_be_read_is_refused() {
        assert_eq!(LabelSelector::parse(" "), Err(SelectorError::Empty));
        for text in ["ring=canary,", "=x", "a b", "a of (b)", "in (a)", "a=b c", "a=(b)", "a in b"]
        {
            let error = LabelSelector::parse(text).unwrap_err();
            assert!(matches!(error, SelectorError::Requirement(_)), "{text}: {error:?}");
        }
    }
}
