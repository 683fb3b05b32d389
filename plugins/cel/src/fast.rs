//! Parses what rules usually look like. The library's parser builds its tables anew in each call, which takes longer than
//! everything else together; this one has none.
//!
//! It makes the tree that the library makes, and gives up (`None`) at whatever is not plain: triple quotes, raw texts and bytes,
//! messages, exponents, unusual escapes, reserved words. When settings are checked, both must agree.

use kube_cel::cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, IdedExpr, ListExpr, LiteralValue,
    MapEntryExpr, MapExpr, SelectExpr, operators,
};

/// The tree of an expression, without numbers of its nodes.
pub(crate) fn parse(source: &str) -> Option<IdedExpr> {
    let mut parser = Parser {
        tokens: tokens(source)?,
        at: 0,
    };
    let expression = parser.expression()?;
    (parser.at == parser.tokens.len()).then_some(expression)
}

#[derive(Clone, Debug, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    Int(&'a str),
    UInt(u64),
    Double(f64),
    Text(String),
    Sign(&'static str),
}

const SIGNS: [&str; 24] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",",
    "(", ")", "[", "]", "{", "}",
];
/// Words of the language that are no names.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

fn tokens(source: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = source;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let Some(first) = rest.chars().next() else {
            return Some(tokens);
        };
        let length = if first.is_ascii_alphabetic() || first == '_' {
            let is_word = |each: char| each.is_ascii_alphanumeric() || each == '_';
            let length = rest.find(|each| !is_word(each)).unwrap_or(rest.len());
            // A raw text, or bytes.
            if rest[length..].starts_with(['\'', '"']) {
                return None;
            }
            tokens.push(Token::Word(&rest[..length]));
            length
        } else if first.is_ascii_digit() {
            number(rest, &mut tokens)?
        } else if first == '\'' || first == '"' {
            text(rest, first, &mut tokens)?
        } else {
            if rest.starts_with("//") {
                return None;
            }
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign))?;
            tokens.push(Token::Sign(sign));
            sign.len()
        };
        rest = &rest[length..];
    }
}

fn number<'a>(rest: &'a str, tokens: &mut Vec<Token<'a>>) -> Option<usize> {
    let digits = |text: &str| {
        text.find(|each: char| !each.is_ascii_digit())
            .unwrap_or(text.len())
    };
    let whole = digits(rest);
    let after = &rest[whole..];
    let mut length = whole;
    if after.starts_with(['u', 'U']) {
        tokens.push(Token::UInt(rest[..whole].parse().ok()?));
        length += 1;
    } else if after.starts_with('.') && after[1..].starts_with(|each: char| each.is_ascii_digit()) {
        length += 1 + digits(&after[1..]);
        tokens.push(Token::Double(rest[..length].parse().ok()?));
    } else {
        tokens.push(Token::Int(&rest[..whole]));
    }
    // Hexadecimal numbers, exponents, and what is no number.
    let is_end = !rest[length..].starts_with(|each: char| each.is_alphanumeric() || each == '_');
    is_end.then_some(length)
}

