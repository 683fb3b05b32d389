//! Files with `${NAME}` places to fill in.

use anyhow::{Result, bail};

/// Fills in the places of `template`; `file` names it in errors. A place without a value is an error, so that a
/// server never sees one.
pub(crate) fn fill(file: &str, template: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("${{{name}}}"), value);
    }
    if let Some(rest) = text.split("${").nth(1) {
        bail!(
            "{file} has a place without a value: {}",
            rest.split('}').next().unwrap_or_default()
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_in_and_forgotten_ones_are_named() {
        assert_eq!(fill("f", "a: ${A}", &[("A", "1")]).unwrap(), "a: 1");
        assert!(
            fill("f", "a: ${A}\nb: ${B}", &[("A", "1")])
                .unwrap_err()
                .to_string()
                .contains("value: B")
        );
    }
}
