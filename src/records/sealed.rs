//! Sealed document: one JSON object with its format, its version and a seal.
//!
//! The seal is the SHA-256 sum of the canonical form (RFC 8785) of all other fields of the object.
//! The order of keys and white space do not count; every value does.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{FormatError, no_duplicate_keys};
use crate::diagnostic::mask;
use crate::model::Digest;

/// Name of a format and the newest version that this recard reads and writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordFormat {
    /// The name, as in `recard.NAME/v1`.
    pub(super) name: &'static str,
    /// The version.
    pub(super) version: u32,
}

impl RecordFormat {
    /// Returns the content of the field `format`.
    pub(super) fn text(self) -> String {
        format!("recard.{}/v{}", self.name, self.version)
    }

    /// Checks the content of a field `format`.
    pub(super) fn check(self, found: &str) -> Result<(), FormatError> {
        let Self { name, version: known } = self;
        let digits = found
            .strip_prefix("recard.")
            .and_then(|rest| rest.strip_prefix(name))
            .and_then(|rest| rest.strip_prefix("/v"))
            .filter(|digits| {
                !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
            });
        match digits.and_then(|digits| digits.parse::<u32>().ok()) {
            Some(version) if version <= known => Ok(()),
            Some(found) => Err(FormatError::TooNew { found, known }),
            None => Err(FormatError::OtherFormat { found: found.to_owned(), wanted: name }),
        }
    }

    /// Checks the field `format` of an unchecked object.
    pub(super) fn check_object(self, object: &Map<String, Value>) -> Result<(), FormatError> {
        self.check(object.get("format").and_then(Value::as_str).unwrap_or_default())
    }
}

/// Encodes content as a sealed document, in canonical form with a line end.
pub(super) fn seal(format: RecordFormat, content: &impl Serialize) -> Result<Vec<u8>, FormatError> {
    #[derive(Serialize)]
    struct Sealed<'a, T> {
        #[serde(flatten)]
        content: &'a T,
        format: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        seal: Option<Digest>,
    }

    let mut sealed = Sealed { content, format: format.text(), seal: None };
    sealed.seal = Some(canonical_digest(&sealed)?);
    let bytes = serde_json_canonicalizer::to_vec(&sealed).map_err(FormatError::not_writable)?;
    finished(bytes)
}

/// Encodes a sealed document from a struct whose fields are declared in the order of their names,
/// throughout, `format` and the seal included. The output of serde is then the canonical form, and
/// no value has to be held for sorting. `form` builds the struct with the given seal.
pub(super) fn seal_sorted<T: Serialize>(
    form: impl Fn(Option<Digest>) -> T,
) -> Result<Vec<u8>, FormatError> {
    let seal = sorted_digest(&form(None))?;
    let bytes = serde_json::to_vec(&form(Some(seal))).map_err(FormatError::not_writable)?;
    finished(bytes)
}

/// Finishes a sealed document in canonical form. Known secrets are covered, and then the document
/// is sealed anew.
fn finished(mut bytes: Vec<u8>) -> Result<Vec<u8>, FormatError> {
    if let Some(masked) = masked(&bytes) {
        let mut object: Map<String, Value> =
            serde_json::from_str(&masked).map_err(FormatError::not_writable)?;
        object.remove("seal");
        let seal = canonical_digest(&object)?;
        object.insert("seal".to_owned(), Value::String(seal.to_string()));
        bytes = serde_json_canonicalizer::to_vec(&object).map_err(FormatError::not_writable)?;
    }
    bytes.push(b'\n');
    Ok(bytes)
}

/// Returns JSON with its known secrets covered, if it holds one. The mask covers complete escapes,
/// so the result is JSON.
pub(super) fn masked(json: &[u8]) -> Option<String> {
    match mask(std::str::from_utf8(json).ok()?) {
        Cow::Borrowed(_) => None,
        Cow::Owned(masked) => Some(masked),
    }
}

/// Computes the digest of the canonical form of a value whose fields are declared in the order of
/// their names, throughout.
pub(super) fn sorted_digest(value: &impl Serialize) -> Result<Digest, FormatError> {
    Digest::hash_json(value).map_err(FormatError::not_writable)
}

