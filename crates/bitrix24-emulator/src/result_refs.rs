//! References of a batch to the results of earlier commands: `$result[user][0][ID]`.
//!
//! Behavior notes, section 9.5: an incomplete path gives the last value on it.

use crate::php::{PhpArray, PhpKey, PhpValue};

/// Results of the commands so far, by kind.
#[derive(Clone, Debug, Default)]
pub(super) struct BatchResults {
    pub(super) result: PhpArray,
    pub(super) error: PhpArray,
    pub(super) total: PhpArray,
    pub(super) next: PhpArray,
    pub(super) time: PhpArray,
}

/// Replaces every reference in the values of a command.
pub(super) fn resolve(parameters: &mut PhpArray, results: &BatchResults) {
    for value in parameters.values_mut() {
        match value {
            PhpValue::Text(text) if text.contains('$') => {
                if let Some(found) = replaced(text, results) {
                    *value = found;
                }
            }
            PhpValue::Array(array) => resolve(array, results),
            _ => {}
        }
    }
}

fn replaced(text: &str, results: &BatchResults) -> Option<PhpValue> {
    if let Some((kind, path)) = reference(text)
        && text.ends_with(']')
        && !text.contains(char::is_whitespace)
    {
        return Some(look_up(results, kind, path));
    }
    let mut out = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let end = from.find(char::is_whitespace).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        match reference(word)
            .map(|(kind, path)| look_up(results, kind, path))
            .and_then(|found| found.scalar_text())
        {
            Some(found) => {
                out.push_str(&found);
                changed = true;
                rest = after;
            }
            None => {
                out.push('$');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    changed.then_some(PhpValue::Text(out))
}

/// Splits `$result[a][b]` into its kind and the brackets.
fn reference(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix('$')?;
    let at = rest.find('[')?;
    let (kind, path) = rest.split_at(at);
    let known = ["result", "error", "total", "next", "time"]
        .iter()
        .any(|name| kind.eq_ignore_ascii_case(name));
    (known && path.contains(']')).then_some((kind, path))
}

fn look_up(results: &BatchResults, kind: &str, path: &str) -> PhpValue {
    let start = match kind {
        "result" => &results.result,
        "error" => &results.error,
        "total" => &results.total,
        "next" => &results.next,
        "time" => &results.time,
        // In capitals it counts as a reference without a result.
        _ => return PhpValue::Null,
    };
    let mut found = PhpValue::Array(start.clone());
    for step in path.split('[').skip(1) {
        let step = step.split(']').next().unwrap_or_default();
        let PhpValue::Array(array) = &found else { break };
        let Some(next) = array.get(&PhpKey::from(step)) else { break };
        found = next.clone();
    }
    found
}
