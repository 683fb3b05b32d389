//! Resource quantities. The API server stores them in a canonical form (`0.5` becomes `500m`), so they are compared by value.

/// A quantity in units of 10⁻⁹, or nothing if the text is no quantity.
pub fn nano(text: &str) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let (scale, exponent) = multiplier(suffix)?;
    let exponent = exponent
        .checked_add(9)?
        .checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let scaled = mantissa.checked_mul(scale)?;
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    // Kubernetes rounds up what is finer than it can say.
    let value = if exponent < 0 {
        scaled.checked_add(power - 1)? / power
    } else {
        scaled.checked_mul(power)?
    };
    Some(if negative { -value } else { value })
}

/// Factor and power of ten that a suffix stands for.
fn multiplier(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        exponent => (1, exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

/// Whether two texts are the same quantity.
pub fn same(a: &str, b: &str) -> bool {
    a == b || nano(a).is_some_and(|a| nano(b) == Some(a))
}

/// A quantity in whole units (bytes, for memory), or nothing if the text is no quantity or negative.
pub fn whole_units(text: &str) -> Option<u64> {
    u64::try_from(nano(text)?.div_euclid(1_000_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::{same, whole_units};

    #[test]
    fn quantities_are_compared_by_value() {
        for (a, b) in [
            ("500m", "0.5"),
            ("1", "1000m"),
            ("1Gi", "1024Mi"),
            ("1k", "1e3"),
            ("1.5Gi", "1536Mi"),
            ("-1", "-1000m"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("500m", "501m"),
            ("1G", "1Gi"),
            ("1", "-1"),
            ("many", "lots"),
            ("1", ""),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn memory_in_bytes() {
        assert_eq!(whole_units("64Mi"), Some(64 << 20));
        assert_eq!(whole_units("1k"), Some(1000));
        assert_eq!(whole_units("-1"), None);
        assert_eq!(whole_units("much"), None);
    }

    #[test]
    fn an_exponent_beyond_all_numbers_is_no_quantity() {
        for text in ["1e2147483647", "1e-2147483648", "0.1e-2147483647", "1e40"] {
            assert_eq!(whole_units(text), None, "{text}");
        }
    }
}
