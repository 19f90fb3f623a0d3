//! SHA-256 digest of a canonical form.

use std::fmt;
use std::io::{self, Write as _};
use std::str::FromStr;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A SHA-256 sum. Its text form is `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Computes the digest of bytes.
    pub fn hash(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Computes the digest of a form that is written in pieces and never held as a whole.
    ///
    /// # Errors
    ///
    /// The error of `write`.
    pub fn hash_written<E>(
        write: impl FnOnce(&mut dyn io::Write) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut sum = Sum(Sha256::new());
        write(&mut sum)?;
        Ok(Self(sum.0.finalize().into()))
    }

    /// Computes the digest of a value as `serde_json` writes it, in the order of its fields.
    pub fn hash_json(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Self::hash_written(|sum| {
            let mut buffered = io::BufWriter::new(sum);
            serde_json::to_writer(&mut buffered, value)?;
            buffered.flush().map_err(serde_json::Error::io)
        })
    }

    /// Returns the 64 hexadecimal digits without the prefix, as `sha256sum` prints them.
    pub fn hex(&self) -> String {
        base16ct::lower::encode_string(&self.0)
    }

    /// Returns the first twelve digits, short enough to compare by eye.
    pub fn short(&self) -> String {
        let mut text = self.hex();
        text.truncate(12);
        text
    }
}

/// Writer that hashes its input.
struct Sum(Sha256);

impl io::Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

/// Error: the text is not the text form of a [`Digest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{}", tr!("a digest is \"sha256:\" and 64 hexadecimal digits"))]
pub struct ParseDigestError;

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let digits = text.strip_prefix("sha256:").ok_or(ParseDigestError)?;
        let mut bytes = [0; 32];
        let read = base16ct::lower::decode(digits, &mut bytes).map_err(|_| ParseDigestError)?;
        if read.len() != bytes.len() { Err(ParseDigestError) } else { Ok(Self(bytes)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_in_pieces_or_given_as_a_whole_it_is_the_same() {
        let written = Digest::hash_written(|sum| {
            [&b"a"[..], b"", b"bc"].iter().try_for_each(|piece| sum.write_all(piece))
        });
        assert_eq!(written.unwrap(), Digest::hash(b"abc"));
    }

    #[test]
    fn digest_is_what_sha256sum_prints_and_can_be_read_back() {
        let digest = Digest::hash(b"abc");
        assert_eq!(
            digest.hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        let (short, long) = (&digest.to_string()[..69], format!("{digest}00"));
        for text in [
            "",
            "sha256:",
            "sha256:zz",
            short,
            &long,
            &digest.hex(),
            &digest.to_string().to_uppercase(),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(ParseDigestError));
        }
    }
}
