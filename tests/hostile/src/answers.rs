//! What is no answer by the canonical ABI, or more than one.
//!
//! The answer to `validate` lies at 1024: a byte that says whether it is one (0) or a failure (1), and 4 bytes after it pointer
//! and length of the findings, or the kind of failure and its text. A finding has 48 bytes: `code`, `field` and `error-type`
//! from 0 on, the flag of `bad-value` at 24, `message` at 36 and `severity` at 44.

use crate::guest::Guest;
use crate::{Ends, Hostile};

pub(crate) const ALL: &[Hostile] = &[
    Hostile::guest(
        "answer-beyond-memory",
        "says that its answer lies beyond its memory",
        Ends::Calling("Trapped"),
        Guest::validating("(i32.const -16)"),
    ),
    Hostile::guest(
        "answer-askew",
        "says that its answer lies where none may begin",
        Ends::Calling("Trapped"),
        Guest::validating("(i32.const 1025)"),
    ),
    Hostile::guest(
        "four-billion-findings",
        "answers with a list of 2^32 - 1 findings",
        Ends::Calling("Trapped"),
        Guest::answering(r#"(data (i32.const 1024) "\00\00\00\00\00\08\00\00\ff\ff\ff\ff")"#),
    ),
    Hostile::guest(
        "findings-beyond-memory",
        "answers with a finding that lies beyond its memory",
        Ends::Calling("Trapped"),
        Guest::answering(r#"(data (i32.const 1024) "\00\00\00\00\f0\ff\ff\7f\01\00\00\00")"#),
    ),
    Hostile::guest(
        "text-beyond-memory",
        "answers with a message of 2^32 - 1 bytes",
        Ends::Calling("Trapped"),
        Guest::answering(concat!(
            r#"(data (i32.const 1024) "\00\00\00\00\00\08\00\00\01\00\00\00")"#,
            r#"(data (i32.const 2084) "\00\04\00\00\ff\ff\ff\ff")"#
        )),
    ),
    Hostile::guest(
        "no-text",
        "answers with a message that is no UTF-8",
        Ends::Calling("Trapped"),
        Guest::answering(concat!(
            r#"(data (i32.const 1024) "\00\00\00\00\00\08\00\00\01\00\00\00")"#,
            r#"(data (i32.const 2084) "\00\10\00\00\04\00\00\00")"#,
            r#"(data (i32.const 4096) "\ff\fe\c0\80")"#
        )),
    ),
    Hostile::guest(
        "no-such-result",
        "answers with what is neither findings nor a failure",
        Ends::Calling("Trapped"),
        Guest::answering(r#"(data (i32.const 1024) "\02")"#),
    ),
    Hostile::guest(
        "no-such-failure",
        "fails in a way that the contract does not have",
        Ends::Calling("Trapped"),
        Guest::answering(r#"(data (i32.const 1024) "\01\00\00\00\09")"#),
    ),
    Hostile::guest(
        "no-such-severity",
        "answers with a severity that the contract does not have",
        Ends::Calling("Trapped"),
        Guest::answering(concat!(
            r#"(data (i32.const 1024) "\00\00\00\00\00\08\00\00\01\00\00\00")"#,
            r#"(data (i32.const 2092) "\07")"#
        )),
    ),
    Hostile::guest(
        "no-such-option",
        "answers with a value that is neither there nor absent",
        Ends::Calling("Trapped"),
        Guest::answering(concat!(
            r#"(data (i32.const 1024) "\00\00\00\00\00\08\00\00\01\00\00\00")"#,
            r#"(data (i32.const 2072) "\02")"#
        )),
    ),
    Hostile::guest(
        "answer-of-itself",
        "answers with a finding that lies where the answer does",
        Ends::Never,
        // A warning.
        Guest::answering(concat!(
            r#"(data (i32.const 1024) "\00\00\00\00\00\04\00\00\01\00\00\00")"#,
            r#"(data (i32.const 1068) "\01")"#
        )),
    ),
    Hostile::guest(
        "same-text-a-thousand-times",
        "answers with a thousand findings whose messages are the same 64 KiB",
        Ends::Calling("OutputTooLarge"),
        Guest::validating(SAME_TEXT),
    ),
    Hostile::guest(
        "sixteen-megabytes",
        "answers with a message of 16 MiB",
        Ends::Calling("OutputTooLarge"),
        Guest {
            memory: r#"(memory (export "memory") 400)"#,
            ..Guest::answering(concat!(
                r#"(data (i32.const 1024) "\00\00\00\00\00\08\00\00\01\00\00\00")"#,
                r#"(data (i32.const 2084) "\00\00\01\00\00\00\00\01")"#
            ))
        },
    ),
    Hostile::guest(
        "million-findings",
        "answers with a million findings without words",
        Ends::Calling("OutputTooLarge"),
        Guest {
            memory: r#"(memory (export "memory") 800)"#,
            ..Guest::answering(r#"(data (i32.const 1024) "\00\00\00\00\00\00\01\00\40\42\0f\00")"#)
        },
    ),
    Hostile::guest(
        "room-beyond-memory",
        "wants its arguments beyond its memory",
        Ends::Activating("Trapped"),
        Guest {
            realloc: "(i32.const -8)",
            ..Guest::GOOD
        },
    ),
    Hostile::guest(
        "room-askew",
        "wants its arguments where none may begin",
        Ends::Calling("Trapped"),
        Guest {
            realloc: "(i32.const 16385)",
            ..Guest::GOOD
        },
    ),
    Hostile::guest(
        "room-traps",
        "traps when its arguments need room",
        Ends::Activating("Trapped"),
        Guest {
            realloc: "unreachable",
            ..Guest::GOOD
        },
    ),
    Hostile::guest(
        "room-loops",
        "looks for room for its arguments without end",
        Ends::Activating("DeadlineExceeded"),
        Guest {
            realloc: "(loop $again (br $again)) unreachable",
            ..Guest::GOOD
        },
    ),
    Hostile::guest(
        "room-grows",
        "takes memory without end when its arguments need room",
        Ends::Activating("OutOfMemory"),
        Guest {
            realloc: "(loop $again (drop (memory.grow (i32.const 1024))) (br $again)) unreachable",
            ..Guest::GOOD
        },
    ),
    Hostile::guest(
        "room-is-one",
        "wants all arguments at the same place",
        Ends::Never,
        Guest {
            realloc: "(i32.const 16384)",
            ..Guest::GOOD
        },
    ),
    Hostile::guest(
        "afterwards-traps",
        "answers, and traps when it may tidy up",
        Ends::Calling("Trapped"),
        Guest {
            after: "unreachable",
            ..Guest::GOOD
        },
    ),
    Hostile::guest(
        "afterwards-loops",
        "answers, and never ends to tidy up",
        Ends::Calling("DeadlineExceeded"),
        Guest {
            after: "(loop $again (br $again))",
            ..Guest::GOOD
        },
    ),
];

/// The list begins at 16 KiB and has 1000 findings; the message of each lies at 128 KiB.
const SAME_TEXT: &str = "(local $at i32)
    (local.set $at (i32.const 16384))
    (loop $next
        (i32.store offset=36 (local.get $at) (i32.const 131072))
        (i32.store offset=40 (local.get $at) (i32.const 65536))
        ;; The arguments may have been here.
        (i32.store offset=0 (local.get $at) (i32.const 0)) (i32.store offset=4 (local.get $at) (i32.const 0))
        (i32.store offset=8 (local.get $at) (i32.const 0)) (i32.store offset=12 (local.get $at) (i32.const 0))
        (i32.store offset=16 (local.get $at) (i32.const 0)) (i32.store offset=20 (local.get $at) (i32.const 0))
        (i32.store offset=24 (local.get $at) (i32.const 0)) (i32.store offset=44 (local.get $at) (i32.const 1))
        (local.set $at (i32.add (local.get $at) (i32.const 48)))
        (br_if $next (i32.lt_u (local.get $at) (i32.const 64384))))
    (i32.store (i32.const 1028) (i32.const 16384))
    (i32.store (i32.const 1032) (i32.const 1000))
    (i32.const 1024)";
