//! The pages for people: what they link to is there, and README.md stays short.

use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn pages() -> Vec<PathBuf> {
    let mut pages = ["README.md", "host/ARCHITECTURE.md", "plugins/README.md"]
        .map(|name| repository().join(name))
        .to_vec();
    for folder in ["deploy", "deploy/samples"] {
        let entries = fs::read_dir(repository().join(folder)).unwrap();
        let files = entries.map(|entry| entry.unwrap().path());
        pages.extend(files.filter(|file| file.extension().is_some_and(|it| it == "md")));
    }
    pages
}

/// A page without its blocks of code.
fn prose(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap();
    let parts = text.split("```").step_by(2);
    parts.collect()
}

/// As a heading is linked to: small letters, `-` for spaces, and nothing else.
fn slug(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading
        .chars()
        .filter(|it| it.is_alphanumeric() || [' ', '-', '_'].contains(it));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

#[test]
fn what_pages_link_to_is_there() {
    for page in pages() {
        // In code, brackets are no link.
        let text: String = prose(&page).split('`').step_by(2).collect();
        for link in text.split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            if target.starts_with("http") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => page.clone(),
                _ => page.parent().unwrap().join(file),
            };
            let shown = page.display();
            assert!(file.exists(), "{shown} links to {target}");
            if !anchor.is_empty() {
                let text = prose(&file);
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                let found = headings.any(|heading| slug(heading) == anchor);
                assert!(
                    found,
                    "{shown} links to {target}, and there is no such heading"
                );
            }
        }
    }
}

#[test]
fn the_readme_is_short_and_so_is_its_quick_start() {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let lines = readme.lines().count();
    assert!(lines <= 200, "README.md has {lines} lines");
    let (_, start) = readme.split_once("\n## Quick start\n").unwrap();
    let start = start.split("\n## ").next().unwrap();
    let commands = start.lines().filter(|line| line.starts_with("$ ")).count();
    assert!((1..=6).contains(&commands), "{commands} commands");
}
