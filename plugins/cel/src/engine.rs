//! The interpreter, with Kubernetes' functions.

use kube_cel::KubeCelExt;
use kube_cel::cel::common::ast::{CallExpr, Expr, IdedExpr};
use kube_cel::cel::{Context, ExecutionError, Value};

use crate::functions;

/// What stands before the names of functions that are no methods: `math.abs(-1)`.
pub(crate) const NAMESPACES: [&str; 10] = [
    "base64",
    "format",
    "ip",
    "jsonpatch",
    "lists",
    "math",
    "optional",
    "sets",
    "strings",
    "cel",
];

/// All functions, and no names.
pub(crate) fn context() -> Context<'static> {
    let mut context = Context::default().with_all();
    functions::register(&mut context);
    context
}

/// Whether there is a function of this name, with its namespace.
pub(crate) fn has_function(context: &Context<'_>, name: &str) -> bool {
    let call = IdedExpr {
        id: 0,
        expr: Expr::Call(CallExpr {
            func_name: name.to_owned(),
            target: None,
            args: Vec::new(),
        }),
    };
    let unknown = ExecutionError::undeclared_reference(name);
    // Without arguments, all others have something else to say.
    Value::resolve(&call, context) != Err(unknown)
}
