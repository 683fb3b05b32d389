//! Takes the files that `plugin new` writes into the program: templates, the contract, and the sources of the SDK.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Name of the table, and the folder of its files.
const FOLDERS: [(&str, &str); 4] = [
    ("TEMPLATES", "templates"),
    ("CONTRACT", "../../wit/1.0.0"),
    ("SDK", "../../plugins/sdk/src"),
    ("API", "../api/src"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let mut code = String::new();
    for (table, folder) in FOLDERS {
        let folder = here.join(folder).canonicalize()?;
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files = Vec::new();
        collect(&folder, &mut files)?;
        files.sort();
        writeln!(code, "pub(crate) const {table}: &[(&str, &str)] = &[")?;
        for file in files {
            let name = file.strip_prefix(&folder)?.display().to_string();
            writeln!(
                code,
                "    ({name:?}, include_str!({:?})),",
                file.display().to_string()
            )?;
        }
        writeln!(code, "];")?;
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    fs::write(out.join("embedded.rs"), code)?;
    Ok(())
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
