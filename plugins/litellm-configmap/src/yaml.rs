//! Writes values as YAML. JSON is YAML except for a few characters, so this needs no rules for quoting.

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;

/// Appends a value on one line.
pub(crate) fn inline(file: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let mut serializer = serde_json::Serializer::with_formatter(file, Inline);
    // Serialising strings, and lists and structs of them, into memory cannot fail.
    let _ = value.serialize(&mut serializer);
}

/// Appends a key. One that begins with a digit is quoted, because it could be a number: `0x1_a` is 26 in YAML 1.1.
pub(crate) fn key(file: &mut Vec<u8>, name: &str) {
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        inline(file, name);
    } else {
        file.extend_from_slice(name.as_bytes());
    }
}

/// Compact JSON that escapes characters which YAML does not allow unescaped: with one of them the whole file could not be
/// read.
struct Inline;

impl Formatter for Inline {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, character)) = rest
            .char_indices()
            .find(|(_, character)| is_special(*character))
        {
            writer.write_all(&rest.as_bytes()[..at])?;
            write!(writer, "\\u{:04x}", u32::from(character))?;
            rest = &rest[at + character.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Characters that YAML calls unprintable, line breaks that JSON does not know, and the byte order mark.
fn is_special(character: char) -> bool {
    matches!(
        character,
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut file = Vec::new();
        write(&mut file);
        String::from_utf8(file).unwrap()
    }

    fn read(file: &str) -> BTreeMap<String, Vec<String>> {
        serde_yaml_ng::from_str(file).unwrap()
    }

    #[test]
    fn characters_that_break_a_file_are_escaped() {
        assert_eq!(
            written(|file| inline(file, "a\u{7f}b\u{2028}\u{feff}ü🦀")),
            r#""a\u007fb\u2028\ufeffü🦀""#
        );
    }

    #[test]
    fn a_key_is_never_a_number() {
        assert_eq!(written(|file| key(file, "0x1_a")), r#""0x1_a""#);
        assert_eq!(written(|file| key(file, "tools_a")), "tools_a");
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_it_was_written(text in "\\PC*|.*|[\\u{0}-\\u{ffff}]*") {
            let file = format!("tools_a: {}\n", written(|file| inline(file, &[&text])));
            prop_assert_eq!(&read(&file)["tools_a"], &[text]);
        }
    }
}