fn text(rest: &str, quote: char, tokens: &mut Vec<Token<'_>>) -> Option<usize> {
    if rest[1..].starts_with([quote]) && rest[2..].starts_with([quote]) {
        return None;
    }
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, each)) = characters.next() {
        match each {
            '\\' => text.push(match characters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                same @ ('\\' | '\'' | '"') => same,
                _ => return None,
            }),
            '\n' | '\r' => return None,
            _ if each == quote => {
                tokens.push(Token::Text(text));
                return Some(at + 1);
            }
            _ => text.push(each),
        }
    }
    None
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl Parser<'_> {
    fn takes(&mut self, sign: &str) -> bool {
        let is_there =
            matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(is_there);
        is_there
    }

    fn one_of(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        signs.iter().copied().find(|sign| self.takes(sign))
    }

    fn expression(&mut self) -> Option<IdedExpr> {
        let condition = self.logical(operators::LOGICAL_OR)?;
        if !self.takes("?") {
            return Some(condition);
        }
        let is_true = self.logical(operators::LOGICAL_OR)?;
        let is_false = self.takes(":").then(|| self.expression())??;
        Some(call(
            operators::CONDITIONAL,
            vec![condition, is_true, is_false],
        ))
    }

    fn logical(&mut self, operator: &str) -> Option<IdedExpr> {
        let is_or = operator == operators::LOGICAL_OR;
        let mut terms = Vec::new();
        loop {
            terms.push(Some(if is_or {
                self.logical(operators::LOGICAL_AND)?
            } else {
                self.relation()?
            }));
            if !self.takes(if is_or { "||" } else { "&&" }) {
                break;
            }
        }
        match terms.len() {
            1 => terms.pop()?,
            many => balanced(operator, &mut terms, 0, many - 2),
        }
    }

    fn relation(&mut self) -> Option<IdedExpr> {
        let mut left = self.sum()?;
        loop {
            let operator = match self.one_of(&["==", "!=", "<=", ">=", "<", ">"]) {
                Some("==") => operators::EQUALS,
                Some("!=") => operators::NOT_EQUALS,
                Some("<=") => operators::LESS_EQUALS,
                Some(">=") => operators::GREATER_EQUALS,
                Some("<") => operators::LESS,
                Some(_) => operators::GREATER,
                None if self.tokens.get(self.at) == Some(&Token::Word("in")) => {
                    self.at += 1;
                    operators::IN
                }
                None => return Some(left),
            };
            let right = self.sum()?;
            left = call(operator, vec![left, right]);
        }
    }

    fn sum(&mut self) -> Option<IdedExpr> {
        let mut left = self.product()?;
        while let Some(sign) = self.one_of(&["+", "-"]) {
            let operator = if sign == "+" {
                operators::ADD
            } else {
                operators::SUBSTRACT
            };
            let right = self.product()?;
            left = call(operator, vec![left, right]);
        }
        Some(left)
    }

    fn product(&mut self) -> Option<IdedExpr> {
        let mut left = self.unary()?;
        while let Some(sign) = self.one_of(&["*", "/", "%"]) {
            let operator = match sign {
                "*" => operators::MULTIPLY,
                "/" => operators::DIVIDE,
                _ => operators::MODULO,
            };
            let right = self.unary()?;
            left = call(operator, vec![left, right]);
        }
        Some(left)
    }

    fn unary(&mut self) -> Option<IdedExpr> {
        if self.takes("!") {
            return Some(call(operators::LOGICAL_NOT, vec![self.member()?]));
        }
        let is_number = matches!(
            self.tokens.get(self.at + 1),
            Some(Token::Int(_) | Token::Double(_))
        );
        if !is_number && self.takes("-") {
            return Some(call(operators::NEGATE, vec![self.member()?]));
        }
        self.member()
    }

    fn member(&mut self) -> Option<IdedExpr> {
        let mut of = self.primary()?;
        loop {
            if self.takes(".") {
                let is_optional = self.takes("?");
                let Some(Token::Word(name)) = self.tokens.get(self.at) else {
                    return None;
                };
                let name = (*name).to_owned();
                self.at += 1;
                if name == "in" || matches!(name.as_str(), "true" | "false" | "null") {
                    return None;
                }
                of = if is_optional {
                    let field = literal(LiteralValue::String(name.as_str().into()));
                    call(operators::OPT_SELECT, vec![of, field])
                } else if self.takes("(") {
                    let args = self.list(")")?;
                    method(of, name, args)?
                } else {
                    select(of, name, false)
                };
            } else if self.takes("[") {
                let operator = if self.takes("?") {
                    operators::OPT_INDEX
                } else {
                    operators::INDEX
                };
                let index = self.expression()?;
                of = self.takes("]").then(|| call(operator, vec![of, index]))?;
            } else {
                return Some(of);
            }
        }
    }

    fn primary(&mut self) -> Option<IdedExpr> {
        let is_negative = self.takes("-");
        let token = self.tokens.get(self.at)?.clone();
        self.at += 1;
        let value = match token {
            Token::Int(digits) if is_negative => {
                LiteralValue::Int(format!("-{digits}").parse::<i64>().ok()?.into())
            }
            Token::Double(value) if is_negative => LiteralValue::Double((-value).into()),
            _ if is_negative => return None,
            Token::Int(digits) => LiteralValue::Int(digits.parse::<i64>().ok()?.into()),
            Token::UInt(value) => LiteralValue::UInt(value.into()),
            Token::Double(value) => LiteralValue::Double(value.into()),
            Token::Text(text) => LiteralValue::String(text.as_str().into()),
            Token::Word("true") => LiteralValue::Boolean(true.into()),
            Token::Word("false") => LiteralValue::Boolean(false.into()),
            Token::Word("null") => LiteralValue::Null,
            Token::Word(name) if name == "in" || RESERVED.contains(&name) => return None,
            Token::Word(name) => {
                let name = name.to_owned();
                if !self.takes("(") {
                    return Some(of(Expr::Ident(name)));
                }
                let args = self.list(")")?;
                return global(name, args);
            }
            Token::Sign("(") => {
                let inner = self.expression()?;
                return self.takes(")").then_some(inner);
            }
            Token::Sign("[") => {
                let elements = self.list("]")?;
                return Some(of(Expr::List(ListExpr::new(elements))));
            }
            Token::Sign("{") => return self.map(),
            Token::Sign(_) => return None,
        };
        Some(literal(value))
    }

    /// Keys and values, after the bracket.
    fn map(&mut self) -> Option<IdedExpr> {
        let mut entries = Vec::new();
        while !self.takes("}") {
            if !entries.is_empty() && !self.takes(",") {
                return None;
            }
            let key = self.expression()?;
            let value = self.takes(":").then(|| self.expression())??;
            let entry = MapEntryExpr {
                key,
                value,
                optional: false,
            };
            entries.push(IdedEntryExpr {
                id: 0,
                expr: EntryExpr::MapEntry(entry),
            });
        }
        Some(of(Expr::Map(MapExpr { entries })))
    }

    /// Expressions with commas between them, and what ends them.
    fn list(&mut self, end: &str) -> Option<Vec<IdedExpr>> {
        let mut items = Vec::new();
        if self.takes(end) {
            return Some(items);
        }
        loop {
            items.push(self.expression()?);
            if self.takes(end) {
                return Some(items);
            }
            if !self.takes(",") {
                return None;
            }
        }
    }
}

