//! An expression of the settings, ready to be evaluated.

use kube_cel::cel::common::ast::{Expr, IdedExpr, LiteralValue};
use kube_cel::cel::parser::Parser;
use kube_cel::cel::{Context, ExecutionError, Value};

use crate::ast::{self, References};
use crate::fast;
use crate::nesting::shape;

/// Bytes of one expression.
pub(crate) const MAX_LENGTH: usize = 16 * 1024;
/// A call has half a megabyte of stack.
const MAX_NESTING: usize = 64;

#[derive(Debug)]
pub(crate) struct Expression {
    prepared: IdedExpr,
    pub(crate) references: References,
}

impl Expression {
    /// Parses it.
    ///
    /// # Errors
    /// A sentence that says where it is no expression.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        if source.trim().is_empty() {
            return Err("must not be empty".into());
        }
        if source.len() > MAX_LENGTH {
            return Err(format!("must not be longer than {MAX_LENGTH} bytes"));
        }
        let shape = shape(source);
        if shape.nesting > MAX_NESTING {
            return Err("is nested too deeply: make variables of its parts".into());
        }
        if shape.is_doubled {
            return Err("has two `!` or two signs before one value: leave both out".into());
        }
        match fast::parse(source) {
            Some(parsed) => Ok(Self::of(parsed)),
            None => Ok(Self::of(parsed_by_library(source)?)),
        }
    }

    /// The same for settings that nobody has checked yet: what is plain is parsed in both ways.
    ///
    /// # Errors
    /// A sentence that says where it is no expression.
    pub(crate) fn checked(source: &str) -> Result<Self, String> {
        let expression = Self::parse(source)?;
        let by_library = Self::of(parsed_by_library(source)?);
        if expression.prepared != by_library.prepared {
            return Err("can be read in two ways: put brackets around its parts".into());
        }
        Ok(expression)
    }

    fn of(parsed: IdedExpr) -> Self {
        let (prepared, references) = ast::prepare(parsed);
        Self {
            prepared,
            references,
        }
    }

    pub(crate) fn evaluate(&self, context: &Context<'_>) -> Result<Value, ExecutionError> {
        Value::resolve(&self.prepared, context)
    }

    /// What it is where that is known without a server, if it is no truth value.
    pub(crate) fn is_never_bool(&self) -> Option<&'static str> {
        match &self.prepared.expr {
            Expr::Literal(LiteralValue::Boolean(_)) => None,
            Expr::Literal(LiteralValue::String(_)) => Some("text"),
            Expr::Literal(LiteralValue::Null) => Some("null"),
            Expr::Literal(LiteralValue::Bytes(_)) => Some("bytes"),
            Expr::Literal(_) => Some("a number"),
            Expr::List(_) => Some("a list"),
            Expr::Map(_) => Some("a map"),
            Expr::Call(call) => match call.func_name.as_str() {
                "_+_" | "_-_" | "_*_" | "_/_" | "_%_" | "-_" => Some("a sum"),
                "size" => Some("a number"),
                _ => None,
            },
            _ => None,
        }
    }
}

fn parsed_by_library(source: &str) -> Result<IdedExpr, String> {
    let parser = Parser::new().enable_optional_syntax(true);
    parser
        .parse(source)
        .map_err(|errors| sentence(&errors.errors))
}

fn sentence(errors: &[kube_cel::cel::ParseError]) -> String {
    let Some(first) = errors.first() else {
        return "is no CEL expression".into();
    };
    let (line, column) = first.pos;
    // The parser lists every token that could have stood there.
    let message = first.msg.split(" expecting {").next().unwrap_or_default();
    format!("line {line}, column {column}: {}", message.trim())
}
