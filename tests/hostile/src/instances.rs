//! What happens before anybody has called anything: memories, tables and start functions.

use crate::guest::Guest;
use crate::{Ends, Hostile};

pub(crate) const ALL: &[Hostile] = &[
    Hostile::guest(
        "start-traps",
        "traps as it starts",
        Ends::Loading("Trapped"),
        Guest::beginning("(func $start unreachable) (start $start)"),
    ),
    Hostile::guest(
        "start-loops",
        "never ends to start",
        Ends::Loading("DeadlineExceeded"),
        Guest::beginning("(func $start (loop $again (br $again))) (start $start)"),
    ),
    Hostile::guest(
        "start-recurses",
        "calls itself without end as it starts",
        Ends::Loading("StackOverflow"),
        Guest::beginning("(func $start (call $start)) (start $start)"),
    ),
    Hostile::guest(
        "start-grows",
        "takes memory without end as it starts",
        Ends::Loading("OutOfMemory"),
        Guest::beginning(
            "(func $start (loop $again (drop (memory.grow (i32.const 256))) (br $again))) (start $start)",
        ),
    ),
    Hostile::guest(
        "large-memory",
        "begins with 2 GiB of memory",
        Ends::Loading("OutOfMemory"),
        Guest {
            memory: r#"(memory (export "memory") 32768)"#,
            ..Guest::GOOD
        },
    ),
    Hostile::guest(
        "many-memories",
        "begins with 50 memories of 64 MiB each",
        Ends::Loading("OutOfMemory"),
        Guest::beginning(MEMORIES),
    ),
    Hostile::guest(
        "large-table",
        "begins with a table of ten million elements",
        Ends::Loading("Trapped"),
        Guest::beginning("(table 10000000 funcref)"),
    ),
    Hostile::guest(
        "many-tables",
        "begins with 15 tables of 100,000 elements each",
        Ends::Loading("Trapped"),
        Guest::beginning(TABLES),
    ),
    Hostile::bytes(
        "instances-of-memories",
        "begins with 900 instances of 90 memories each, which are empty: only addresses are taken",
        Ends::Loading("Trapped"),
        instances_of_memories,
    ),
];

const MEMORIES: &str = concat!(
    "(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)",
    "(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)",
    "(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)",
    "(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)",
    "(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)(memory 1024)",
);

const TABLES: &str = concat!(
    "(table 100000 funcref)(table 100000 funcref)(table 100000 funcref)(table 100000 funcref)(table 100000 funcref)",
    "(table 100000 funcref)(table 100000 funcref)(table 100000 funcref)(table 100000 funcref)(table 100000 funcref)",
    "(table 100000 funcref)(table 100000 funcref)(table 100000 funcref)(table 100000 funcref)(table 100000 funcref)",
);

fn instances_of_memories() -> Vec<u8> {
    let module = format!("(core module $m {})", "(memory 0)".repeat(90));
    let instances = "(core instance (instantiate $m))".repeat(900);
    // The names of the contract, so that it is tried: their types are only compared in an instance.
    let text = format!(
        r#"(component {module} {instances}
            (core module $module (func (export "f")))
            (core instance $core (instantiate $module))
            (func $f (canon lift (core func $core "f")))
            (instance $metadata (export "describe" (func $f)) (export "validate-settings" (func $f)))
            (instance $validator (export "validate" (func $f)))
            (export "mcp-operator:plugin/metadata@0.1.0" (instance $metadata))
            (export "mcp-operator:plugin/validator@0.1.0" (instance $validator)))"#
    );
    wat::parse_str(&text).expect("the text of a component")
}
