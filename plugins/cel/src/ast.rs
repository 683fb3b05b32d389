//! What an expression refers to, and the form in which it is evaluated.
//!
//! The interpreter says `false` to a field of something that has no fields, where CEL says that there is no such overload,
//! and copies what it selects from. So selections become index operations, which do neither: `a.b` is `a["b"]`, `has(a.b)`
//! is `"b" in a`, and `a.?b` is `a[?"b"]`. `cel.bind` is written out, and numbers of different kinds are equal as in CEL.

use std::collections::BTreeSet;

use kube_cel::cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, ListExpr, LiteralValue, SelectExpr,
    operators,
};

use crate::functions::SAME;

/// Deeper ones could end the stack of a call.
const MAX_DEPTH: usize = 96;
const VARIABLES: &str = "variables";

/// What an expression refers to.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// Names that no macro binds, without `variables`.
    pub(crate) roots: BTreeSet<String>,
    /// The name of `variables.<name>`.
    pub(crate) variables: BTreeSet<String>,
    /// Functions, with the namespace for those that have one: `math.abs`.
    pub(crate) functions: BTreeSet<String>,
    /// Patterns that are written down.
    pub(crate) patterns: BTreeSet<String>,
    /// Whole paths from a root: `[object, spec, image]`. See [`ITEM`] and [`EACH`].
    pub(crate) paths: BTreeSet<Vec<String>>,
    /// What this program cannot evaluate, one sentence each.
    pub(crate) unsupported: Vec<String>,
}

/// Brings a parsed expression into the form in which it is evaluated; numbers of its nodes are gone.
pub(crate) fn prepare(expression: IdedExpr) -> (IdedExpr, References) {
    let mut walk = Walk::default();
    let expression = walk.expression(expression, true);
    (expression, walk.found)
}

#[derive(Default)]
struct Walk {
    found: References,
    /// Names that macros bind, innermost last, with the path of what they stand for.
    bound: Vec<(String, Option<Vec<String>>)>,
    depth: usize,
}

