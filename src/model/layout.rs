//! Content of one card.
//!
//! A layout is JSON that belongs to the portal: recard never builds one, and must be able to write
//! back every byte of it. The type keeps the text exactly as it came and derives the rest: a digest
//! of the canonical form (keys sorted, numbers and strings as RFC 8785 writes them), by which two
//! layouts are compared, and an [`Outline`] of sections and fields, which is built on demand.
//!
//! This is the only module of `model` that reads JSON: the JSON is the content itself and not a
//! file format of recard.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use thiserror::Error;

use super::Digest;

/// Content of one card, as the portal's `get` returned it.
///
/// Two layouts are equal if their canonical forms are equal: the order of keys and the escapes of
/// letters do not count; list or object, text or number, `[]` or `null` do. Most layouts are lists
/// of sections; older portals may hold any JSON, `false` and objects included, and the type keeps
/// all of it.
///
/// A clone copies a pointer, and an absent layout takes one word: most cards of a large portal have
/// none.
#[derive(Clone)]
pub struct Layout(Arc<Content>);

struct Content {
    text: Box<str>,
    digest: Digest,
    sections: u32,
    fields: u32,
}

/// Error: the text is not a layout.
#[derive(Debug, Error)]
pub enum LayoutError {
    /// The text is not JSON.
    #[error("{}", tr!("the layout is not JSON"))]
    NotJson(#[source] serde_json::Error),
    /// `null`: the portal's answer for a card without a row.
    #[error("{}", tr!("null is no layout, but its absence"))]
    Null,
}

impl Layout {
    /// Parses the JSON text of a layout and keeps it byte for byte.
    ///
    /// # Errors
    ///
    /// If it is not JSON, or `null`.
    pub fn from_json(text: &str) -> Result<Self, LayoutError> {
        let content: Value = serde_json::from_str(text).map_err(LayoutError::NotJson)?;
        if content.is_null() {
            return Err(LayoutError::Null);
        }
        let (sections, fields) = counts(&content);
        let canonical = serde_json_canonicalizer::to_vec(&content).map_err(LayoutError::NotJson)?;
        let digest = Digest::hash(&canonical);
        Ok(Self(Arc::new(Content { text: text.into(), digest, sections, fields })))
    }

    /// Returns the JSON text, byte for byte as it came.
    pub fn as_json(&self) -> &str {
        &self.0.text
    }

    /// Returns the digest of the canonical form.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// Returns the number of sections; 0 if the layout is not a list of sections.
    pub fn sections(&self) -> u32 {
        self.0.sections
    }

    /// Returns the number of fields over all sections.
    pub fn fields(&self) -> u32 {
        self.0.fields
    }

    /// Returns the title of the first section that has one, without building an outline.
    pub fn title(&self) -> Option<String> {
        if self.sections() == 0 {
            return None;
        }
        let sections: Vec<BTreeMap<String, &RawValue>> = serde_json::from_str(&self.0.text).ok()?;
        let mut titles = sections
            .iter()
            .filter_map(|section| serde_json::from_str::<String>(section.get("title")?.get()).ok());
        titles.find(|title| !title.is_empty())
    }

    /// Returns the sections and fields for display.
    pub fn outline(&self) -> Outline {
        // The constructor has parsed the text, and the text is immutable.
        serde_json::from_str(&self.0.text)
            .map(|value| Outline::from_value(&value))
            .unwrap_or_default()
    }
}

impl PartialEq for Layout {
    fn eq(&self, other: &Self) -> bool {
        self.0.digest == other.0.digest
    }
}

impl Eq for Layout {}

impl fmt::Debug for Layout {
    /// Writes counts and digest. The content may be confidential and does not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Layout({} sections, {} fields, {})",
            self.sections(),
            self.fields(),
            self.digest().short()
        )
    }
}

/// Sections and fields of a layout, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The sections from top to bottom.
    pub sections: Vec<Section>,
    /// The whole layout as canonical JSON, if it is not a list of sections.
    pub other: Option<String>,
}

/// Section of a card: a frame with a title around fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The name in the portal's API.
    pub name: String,
    /// The title that people see.
    pub title: String,
    /// The fields from top to bottom.
    pub fields: Vec<Field>,
    /// All other entries that the portal sent for the section: name and canonical JSON, sorted by
    /// name.
    pub other: Vec<(String, String)>,
}

