//! Spellings of a character: percent-encoding, escapes of JSON and JavaScript, references of HTML, and several of these on top of each
//! other.

/// How many spellings may lie on top of each other: `%252573` has three.
const DEPTH: u32 = 6;

/// Returns a text with all of its escapes decoded.
pub(super) fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some((c, after)) = next(text, at) {
        out.push(c);
        at = after;
    }
    out
}

/// Returns the character at an index, decoded as far as it can be, and the index behind it.
pub(super) fn next(text: &str, at: usize) -> Option<(char, usize)> {
    next_within(text, at, DEPTH)
}

fn next_within(text: &str, at: usize, depth: u32) -> Option<(char, usize)> {
    let c = text.get(at..)?.chars().next()?;
    Some(resolved(text, c, at + c.len_utf8(), depth))
}

/// Decodes an escape that begins with a character; the rest of it stands at an index.
fn resolved(text: &str, c: char, at: usize, depth: u32) -> (char, usize) {
    let Some(depth) = depth.checked_sub(1) else { return (c, at) };
    let found = match c {
        '%' => percent(text, at, depth),
        '\\' => backslash(text, at, depth),
        '&' => reference(text, at, depth),
        _ => None,
    };
    // What comes out may be the beginning of another escape.
    found.map_or((c, at), |(c, at)| resolved(text, c, at, depth))
}

/// The rest of `%73` or `%u0073`.
fn percent(text: &str, at: usize, depth: u32) -> Option<(char, usize)> {
    match text.get(at..)?.chars().next()? {
        'u' | 'U' => number(text, at + 1, 16, 4..=4, depth),
        _ => number(text, at, 16, 2..=2, depth),
    }
}

/// The rest of `\u0073`, `\u{73}`, `\x73`, `\163`, or of a character behind a backslash.
fn backslash(text: &str, at: usize, depth: u32) -> Option<(char, usize)> {
    let c = text.get(at..)?.chars().next()?;
    let after = at + c.len_utf8();
    match c {
        'u' | 'U' if text.get(after..)?.starts_with('{') => {
            let (c, end) = number(text, after + 1, 16, 1..=6, depth)?;
            text.get(end..)?.starts_with('}').then_some((c, end + 1))
        }
        'u' | 'U' => number(text, after, 16, 4..=4, depth),
        'x' | 'X' => number(text, after, 16, 2..=2, depth),
        '0'..='3' => number(text, at, 8, 3..=3, depth),
        'n' => Some(('\n', after)),
        'r' => Some(('\r', after)),
        't' => Some(('\t', after)),
        'b' => Some(('\u{8}', after)),
        'f' => Some(('\u{c}', after)),
        c => c.is_ascii_punctuation().then_some((c, after)),
    }
}

/// The rest of `&#115;`, `&#x73;` or `&amp;`.
fn reference(text: &str, at: usize, depth: u32) -> Option<(char, usize)> {
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
    let (first, after) = next_within(text, at, depth)?;
    if first != '#' {
        return NAMES.iter().filter(|(name, _)| name.starts_with(first)).find_map(|(name, c)| {
            let mut end = after;
            for letter in name.chars().skip(1) {
                let (found, after) = next_within(text, end, depth)?;
                if found != letter {
                    return None;
                }
                end = after;
            }
            Some((*c, end))
        });
    }
    let (base, after) = match next_within(text, after, depth)? {
        ('x' | 'X', after) => (16, after),
        _ => (10, after),
    };
    let (c, end) = number(text, after, base, 1..=8, depth)?;
    match next_within(text, end, depth) {
        Some((';', end)) => Some((c, end)),
        _ => Some((c, end)),
    }
}

/// The character with a number of so many digits.
fn number(
    text: &str,
    at: usize,
    base: u32,
    digits: std::ops::RangeInclusive<u32>,
    depth: u32,
) -> Option<(char, usize)> {
    let (mut value, mut count, mut end) = (0_u32, 0, at);
    while count < *digits.end() {
        let Some((digit, after)) =
            next_within(text, end, depth).and_then(|(c, after)| Some((c.to_digit(base)?, after)))
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
