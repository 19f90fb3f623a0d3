//! Mask of the known secrets, for every text that leaves the process.
//!
//! A secret becomes known when a webhook URL is read, from a variable, a file or an argument that
//! should have been something else. From then on [`mask`] covers it in any spelling: in capitals,
//! percent-encoded, as an escape of JSON, JavaScript or HTML, several of these nested, with
//! invisible characters, blanks or line breaks in between, or cut off at the end. Base64 and other
//! encodings of more than one character at a time are not recognized.
//!
//! The portal's own secrets have 16 random letters and digits and do not occur elsewhere by
//! accident. Shorter ones exist on emulators. They are covered as whole words, and words without a
//! digit only within `/rest/USER/`, because covering every `test` in a report would damage it.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::malformed_urls::secrets_in_malformed_urls;
use super::secret::{REDACTION, url_secrets, webhook_secrets};
use super::unescape::{Backslash, decoded, next};
use super::untrusted_text::{after_color, is_invisible};

/// Length from which a secret is covered anywhere in a text. The portal's own secrets have 16
/// characters.
const MIN_LENGTH_ANYWHERE: usize = 8;

/// Length of the beginning of a long secret that is covered without the rest.
const MIN_PREFIX_LENGTH: usize = 12;

/// Length of the beginning of a secret that is covered in front of a truncation mark.
const MIN_CUT_PREFIX_LENGTH: usize = 4;

/// Length below which a word is never covered alone.
const MIN_WORD_LENGTH: usize = 3;

/// Known secrets of this process, sorted: a fleet has thousands, and a text is compared with those
/// alone that have its first letters.
static KNOWN: RwLock<Vec<Secret>> = RwLock::new(Vec::new());

/// Secret in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Secret(Vec<char>);

/// Registers the secrets of all webhook URLs in a text, whatever the spelling of the text.
///
/// The search is wider than that in manifests: damaged URLs count as well.
pub fn register_secrets(text: &str) {
    let decoded = |backslash| Cow::Owned(decoded(text, backslash));
    let whole = [Cow::Borrowed(text), decoded(Backslash::Escape)];
    for text in &whole {
        for secret in webhook_secrets(text) {
            register_secret(text.get(secret).unwrap_or_default());
        }
    }
    let paths = [decoded(Backslash::NumberOrSeparator), decoded(Backslash::Separator)];
    for text in whole.iter().chain(&paths) {
        for secret in secrets_in_malformed_urls(text) {
            register_secret(&secret);
        }
    }
}

/// Registers one secret.
pub fn register_secret(secret: &str) {
    let secret = Secret(secret.chars().map(|c| c.to_ascii_lowercase()).collect());
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if let Err(place) = known.binary_search(&secret)
        && !secret.0.is_empty()
    {
        known.insert(place, secret);
    }
}

/// Returns a text with every known secret covered.
///
/// The text must be complete: a secret that is split between two calls is not found.
pub fn mask(text: &str) -> Cow<'_, str> {
    masked_by(&known(), text)
}

/// Returns the bytes of every secret in a text, in order: those of webhook URLs and the known ones.
pub(crate) fn secrets(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut secrets = url_secrets(text);
    for known in found(&known(), text) {
        if secrets.iter().all(|secret| known.end <= secret.start || secret.end <= known.start) {
            secrets.push(known);
        }
    }
    secrets.sort_by_key(|secret| secret.start);
    secrets
}

/// Returns the text with its secrets covered.
pub(super) fn mask_secrets(mut text: String) -> String {
    if !text.contains('/') {
        return text;
    }
    for secret in secrets(&text).into_iter().rev() {
        text.replace_range(secret, REDACTION);
    }
    text
}

fn known() -> RwLockReadGuard<'static, Vec<Secret>> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner)
}

