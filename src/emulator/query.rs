//! Query strings and forms, as the portal's language takes them apart.

use super::php::{Array, Key, Php};

/// Parses a query string. Values beyond the limit are dropped without a word, as the portal does.
pub(super) fn parse(text: &[u8], limit: usize) -> Parsed {
    let mut parsed = Parsed::default();
    let parts = text.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
    for (index, part) in parts.enumerate() {
        if index >= limit {
            parsed.dropped += 1;
            continue;
        }
        let (name, value) = match part.iter().position(|byte| *byte == b'=') {
            Some(at) => (part.get(..at).unwrap_or_default(), part.get(at + 1..).unwrap_or_default()),
            None => (part, &[][..]),
        };
        insert(&mut parsed.values, &decode(name), Php::Text(decode(value)));
    }
    parsed
}

/// What became of a query string.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) values: Array,
    /// How many values were dropped because of the limit.
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
                    let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or_default() as u8;
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

/// Puts a value where its name says: `a[b][]`.
pub(super) fn insert(array: &mut Array, name: &str, value: Php) {
    let name = name.trim_start_matches(' ');
    let (top, rest) = match name.find('[') {
        Some(0) | None => (name, ""),
        Some(at) => name.split_at(at),
    };
    let mut path: Vec<Option<String>> = Vec::new();
    let mut rest = rest;
    let mut unclosed = false;
    while let Some(inner) = rest.strip_prefix('[') {
        let Some(end) = inner.find(']') else {
            unclosed = path.is_empty();
            break;
        };
        let key = inner.get(..end).unwrap_or_default();
        path.push((!key.trim_matches(' ').is_empty()).then(|| key.to_owned()));
        rest = inner.get(end + 1..).unwrap_or_default();
    }
    let mangled = |text: &str| text.replace(['.', ' ', '['], "_");
    if unclosed {
        array.set(Key::from(mangled(name).as_str()), value);
        return;
    }
    if top.is_empty() {
        return;
    }
    let top = Key::from(mangled(top).as_str());
    let Some((last, way)) = path.split_last() else {
        array.set(top, value);
        return;
    };
    let mut place = array.array_at(top);
    for step in way {
        let key = step.as_deref().map_or_else(|| place.next_key(), Key::from);
        place = place.array_at(key);
    }
    match last {
        Some(key) => place.set(Key::from(key.as_str()), value),
        None => place.push(value),
    }
}

/// Parses a multipart form; parts that are files are left out.
pub(super) fn multipart(body: &[u8], content_type: &str, limit: usize) -> Parsed {
    let mut parsed = Parsed::default();
    let Some(boundary) = content_type.split("boundary=").nth(1) else { return parsed };
    let boundary = boundary.split(';').next().unwrap_or_default().trim().trim_matches('"');
    let text = String::from_utf8_lossy(body);
    for part in text.split(&format!("--{boundary}")).skip(1) {
        let Some((head, value)) = part.split_once("\r\n\r\n") else { continue };
        let Some(name) = head.split("name=\"").nth(1).and_then(|rest| rest.split('"').next()) else { continue };
        if head.contains("filename=") {
            continue;
        }
        let value = value.strip_suffix("\r\n").unwrap_or(value);
        if parsed.values.len() >= limit {
            parsed.dropped += 1;
            continue;
        }
        insert(&mut parsed.values, name, value.into());
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::super::encode::json;
    use super::*;

    fn shown(text: &str) -> String {
        json(&Php::Array(parse(text.as_bytes(), 100).values))
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
        ] {
            assert_eq!(shown(text), result, "{text}");
        }
    }

    #[test]
    fn values_beyond_the_limit_are_dropped() {
        let parsed = parse(b"a=1&b=2&c=3", 2);
        assert_eq!((parsed.values.len(), parsed.dropped), (2, 1));
    }
}
