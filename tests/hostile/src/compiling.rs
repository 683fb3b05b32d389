//! What is small as a file and large for whoever compiles or checks it.

use std::fmt::Write;

use crate::bytes::{COMPONENT, number, of_functions, of_module, section, vector};
use crate::{Ends, Hostile};

pub(crate) const ALL: &[Hostile] = &[
    Hostile::bytes(
        "million-types",
        "more types than a module may have",
        Ends::Loading("CompileFailed"),
        || of_module(&[section(1, &vector(1_000_001, b"\x60\0\0"))]),
    ),
    Hostile::bytes(
        "doubling-type",
        "a tuple of two tuples of two tuples, 40 times",
        Ends::Loading("CompileFailed"),
        || nested(40, "(tuple $before $before)"),
    ),
    Hostile::bytes(
        "deep-type",
        "a list of lists, 200 times",
        Ends::Loading("CompileFailed"),
        || nested(200, "(list $before)"),
    ),
    Hostile::bytes(
        "deep-component",
        "a component in a component, 10,000 times",
        Ends::Loading("CompileFailed"),
        || {
            let outer = |inner: Vec<u8>, _| [COMPONENT.to_vec(), section(4, &inner)].concat();
            (0..10_000).fold(COMPONENT.to_vec(), outer)
        },
    ),
    Hostile::bytes(
        "doubling-component",
        "a component with two instances of one with two instances, 30 times",
        Ends::Loading("CompileFailed"),
        doubling_component,
    ),
    Hostile::bytes(
        "too-many-locals",
        "a function with more variables than one may have",
        Ends::Loading("CompileFailed"),
        || {
            of_functions(
                1,
                &[b"\x01".as_slice(), &number(50_001), b"\x7f\x0b"].concat(),
            )
        },
    ),
    Hostile::bytes(
        "many-locals",
        "a thousand functions of 50,000 variables each",
        Ends::Compiling("CompileTimeout"),
        || {
            let locals = [b"\x01".as_slice(), &number(50_000), b"\x7f"].concat();
            of_functions(1000, &[locals, using_locals(50)].concat())
        },
    ),
    Hostile::bytes(
        "huge-function",
        "one function with three million calls",
        Ends::Compiling("CompileTimeout"),
        || {
            let calls = b"\x10\0".repeat(3_000_000);
            of_functions(1, &[b"\0".as_slice(), &calls, b"\x0b"].concat())
        },
    ),
    Hostile::bytes(
        "many-functions",
        "100,000 functions",
        Ends::Compiling("CompileTimeout"),
        || {
            let sums = b"\x20\0\x41\x01\x6a\x21\0".repeat(8);
            of_functions(
                100_000,
                &[b"\x01\x01\x7f".as_slice(), &sums, b"\x0b"].concat(),
            )
        },
    ),
    Hostile::bytes(
        "branch-table",
        "a jump with 100,000 targets",
        Ends::Loading("CompileFailed"),
        || of_functions(1, &jump(100_000)),
    ),
    Hostile::bytes(
        "deep-nesting",
        "blocks in blocks, 200,000 times, in each of 10 functions",
        Ends::Compiling("CompileTimeout"),
        || {
            let blocks = [b"\x02\x40".repeat(200_000), b"\x0b".repeat(200_000)].concat();
            of_functions(10, &[b"\0".as_slice(), &blocks, b"\x0b"].concat())
        },
    ),
];

/// Sums in the first variables.
fn using_locals(count: u8) -> Vec<u8> {
    let sums = (0..count).flat_map(|local| [0x20, local, 0x41, 1, 0x6a, 0x21, local]);
    sums.chain([0x0b]).collect()
}

/// A function that jumps to the same place by any of so many numbers.
fn jump(targets: usize) -> Vec<u8> {
    // block; i32.const 0; br_table with all of them, and 0 besides; end; end.
    let targets = vector(targets, &[0]);
    [b"\0\x02\x40\x41\0\x0e".as_slice(), &targets, b"\0\x0b\x0b"].concat()
}

/// A type that is made of `$before`, which is made of it in the same way.
fn nested(times: usize, step: &str) -> Vec<u8> {
    let mut types = "(type $t0 u8)".to_owned();
    for level in 1..=times {
        let before = format!("$t{}", level - 1);
        let step = step.replace("$before", &before);
        let _ = write!(types, "(type $t{level} {step})");
    }
    text(&format!("(component {types})"))
}

fn doubling_component() -> Vec<u8> {
    let mut components =
        "(component $c0 (core module $m) (core instance (instantiate $m)))".to_owned();
    for level in 1..=30 {
        let before = level - 1;
        components = format!(
            "(component $c{level} {components} (instance (instantiate $c{before})) (instance (instantiate $c{before})))"
        );
    }
    text(&format!(
        "(component {components} (instance (instantiate $c30)))"
    ))
}

fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text of a component")
}