fn masked_by<'a>(known: &[Secret], text: &'a str) -> Cow<'a, str> {
    let found = found(known, text);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for secret in found {
        out.push_str(text.get(from..secret.start).unwrap_or_default());
        out.push_str(REDACTION);
        from = secret.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

fn found(known: &[Secret], text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    if known.is_empty() {
        return found;
    }
    let mut starts = [false; 256];
    let mut add = |byte: u8| {
        if let Some(start) = starts.get_mut(usize::from(byte)) {
            *start = true;
        }
    };
    for secret in known {
        let first =
            secret.0.first().copied().and_then(|c| u8::try_from(c).ok()).unwrap_or_default();
        add(first);
        add(first.to_ascii_uppercase());
    }
    // An escape may begin a secret, and `rest` the path of a webhook URL.
    b"%\\&rR".iter().copied().for_each(add);
    let is_start = |byte: &u8| starts.get(usize::from(*byte)).copied().unwrap_or_default();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(index) = bytes.get(at..).and_then(|rest| rest.iter().position(is_start)) {
        at += index;
        let secret = secret_at(known, text, at).or_else(|| secret_in_address(known, text, at));
        at = match secret {
            Some(secret) => {
                let end = secret.end;
                found.push(secret);
                end
            }
            None => at + 1,
        };
    }
    found
}

/// Returns the longest secret that begins at an index.
fn secret_at(known: &[Secret], text: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let first = first_letters(text, at)?;
    let from = known.partition_point(|secret| secret.0.as_slice() < first.as_slice());
    let known = known.get(from..).unwrap_or_default().iter();
    let known = known.take_while(|secret| secret.0.starts_with(&first));
    let ends = known.filter_map(|secret| {
        let Match { count, end } = matched(text, at, secret);
        let length = secret.0.len();
        let is_found = if count == length && length < MIN_LENGTH_ANYWHERE {
            secret.is_covered_as_word() && is_word(text, at, end)
        } else {
            count == length
                || count >= MIN_PREFIX_LENGTH
                || (count >= MIN_CUT_PREFIX_LENGTH && is_cut(text, end))
        };
        is_found.then_some(end)
    });
    ends.max().map(|end| at..end)
}

/// Returns the first letters at an index, as [`matched`] reads them. Nothing shorter is a secret.
fn first_letters(text: &str, at: usize) -> Option<[char; MIN_WORD_LENGTH]> {
    let (mut letters, mut index) = ([char::MAX; MIN_WORD_LENGTH], at);
    for (count, letter) in letters.iter_mut().enumerate() {
        while *letter == char::MAX {
            let (c, after) = next(text, index)?;
            index = if c == '\u{1b}' { after_color(text, after) } else { after };
            if count == 0 || !is_invisible(c) {
                *letter = c.to_ascii_lowercase();
            }
        }
    }
    Some(letters)
}

/// Returns the secret of `rest/USER/SECRET` or `rest/api/USER/SECRET` whose first letter is at an
/// index. The beginning of a secret is enough.
fn secret_in_address(known: &[Secret], text: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let is_slash = |c| matches!(c, '/' | '\\');
    let owner = run(text, after_word(text, at, "rest")?, is_slash)?;
    let owner_of_api = after_word(text, owner, "api").and_then(|end| run(text, end, is_slash));
    [Some(owner), owner_of_api].into_iter().flatten().find_map(|owner| {
        let end =
            run(text, owner, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@'))?;
        let start = run(text, end, is_slash)?;
        let ends = known.iter().filter_map(|secret| {
            let Match { count, end } = matched(text, start, secret);
            let ends_there = next(text, end).is_none_or(|(c, _)| !is_part_of_word(c));
            (count > 0 && ends_there).then_some(end)
        });
        ends.max().map(|end| start..end)
    })
}

/// Skips a word in any case.
fn after_word(text: &str, at: usize, expected: &str) -> Option<usize> {
    expected.chars().try_fold(at, |at, letter| {
        let (c, after) = next(text, at)?;
        c.eq_ignore_ascii_case(&letter).then_some(after)
    })
}

/// Skips characters that fit; returns `None` if there is none.
fn run(text: &str, at: usize, fits: impl Fn(char) -> bool) -> Option<usize> {
    let mut end = at;
    while let Some((c, after)) = next(text, end) {
        if !fits(c) {
            break;
        }
        end = after;
    }
    (end > at).then_some(end)
}

/// Match of a secret, or of its beginning, in a text.
struct Match {
    count: usize,
    end: usize,
}

fn matched(text: &str, at: usize, secret: &Secret) -> Match {
    let mut found = Match { count: 0, end: at };
    let mut index = at;
    while let Some(wanted) = secret.0.get(found.count) {
        let Some((c, after)) = next(text, index) else { break };
        if c.eq_ignore_ascii_case(wanted) {
            found = Match { count: found.count + 1, end: after };
        } else if found.count > 0
            && (is_invisible(c) || (found.count >= MIN_CUT_PREFIX_LENGTH && c == ' '))
        {
            index = if c == '\u{1b}' { after_color(text, after) } else { after };
            continue;
        } else {
            break;
        }
        index = after;
    }
    found
}

impl Secret {
    /// Returns `true` if a short secret is covered as a word of its own: only if it does not look
    /// like a word of a language.
    fn is_covered_as_word(&self) -> bool {
        let has = |fits: fn(&char) -> bool| self.0.iter().any(fits);
        self.0.len() >= MIN_WORD_LENGTH
            && has(char::is_ascii_digit)
            && has(char::is_ascii_alphabetic)
    }
}

fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_')
}

/// Returns `true` if a range is a word of its own. An escape in front of it does not count as a
/// letter.
fn is_word(text: &str, start: usize, end: usize) -> bool {
    let before = text.get(..start).unwrap_or_default();
    let is_escape = |length: usize, sign: &str| {
        let escape = before.len().checked_sub(length).and_then(|from| before.get(from..));
        escape.is_some_and(|escape| {
            escape.starts_with(sign) && next(escape, 0).is_some_and(|(_, end)| end == length)
        })
    };
    let begins = before.chars().next_back().is_none_or(|c| !is_part_of_word(c))
        || is_escape(3, "%")
        || is_escape(2, "\\")
        || is_escape(6, "\\u");
    begins && next(text, end).is_none_or(|(c, _)| !is_part_of_word(c))
}

/// Returns `true` if a truncation mark stands at an index.
fn is_cut(text: &str, end: usize) -> bool {
    text.get(end..).is_some_and(|rest| rest.starts_with('…') || rest.starts_with("..."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cr3t0123456789";

    fn masked(secrets: &[&str], text: &str) -> String {
        let mut known: Vec<Secret> =
            secrets.iter().map(|secret| Secret(secret.chars().collect())).collect();
        known.sort();
        masked_by(&known, text).into_owned()
    }

    /// Spells every character of a text.
    fn spelled(text: &str, spell: impl Fn(char) -> String) -> String {
        text.chars().map(spell).collect()
    }

    fn percent_encoded(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect()
    }

    #[test]
    fn mask_covers_a_secret_in_every_spelling() {
        let json = |c: char| format!("\\u{:04x}", u32::from(c));
        for spelling in [
            SECRET.to_owned(),
            SECRET.to_uppercase(),
            percent_encoded(SECRET),
            percent_encoded(SECRET).to_lowercase(),
            percent_encoded(&percent_encoded(SECRET)),
            percent_encoded(SECRET).replace('%', "%2525"),
            spelled(SECRET, json),
            spelled(SECRET, json).to_uppercase().replace("\\U", "\\u"),
            spelled(SECRET, json).replace('\\', "\\\\"),
            spelled(SECRET, json).replace('\\', "\\\\\\\\"),
            spelled(SECRET, |c| format!("\\u{{{:x}}}", u32::from(c))),
            spelled(SECRET, |c| format!("\\x{:02x}", u32::from(c))),
            spelled(SECRET, |c| format!("&#{};", u32::from(c))),
            spelled(SECRET, |c| format!("&#{}", u32::from(c))),
            spelled(SECRET, |c| format!("&#x{:x}", u32::from(c))),
            spelled(SECRET, |c| format!("&#x{:X};", u32::from(c))),
            spelled(SECRET, |c| format!("&#x000{:x};", u32::from(c))),
            spelled(SECRET, |c| format!("&amp;#x{:x};", u32::from(c))),
            percent_encoded(&spelled(SECRET, |c| format!("&#x{:x};", u32::from(c)))),
            spelled(SECRET, |c| format!("%u{:04x}", u32::from(c))),
            spelled(SECRET, json).replace('\\', "%5C"),
            SECRET.replace('3', "%33").replace('t', "\\u0074"),
            SECRET.replace('0', "\u{200b}0"),
            SECRET.replace('0', "\u{1b}[0m0"),
            SECRET.replace('0', "\u{1b}0"),
            SECRET.replace('0', "\u{fffd}0"),
            SECRET.replace('0', "\\u200b0"),
            SECRET.replace('0', "\\n0"),
            SECRET.replace('t', "\n      t"),
            SECRET.replace('t', "t "),
            spelled(SECRET, |c| format!("\\{:03o}", u32::from(c))),
            spelled(SECRET, |c| format!("{c}\0")).trim_end_matches('\0').to_owned(),
        ] {
            for (before, after) in
                [("", ""), ("/rest/1/", "/batch"), ("x", "x"), ("\"", "\\\""), ("é%", "%é")]
            {
                let text = format!("{before}{spelling}{after}");
                assert_eq!(masked(&[SECRET], &text), format!("{before}***{after}"), "{text:?}");
            }
        }
    }

    #[test]
    fn mask_covers_a_secret_that_was_cut() {
        for (text, covered) in [
            ("https://a/rest/1/s3cr", "https://a/rest/1/***"),
            ("https://a/rest/1/s", "https://a/rest/1/***"),
            ("https:\\/\\/a\\/rest\\/1\\/s3cr\"", "https:\\/\\/a\\/rest\\/1\\/***\""),
            ("a%2Frest%2F1%2Fs3c%", "a%2Frest%2F1%2F***%"),
            ("Anna s3cr3…", "Anna ***…"),
            ("Anna s3cr3...", "Anna ***..."),
            ("s3cr3t012345", "***"),
            ("s3cr3t0", "s3cr3t0"),
            ("/rest/1/status", "/rest/1/status"),
        ] {
            assert_eq!(masked(&[SECRET], text), covered);
        }
    }

    #[test]
    fn mask_covers_a_short_secret_as_a_word_and_in_an_address() {
        for (secret, text, covered) in [
            (
                "k3y",
                "/rest/1/k3y/user.get, k3y; k3yhole, %2Fk3y%2F",
                "/rest/1/***/user.get, ***; k3yhole, %2F***%2F",
            ),
            (
                "k3y",
                "https%3A%2F%2Fa%2FREST%2Fanna%2FK3Y%2F",
                "https%3A%2F%2Fa%2FREST%2Fanna%2F***%2F",
            ),
            ("k3y", "\\u002fk3y, \\nk3y", "\\u002f***, \\n***"),
            ("test", "a test of /rest/1/test/: tests", "a test of /rest/1/***/: tests"),
            ("x", "https://a/rest/1/x/xx", "https://a/rest/1/***/xx"),
            ("x", "https://a/rest/api/1/x/xx", "https://a/rest/api/1/***/xx"),
            ("7", "personal/7 rest/1/7", "personal/7 rest/1/***"),
        ] {
            assert_eq!(masked(&[secret], text), covered);
        }
    }

    #[test]
    fn mask_covers_the_longest_of_several_secrets() {
        assert_eq!(
            masked(&["abcdefgh", "abcdefgh12345678"], "abcdefgh12345678 abcdefgh"),
            "*** ***"
        );
        assert_eq!(masked(&[], "abcdefgh12345678"), "abcdefgh12345678");
    }

    #[test]
    fn mask_survives_every_nesting_of_escapes() {
        for sign in ["%", "\\", "&", "&#", "\\u", "%2", "%25", "&amp;", "\\u{", "&#x"] {
            let text = sign.repeat(2_000);
            assert_eq!(masked(&[SECRET], &text), text);
        }
    }

    #[test]
    fn learn_finds_the_secret_of_an_address_in_every_spelling() {
        let json = |text: &str| spelled(text, |c| format!("\\u{:04x}", u32::from(c)));
        let address = "https://a.bitrix24.com/rest/1/l34rned-from-an-argument/";
        for (spelling, secret) in [
            (address.to_owned(), "l34rned-from-an-argument"),
            (percent_encoded(&address.replace("l34", "m34")), "m34rned-from-an-argument"),
            (address.replace("/", "\\/").replace("l34", "n34"), "n34rned-from-an-argument"),
            ("https://a.example/rest/anna/login-1.b".to_owned(), "login-1.b"),
            ("a.bitrix24.com/rest/7/without-a-scheme".to_owned(), "without-a-scheme"),
            ("https:/a.example/rest/7/0ne".to_owned(), "0ne"),
            ("https://a.example/rest/api/7/tw0/".to_owned(), "tw0"),
            (
                "https://a.example/rest/api/7/aB3dE5fG7hJ9kL1a/user.get".to_owned(),
                "aB3dE5fG7hJ9kL1a",
            ),
            (
                "https:%5C%5Ca.example%5Crest%5C1%5CaB3dE5fG7hJ9kL1b%5C".to_owned(),
                "aB3dE5fG7hJ9kL1b",
            ),
            (json("https:\\\\a.example\\rest\\1\\aB3dE5fG7hJ9kL1c\\"), "aB3dE5fG7hJ9kL1c"),
            ("https:\\\\a.example\\rest\\123\\x41dE5fG7hJ9kL1d".to_owned(), "x41dE5fG7hJ9kL1d"),
        ] {
            register_secrets(&spelling);
            assert_eq!(mask(&format!("<{secret}>")), "<***>", "{spelling}");
        }
    }
}
