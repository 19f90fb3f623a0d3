//! Search for the secrets of damaged webhook URLs: with the slashes of Windows, with blanks from a
//! wrapped copy, without the beginning.
//!
//! The rule is too wide for manifests, where `rest` may be a word of a sentence. It is applied to
//! arguments and environment variables alone.

use super::untrusted_text::is_invisible;

/// Length below which a run of letters and digits is not a secret.
const MIN_SECRET_LENGTH: usize = 8;

/// Length of the secrets that the portal makes.
const PORTAL_SECRET_LENGTH: usize = 16;

/// Number of separators that may stand in a row.
const MAX_SEPARATORS: usize = 16;

/// Returns the possible secrets of damaged webhook URLs in a decoded text.
pub(super) fn secrets_in_malformed_urls(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    // ASCII letters keep their length in bytes.
    let lower = text.to_ascii_lowercase();
    for (index, _) in lower.match_indices("rest") {
        let (before, after) = lower.split_at(index);
        let has_scheme = before.contains("http:") || before.contains("https:");
        let is_word = before.chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        let Some(tail) = after.strip_prefix("rest") else { continue };
        let of_api = after_separators(tail).and_then(|(tail, _)| tail.strip_prefix("api"));
        for tail in [Some(tail), of_api].into_iter().flatten() {
            let candidates = candidates(tail, has_scheme);
            // `forest/1/…` ends in the same letters, and so does an option that is written together
            // with its value.
            found.extend(
                candidates
                    .into_iter()
                    .filter(|secret| is_word || secret.len() == PORTAL_SECRET_LENGTH),
            );
        }
    }
    found
}

/// Returns the candidates behind `/USER/`.
fn candidates(text: &str, has_scheme: bool) -> Vec<String> {
    let behind_owner = || {
        let (text, first) = after_separators(text)?;
        let fits = |c: char| {
            c.is_ascii_digit()
                || (has_scheme && (c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@')))
        };
        let owner = text.trim_start_matches(fits);
        let (rest, second) = after_separators(owner)?;
        // A text without any slash is a sentence.
        (owner.len() < text.len() && (first || second)).then_some(rest)
    };
    let Some(text) = behind_owner() else { return Vec::new() };
    let is_secret =
        |word: &str| word.len() >= MIN_SECRET_LENGTH && word.contains(|c: char| c.is_ascii_digit());
    // A blank may stand inside the secret as well.
    let mut joined = String::new();
    let mut found = Vec::new();
    let mut left = text;
    while joined.len() < PORTAL_SECRET_LENGTH {
        let behind = left.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        let part = left.strip_suffix(behind).unwrap_or_default();
        joined.push_str(part);
        if is_secret(part) && (joined.len() == part.len() || joined.len() == PORTAL_SECRET_LENGTH) {
            found.push(part.to_owned());
        }
        left = behind.trim_start_matches(is_blank);
        if part.is_empty() || left.len() == behind.len() {
            break;
        }
    }
    if joined.len() == PORTAL_SECRET_LENGTH && is_secret(&joined) && !found.contains(&joined) {
        found.push(joined);
    }
    found
}

/// Returns the text behind one or more separators, and `true` if a slash was among them.
fn after_separators(text: &str) -> Option<(&str, bool)> {
    let is_slash = |c: char| matches!(c, '/' | '\\');
    let behind = text.trim_start_matches(|c: char| is_slash(c) || is_blank(c));
    let separators = text.strip_suffix(behind)?;
    let count = separators.chars().count();
    (1..=MAX_SEPARATORS).contains(&count).then(|| (behind, separators.contains(is_slash)))
}

/// Returns `true` for a blank, the `+` of a form included.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '+' || is_invisible(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "ab3de5fg7hj9kl1m";

    #[test]
    fn loose_search_finds_the_secret_of_a_damaged_address() {
        for text in [
            r"https:\\h\rest\1\SECRET\",
            r"h\REST\1\SECRET\user.get",
            r"https:\\h\rest\anna\SECRET",
            r"https:\\h\rest\api\1\SECRET",
            "https://h/rest/1 /SECRET/",
            "https://h/rest/ 1/SECRET/",
            "https://h/rest /1/\n  SECRET/",
            "https://h/rest/api /1/SECRET/",
            "https://h/rest/1+/SECRET/",
            "https://h/rest/1\u{200b}/SECRET/",
            "rest/1/SECRET",
            "-frest/1/SECRET",
            "rest/api/1/SECRET/user.get",
            "https://h/rest/1/ab3de5fg 7hj9kl1m/",
            "https://h/rest/1/ab3\n  de5fg7hj9kl1m/",
        ] {
            let found = secrets_in_malformed_urls(&text.replace("SECRET", SECRET));
            assert!(found.iter().any(|found| found == SECRET), "{text:?}: {found:?}");
        }
        assert_eq!(secrets_in_malformed_urls("rest/1/sh0rt5678"), ["sh0rt5678"]);
    }

    #[test]
    fn loose_search_leaves_ordinary_paths_and_sentences() {
        for text in [
            "rest/1/notes",
            "rest/1/documentation",
            "rest/1/lead1.yaml",
            "rest/notes/manifest2024.yaml",
            "forest/1/manifest2024.yaml",
            "the rest 2 customers2024",
            "rest",
            "rest/",
            "rest/1",
            "",
        ] {
            assert!(secrets_in_malformed_urls(text).is_empty(), "{text}");
        }
    }
}
