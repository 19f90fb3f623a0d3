//! Decoder for the spellings of a character: percent-encoding, escapes of JSON and JavaScript,
//! references of HTML, and nested ones.

/// Maximum depth of nested spellings: `%252573` has three.
const MAX_DEPTH: u32 = 6;

/// Meaning of a backslash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backslash {
    /// Begins any escape of JSON or JavaScript.
    Escape,
    /// Begins an escape with the number of a character in base 16, and otherwise separates the
    /// parts of a path.
    NumberOrSeparator,
    /// Separates the parts of a path.
    Separator,
}

/// Rules of decoding: the remaining depth, and the meaning of a backslash.
#[derive(Clone, Copy, Debug)]
struct DecodeRules {
    depth: u32,
    backslash: Backslash,
}

/// Returns a text with all of its escapes decoded.
pub(super) fn decoded(text: &str, backslash: Backslash) -> String {
    let rules = DecodeRules { depth: MAX_DEPTH, backslash };
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some((c, after)) = next_within(text, at, rules) {
        out.push(c);
        at = after;
    }
    out
}

/// Returns the character at an index, fully decoded, and the index behind it.
pub(super) fn next(text: &str, at: usize) -> Option<(char, usize)> {
    next_within(text, at, DecodeRules { depth: MAX_DEPTH, backslash: Backslash::Escape })
}

fn next_within(text: &str, at: usize, rules: DecodeRules) -> Option<(char, usize)> {
    let c = text.get(at..)?.chars().next()?;
    Some(resolved(text, c, at + c.len_utf8(), rules))
}

/// Decodes an escape that begins with a character; the rest of it stands at an index.
fn resolved(text: &str, c: char, at: usize, rules: DecodeRules) -> (char, usize) {
    let Some(depth) = rules.depth.checked_sub(1) else { return (c, at) };
    let rules = DecodeRules { depth, ..rules };
    let found = match c {
        '%' => percent(text, at, rules),
        '\\' => backslash(text, at, rules),
        '&' => reference(text, at, rules),
        _ => None,
    };
    // The result may be the beginning of another escape.
    found.map_or((c, at), |(c, at)| resolved(text, c, at, rules))
}

/// Decodes the rest of `%73` or `%u0073`.
fn percent(text: &str, at: usize, rules: DecodeRules) -> Option<(char, usize)> {
    match text.get(at..)?.chars().next()? {
        'u' | 'U' => number(text, at + 1, 16, 4..=4, rules),
        _ => number(text, at, 16, 2..=2, rules),
    }
}

/// Decodes the rest of `\u0073`, `\u{73}`, `\x73`, `\163`, or of a character behind a backslash.
fn backslash(text: &str, at: usize, rules: DecodeRules) -> Option<(char, usize)> {
    let c = text.get(at..)?.chars().next()?;
    let after = at + c.len_utf8();
    let is_escape = match rules.backslash {
        Backslash::Escape => true,
        Backslash::NumberOrSeparator => matches!(c, 'u' | 'U' | 'x' | 'X'),
        Backslash::Separator => false,
    };
    if !is_escape {
        return None;
    }
    match c {
        'u' | 'U' if text.get(after..)?.starts_with('{') => {
            let (c, end) = number(text, after + 1, 16, 1..=6, rules)?;
            text.get(end..)?.starts_with('}').then_some((c, end + 1))
        }
        'u' | 'U' => number(text, after, 16, 4..=4, rules),
        'x' | 'X' => number(text, after, 16, 2..=2, rules),
        '0'..='3' => number(text, at, 8, 3..=3, rules),
        'n' => Some(('\n', after)),
        'r' => Some(('\r', after)),
        't' => Some(('\t', after)),
        'b' => Some(('\u{8}', after)),
        'f' => Some(('\u{c}', after)),
        c => c.is_ascii_punctuation().then_some((c, after)),
    }
}

/// Decodes the rest of `&#115;`, `&#x73;` or `&amp;`.
fn reference(text: &str, at: usize, rules: DecodeRules) -> Option<(char, usize)> {
    const NAMES: [(&str, char); 13] = [
        ("amp;", '&'),
        ("lowbar;", '_'),
        ("period;", '.'),
        ("commat;", '@'),
        ("hyphen;", '-'),
        ("dash;", '-'),
        ("sol;", '/'),
        ("bsol;", '\\'),
        ("percnt;", '%'),
        ("num;", '#'),
        ("shy;", '\u{ad}'),
        ("zwj;", '\u{200d}'),
        ("zwnj;", '\u{200c}'),
    ];
    let (first, after) = next_within(text, at, rules)?;
    if first != '#' {
        return NAMES.iter().filter(|(name, _)| name.starts_with(first)).find_map(|(name, c)| {
            let mut end = after;
            for letter in name.chars().skip(1) {
                let (found, after) = next_within(text, end, rules)?;
                if found != letter {
                    return None;
                }
                end = after;
            }
            Some((*c, end))
        });
    }
    let (base, after) = match next_within(text, after, rules)? {
        ('x' | 'X', after) => (16, after),
        _ => (10, after),
    };
    // Without its semicolon a reference ends where the next one begins, and not behind its digit.
    let until = text.get(after..)?.find('&').map_or(text.len(), |length| after + length);
    let (c, end) = number(text.get(..until)?, after, base, 1..=8, rules)
        .or_else(|| number(text, after, base, 1..=8, rules))?;
    match next_within(text, end, rules) {
        Some((';', end)) => Some((c, end)),
        _ => Some((c, end)),
    }
}

/// Returns the character whose number has this many digits.
fn number(
    text: &str,
    at: usize,
    base: u32,
    digits: std::ops::RangeInclusive<u32>,
    rules: DecodeRules,
) -> Option<(char, usize)> {
    let (mut value, mut count, mut end) = (0_u32, 0, at);
    while count < *digits.end() {
        let Some((digit, after)) =
            next_within(text, end, rules).and_then(|(c, after)| Some((c.to_digit(base)?, after)))
        else {
            break;
        };
        value = value.checked_mul(base)?.checked_add(digit)?;
        (count, end) = (count + 1, after);
    }
    if !digits.contains(&count) {
        return None;
    }
    Some((char::from_u32(value)?, end))
}
