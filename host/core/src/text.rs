//! Text from elsewhere as a part of messages and logs.

/// The beginning of a text, without cutting a character in two.
pub fn cut(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

/// The beginning of a text as one line: control characters become spaces.
pub fn one_line(text: &str, max_bytes: usize) -> String {
    cut(text, max_bytes).replace(|c: char| c.is_control(), " ")
}

/// An error with its causes, since "client error (Connect)" alone does not say what is wrong.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        // Many errors repeat the message of their cause.
        if !text.contains(&message) {
            text = format!("{text}: {message}");
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
    #[error("{message}")]
    struct TestError {
        message: &'static str,
        source: Option<Box<TestError>>,
    }

    #[test]
    fn causes_are_named_once() {
        let refused = TestError {
            message: "connection refused",
            source: None,
        };
        let connect = TestError {
            message: "client error (Connect)",
            source: Some(Box::new(refused)),
        };
        let service = TestError {
            message: "ServiceError: client error (Connect)",
            source: Some(Box::new(connect)),
        };
        assert_eq!(
            with_causes(&service),
            "ServiceError: client error (Connect): connection refused"
        );
    }
}
