//! Seals of backups: layouts that whoever reads the database, or a copy of it, cannot read.
//!
//! Lines of backups are encrypted with AES-256-GCM, each with a random nonce and bound to its
//! portal. The database knows a line by a keyed digest of it, so that a layout is still stored
//! once.

use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::store::read_whole;

/// Beginning of a sealed line. One that is not sealed begins with a hexadecimal digit.
const SEALED: &str = "sealed1 ";

/// Maximum size of a file with a key: 64 digits, and blanks around them.
const MAX_KEY_BYTES: u64 = 1024;

/// Key that seals backups.
pub(super) struct BackupKey {
    lines: LessSafeKey,
    names: hmac::Key,
}

impl BackupKey {
    /// Reads a key of 64 hexadecimal digits, as `openssl rand -hex 32` writes it.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = read_whole(path, MAX_KEY_BYTES)
            .map_err(|problem| format!("cannot read the key from {}: {problem}", path.display()))?;
        let mut key = [0; 32];
        let digits = text.trim_ascii();
        match base16ct::mixed::decode(digits, &mut key).map(<[u8]>::len) {
            Ok(32) => Self::new(&key),
            _ => Err(format!("{} does not hold 64 hexadecimal digits", path.display())),
        }
    }

    fn new(key: &[u8; 32]) -> Result<Self, String> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, key);
        let derived = |purpose: &str| hmac::sign(&root, purpose.as_bytes());
        let lines = UnboundKey::new(&AES_256_GCM, derived("recard backup lines").as_ref())
            .map_err(|_| "the key cannot be used".to_owned())?;
        Ok(Self {
            lines: LessSafeKey::new(lines),
            names: hmac::Key::new(hmac::HMAC_SHA256, derived("recard backup names").as_ref()),
        })
    }

    /// Returns the name of a line in the database.
    pub(super) fn name(&self, line: &str) -> String {
        let tag = hmac::sign(&self.names, line.as_bytes());
        format!("hmac:{}", base16ct::lower::encode_string(tag.as_ref()))
    }

    /// Seals a line of a portal; `None` if it is too long.
    pub(super) fn seal(&self, portal: &str, line: &str) -> Option<String> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = line.as_bytes().to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.lines.seal_in_place_append_tag(unique, Aad::from(portal), &mut sealed).ok()?;
        let bytes = [&nonce[..], &sealed].concat();
        Some(format!("{SEALED}{}", STANDARD_NO_PAD.encode(bytes)))
    }

    fn open(&self, portal: &str, sealed: &str) -> Option<String> {
        let mut bytes = STANDARD_NO_PAD.decode(sealed).ok()?;
        let (nonce, line) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let line = self.lines.open_in_place(nonce, Aad::from(portal), line).ok()?;
        String::from_utf8(line.to_vec()).ok()
    }
}

/// Returns a line of a portal as it was before a seal. One without a seal stays as it is.
pub(super) fn opened(
    key: Option<&BackupKey>,
    portal: &str,
    line: &str,
) -> Result<String, &'static str> {
    match (line.strip_prefix(SEALED), key) {
        (None, _) => Ok(line.to_owned()),
        (Some(_), None) => Err(
            "it is sealed, and neither --backup-key-file nor the address of the database names the key",
        ),
        (Some(sealed), Some(key)) => {
            key.open(portal, sealed).ok_or("a line was sealed with another key, or was altered")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_line_opens_with_its_key_and_portal_alone() {
        let key = |byte: u8| BackupKey::new(&[byte; 32]).unwrap();
        let (same, other) = (key(7), key(8));
        let key = key(7);
        let line = "0123456789abcdef {\"layout\":\"Ä\"}";
        let sealed = key.seal("a.example.com", line).unwrap();
        assert!(sealed.starts_with(SEALED) && !sealed.contains("layout"));
        assert_ne!(sealed, key.seal("a.example.com", line).unwrap(), "nonces are random");
        assert_eq!(opened(Some(&key), "a.example.com", &sealed).unwrap(), line);
        assert!(opened(Some(&other), "a.example.com", &sealed).is_err());
        assert!(opened(Some(&key), "b.example.com", &sealed).is_err());
        assert!(opened(None, "a.example.com", &sealed).is_err());
        let mut altered = sealed.clone();
        altered.replace_range(40..41, if &sealed[40..41] == "A" { "B" } else { "A" });
        assert!(opened(Some(&key), "a.example.com", &altered).is_err());
        assert_eq!(opened(Some(&key), "a.example.com", line).unwrap(), line, "an earlier line");
        assert_eq!(key.name(line), same.name(line));
        assert_ne!(key.name(line), other.name(line));
    }
}
