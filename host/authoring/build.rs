//! Takes the files that `plugin new` writes into the program: templates, the contract, and the sources of the SDK. And the
//! cases of the contract.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Name of the table, the folder of its files, and how their names end.
const FOLDERS: [(&str, &str, &str); 4] = [
    ("TEMPLATES", "templates", ""),
    ("CONTRACT", "../../wit/1.0.0", ".wit"),
    ("SDK", "../../plugins/sdk/src", ".rs"),
    ("API", "../api/src", ".rs"),
];
/// The same, in a file of its own.
const CASES: (&str, &str, &str) = ("CASES", "../../wit/1.0.0/conformance/cases", ".json");

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let tables = FOLDERS.map(table).into_iter();
    let code = tables.collect::<Result<String, _>>()?;
    fs::write(out.join("embedded.rs"), code)?;
    fs::write(out.join("conformance.rs"), table(CASES)?)?;
    Ok(())
}

fn table((table, folder, end): (&str, &str, &str)) -> Result<String, Box<dyn Error>> {
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let folder = here.join(folder).canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    collect(&folder, &mut files)?;
    files.sort();
    let mut code = String::new();
    writeln!(code, "pub(crate) const {table}: &[(&str, &str)] = &[")?;
    for file in files {
        let name = file.strip_prefix(&folder)?.display().to_string();
        if name.ends_with(end) {
            let file = file.display().to_string();
            writeln!(code, "    ({name:?}, include_str!({file:?})),")?;
        }
    }
    writeln!(code, "];")?;
    Ok(code)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
