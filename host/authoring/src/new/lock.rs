//! `Cargo.lock` of a new folder: that of the SDK, with the new package in its place.

/// What a new package depends on.
const DEPENDENCIES: [&str; 3] = ["mcp-plugin-sdk", "serde", "serde_json"];

/// The lock with one more package. Cargo sorts packages by their names, and writes the file anew where they are not.
pub(super) fn with_package(lock: &str, name: &str) -> String {
    let mut sections: Vec<String> = lock
        .split("[[package]]\n")
        .map(|one| format!("{}\n", one.trim_end()))
        .collect();
    let head = sections.remove(0);
    let dependencies = DEPENDENCIES.map(|one| format!(" \"{one}\",\n")).concat();
    sections.push(format!(
        "name = \"{name}\"\nversion = \"0.1.0\"\ndependencies = [\n{dependencies}]\n"
    ));
    sections.sort_by_key(|section| {
        section
            .lines()
            .next()
            .map(|line| line.trim_matches('"').to_owned())
    });
    let packages: Vec<String> = sections
        .iter()
        .map(|section| format!("[[package]]\n{section}"))
        .collect();
    format!("{head}\n{}", packages.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_is_where_cargo_puts_it() {
        let lock = "# generated\nversion = 4\n\n[[package]]\nname = \"itoa\"\nversion = \"1\"\n\n[[package]]\nname = \"serde\"\nversion = \"1\"\n";
        let with = with_package(lock, "my-rule");
        let names: Vec<&str> = with
            .lines()
            .filter(|line| line.starts_with("name"))
            .collect();
        assert_eq!(
            names,
            ["name = \"itoa\"", "name = \"my-rule\"", "name = \"serde\""]
        );
        assert!(with.starts_with("# generated\nversion = 4\n\n[[package]]\nname = \"itoa\"\nversion = \"1\"\n\n[[package]]\n"));
        assert!(with.contains(
            "dependencies = [\n \"mcp-plugin-sdk\",\n \"serde\",\n \"serde_json\",\n]\n"
        ));
    }
}
