//! Search for webhook secrets in any text, and their mask.
//!
//! A webhook URL is `https://HOST/rest/USER/SECRET/…`, or `https://HOST/rest/api/USER/SECRET/…` in
//! REST 3, and gives full access to the portal. People paste it into wrong places, with and without
//! the scheme, in comments too. The search therefore works on the raw text and not on YAML, and
//! prefers false positives.

use std::ops::Range;

/// Length of a secret from which a path without `http` in front counts as a webhook's: the portal's
/// own secrets have 16 characters, and `/rest/1/fields` in a sentence is not a webhook URL.
const MIN_BARE_LENGTH: usize = 8;

/// Replacement of a secret.
pub(super) const REDACTION: &str = "***";

/// Returns the bytes of every secret of a webhook URL, in order. The user is an id.
pub(super) fn url_secrets(text: &str) -> Vec<Range<usize>> {
    found(text, Owner::Id)
}

/// Returns the bytes of every possible secret of a webhook URL, in order. The user may be a login,
/// as in some URLs: too wide for manifests, where the URL of another service may stand.
pub(super) fn webhook_secrets(text: &str) -> Vec<Range<usize>> {
    found(text, Owner::IdOrLogin)
}

/// Form of the user in a webhook URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Id,
    IdOrLogin,
}

fn found(text: &str, owner: Owner) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(slash) = next_slash(bytes, from) {
        from = slash + 1;
        if let Some(secret) = secret_after(bytes, slash, owner) {
            from = secret.end;
            found.push(secret);
        }
    }
    found
}

fn next_slash(bytes: &[u8], from: usize) -> Option<usize> {
    bytes.get(from..)?.iter().position(|byte| *byte == b'/').map(|index| from + index)
}

/// Returns the secret of `/rest/USER/SECRET` or `/rest/api/USER/SECRET` whose first slash stands at
/// an index.
fn secret_after(bytes: &[u8], slash: usize, owner: Owner) -> Option<Range<usize>> {
    let at = after_word(bytes, slash + 1, b"rest")?;
    let at = slashes(bytes, at)?;
    let of_api = after_word(bytes, at, b"api").and_then(|end| slashes(bytes, end)).and_then(|at| {
        let secret = secret_of(bytes, slash, at, Owner::Id)?;
        // Other services have similar paths: `/rest/api/2/issue`.
        let is_random = secret.len() >= MIN_BARE_LENGTH
            && bytes.get(secret.clone())?.iter().any(u8::is_ascii_digit);
        (is_random || owner == Owner::IdOrLogin).then_some(secret)
    });
    of_api.or_else(|| secret_of(bytes, slash, at, owner))
}

/// Returns the secret of `USER/SECRET` at index `at`; the first slash of the path stands at index
/// `slash`.
fn secret_of(bytes: &[u8], slash: usize, at: usize, owner: Owner) -> Option<Range<usize>> {
    let is_login = owner == Owner::IdOrLogin && has_scheme(bytes, slash);
    let is_wide = |byte: u8| is_login && matches!(byte, b'.' | b'@');
    let is_word =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || is_wide(byte);
    let user = run(bytes, at, |byte| byte.is_ascii_digit() || (is_login && is_word(byte)));
    if user == at {
        return None;
    }
    let start = slashes(bytes, user)?;
    let end = run(bytes, start, is_word);
    let length = end - start;
    let counts = length >= MIN_BARE_LENGTH || (length > 0 && has_scheme(bytes, slash));
    counts.then_some(start..end)
}

/// Returns `true` if the URL that runs up to an index starts with a scheme.
fn has_scheme(bytes: &[u8], end: usize) -> bool {
    // A host name has at most 253 bytes; the rest is for a folder in front of `rest`.
    let window = bytes.get(end.saturating_sub(400)..end).unwrap_or_default();
    let address = window.rsplit(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
    let address: Vec<u8> =
        address.iter().filter(|byte| **byte != b'\\').map(u8::to_ascii_lowercase).collect();
    let starts = |scheme: &[u8]| address.windows(scheme.len()).any(|part| part == scheme);
    // A path with two slashes in a row may be shown with one.
    starts(b"http:/") || starts(b"https:/")
}

fn after_word(bytes: &[u8], at: usize, expected: &[u8]) -> Option<usize> {
    let end = at + expected.len();
    bytes.get(at..end)?.eq_ignore_ascii_case(expected).then_some(end)
}

/// Skips one or more slashes, each of which may be escaped as in JSON.
fn slashes(bytes: &[u8], at: usize) -> Option<usize> {
    let end = run(bytes, at, |byte| matches!(byte, b'/' | b'\\'));
    bytes.get(at..end)?.contains(&b'/').then_some(end)
}

fn run(bytes: &[u8], at: usize, fits: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !fits(*byte)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::mask::mask_secrets;

    #[test]
    fn secret_of_a_webhook_is_covered_wherever_it_stands() {
        for (text, covered) in [
            ("https://a.bitrix24.com/rest/1/abc123", "https://a.bitrix24.com/rest/1/***"),
            (
                "http://localhost/rest/1/x/crm.lead.list.json?a=/",
                "http://localhost/rest/1/***/crm.lead.list.json?a=/",
            ),
            ("HTTPS://A/REST/77/s3cr3t_-x, and", "HTTPS://A/REST/77/***, and"),
            (r#""https:\/\/a\/rest\/1\/abc""#, r#""https:\/\/a\/rest\/1\/***""#),
            ("# a.bitrix24.com/rest/12/abcdefgh12345678/", "# a.bitrix24.com/rest/12/***/"),
            (
                "https://a/sub/rest/1/x https://b/rest/2/y",
                "https://a/sub/rest/1/*** https://b/rest/2/***",
            ),
            ("(https://a//rest//1//x)", "(https://a//rest//1//***)"),
            ("https://a/rest/api/1/aB3dE5fG7hJ9kL1m/", "https://a/rest/api/1/***/"),
            ("https://a/REST/API/1/aB3dE5fG7hJ9kL1m/user.get", "https://a/REST/API/1/***/user.get"),
            (r"a\/rest\/api\/1\/aB3dE5fG7hJ9kL1m", r"a\/rest\/api\/1\/***"),
        ] {
            assert_eq!(mask_secrets(text.to_owned()), covered);
        }
    }

    #[test]
    fn text_without_a_secret_stays() {
        for text in [
            "https://a.bitrix24.com/rest/1/<secret>/",
            "https://a.bitrix24.com/rest/1/***/",
            "https://a.bitrix24.com/rest/",
            "https://a.bitrix24.com/rest/one/abc",
            "https://tracker.example/rest/api/2/issue/ABC-1",
            "https://tracker.example/rest/api/2/permissionscheme",
            "https://a.bitrix24.com/rest/api/1/<secret>/",
            "the path /rest/1/fields",
            "/rest/1",
            "/rest",
            "rest/1/abcdefgh12345678",
            "",
        ] {
            assert_eq!(mask_secrets(text.to_owned()), text);
        }
    }
}