impl Walk {
    /// `is_whole` says whether the expression is more than the beginning of a longer path.
    fn expression(&mut self, IdedExpr { expr, .. }: IdedExpr, is_whole: bool) -> IdedExpr {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.depth -= 1;
            let sentence = format!("is nested more than {MAX_DEPTH} levels deep");
            if !self.found.unsupported.contains(&sentence) {
                self.found.unsupported.push(sentence);
            }
            return IdedExpr {
                id: 0,
                expr: Expr::Literal(LiteralValue::Null),
            };
        }
        if is_whole && let Some(path) = self.path(&expr) {
            self.found.paths.insert(path);
        }
        let expr = match expr {
            Expr::Ident(name) => self.identifier(name),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(*comprehension),
            Expr::List(mut list) => {
                list.elements = self.all(list.elements);
                Expr::List(list)
            }
            Expr::Map(mut map) => {
                for entry in &mut map.entries {
                    entry.id = 0;
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        entry.key = self.expression(std::mem::take(&mut entry.key), true);
                        entry.value = self.expression(std::mem::take(&mut entry.value), true);
                    }
                }
                Expr::Map(map)
            }
            Expr::Struct(of) => {
                self.found.unsupported.push(format!(
                    "makes a message of type {}: only maps are known here, as in {{\"a\": 1}}",
                    of.type_name
                ));
                Expr::Literal(LiteralValue::Null)
            }
            Expr::Unspecified => {
                self.found
                    .unsupported
                    .push("has a part that says nothing".into());
                Expr::Literal(LiteralValue::Null)
            }
            literal @ Expr::Literal(_) => literal,
        };
        self.depth -= 1;
        IdedExpr { id: 0, expr }
    }

    fn all(&mut self, expressions: Vec<IdedExpr>) -> Vec<IdedExpr> {
        expressions
            .into_iter()
            .map(|expression| self.expression(expression, true))
            .collect()
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|(bound, _)| bound == name)
    }

    fn identifier(&mut self, name: String) -> Expr {
        if name == VARIABLES && !self.is_bound(&name) {
            let sentence = "uses `variables` as a whole: name one of them, as in `variables.name`";
            self.found.unsupported.push(sentence.into());
        } else if !self.is_bound(&name) {
            self.found.roots.insert(name.clone());
        }
        Expr::Ident(name)
    }

    fn select(&mut self, select: SelectExpr) -> Expr {
        let SelectExpr {
            operand,
            field,
            test,
        } = select;
        if let Expr::Ident(root) = &operand.expr
            && root == VARIABLES
            && !self.is_bound(root)
        {
            if test {
                let sentence = "asks whether a variable is there: all of them are";
                self.found.unsupported.push(sentence.into());
            }
            self.found.variables.insert(field.clone());
            return Expr::Ident(variable(&field));
        }
        let operand = self.expression(*operand, false);
        let field = IdedExpr {
            id: 0,
            expr: Expr::Literal(LiteralValue::String(field.as_str().into())),
        };
        if test {
            call(operators::IN, vec![field, operand])
        } else {
            call(operators::INDEX, vec![operand, field])
        }
    }

    fn call(&mut self, mut of: CallExpr) -> Expr {
        if is_bind(&of) {
            return self.bind(of);
        }
        self.note_function(&of);
        let is_path = matches!(
            of.func_name.as_str(),
            operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT
        );
        if of.func_name == operators::OPT_SELECT {
            of.func_name = operators::OPT_INDEX.into();
        }
        // The namespace of a function is no variable.
        let is_namespace = matches!(&of.target, Some(target) if self.is_namespace(target));
        of.target = of.target.map(|target| {
            Box::new(if is_namespace {
                IdedExpr { id: 0, ..*target }
            } else {
                self.expression(*target, true)
            })
        });
        let args = std::mem::take(&mut of.args).into_iter().enumerate();
        of.args = args
            .map(|(index, arg)| self.expression(arg, !(is_path && index == 0)))
            .collect();
        equality(of)
    }

    fn is_namespace(&self, target: &IdedExpr) -> bool {
        matches!(&target.expr, Expr::Ident(name)
            if !self.is_bound(name) && crate::engine::NAMESPACES.contains(&name.as_str()))
    }

    fn note_function(&mut self, of: &CallExpr) {
        let is_operator = !of.func_name.starts_with(char::is_alphabetic);
        if is_operator {
            return;
        }
        let namespace = match &of.target {
            Some(target) if self.is_namespace(target) => match &target.expr {
                Expr::Ident(name) => Some(name),
                _ => None,
            },
            _ => None,
        };
        let name = match namespace {
            Some(namespace) => format!("{namespace}.{}", of.func_name),
            None => of.func_name.clone(),
        };
        self.found.functions.insert(name);
        if matches!(of.func_name.as_str(), "matches" | "find" | "findAll")
            && let Some(IdedExpr {
                expr: Expr::Literal(LiteralValue::String(pattern)),
                ..
            }) = of.args.get(usize::from(of.target.is_none()))
        {
            self.found.patterns.insert(pattern.inner().to_owned());
        }
    }

    /// `cel.bind(name, value, result)`: a loop over nothing, whose accumulator has the name.
    fn bind(&mut self, of: CallExpr) -> Expr {
        let mut args = of.args.into_iter();
        let (Some(name), Some(value), Some(result)) = (args.next(), args.next(), args.next())
        else {
            return Expr::Unspecified;
        };
        let Expr::Ident(name) = name.expr else {
            self.found
                .unsupported
                .push("has a cel.bind whose first argument is no name".into());
            return Expr::Literal(LiteralValue::Null);
        };
        let path = self.path(&value.expr);
        let value = self.expression(value, true);
        self.bound.push((name.clone(), path));
        let result = self.expression(result, true);
        self.bound.pop();
        let of = |expr| IdedExpr { id: 0, expr };
        Expr::Comprehension(Box::new(ComprehensionExpr {
            iter_range: of(Expr::List(ListExpr::new(Vec::new()))),
            iter_var: "@none".into(),
            iter_var2: None,
            accu_var: name.clone(),
            accu_init: value,
            loop_cond: of(Expr::Literal(LiteralValue::Boolean(false.into()))),
            loop_step: of(Expr::Ident(name)),
            result,
        }))
    }

    fn comprehension(&mut self, of: ComprehensionExpr) -> Expr {
        let each = self.path(&of.iter_range.expr).map(|mut path| {
            path.push(EACH.into());
            path
        });
        let iter_range = self.expression(of.iter_range, true);
        let accu_init = self.expression(of.accu_init, true);
        self.bound.push((of.accu_var.clone(), None));
        let result = self.expression(of.result, true);
        self.bound.push((of.iter_var.clone(), each));
        let loop_cond = self.expression(of.loop_cond, true);
        let loop_step = self.expression(of.loop_step, true);
        self.bound.truncate(self.bound.len() - 2);
        Expr::Comprehension(Box::new(ComprehensionExpr {
            iter_range,
            accu_init,
            loop_cond,
            loop_step,
            result,
            ..of
        }))
    }

    /// The path of an expression that is one.
    fn path(&self, expr: &Expr) -> Option<Vec<String>> {
        let (operand, part) = match expr {
            Expr::Ident(name) => {
                let innermost = self.bound.iter().rev().find(|(bound, _)| bound == name);
                return innermost
                    .map_or_else(|| Some(vec![name.clone()]), |(_, path)| path.clone());
            }
            Expr::Select(select) => (&select.operand.expr, select.field.clone()),
            Expr::Call(of) => match (of.func_name.as_str(), of.args.as_slice()) {
                (
                    operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT,
                    [operand, key],
                ) => {
                    let part = match &key.expr {
                        Expr::Literal(LiteralValue::String(key)) => key.inner().to_owned(),
                        _ => ITEM.to_owned(),
                    };
                    (&operand.expr, part)
                }
                _ => return None,
            },
            _ => return None,
        };
        let mut path = self.path(operand)?;
        path.push(part);
        Some(path)
    }
}

