//! Text of others, as a part of ours.

/// The beginning of a text, at most so many bytes.
pub(crate) fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

/// The same, as one line.
pub(crate) fn one_line(text: &str, longest: usize) -> String {
    cut(text, longest).replace(|c: char| c.is_control(), " ")
}

/// Everything that an error says, down to what caused it: "client error (Connect)" alone helps nobody.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Many errors repeat what their cause says.
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_line_and_is_cut_between_characters() {
        assert_eq!(one_line("a\r\nb\tc", 100), "a  b c");
        assert_eq!(one_line("\u{e4}\u{e4}", 3), "\u{e4}");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{said}")]
    struct Said {
        said: &'static str,
        source: Option<Box<Said>>,
    }

    #[test]
    fn causes_are_told_once() {
        let refused = Said {
            said: "connection refused",
            source: None,
        };
        let connect = Said {
            said: "client error (Connect)",
            source: Some(Box::new(refused)),
        };
        let service = Said {
            said: "ServiceError: client error (Connect)",
            source: Some(Box::new(connect)),
        };
        assert_eq!(
            with_causes(&service),
            "ServiceError: client error (Connect): connection refused"
        );
    }
}