/// Field of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name of the lead's field.
    pub name: String,
    /// All other entries that the portal sent for the field (`optionFlags`, `options`, …): name and
    /// canonical JSON, sorted by name.
    pub other: Vec<(String, String)>,
}

impl Outline {
    fn from_value(value: &Value) -> Self {
        let sections = value
            .as_array()
            .and_then(|items| items.iter().map(Section::from_value).collect::<Option<Vec<_>>>());
        match sections {
            Some(sections) => Self { sections, other: None },
            None => Self { sections: Vec::new(), other: Some(canonical(value)) },
        }
    }
}

/// Counts the sections and fields of an [`Outline`] without building one, because every card that
/// is read is counted.
fn counts(content: &Value) -> (u32, u32) {
    let is_named = |item: &Value| item.get("name").is_some_and(Value::is_string);
    let named = |list: Option<&Value>| {
        let items = list.and_then(Value::as_array).filter(|items| items.iter().all(is_named));
        items.map_or(0, |items| number(items.len()))
    };
    let sections = named(Some(content));
    let fields = content.as_array().filter(|_| sections > 0).into_iter().flatten();
    (sections, fields.map(|section| named(section.get("elements"))).sum())
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Section {
    /// Reads an entry as a section, if it has the shape of one.
    fn from_value(value: &Value) -> Option<Self> {
        let entry = value.as_object()?;
        let name = entry.get("name")?.as_str()?;
        let elements = entry.get("elements").and_then(Value::as_array);
        let fields = elements
            .and_then(|fields| fields.iter().map(Field::from_value).collect::<Option<Vec<_>>>());
        let kept_apart = |key: &str, value: &Value| match key {
            "name" => true,
            "title" => value.is_string(),
            "type" => value.as_str() == Some("section"),
            "elements" => fields.is_some(),
            _ => false,
        };
        Some(Self {
            name: name.to_owned(),
            title: entry.get("title").and_then(Value::as_str).unwrap_or_default().to_owned(),
            other: rest(entry, kept_apart),
            fields: fields.unwrap_or_default(),
        })
    }
}

impl Field {
    fn from_value(value: &Value) -> Option<Self> {
        let entry = value.as_object()?;
        let name = entry.get("name")?.as_str()?.to_owned();
        Some(Self { name, other: rest(entry, |key, _| key == "name") })
    }
}

/// Returns the entries without a field of their own in the outline, sorted by name.
fn rest(
    entry: &serde_json::Map<String, Value>,
    kept_apart: impl Fn(&str, &Value) -> bool,
) -> Vec<(String, String)> {
    let mut rest: Vec<_> = entry
        .iter()
        .filter(|(key, value)| !kept_apart(key, value))
        .map(|(key, value)| (key.clone(), canonical(value)))
        .collect();
    rest.sort();
    rest
}

fn canonical(value: &Value) -> String {
    serde_json_canonicalizer::to_string(value).unwrap_or_else(|_| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kept_byte_for_byte_and_compared_by_meaning() {
        let sent = r#"[{"title":"a\/b","name":"main","type":"section","elements":[]}]"#;
        let layout = Layout::from_json(sent).unwrap();
        assert_eq!(layout.as_json(), sent);
        let same = Layout::from_json(
            r#"[ {"name":"main","type":"section","title":"a/b","elements":[]} ]"#,
        )
        .unwrap();
        assert_eq!(layout, same);
    }

    #[test]
    fn layouts_that_differ_for_the_portal_differ() {
        let texts = [
            "[]",
            "{}",
            "false",
            "\"\"",
            r#"[{"name":"m","optionFlags":1}]"#,
            r#"[{"name":"m","optionFlags":"1"}]"#,
        ];
        for (index, one) in texts.iter().enumerate() {
            for other in &texts[index + 1..] {
                assert_ne!(
                    Layout::from_json(one).unwrap(),
                    Layout::from_json(other).unwrap(),
                    "{one} {other}"
                );
            }
        }
        assert!(matches!(Layout::from_json("null"), Err(LayoutError::Null)));
        assert!(matches!(Layout::from_json("<html>"), Err(LayoutError::NotJson(_))));
    }

    /// The digests are stored in backups, journals and plan files.
    #[test]
    fn layout_has_the_digest_that_earlier_versions_stored() {
        for (text, digest) in [
            ("[]", "4f53cda18c2b"),
            ("false", "fcbcf165908d"),
            ("[1.0,1e2,-0.0,0.1,1e21,1e-7]", "07bc16704fcb"),
            ("[9007199254740993,18446744073709551615,-9223372036854775808]", "954bb929d2b9"),
            (r#"{"b":1,"a":1,"\u0061":2,"c":0,"a":3,"b":4}"#, "8288876506ae"),
            (r#"{"\u00e9":1,"z":2,"\ue000":3,"\ud83d\ude00":4}"#, "77b907f7e4d9"),
            (r#"[{"name":"a\/b","title":"\u041f \u0001\u007f\"\\\n"}]"#, "f3477bdb23a0"),
            (
                r#"[{"title":"Main","name":"main","type":"section","elements":[{"optionFlags":"1","name":"TITLE"}]}]"#,
                "111d9815117c",
            ),
            (
                r#"[{"name":"main","elements":[{"name":"ADDRESS","options":{"defaultCountry":"DE"}}]}]"#,
                "18ad726bca14",
            ),
            (r#"{"1":{"name":"main"}}"#, "06f7a87a638e"),
            (r#"[{"name":"m","optionFlags":1}]"#, "2edfe0958aaa"),
            (r#"[{"name":"m","optionFlags":"1"}]"#, "6da85ae562bf"),
        ] {
            assert_eq!(Layout::from_json(text).unwrap().digest().short(), digest, "{text}");
        }
    }

    #[test]
    fn counts_and_title_are_those_of_the_outline() {
        let texts = [
            "[]",
            "{}",
            "false",
            r#"[{"name":"a"}]"#,
            r#"[{"name":"a"},7]"#,
            r#"[{"name":7}]"#,
            r#"{"name":"a"}"#,
            r#"[{"name":"a","elements":[{"name":"F"},{"name":"G"}]},{"name":"b","elements":{"0":{"name":"F"}}}]"#,
            r#"[{"name":"a","elements":[{"name":"F"},{}]},{"name":"b","elements":[{"name":"F"}]},{"name":"c","elements":"x"}]"#,
            r#"[{"name":"a","elements":[{"name":"F"}]},{"title":"b"}]"#,
            r#"[{"name":"a","title":7},{"name":"b","title":""},{"name":"c","title":"x","title":"\u0441"}]"#,
        ];
        for text in texts {
            let layout = Layout::from_json(text).unwrap();
            let Outline { sections, other: _ } = layout.outline();
            let fields: usize = sections.iter().map(|section| section.fields.len()).sum();
            assert_eq!(
                (layout.sections() as usize, layout.fields() as usize),
                (sections.len(), fields),
                "{text}"
            );
            let mut titles = sections.into_iter().map(|section| section.title);
            assert_eq!(layout.title(), titles.find(|title| !title.is_empty()), "{text}");
        }
    }

    #[test]
    fn layout_outline_keeps_every_key() {
        let text = r#"[{"name":"main","title":"Main","type":"section","colour":"red",
            "elements":[{"name":"TITLE","optionFlags":"1"},{"name":"ADDRESS","options":{"defaultCountry":"DE"}}]}]"#;
        let layout = Layout::from_json(text).unwrap();
        assert_eq!((layout.sections(), layout.fields()), (1, 2));
        let outline = layout.outline();
        let section = &outline.sections[0];
        assert_eq!((section.name.as_str(), section.title.as_str()), ("main", "Main"));
        assert_eq!(section.other, [("colour".to_owned(), "\"red\"".to_owned())]);
        assert_eq!(
            section.fields[1].other,
            [("options".to_owned(), r#"{"defaultCountry":"DE"}"#.to_owned())]
        );

        let odd = Layout::from_json(r#"{"1":{"name":"main"}}"#).unwrap();
        assert_eq!(odd.outline().other.as_deref(), Some(r#"{"1":{"name":"main"}}"#));
        let odd_elements =
            Layout::from_json(r#"[{"name":"main","elements":"x","title":7,"type":"column"}]"#)
                .unwrap();
        assert_eq!(odd_elements.outline().sections[0].other.len(), 3);
    }
}