fn of(expr: Expr) -> IdedExpr {
    IdedExpr { id: 0, expr }
}

fn literal(value: LiteralValue) -> IdedExpr {
    of(Expr::Literal(value))
}

fn call(name: &str, args: Vec<IdedExpr>) -> IdedExpr {
    of(Expr::Call(CallExpr {
        func_name: name.into(),
        target: None,
        args,
    }))
}

fn select(operand: IdedExpr, field: String, test: bool) -> IdedExpr {
    of(Expr::Select(SelectExpr {
        operand: Box::new(operand),
        field,
        test,
    }))
}

/// Logical operators are a tree that is as flat as it can be.
fn balanced(
    operator: &str,
    terms: &mut Vec<Option<IdedExpr>>,
    low: usize,
    high: usize,
) -> Option<IdedExpr> {
    let middle = (low + high).div_ceil(2);
    let left = if middle == low {
        terms.get_mut(middle)?.take()?
    } else {
        balanced(operator, terms, low, middle - 1)?
    };
    let right = if middle == high {
        terms.get_mut(middle + 1)?.take()?
    } else {
        balanced(operator, terms, middle + 1, high)?
    };
    Some(call(operator, vec![left, right]))
}

fn global(name: String, mut args: Vec<IdedExpr>) -> Option<IdedExpr> {
    if name != operators::HAS || args.len() != 1 {
        return Some(call(&name, args));
    }
    match args.pop()?.expr {
        Expr::Select(of) => Some(select(*of.operand, of.field, true)),
        _ => None,
    }
}

/// What the accumulator of a loop is called.
const RESULT: &str = "@result";

fn result() -> IdedExpr {
    of(Expr::Ident(RESULT.into()))
}

