//! What goes on for as long as it is let, or takes what it can get, while it is called.

use crate::guest::Guest;
use crate::{Ends, Hostile};

pub(crate) const ALL: &[Hostile] = &[
    Hostile::guest(
        "describe-traps",
        "traps when it is asked what it is",
        Ends::Activating("Trapped"),
        Guest {
            describe: "unreachable",
            ..Guest::GOOD
        },
    ),
    Hostile::guest(
        "describe-loops",
        "never says what it is",
        Ends::Activating("DeadlineExceeded"),
        Guest {
            describe: LOOP,
            ..Guest::GOOD
        },
    ),
    Hostile::guest(
        "loops",
        "computes without end",
        Ends::Calling("DeadlineExceeded"),
        Guest::validating(LOOP),
    ),
    Hostile::guest(
        "fills-memory",
        "writes all of its memory, again and again, in single instructions",
        Ends::Calling("DeadlineExceeded"),
        Guest {
            memory: r#"(memory (export "memory") 800)"#,
            ..Guest::validating(
                "(loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.const 52428800)) (br $again)) unreachable",
            )
        },
    ),
    Hostile::guest(
        "sleeps",
        "waits for a clock that stands still",
        Ends::Calling("DeadlineExceeded"),
        Guest {
            imports: CLOCK,
            ..Guest::validating(
                "(call $block (call $subscribe (i64.const 0x7fffffffffffffff))) unreachable",
            )
        },
    ),
    Hostile::guest(
        "takes-memory",
        "takes memory without end",
        Ends::Calling("OutOfMemory"),
        Guest::validating(
            "(loop $again (drop (memory.grow (i32.const 16))) (br $again)) unreachable",
        ),
    ),
    Hostile::guest(
        "takes-tables",
        "lets a table grow without end",
        Ends::Calling("Trapped"),
        Guest {
            fields: "(table $t 1 funcref)",
            ..Guest::validating(
                "(loop $again
                    (if (i32.eq (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)) (then unreachable))
                    (br $again)) unreachable",
            )
        },
    ),
    Hostile::guest(
        "recurses",
        "calls itself without end",
        Ends::Calling("StackOverflow"),
        Guest {
            fields: "(func $deeper (call $deeper))",
            ..Guest::validating("(call $deeper) unreachable")
        },
    ),
    Hostile::guest(
        "traps",
        "gives up",
        Ends::Calling("Trapped"),
        Guest::validating("unreachable"),
    ),
    Hostile::guest(
        "divides-by-zero",
        "divides by zero",
        Ends::Calling("Trapped"),
        Guest::validating("(i32.div_u (i32.const 1) (i32.const 0))"),
    ),
    Hostile::guest(
        "reads-beyond",
        "reads far beyond its memory",
        Ends::Calling("Trapped"),
        Guest::validating("(i32.load offset=4294967295 (i32.const -1))"),
    ),
    Hostile::guest(
        "wild-call",
        "calls a function that is not there",
        Ends::Calling("Trapped"),
        Guest {
            fields: "(table 1 funcref)",
            ..Guest::validating("(call_indirect (result i32) (i32.const 7))")
        },
    ),
    Hostile::guest(
        "exits",
        "ends the program",
        Ends::Calling("Trapped"),
        Guest {
            imports: r#"(import "wasi:cli/exit@0.2.0" "exit" (func $exit (param i32)))"#,
            ..Guest::validating("(call $exit (i32.const 1)) unreachable")
        },
    ),
    Hostile::guest(
        "leaks-handles",
        "makes handles of the host without giving any back",
        Ends::Calling("Trapped"),
        Guest {
            imports: CLOCK,
            ..Guest::validating(
                "(loop $again (drop (call $subscribe (i64.const 1))) (br $again)) unreachable",
            )
        },
    ),
    Hostile::guest(
        "much-random",
        "asks for a terabyte of random bytes",
        Ends::Calling("Trapped"),
        Guest {
            imports: r#"(import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))"#,
            ..Guest::validating(
                "(call $random (i64.const 0x10000000000) (i32.const 1024)) unreachable",
            )
        },
    ),
    Hostile::guest(
        "good-until-the-thousandth",
        "counts its calls, to trap in the thousandth: each has an instance of its own",
        Ends::Never,
        Guest {
            fields: "(global $calls (mut i32) (i32.const 0)) (data (i32.const 512) \"\\00\")",
            validate: COUNTING,
            ..Guest::GOOD
        },
    ),
];

const LOOP: &str = "(loop $again (br $again)) unreachable";

const CLOCK: &str = r#"
    (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
    (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#;

/// In a global and in its memory.
const COUNTING: &str = "
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.store (i32.const 512) (i32.add (i32.load (i32.const 512)) (i32.const 1)))
    (if (i32.ge_u (global.get $calls) (i32.const 1000)) (then unreachable))
    (if (i32.ge_u (i32.load (i32.const 512)) (i32.const 1000)) (then unreachable))
    (i32.const 1024)";
