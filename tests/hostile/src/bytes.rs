//! The binary format, for what would be too much text.

/// What every component begins with, and every core module.
pub(crate) const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
pub(crate) const MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";

/// LEB128, without a sign.
pub(crate) fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A section, by its number and with its length.
pub(crate) fn section(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind], number(content.len()).as_slice(), content].concat()
}

/// So many times the same.
pub(crate) fn vector(count: usize, entry: &[u8]) -> Vec<u8> {
    [number(count), entry.repeat(count)].concat()
}

/// A component that consists of a core module of these sections.
pub(crate) fn of_module(sections: &[Vec<u8>]) -> Vec<u8> {
    let module = [MODULE.to_vec(), sections.concat()].concat();
    [COMPONENT.to_vec(), section(1, &module)].concat()
}

/// A component of a core module with so many functions without parameters, all with this body: locals and code.
pub(crate) fn of_functions(count: usize, body: &[u8]) -> Vec<u8> {
    let types = section(1, b"\x01\x60\0\0");
    let functions = section(3, &vector(count, &[0]));
    let body = [number(body.len()).as_slice(), body].concat();
    let code = section(10, &vector(count, &body));
    of_module(&[types, functions, code])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_groups_of_seven_bits() {
        assert_eq!(number(0), [0]);
        assert_eq!(number(127), [127]);
        assert_eq!(number(624_485), [0xe5, 0x8e, 0x26]);
    }

    #[test]
    fn functions_are_what_the_text_says() {
        let text = "(component (core module (type (func)) (func (type 0)) (func (type 0))))";
        assert_eq!(of_functions(2, b"\0\x0b"), wat::parse_str(text).unwrap());
    }
}
