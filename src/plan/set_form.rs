//! Form in which a portal stores a layout that it is sent.
//!
//! `get` shows more than `set` takes: the own titles of fields, data of sections and unknown keys
//! are dropped without a word, and some layouts are refused (behavior notes, sections 5.1, 5.3 and
//! 5.6). Both are known before a card is reset.

use serde_json::{Map, Value};

use crate::model::{Layout, ReadTrust, TrustEvidence};

/// Form in which a portal stores a layout that it is sent: sections with the keys that `set` keeps.
#[derive(Clone, Debug)]
pub struct SetForm(Vec<Value>);

/// Part of a layout that a restore cannot put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreLoss {
    /// Nothing: the layout comes back as it was.
    Nothing,
    /// Keys that `set` drops, such as the own titles of fields.
    Part,
    /// The whole layout: `set` refuses it.
    Everything,
}

impl RestoreLoss {
    /// Returns what a restore of a layout loses. A layout that only some portals take counts as
    /// refused: one with a number as a title, which portals of mid 2025 and before take, and one
    /// with a blank title, unless the trust shows that the portal is newer.
    pub fn from_layout(layout: &Layout, trust: ReadTrust) -> Self {
        let takes_blank = trust == ReadTrust::Trusted(TrustEvidence::WholeSeconds);
        let content = serde_json::from_str(layout.as_json()).unwrap_or_default();
        match SetForm::from_content(&content) {
            Some(form) if form.has_titles(takes_blank) => match content.as_array() {
                Some(sections) if *sections == form.0 => Self::Nothing,
                _ => Self::Part,
            },
            _ => Self::Everything,
        }
    }
}

impl SetForm {
    /// Returns the form of a layout; `None` if every portal refuses the layout.
    pub fn new(layout: &Layout) -> Option<Self> {
        Self::from_content(&serde_json::from_str(layout.as_json()).ok()?)
    }

    fn from_content(content: &Value) -> Option<Self> {
        let sections = list(content)?;
        let is_column = |first: &Value| first.get("type").is_some_and(|kind| kind == "column");
        let sections = match sections.first() {
            Some(column) if is_column(column) => list(column.get("elements")?)?,
            _ => sections,
        };
        let form: Vec<Value> = sections.into_iter().map(section).collect::<Option<_>>()?;
        (!form.is_empty()).then_some(Self(form))
    }

    /// Returns `true` if a card that was sent the layout can show another one afterwards. The
    /// protective filter inserts blanks and `*` into texts, and numbers of a batch become texts.
    pub fn can_be_shown_as(&self, there: &Layout) -> bool {
        let there: Option<Value> = serde_json::from_str(there.as_json()).ok();
        there.is_some_and(|there| are_alike(&Value::Array(self.0.clone()), &there))
    }

    fn has_titles(&self, takes_blank: bool) -> bool {
        self.0.iter().all(|section| {
            let title = section.get("title").and_then(Value::as_str);
            title.is_some_and(|title| takes_blank || !title.trim().is_empty())
        })
    }
}