fn method(target: IdedExpr, name: String, args: Vec<IdedExpr>) -> Option<IdedExpr> {
    let is_loop = matches!(
        (name.as_str(), args.len()),
        ("all" | "exists" | "exists_one" | "existsOne" | "filter", 2) | ("map", 2 | 3)
    );
    if !is_loop {
        return Some(of(Expr::Call(CallExpr {
            func_name: name,
            target: Some(Box::new(target)),
            args,
        })));
    }
    let mut args = args.into_iter();
    let variable = args.next()?;
    let Expr::Ident(iter_var) = variable.expr.clone() else {
        return None;
    };
    let (first, second) = (args.next()?, args.next());
    let boolean = |value: bool| literal(LiteralValue::Boolean(value.into()));
    let number = |value: i64| literal(LiteralValue::Int(value.into()));
    let empty = || of(Expr::List(ListExpr::new(Vec::new())));
    let append = |item: IdedExpr| {
        call(
            operators::ADD,
            vec![result(), of(Expr::List(ListExpr::new(vec![item])))],
        )
    };
    let unless_false = |value: IdedExpr| call(operators::NOT_STRICTLY_FALSE, vec![value]);
    let either = |condition, then| call(operators::CONDITIONAL, vec![condition, then, result()]);
    let (accu_init, loop_cond, loop_step, outcome) = match name.as_str() {
        "all" => (
            boolean(true),
            unless_false(result()),
            call(operators::LOGICAL_AND, vec![result(), first]),
            result(),
        ),
        "exists" => (
            boolean(false),
            unless_false(call(operators::LOGICAL_NOT, vec![result()])),
            call(operators::LOGICAL_OR, vec![result(), first]),
            result(),
        ),
        "filter" => (
            empty(),
            boolean(true),
            either(first, append(variable)),
            result(),
        ),
        "map" => {
            let step = match second {
                Some(item) => either(first, append(item)),
                None => append(first),
            };
            (empty(), boolean(true), step, result())
        }
        _ => {
            let one_more = call(operators::ADD, vec![result(), number(1)]);
            let is_one = call(operators::EQUALS, vec![result(), number(1)]);
            (number(0), boolean(true), either(first, one_more), is_one)
        }
    };
    Some(of(Expr::Comprehension(Box::new(ComprehensionExpr {
        iter_range: target,
        iter_var,
        iter_var2: None,
        accu_var: RESULT.into(),
        accu_init,
        loop_cond,
        loop_step,
        result: outcome,
    }))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::parse;
    use crate::expression::Expression;

    /// Whether this parser reads it, in which case both must read the same.
    fn is_read(source: &str) -> bool {
        let is_read = parse(source).is_some();
        let by_both = Expression::checked(source);
        let is_alike = match &by_both {
            Ok(_) => true,
            // What the library refuses, nobody may read; and what it reads wrongly is refused before.
            Err(reason) => !is_read && !reason.contains("two ways") || reason.contains("two signs"),
        };
        assert!(is_alike, "{source}: {by_both:?}");
        is_read
    }

    #[test]
    fn what_rules_look_like_is_read_as_the_library_reads_it() {
        for source in [
            "object.spec.replicas <= 3 && object.metadata.name != 'a\\'b' || !has(object.spec.image.tag)",
            "a && b && c && d && e || f || g || (h && i)",
            "a ? b || c : d ? e : f",
            "a + b - c * d / e % f == -1 && a - -1 > -x.y",
            "a in [1, 2u, 2.5, -2.5, 'x', \"y\", null, true, []]",
            "a.all(x, x.b(1).exists(y, y == x)) && a.exists_one(x, x) && a.filter(x, x > 1).map(y, y).size() == 1",
            "a.map(x, x > 1, x + 1)[0].?b[?'c'].orValue(has(d.e))",
            "math.abs(-5) == 5 && size(a) < 3 && cel.bind(x, 1, x == 1) && a.map(x) == f()",
            "  a\n  ==\tb ",
            "a.orValue({}) == {'a': 1, b: {true: [c]}} || {}.size() == 0",
        ] {
            assert!(is_read(source), "{source}");
        }
        for source in [
            "{'a': 1,}",
            "{?'a': 1}",
            "a{b: 1}",
            "r'a'",
            "b'a'",
            "\'\'\'a\'\'\'",
            "1e3",
            "0x1F",
            "'\\x41'",
            "import == 1",
            "a // b",
            ".a",
            "a.`b`",
            "[1, 2,]",
            "",
            "a b",
            "a.all(x.y, true)",
            "'a",
            "1.a",
            "a..b",
            "(a",
            "a ? b",
            "a =",
            "a[1",
        ] {
            is_read(source);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn both_read_the_same(tokens in prop::collection::vec(prop::sample::select(TOKENS), 1..14)) {
            is_read(&tokens.concat());
        }
    }

    const TOKENS: &[&str] = &[
        "a",
        "b",
        ".c",
        ".?d",
        "[0]",
        "[?'x']",
        "(",
        ")",
        "[",
        "]",
        ", ",
        "1",
        "2u",
        "1.5",
        "-",
        " - ",
        "+",
        "*",
        "%",
        "!",
        "&&",
        "||",
        " && ",
        " || ",
        "?",
        ":",
        " ? ",
        " : ",
        "==",
        "!=",
        "<",
        ">=",
        " in ",
        "in",
        "'t'",
        "\"q\"",
        "'\\n'",
        "true",
        "null",
        "has(",
        "f(",
        ".g(",
        ".all(x, ",
        ".exists(x, ",
        ".exists_one(x, ",
        ".map(x, ",
        ".filter(x, ",
        "x",
        " ",
        ".",
        "0",
        "_",
        "void",
        "e",
        "u",
        "\n",
        "{",
        "}",
        "{}",
        "{a: ",
        "r",
        "//",
    ];
}
