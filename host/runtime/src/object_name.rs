//! Names that come from elsewhere, before they stand in the path of a request.

/// Letters, digits, `-` and `.`, beginning with a letter or digit: what every name of an object is made of. Whatever else a
/// review says, which anybody may have written, would be a way to other resources.
pub(crate) fn is_object_name(name: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.bytes().next().is_some_and(valid)
        && name
            .bytes()
            .all(|byte| valid(byte) || b"-.".contains(&byte))
}

/// Names that are none.
#[cfg(test)]
pub(crate) const NOT_NAMES: [&str; 6] = [
    "../../../api/v1/secrets/a",
    "a/status",
    "a?x=y",
    "",
    "..",
    "A",
];
