//! Every target on everything in its corpus, without the fuzzer.

use std::fs;
use std::path::Path;

use mcp_fuzz::{TARGETS, target};

#[test]
fn every_folder_is_that_of_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name();
        let name = name.to_str().unwrap();
        assert!(target(name).is_some(), "{name} is no target");
    }
}

#[test]
fn what_the_fuzzer_found_holds() {
    for target in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        let folder = folder.join(target.name);
        let files = fs::read_dir(&folder).unwrap();
        let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        assert!(!files.is_empty(), "{} has no corpus", target.name);
        for file in files {
            // Said before: a panic that ends the process would not say it.
            println!("{}", file.display());
            (target.run)(&fs::read(&file).unwrap());
        }
    }
}