/// An item of a list or of a map, in a path.
pub(crate) const ITEM: &str = "[]";
/// What a loop goes over: items of a list, keys of a map.
pub(crate) const EACH: &str = "[*]";

/// What `variables.<name>` is called when it is evaluated.
pub(crate) fn variable(name: &str) -> String {
    format!("{VARIABLES}.{name}")
}

fn is_bind(of: &CallExpr) -> bool {
    let is_cel = matches!(&of.target, Some(target) if target.expr == Expr::Ident("cel".into()));
    is_cel && of.func_name == "bind" && of.args.len() == 3
}

fn call(name: &str, args: Vec<IdedExpr>) -> Expr {
    Expr::Call(CallExpr {
        func_name: name.into(),
        target: None,
        args,
    })
}

/// `1 == 1.0` is true in CEL, and false in the interpreter.
fn equality(of: CallExpr) -> Expr {
    let is_other_number = |arg: &IdedExpr| {
        matches!(
            &arg.expr,
            Expr::Literal(LiteralValue::Double(_) | LiteralValue::UInt(_))
        )
    };
    if !of.args.iter().any(is_other_number) {
        return Expr::Call(of);
    }
    match of.func_name.as_str() {
        operators::EQUALS => call(SAME, of.args),
        operators::NOT_EQUALS => {
            let same = IdedExpr {
                id: 0,
                expr: call(SAME, of.args),
            };
            call(operators::LOGICAL_NOT, vec![same])
        }
        _ => Expr::Call(of),
    }
}
