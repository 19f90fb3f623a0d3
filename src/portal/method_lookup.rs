//! Availability of a method, by `method.get`.

use bitrix24::{BatchCommand, php_json};
use serde_json::value::RawValue;

use super::methods::METHOD_GET;

/// Availability of a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodAvailability {
    /// The method exists, and the webhook may call it.
    Available,
    /// The method exists, and the webhook lacks the right.
    NotAllowed,
    /// The portal has no such method.
    Missing,
    /// No usable answer.
    Unknown(String),
}

/// Returns the query for the availability of a method. The portal finds a method by its name in
/// lower case only.
pub(super) fn look_up(method: &str) -> BatchCommand {
    BatchCommand::new(METHOD_GET).with("name", &method.to_ascii_lowercase())
}

/// Parses the result of `method.get`.
pub(super) fn availability(json: &RawValue) -> Option<MethodAvailability> {
    let fields = php_json::map(Some(json))?;
    let is = |name: &str| match fields.get(name)?.get() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    Some(match (is("isExisting")?, is("isAvailable")?) {
        (true, true) => MethodAvailability::Available,
        (true, false) => MethodAvailability::NotAllowed,
        (false, _) => MethodAvailability::Missing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn method_is_there_or_not_and_allowed_or_not() {
        let read = |text: &str| availability(&raw(text));
        assert_eq!(
            read(r#"{"isExisting":true,"isAvailable":true}"#),
            Some(MethodAvailability::Available)
        );
        assert_eq!(
            read(r#"{"isExisting":true,"isAvailable":false}"#),
            Some(MethodAvailability::NotAllowed)
        );
        assert_eq!(
            read(r#"{"isExisting":false,"isAvailable":false}"#),
            Some(MethodAvailability::Missing)
        );
        assert_eq!(read("[]"), None);
    }
}
