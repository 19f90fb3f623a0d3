//! Escapes of a page: text in the document, and data in a `script` element.

use serde::Serialize;

use crate::diagnostic::strip_controls;
use crate::report::escape;

/// Escapes text for a place in the document or in an attribute.
pub(in crate::report) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in strip_controls(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Returns a value as JSON that can stand in a `script` element.
pub(super) fn data(value: &(impl Serialize + ?Sized)) -> String {
    // These values have text keys and whole numbers only, which JSON can always hold.
    let document = serde_json::to_string(value).unwrap_or_default();
    escape::json(&document).replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_other_people_is_no_markup() {
        let trap = "</script><!-- ]]> \" ' & \u{202e}";
        let shown = text(trap);
        assert!(!shown.contains(['<', '>', '"', '\'', '\u{202e}']), "{shown}");
        let json = data(&trap);
        assert!(!json.contains(['<', '>', '&', '\u{202e}']), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), trap);
    }
}
