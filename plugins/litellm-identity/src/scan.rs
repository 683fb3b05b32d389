//! Reads a JSON list of objects of which a few members are wanted.
//!
//! LiteLLM tells about sixty members of each server, and a few matter. Of what is skipped, nothing is checked but where it
//! ends, so that tens of megabytes cost a fraction of what a parser of all JSON takes. What is wanted is read as always.

use std::borrow::Cow;

use serde::Deserialize;

/// The text is not a list of objects, from this byte on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) at: usize,
}

/// Calls `object` for each object of the list, with what reads its members.
pub(crate) fn objects<'a>(
    text: &'a str,
    mut object: impl FnMut(&mut Members<'a>) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.expect(b'[')?;
    let mut first = true;
    while scanner.goes_on(b']', &mut first)? {
        scanner.expect(b'{')?;
        let mut members = Members {
            scanner,
            first: true,
        };
        object(&mut members)?;
        scanner = members.scanner;
    }
    match scanner.peek() {
        None => Ok(()),
        Some(_) => scanner.unreadable(),
    }
}

/// The members of one object. All of them have to be asked for.
pub(crate) struct Members<'a> {
    scanner: Scanner<'a>,
    first: bool,
}

impl<'a> Members<'a> {
    /// The next key, and its value as it is written; nothing after the last one.
    pub(crate) fn next(&mut self) -> Result<Option<(Cow<'a, str>, Raw<'a>)>, Unreadable> {
        let scanner = &mut self.scanner;
        if !scanner.goes_on(b'}', &mut self.first)? {
            return Ok(None);
        }
        let key = scanner.text()?.text()?.unwrap_or_default();
        scanner.expect(b':')?;
        Ok(Some((key, scanner.value()?)))
    }

    /// For who misses a member.
    pub(crate) fn here(&self) -> Unreadable {
        Unreadable {
            at: self.scanner.at,
        }
    }
}

/// A value as it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'a> {
    written: &'a str,
    at: usize,
    /// It is a text, and what it says stands there as it is.
    is_plain: bool,
}

impl<'a> Raw<'a> {
    /// The JSON.
    pub(crate) fn json(self) -> &'a str {
        self.written
    }

    /// A text or nothing. Borrowed wherever that is possible.
    pub(crate) fn text(self) -> Result<Option<Cow<'a, str>>, Unreadable> {
        if self.is_plain {
            return Ok(Some(self.written[1..self.written.len() - 1].into()));
        }
        Ok(self.read::<Option<String>>()?.map(Cow::Owned))
    }

    /// Whether it is a list of these texts, in any order. `null` is an empty one.
    pub(crate) fn is_list_of(self, wanted: &[String]) -> bool {
        if matches!(self.written, "[]" | "null") {
            return wanted.is_empty();
        }
        let Ok(mut listed) = self.read::<Vec<String>>() else {
            return false;
        };
        let mut wanted: Vec<&String> = wanted.iter().collect();
        listed.sort_unstable();
        wanted.sort_unstable();
        listed.iter().eq(wanted)
    }

    /// Whatever it is.
    pub(crate) fn read<T: Deserialize<'a>>(self) -> Result<T, Unreadable> {
        serde_json::from_str(self.written).map_err(|_| Unreadable { at: self.at })
    }
}

#[derive(Clone, Copy)]
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn unreadable<T>(&self) -> Result<T, Unreadable> {
        Err(Unreadable { at: self.at })
    }

    /// The next byte that is not white.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn expect(&mut self, byte: u8) -> Result<(), Unreadable> {
        if self.peek() != Some(byte) {
            return self.unreadable();
        }
        self.at += 1;
        Ok(())
    }

    /// Whether another one follows in a list or an object; otherwise its end is behind.
    fn goes_on(&mut self, end: u8, first: &mut bool) -> Result<bool, Unreadable> {
        let is_first = std::mem::take(first);
        match self.peek() {
            Some(byte) if byte == end => {
                self.at += 1;
                return Ok(false);
            }
            Some(b',') if !is_first => self.at += 1,
            Some(_) if is_first => {}
            _ => return self.unreadable(),
        }
        Ok(true)
    }

    /// The text that begins here.
    fn text(&mut self) -> Result<Raw<'a>, Unreadable> {
        self.peek();
        let from = self.at;
        let is_plain = self.skip_text()?;
        Ok(self.raw(from, is_plain))
    }

    /// The value that begins here.
    fn value(&mut self) -> Result<Raw<'a>, Unreadable> {
        let first = self.peek();
        let from = self.at;
        let is_plain = match first {
            Some(b'"') => self.skip_text()?,
            Some(b'{' | b'[') => self.skip_nested()?,
            _ => self.skip_word()?,
        };
        Ok(self.raw(from, is_plain))
    }

    fn raw(&self, from: usize, is_plain: bool) -> Raw<'a> {
        Raw {
            written: &self.text[from..self.at],
            at: from,
            is_plain,
        }
    }

    /// Says whether nothing in it is escaped.
    fn skip_text(&mut self) -> Result<bool, Unreadable> {
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) != Some(&b'"') {
            return self.unreadable();
        }
        self.at += 1;
        let mut is_plain = true;
        loop {
            self.at += plain_prefix(&bytes[self.at..]);
            match bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(is_plain);
                }
                // What is escaped ends nothing, whatever it is.
                Some(b'\\') if self.at + 1 < bytes.len() => self.at += 2,
                _ => return self.unreadable(),
            }
            is_plain = false;
        }
    }

    /// Numbers, `true`, `false`, and most often `null`.
    fn skip_word(&mut self) -> Result<bool, Unreadable> {
        let rest = &self.text.as_bytes()[self.at..];
        let is_word =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let length = if rest.starts_with(b"null") {
            4
        } else {
            rest.iter().take_while(|byte| is_word(byte)).count()
        };
        if length == 0 {
            return self.unreadable();
        }
        self.at += length;
        Ok(false)
    }

    fn skip_nested(&mut self) -> Result<bool, Unreadable> {
        let bytes = self.text.as_bytes();
        let mut depth = 0_usize;
        loop {
            match bytes.get(self.at) {
                Some(b'"') => {
                    self.skip_text()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
                None => return self.unreadable(),
            }
            self.at += 1;
            if depth == 0 {
                return Ok(false);
            }
        }
    }
}

/// How many bytes come before the first that means something in a text: `"`, `\` and what must not be there.
fn plain_prefix(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes[at..].first_chunk() {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += size_of::<u64>();
    }
    let is_plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | ..b' ');
    at + bytes[at..].iter().take_while(is_plain).count()
}

/// Of eight bytes at once: the lowest bit that is set is in the first one that is `"`, `\` or below a space. A byte that is
/// equal to the one that is looked for becomes zero; what is too small borrows from above its highest bit, and what comes
/// before it is not touched by that.
fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (equal(b'"') | equal(b'\\') | below(word, b' ')) & (ONES << 7)
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
