//! Why an expression could not be evaluated, in one short sentence without the values of the object.

use kube_cel::cel::{ExecutionError, Value};

pub(crate) fn sentence(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::NoSuchOverload
        | ExecutionError::UnsupportedBinaryOperator(..)
        | ExecutionError::UnsupportedUnaryOperator(..)
        | ExecutionError::ValuesNotComparable(..)
        | ExecutionError::NotSupportedAsMethod { .. }
        | ExecutionError::UnsupportedTargetType { .. }
        | ExecutionError::UnsupportedIndex(..)
        | ExecutionError::UnsupportedListIndex(..)
        | ExecutionError::UnsupportedMapIndex(..)
        | ExecutionError::UnexpectedType { .. } => {
            "no such overload: an operator or a function has values of a type that it is not for"
                .into()
        }
        ExecutionError::UndeclaredReference(name) => format!("`{name}` is not known here"),
        ExecutionError::IndexOutOfBounds(index) => match index {
            Value::Int(index) => format!("index out of bounds: {index}"),
            _ => "index out of bounds".into(),
        },
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".into()
        }
        ExecutionError::Overflow(..) => "a number is too large".into(),
        ExecutionError::FunctionError { function, message } => {
            format!("{function}: {}", shortened(message))
        }
        other => shortened(&other.to_string()),
    }
}

/// One line of it, cut where it is long.
pub(crate) fn shortened(text: &str) -> String {
    const MAX: usize = 200;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}
