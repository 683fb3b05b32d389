//! What writes more than anybody will read, and how its call ends besides.

use crate::guest::Guest;
use crate::{Ends, Hostile};

/// A function that writes 4096 bytes so many times.
macro_rules! flood {
    () => {
        "(func $flood (param $times i32) (local $out i32)
            (local.set $out (call $stdout))
            (memory.fill (i32.const 4096) (i32.const 120) (i32.const 4096))
            (loop $again
                (call $write (local.get $out) (i32.const 4096) (i32.const 4096) (i32.const 512))
                (local.set $times (i32.sub (local.get $times) (i32.const 1)))
                (br_if $again (local.get $times))))"
    };
}

pub(crate) const ALL: &[Hostile] = &[
    Hostile::guest(
        "floods-and-answers",
        "writes 40 MB to its standard output, and answers",
        Ends::Never,
        Guest {
            imports: OUTPUT,
            fields: FLOOD,
            ..Guest::validating("(call $flood (i32.const 10000)) (i32.const 1024)")
        },
    ),
    Hostile::guest(
        "floods-and-fails",
        "writes as much, and reports a failure",
        Ends::Calling("Internal"),
        Guest {
            imports: OUTPUT,
            fields: FLOOD,
            ..Guest::validating(
                "(call $flood (i32.const 10000))
                (i32.store8 (i32.const 1024) (i32.const 1)) (i32.store8 (i32.const 1028) (i32.const 2))
                (i32.store (i32.const 1032) (i32.const 4096)) (i32.store (i32.const 1036) (i32.const 2048))
                (i32.const 1024)",
            )
        },
    ),
    Hostile::guest(
        "floods-and-traps",
        "writes as much, and traps",
        Ends::Calling("Trapped"),
        Guest {
            imports: OUTPUT,
            fields: FLOOD,
            ..Guest::validating("(call $flood (i32.const 10000)) unreachable")
        },
    ),
    Hostile::guest(
        "floods-without-end",
        "writes without end",
        Ends::Calling("DeadlineExceeded"),
        Guest {
            imports: OUTPUT,
            fields: FLOOD,
            ..Guest::validating("(loop $again (call $flood (i32.const 1000)) (br $again)) unreachable")
        },
    ),
    Hostile::guest(
        "floods-at-its-start",
        "writes as it starts, when there is nothing to write to yet",
        Ends::Loading("Trapped"),
        Guest {
            imports: OUTPUT,
            fields: concat!(
                flood!(),
                "(func $start (loop $again (call $flood (i32.const 1000)) (br $again))) (start $start)"
            ),
            ..Guest::GOOD
        },
    ),
    Hostile::guest(
        "opens-outputs",
        "takes its standard output again and again, without giving any back",
        Ends::Calling("Trapped"),
        Guest {
            imports: OUTPUT,
            ..Guest::validating("(loop $again (drop (call $stdout)) (br $again)) unreachable")
        },
    ),
];

const OUTPUT: &str = r#"
    (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
    (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))"#;

const FLOOD: &str = flood!();
