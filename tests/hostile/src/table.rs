//! The corpus as people read it.

use std::fmt::Write;

use crate::{Ends, corpus};

/// A table in Markdown: each by its name, what it does, where that ends, and as what.
pub fn table() -> String {
    let mut table = "| plugin | what it does | ends | as |\n|---|---|---|---|\n".to_owned();
    for hostile in corpus() {
        let ends = match hostile.ends {
            Ends::Loading(_) => "before it is in force",
            Ends::Compiling(_) => "in the process that compiles",
            Ends::Activating(_) => "when it is asked what it is",
            Ends::Calling(_) => "in each call",
            Ends::Never => "nowhere: there is no harm in it",
        };
        let category = hostile.ends.category();
        let _ = writeln!(
            table,
            "| {} | {} | {ends} | {category} |",
            hostile.name, hostile.does
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// `UPDATE_REFERENCE=1 cargo test --package mcp-hostile` writes it.
    #[test]
    fn the_page_has_this_table() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/THREATS.md");
        let text = std::fs::read_to_string(&page).unwrap();
        let begin = text.find("| plugin | what it does |").unwrap();
        let rest = &text[begin..];
        let length = rest.find("\n\n").map_or(rest.len(), |end| end + 1);
        if std::env::var_os("UPDATE_REFERENCE").is_some() {
            let written = [&text[..begin], &table(), &rest[length..]].concat();
            std::fs::write(&page, written).unwrap();
            return;
        }
        assert_eq!(rest[..length], table());
    }
}
