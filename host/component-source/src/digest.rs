//! SHA-256, as registries write it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

const PREFIX: &str = "sha256:";

/// The SHA-256 of some bytes: `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// That of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Only the digits.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PREFIX}{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix(PREFIX).filter(|digits| {
            let is_lower = |digit: u8| digit.is_ascii_digit() || matches!(digit, b'a'..=b'f');
            digits.len() == 64 && digits.bytes().all(is_lower)
        });
        let mut bytes = [0; 32];
        let decoded = digits.map(|digits| hex::decode_to_slice(digits, &mut bytes));
        match decoded {
            Some(Ok(())) => Ok(Self(bytes)),
            _ => Err("a digest is sha256: and 64 lower-case hexadecimal digits".to_owned()),
        }
    }
}
