//! What must be known of an expression before it is parsed. The parser takes stack for each level of operators and brackets,
//! and has no limit of its own for most of them; and it reads `!!a` and `--a` as `!a` and `-a`.

/// The outside of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// An upper end of the depth. `&&`, `||` and commas make a tree wide and not deep.
    pub(crate) nesting: usize,
    /// Whether a `!` or a sign has another one before it.
    pub(crate) is_doubled: bool,
}

/// What the token before is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Something that a `-` could subtract from.
    Operand,
    Not,
    Sign,
    Other,
}

pub(crate) fn shape(source: &str) -> Shape {
    let mut levels = vec![Level::default()];
    let mut deepest = 0;
    let (mut before, mut is_doubled) = (Before::Other, false);
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' => string(rest, false),
            'r' | 'R' if rest[1..].starts_with(['\'', '"']) => 1 + string(&rest[1..], true),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if first.is_alphanumeric() || first == '_' => {
                let is_word = |each: char| each.is_alphanumeric() || each == '_';
                rest.find(|each| !is_word(each)).unwrap_or(rest.len())
            }
            _ => {
                let wide = ["&&", "||", ","]
                    .into_iter()
                    .find(|wide| rest.starts_with(wide));
                match (first, wide) {
                    (_, Some(_)) => levels.last_mut().map_or((), Level::widen),
                    ('(' | '[' | '{', _) => levels.push(Level::default()),
                    (')' | ']' | '}', _) if levels.len() > 1 => {
                        let inner = levels.pop().map_or(0, |level| level.depth());
                        if let Some(outer) = levels.last_mut() {
                            outer.inner = outer.inner.max(inner + BRACKETS);
                        }
                    }
                    _ if first.is_whitespace() => {}
                    _ => levels.last_mut().map_or((), |level| level.operators += 1),
                }
                wide.map_or(first.len_utf8(), str::len)
            }
        };
        deepest = deepest.max(levels.len() * BRACKETS);
        let now = match first {
            '!' if !rest.starts_with("!=") => Before::Not,
            '-' if before != Before::Operand => Before::Sign,
            ')' | ']' | '}' | '\'' | '"' | '_' => Before::Operand,
            _ if first.is_alphanumeric() => Before::Operand,
            _ if first.is_whitespace() || rest.starts_with("//") => before,
            _ => Before::Other,
        };
        let is_token = !first.is_whitespace() && !rest.starts_with("//");
        is_doubled |= is_token && now == before && matches!(now, Before::Not | Before::Sign);
        before = now;
        rest = &rest[length..];
    }
    // Brackets that nobody closes are as deep.
    let open = levels.into_iter().rev().fold(0, |inner, mut level| {
        level.inner = level.inner.max(inner);
        level.depth() + BRACKETS
    });
    Shape {
        nesting: deepest.max(open),
        is_doubled,
    }
}

/// Levels of the grammar between two brackets, compared with one operator.
const BRACKETS: usize = 4;

/// What is between two brackets.
#[derive(Default)]
struct Level {
    /// Since the last comma or logical operator.
    operators: usize,
    /// The deepest brackets since then.
    inner: usize,
    widest: usize,
}

impl Level {
    fn widen(&mut self) {
        self.widest = self.depth();
        self.operators = 0;
        self.inner = 0;
    }

    fn depth(&self) -> usize {
        self.widest.max(self.operators + self.inner)
    }
}

/// Bytes of the text that begins here, with its quotes.
fn string(rest: &str, is_raw: bool) -> usize {
    let quote = ["'''", "\"\"\"", "'", "\""]
        .into_iter()
        .find(|quote| rest.starts_with(quote))
        .unwrap_or("'");
    let mut at = quote.len();
    while let Some(first) = rest[at..].chars().next() {
        if rest[at..].starts_with(quote) {
            return at + quote.len();
        }
        at += first.len_utf8();
        if first == '\\' && !is_raw {
            at += rest[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::shape;

    #[test]
    fn operators_and_brackets_make_it_deep() {
        for (source, expected) in [
            ("true", 4),
            ("a.b.c == 1", 8),
            ("a && b && c, d || e", 4),
            ("f(a.b, c.d.e)", 10),
            ("(((a)))", 16),
            ("'(((' + \"[[\\\"[\" + r'\\' + '''(('(''' // (((", 7),
            ("((((", 20),
        ] {
            assert_eq!(shape(source).nesting, expected, "{source}");
        }
    }

    #[test]
    fn what_is_doubled_is_seen() {
        for source in [
            "!!a",
            "! !a",
            "a == - -1",
            "--a",
            "a && !!!b",
            "(- -a)",
            "a - - -b",
            "! // x\n !a",
        ] {
            assert!(shape(source).is_doubled, "{source}");
        }
        for source in [
            "!a != !b",
            "a - -1",
            "a--b",
            "f(x) - -y",
            "'!!' == '--'",
            "!(!a)",
            "-a - b",
            "a ? -b : -c",
            "x[-1] - -1",
        ] {
            assert!(!shape(source).is_doubled, "{source}");
        }
    }
}
