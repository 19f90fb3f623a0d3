//! Parser of query strings and forms, as in PHP.

use crate::php::{PhpArray, PhpKey, PhpValue};

/// Parses a query string. Values beyond the limit are silently dropped, as by the portal.
pub(super) fn parse(text: &[u8], limit: usize) -> ParsedQuery {
    let mut parsed = ParsedQuery::default();
    let parts = text.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
    for (index, part) in parts.enumerate() {
        if index >= limit {
            parsed.dropped += 1;
            continue;
        }
        let (name, value) = match part.iter().position(|byte| *byte == b'=') {
            Some(at) => {
                (part.get(..at).unwrap_or_default(), part.get(at + 1..).unwrap_or_default())
            }
            None => (part, &[][..]),
        };
        insert(&mut parsed.values, &decode(name), PhpValue::Text(decode(value)));
    }
    parsed
}

/// Parsed query string.
#[derive(Debug, Default)]
pub(super) struct ParsedQuery {
    pub(super) values: PhpArray,
    /// The number of values that were dropped because of the limit.
    pub(super) dropped: usize,
}

/// Decodes `+` and `%xx`; a `%` without two digits behind it stays.
pub(super) fn decode(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match *first {
            b'+' => bytes.push(b' '),
            b'%' => match tail {
                [high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    let digit =
                        |byte: &u8| char::from(*byte).to_digit(16).unwrap_or_default() as u8;
                    bytes.push(digit(high) * 16 + digit(low));
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Maximum depth of a name; values behind deeper ones are dropped.
const MAX_DEPTH: usize = 64;

/// Inserts a value at the place of its name: `a[b][]`.
pub(super) fn insert(array: &mut PhpArray, name: &str, value: PhpValue) {
    let name = name.split('\0').next().unwrap_or_default().trim_start_matches(' ');
    let (top, mut rest) = name.split_at(name.find('[').unwrap_or(name.len()));
    if top.is_empty() {
        return;
    }
    let mangled = |text: &str| PhpKey::from(text.replace(['.', ' ', '['], "_").as_str());
    let mut path: Vec<Option<&str>> = Vec::new();
    while let Some(inner) = rest.strip_prefix('[') {
        // A bracket that is empty, or holds a single blank, takes the next number.
        let blank = inner.strip_prefix([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']).unwrap_or(inner);
        if let Some(after) = blank.strip_prefix(']') {
            path.push(None);
            rest = after;
            continue;
        }
        let Some((key, after)) = inner.split_once(']') else {
            if path.is_empty() {
                array.set(mangled(name), value);
                return;
            }
            break;
        };
        path.push(Some(key));
        rest = after;
    }
    if path.len() > MAX_DEPTH {
        return;
    }
    let Some((last, way)) = path.split_last() else {
        array.set(mangled(top), value);
        return;
    };
    let mut place = array.array_at(mangled(top));
    for step in way {
        let key = step.map_or_else(|| place.next_key(), PhpKey::from);
        place = place.array_at(key);
    }
    match last {
        Some(key) => place.set(PhpKey::from(*key), value),
        None => place.push(value),
    }
}

/// Parses a multipart form; parts that are files are left out.
pub(super) fn multipart(body: &[u8], content_type: &str, limit: usize) -> ParsedQuery {
    let mut parsed = ParsedQuery::default();
    let Some(boundary) = parameter(content_type, "boundary") else { return parsed };
    let text = String::from_utf8_lossy(body);
    // Lines may end either way; those of the values stay as they are.
    let delimiter = format!("\n--{boundary}");
    let whole = format!("\n{text}");
    let mut count = 0;
    let mut rest = whole.split_once(delimiter.as_str()).map(|(_, rest)| rest);
    while let Some(part) = rest {
        let ends = [("\r\n\r\n", part.find("\r\n\r\n")), ("\n\n", part.find("\n\n"))];
        let first = ends.into_iter().filter_map(|(end, at)| Some((at?, end.len()))).min();
        let Some((at, length)) = first else { break };
        let (head, behind) =
            (part.get(..at).unwrap_or_default(), part.get(at + length..).unwrap_or_default());
        let (value, next) = behind
            .split_once(delimiter.as_str())
            .map_or((behind, None), |(value, next)| (value, Some(next)));
        rest = next;
        let disposition = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
        });
        let Some(disposition) = disposition else { continue };
        let Some(name) = parameter(disposition, "name") else { continue };
        if parameter(disposition, "filename").is_some() {
            continue;
        }
        count += 1;
        if count > limit {
            parsed.dropped += 1;
            continue;
        }
        insert(&mut parsed.values, &name, value.strip_suffix('\r').unwrap_or(value).into());
    }
    parsed
}

/// Returns a parameter of a header: plain, or in quotes of either kind.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut rest = header;
    loop {
        let (_, tail) = rest.split_once(';')?;
        let (name, value) = tail.split_once('=')?;
        let (value, after) = match value.chars().next().filter(|quote| matches!(quote, '"' | '\''))
        {
            Some(quote) => quoted(value.get(1..).unwrap_or_default(), quote),
            None => {
                let plain = value.split([';', ',']).next().unwrap_or_default();
                (plain.trim().to_owned(), value.get(plain.len()..).unwrap_or_default())
            }
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after;
    }
}

/// Returns a text up to its closing quote, and the rest; a backslash escapes a quote.
fn quoted(text: &str, quote: char) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if chars.as_str().starts_with(quote) => {
                value.push(quote);
                chars.next();
            }
            c if c == quote => return (value, text.get(at + 1..).unwrap_or_default()),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::json;

    fn shown(text: &str) -> String {
        json(&PhpValue::Array(parse(text.as_bytes(), 100).values))
    }

    #[test]
    fn names_and_values_are_taken_apart_as_the_portal_does() {
        for (text, result) in [
            ("a=1&a=2", r#"{"a":"2"}"#),
            ("a[b][]=1&a[b][]=2", r#"{"a":{"b":["1","2"]}}"#),
            ("data[][name]=m&data[][title]=T", r#"{"data":[{"name":"m"},{"title":"T"}]}"#),
            ("a%5Bb%5D=x+y%2B%zz", r#"{"a":{"b":"x y+%zz"}}"#),
            ("lead.type=1&e[lead.type]=2", r#"{"lead_type":"1","e":{"lead.type":"2"}}"#),
            ("a=1=2&&b", r#"{"a":"1=2","b":""}"#),
            ("a[b=1", r#"{"a_b":"1"}"#),
            ("data[0]=x&data[0][y]=1", r#"{"data":[{"y":"1"}]}"#),
            ("[a]=1&=2", "[]"),
            ("a[ ]=1&a[  ]=2&a[ b]=3", r#"{"a":{"0":"1","  ":"2"," b":"3"}}"#),
            ("a[b]c=1&d[e][f=2", r#"{"a":{"b":"1"},"d":{"e":"2"}}"#),
            ("a[b.c d=1", r#"{"a_b_c_d":"1"}"#),
            ("a[[b]=1&c]=2", r#"{"a":{"[b":"1"},"c]":"2"}"#),
            ("%00a=1&b%00c=2", r#"{"b":"2"}"#),
            ("a[08]=1&a[8]=2&a[]=3", r#"{"a":{"08":"1","8":"2","9":"3"}}"#),
        ] {
            assert_eq!(shown(text), result, "{text}");
        }
    }

    #[test]
    fn multipart_forms_are_taken_apart_and_files_left_out() {
        let body = "--B\r\nContent-Disposition: form-data; name=\"a.b[c d]\"\r\n\r\n1\r\n\
            --B\r\ncontent-disposition: form-data; name=plain\r\nContent-Type: text/plain\r\n\r\nx\r\n\r\ny\r\n\
            --B\r\nContent-Disposition: form-data; filename=\"name=q\"; name=\"f\"\r\n\r\nfile\r\n\
            --B\r\nContent-Disposition: form-data; name='d[]'\r\n\r\n--B not\r\n--B--\r\n";
        for kind in [
            "multipart/form-data; boundary=B",
            "Multipart/Form-Data; charset=utf-8; boundary=\"B\"",
        ] {
            let values = multipart(body.as_bytes(), kind, 100).values;
            let wanted = r#"{"a_b":{"c d":"1"},"plain":"x\r\n\r\ny","d":["--B not"]}"#;
            assert_eq!(json(&PhpValue::Array(values)), wanted, "{kind}");
        }
        let parsed = multipart(body.as_bytes(), "multipart/form-data; boundary=B", 2);
        assert_eq!((parsed.values.len(), parsed.dropped), (2, 1));
        assert_eq!(multipart(body.as_bytes(), "multipart/form-data", 2).values.len(), 0);
    }

    #[test]
    fn values_beyond_the_limit_are_dropped() {
        let parsed = parse(b"a=1&b=2&c=3", 2);
        assert_eq!((parsed.values.len(), parsed.dropped), (2, 1));
    }
}