/// Returns the items of a list, or of an object that PHP reads as one: its keys are 0, 1, 2, ….
fn list(value: &Value) -> Option<Vec<&Value>> {
    match value {
        Value::Array(items) => Some(items.iter().collect()),
        Value::Object(entries) => entries
            .iter()
            .enumerate()
            .map(|(index, (key, item))| (*key == index.to_string()).then_some(item))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn section(sent: &Value) -> Option<Value> {
    let sent = sent.as_object()?;
    if sent.get("type").is_some_and(|kind| !kind.is_null() && kind != "section") {
        return None;
    }
    let title = sent.get("title").filter(|title| match title {
        Value::String(_) | Value::Number(_) => true,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    })?;
    let elements = match sent.get("elements") {
        Some(elements @ (Value::Array(_) | Value::Object(_))) => {
            list(elements)?.into_iter().map(element).collect::<Option<_>>()?
        }
        _ => Vec::new(),
    };
    let entries = [
        ("type", Value::from("section")),
        ("name", name(sent)?.clone()),
        ("title", title.clone()),
        ("elements", Value::Array(elements)),
    ];
    Some(object(entries))
}

fn element(sent: &Value) -> Option<Value> {
    let sent = sent.as_object()?;
    let is_kept = |key: &str, value: &Value| match key {
        "optionFlags" => match value {
            Value::Number(_) => true,
            Value::String(text) => text.trim().parse::<f64>().is_ok(),
            _ => false,
        },
        "options" => value.is_array() || value.is_object(),
        _ => false,
    };
    let kept = ["optionFlags", "options"].into_iter().filter_map(|key| {
        let value = sent.get(key).filter(|value| is_kept(key, value))?;
        Some((key, value.clone()))
    });
    Some(object([("name", name(sent)?.clone())].into_iter().chain(kept)))
}

/// Returns the name of a section or field, unless it is missing or blank.
fn name(sent: &Map<String, Value>) -> Option<&Value> {
    sent.get("name").filter(|name| match name {
        Value::String(name) => !name.trim().is_empty(),
        Value::Number(_) => true,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    })
}

fn object<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Compares a form with what a card shows.
fn are_alike(form: &Value, there: &Value) -> bool {
    match (form, there) {
        (Value::Array(form), Value::Array(there)) => {
            form.len() == there.len()
                && form.iter().zip(there).all(|(form, there)| are_alike(form, there))
        }
        (Value::Object(form), Value::Object(there)) => {
            let is_found = |other: &Map<String, Value>, key: &String, value: &Value| {
                other.get(key).map_or_else(|| is_empty(value), |other| are_alike(value, other))
            };
            form.iter().all(|(key, value)| is_found(there, key, value))
                && there.iter().all(|(key, value)| form.contains_key(key) || is_empty(value))
        }
        // An empty object is shown as an empty list.
        (Value::Object(_) | Value::Array(_), _) => is_empty(form) && is_empty(there),
        (form, there) => text(form) == text(there),
    }
}

/// Returns `true` for a value that a form leaves out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Returns a value as a form holds it, without the characters that the filter inserts.
fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(true) => "1".to_owned(),
        Value::Bool(false) | Value::Null => String::new(),
        Value::Array(_) | Value::Object(_) => return None,
    };
    Some(text.chars().filter(|sign| !sign.is_whitespace() && *sign != '*').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: ReadTrust = ReadTrust::Trusted(TrustEvidence::WholeSeconds);

    fn layout(json: &str) -> Layout {
        Layout::from_json(json).unwrap()
    }

    fn section(title: &str, more: &str, elements: &str) -> String {
        format!(r#"[{{"name":"m","type":"section","title":{title}{more},"elements":{elements}}}]"#)
    }

    #[test]
    fn loss_of_a_restore_is_known_before_a_reset() {
        let plain = section(r#""T""#, "", r#"[{"name":"A","optionFlags":"1"},{"name":"B"}]"#);
        assert_eq!(RestoreLoss::from_layout(&layout(&plain), NEW), RestoreLoss::Nothing);
        let options = section(r#""""#, "", r#"[{"name":"A","options":{"defaultCountry":"DE"}}]"#);
        assert_eq!(RestoreLoss::from_layout(&layout(&options), NEW), RestoreLoss::Nothing);
        for part in [
            section(r#""T""#, "", r#"[{"name":"A","title":"own"}]"#),
            section(r#""T""#, r#","data":{"a":1}"#, "[]"),
            section(r#""T""#, "", "null"),
            section(r#""T""#, "", r#"[{"name":"A","optionFlags":"x"}]"#),
        ] {
            assert_eq!(RestoreLoss::from_layout(&layout(&part), NEW), RestoreLoss::Part, "{part}");
        }
        for refused in [
            "[]",
            "{}",
            "false",
            r#""text""#,
            r#"{"1":{"name":"m","title":"T"}}"#,
            r#"[{"name":"m","title":"T","type":"included_area"}]"#,
            r#"[{"name":"m"}]"#,
            r#"[{"title":"T"}]"#,
            r#"["text"]"#,
            &section("7", "", "[]"),
            &section(r#""T""#, "", r#"[{"title":"x"}]"#),
            &section(r#""T""#, "", r#"{"1":{"name":"A"},"3":{"name":"B"}}"#),
        ] {
            assert_eq!(
                RestoreLoss::from_layout(&layout(refused), NEW),
                RestoreLoss::Everything,
                "{refused}"
            );
        }
    }

    #[test]
    fn blank_title_comes_back_on_a_portal_that_surely_is_newer_alone() {
        for blank in [r#""""#, r#"" \t""#] {
            let layout = layout(&section(blank, "", r#"[{"name":"A"}]"#));
            assert_eq!(RestoreLoss::from_layout(&layout, NEW), RestoreLoss::Nothing);
            let evidence = TrustEvidence::ALL.into_iter().map(ReadTrust::Trusted);
            let unknown = [ReadTrust::NotTrusted, ReadTrust::Unproven];
            for trust in evidence.chain(unknown).filter(|trust| *trust != NEW) {
                assert_eq!(
                    RestoreLoss::from_layout(&layout, trust),
                    RestoreLoss::Everything,
                    "{trust:?}"
                );
            }
        }
    }

    #[test]
    fn card_shows_what_set_keeps_and_nothing_else() {
        let sent = section(r#""a < b""#, "", r#"[{"name":"A","title":"own","optionFlags":1}]"#);
        let form = SetForm::new(&layout(&sent)).unwrap();
        for shown in [
            section(r#""a < b""#, "", r#"[{"name":"A","optionFlags":"1"}]"#),
            section(r#""a < * b""#, "", r#"[{"name":"A","optionFlags":1,"options":[]}]"#),
        ] {
            assert!(form.can_be_shown_as(&layout(&shown)), "{shown}");
        }
        for other in [
            section(r#""a < c""#, "", r#"[{"name":"A","optionFlags":"1"}]"#),
            section(r#""a < b""#, "", r#"[{"name":"A"}]"#),
            section(r#""a < b""#, "", r#"[{"name":"A","optionFlags":"1","title":"other"}]"#),
            section(r#""a < b""#, "", r#"[{"name":"A","optionFlags":"1"},{"name":"B"}]"#),
            section(r#""a < b""#, "", "[]"),
            "[]".to_owned(),
        ] {
            assert!(!form.can_be_shown_as(&layout(&other)), "{other}");
        }
    }
}
