//! Plugins that mean harm: what years of faults in runtimes of WebAssembly suggest that somebody would try.
//!
//! - In: nothing. Each is made of text in this crate, so that it is the same on every machine.
//! - Out: the [`corpus`], of which each says what it does and how it has to end ([`Ends`]).
//! - Never: it runs nothing. The plugin host's tests do (`host/plugin-host/tests/plugins/corpus.rs`), those of the operator in a
//!   cluster (`tests/e2e/tests/control_plane/hostile.rs`), and the benchmark of whoever has to work beside them
//!   (`tests/bench/benches/hostile.rs`).
//!
//! [`guest`](mod@guest) makes a component of the text of a core module, in the world of the contract: its functions do whatever
//! they like in the place of what the canonical ABI expects of them. The table in `deploy/THREATS.md` is the one of this crate.
#![allow(
    clippy::expect_used,
    reason = "a component that cannot be made is a fault of this crate, which every test shows"
)]

mod answers;
mod bytes;
mod calls;
mod compiling;
mod guest;
mod instances;
mod loading;
mod output;
mod table;

pub use table::table;

use guest::Guest;

/// A plugin that means harm.
#[derive(Clone, Copy, Debug)]
pub struct Hostile {
    /// Kebab-case.
    pub name: &'static str,
    /// What it does, in a few words.
    pub does: &'static str,
    /// How that has to end.
    pub ends: Ends,
    make: Make,
}

/// How a plugin ends. The word is the category of the error: reason of conditions and events, and `outcome` of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// It is refused before it has answered anything: as bytes, for what it wants, or in its first instance.
    Loading(&'static str),
    /// The same, by the limits of the process that compiles: how soon depends on these.
    Compiling(&'static str),
    /// It is loaded, and cannot say what it is or judge its settings.
    Activating(&'static str),
    /// It is in force, and a call of `validate` fails.
    Calling(&'static str),
    /// It is in force and answers: there is no harm in it.
    Never,
}

impl Ends {
    /// The category of the error, or what metrics say of a call that was answered.
    pub fn category(self) -> &'static str {
        match self {
            Self::Loading(category)
            | Self::Compiling(category)
            | Self::Activating(category)
            | Self::Calling(category) => category,
            Self::Never => "Answered",
        }
    }
}

/// What a component is made of.
#[derive(Clone, Copy, Debug)]
enum Make {
    Guest(Guest),
    Bytes(fn() -> Vec<u8>),
}

impl Hostile {
    const fn guest(name: &'static str, does: &'static str, ends: Ends, guest: Guest) -> Self {
        Self {
            name,
            does,
            ends,
            make: Make::Guest(guest),
        }
    }

    const fn bytes(
        name: &'static str,
        does: &'static str,
        ends: Ends,
        make: fn() -> Vec<u8>,
    ) -> Self {
        Self {
            name,
            does,
            ends,
            make: Make::Bytes(make),
        }
    }

    /// The file that somebody would ship.
    pub fn component(&self) -> Vec<u8> {
        match &self.make {
            Make::Guest(guest) => guest.component(),
            Make::Bytes(make) => make(),
        }
    }
}

/// All of them, each with a name of its own.
pub fn corpus() -> Vec<Hostile> {
    let kinds: [&[Hostile]; 6] = [
        loading::ALL,
        compiling::ALL,
        instances::ALL,
        calls::ALL,
        answers::ALL,
        output::ALL,
    ];
    kinds.concat()
}

/// A plugin of the same make that means no harm.
pub fn harmless() -> Vec<u8> {
    Guest::GOOD.component()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_more_than_thirty_and_each_has_its_name() {
        let names: BTreeSet<&str> = corpus().iter().map(|hostile| hostile.name).collect();
        assert_eq!(names.len(), corpus().len());
        assert!(names.len() > 30, "{}", names.len());
    }

    /// What is to be refused for one reason must not be refused for another.
    #[test]
    fn what_is_not_refused_as_bytes_has_the_header_of_a_component() {
        for hostile in corpus() {
            let is_refused = matches!(hostile.ends, Ends::Loading("NotAComponent"));
            let is_component = hostile.component().starts_with(b"\0asm\x0d\0\x01\0");
            assert_eq!(is_component, !is_refused, "{}", hostile.name);
        }
    }
}
