//! Percent-encoding for the command strings of a batch.
//!
//! A raw `&` ends a value and starts another parameter, a raw `#` drops the rest, a raw `+` is a
//! blank, and `$result[…]` is looked up in earlier answers. In all of these cases the caller's own
//! card is reset. Every byte that is not certainly harmless is therefore encoded.

/// Appends a value, every byte but ASCII letters, digits and `-._~` encoded.
pub(crate) fn push_encoded(query: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            query.push(char::from(byte));
        } else {
            query.push('%');
            for digit in [byte >> 4, byte & 0x0f] {
                query.push(
                    char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase(),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: &str) -> String {
        let mut query = String::new();
        push_encoded(&mut query, value);
        query
    }

    #[test]
    fn encoded_value_has_no_character_with_a_meaning_in_a_command() {
        assert_eq!(encoded("a+b@c.example"), "a%2Bb%40c.example");
        assert_eq!(
            encoded("&userId=1#x%$result[u] /"),
            "%26userId%3D1%23x%25%24result%5Bu%5D%20%2F"
        );
        assert_eq!(encoded("ключ\n\0"), "%D0%BA%D0%BB%D1%8E%D1%87%0A%00");
    }

    #[test]
    fn letters_digits_and_four_marks_stay() {
        assert_eq!(encoded("aZ09-._~"), "aZ09-._~");
    }
}
