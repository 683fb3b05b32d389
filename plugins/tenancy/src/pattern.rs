//! Patterns in which `*` is any text, also none, and everything else is itself.

/// Whether a text is one that the pattern means.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    // The first place of each part leaves the most for those after it.
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::matches;

    #[test]
    fn an_asterisk_is_any_text() {
        for (pattern, text) in [
            ("", ""),
            ("a", "a"),
            ("*", ""),
            ("*", "a/b"),
            ("team-a/*", "team-a/prod/x"),
            ("*/mcp/*", "a/mcp/b"),
            ("a*a", "aa"),
            ("*ab*ab", "abab"),
            ("a**b", "ab"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("a", "b"),
            ("a", "ab"),
            ("team-a/*", "team-ab/x"),
            ("team-a/*", "x/team-a/y"),
            ("a*a", "a"),
            ("*ab*ab", "ab"),
            ("a.c", "abc"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    /// The definition, too slow for use.
    fn defined(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=text.len()).any(|end| defined(rest, &text[end..])),
            ([wanted, pattern @ ..], [found, text @ ..]) => {
                wanted == found && defined(pattern, text)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_is_what_is_defined(pattern in "[ab*]{0,8}", text in "[ab]{0,8}") {
            let characters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(
                matches(&pattern, &text),
                defined(&characters(&pattern), &characters(&text))
            );
        }
    }
}