/// Decodes the content of a sealed document.
pub(super) fn unseal<T: DeserializeOwned>(
    format: RecordFormat,
    bytes: &[u8],
) -> Result<T, FormatError> {
    let Value::Object(mut object) = no_duplicate_keys::value(bytes)? else {
        return Err(FormatError::OtherFormat { found: String::new(), wanted: format.name });
    };
    // The version comes before the seal: a newer recard may seal in another way, and must be
    // reported as newer, not as damaged.
    format.check_object(&object)?;
    let seal = object.remove("seal");
    let wanted = seal.as_ref().and_then(Value::as_str).and_then(|text| text.parse::<Digest>().ok());
    if wanted != Some(canonical_digest(&object)?) {
        return Err(FormatError::Altered("seal"));
    }
    object.remove("format");
    serde_json::from_value(Value::Object(object)).map_err(FormatError::invalid)
}

/// Computes the digest of the canonical form of a value.
pub(super) fn canonical_digest(value: &impl Serialize) -> Result<Digest, FormatError> {
    Digest::hash_written(|mut sum| serde_json_canonicalizer::to_writer(value, &mut sum))
        .map_err(FormatError::not_writable)
}

/// Converts a struct to a JSON object.
pub(super) fn as_object(content: &impl Serialize) -> Result<Map<String, Value>, FormatError> {
    match serde_json::to_value(content).map_err(FormatError::not_writable)? {
        Value::Object(object) => Ok(object),
        other => Err(FormatError::NotWritable(format!("{other} is no object"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: RecordFormat = RecordFormat { name: "test", version: 2 };

    #[test]
    fn document_may_be_laid_out_anew_but_not_altered() {
        let sealed = seal(FORMAT, &serde_json::json!({"b": [1, 2], "a": "x"})).unwrap();
        let value: Value = serde_json::from_slice(&sealed).unwrap();
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let read: Value = unseal(FORMAT, pretty.as_bytes()).unwrap();
        assert_eq!(read, serde_json::json!({"a": "x", "b": [1, 2]}));
        let edited = pretty.replace("\"x\"", "\"y\"");
        assert!(matches!(
            unseal::<Value>(FORMAT, edited.as_bytes()),
            Err(FormatError::Altered("seal"))
        ));
    }

    #[test]
    fn document_holds_no_known_secret_and_fits_its_seal() {
        crate::diagnostic::register_secret("d0cument-s3cret-0001");
        let content =
            serde_json::json!({"a": "x%64%30cument-s3cret-0001\"", "z": ["D0CUMENT-S3CRET-0001"]});
        let masked = serde_json::json!({"a": "x***\"", "z": ["***"]});
        let read: Value = unseal(FORMAT, &seal(FORMAT, &content).unwrap()).unwrap();
        assert_eq!(read, masked);
        let form = |seal: Option<Digest>| {
            let mut form =
                serde_json::json!({"a": content["a"], "format": FORMAT.text(), "z": content["z"]});
            form.as_object_mut()
                .unwrap()
                .extend(seal.map(|seal| ("seal".to_owned(), Value::String(seal.to_string()))));
            form.sort_all_objects();
            form
        };
        let read: Value = unseal(FORMAT, &seal_sorted(form).unwrap()).unwrap();
        assert_eq!(read, masked);
    }

    #[test]
    fn older_versions_are_read_and_newer_ones_are_refused_by_name() {
        assert!(FORMAT.check("recard.test/v1").is_ok());
        assert!(FORMAT.check("recard.test/v2").is_ok());
        assert!(matches!(
            FORMAT.check("recard.test/v3"),
            Err(FormatError::TooNew { found: 3, known: 2 })
        ));
        for text in [
            "",
            "recard.test",
            "recard.test/v",
            "recard.test/v01",
            "recard.test/v+1",
            "recard.tests/v1",
        ] {
            assert!(matches!(FORMAT.check(text), Err(FormatError::OtherFormat { .. })), "{text}");
        }
    }

    #[test]
    fn sealed_document_that_is_no_object_is_of_no_format() {
        for text in ["[]", "null", "7", "\"recard.test/v1\"", "{}"] {
            assert!(
                matches!(
                    unseal::<Value>(FORMAT, text.as_bytes()),
                    Err(FormatError::OtherFormat { .. })
                ),
                "{text}"
            );
        }
        assert!(matches!(unseal::<Value>(FORMAT, b""), Err(FormatError::NotJson(_))));
    }
}
