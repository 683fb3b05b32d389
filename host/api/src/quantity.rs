//! Resource quantities. The API server stores them in a canonical form (`0.5` becomes `500m`), so they are compared by value.

/// A quantity in units of 10⁻⁹, or nothing if the text is no quantity.
pub fn nano(text: &str) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit() && byte != b'.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let (scale, exponent) = multiplier(suffix)?;
    let exponent = exponent
        .checked_add(9)?
        .checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let scaled = mantissa(whole, fraction)?.checked_mul(scale)?;
    let power = power_of_ten(exponent.unsigned_abs())?;
    // Kubernetes rounds up what is finer than it can say.
    let value = if exponent < 0 {
        scaled.checked_add(power - 1)? / power
    } else {
        scaled.checked_mul(power)?
    };
    Some(if negative { -value } else { value })
}

/// The digits of a number as if it had no point. Those of nearly all quantities fit into 64 bits, with which a plugin calculates
/// many times faster than with 128: WebAssembly has no instructions for these.
fn mantissa(whole: &str, fraction: &str) -> Option<i128> {
    const ALWAYS_FIT: usize = 19;
    let digits = whole.len() + fraction.len();
    if digits == 0 || digits > ALWAYS_FIT || fraction.contains('.') {
        return format!("{whole}{fraction}").parse().ok();
    }
    let digits = whole.bytes().chain(fraction.bytes());
    let number = digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    Some(number.into())
}

/// The same of powers.
fn power_of_ten(exponent: u32) -> Option<i128> {
    10_u64
        .checked_pow(exponent)
        .map(i128::from)
        .or_else(|| 10_i128.checked_pow(exponent))
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
    use super::{nano, same, whole_units};

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
    fn as_many_digits_as_fit_into_64_bits_and_more_are_numbers() {
        for digits in 1..=29 {
            let nines = "9".repeat(digits);
            let expected: i128 = nines.parse().unwrap();
            assert_eq!(nano(&nines), Some(expected * 1_000_000_000), "{nines}");
            assert_eq!(nano(&format!("{nines}n")), Some(expected), "{nines}n");
        }
        let fine = format!("1.{}1", "0".repeat(19));
        assert_eq!(nano(&fine), Some(1_000_000_001), "rounded up");
        assert_eq!(nano(&format!("0.{}", "0".repeat(27))), Some(0));
    }

    #[test]
    fn what_is_no_number_is_no_quantity() {
        for text in [
            "", ".", "-", "1.2.3", "..", "1..", "Mi", "1 Mi", "1é", "--1", "+-1",
        ] {
            assert_eq!(nano(text), None, "{text}");
        }
        assert_eq!(nano("1."), nano("1"));
        assert_eq!(nano(".5"), nano("500m"));
    }

    #[test]
    fn an_exponent_beyond_all_numbers_is_no_quantity() {
        for text in ["1e2147483647", "1e-2147483648", "0.1e-2147483647", "1e40"] {
            assert_eq!(whole_units(text), None, "{text}");
        }
    }
}
