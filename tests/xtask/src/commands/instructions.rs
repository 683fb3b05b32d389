//! `cargo xtask instructions`: a path that has become slower is seen by its instructions, on a machine however noisy.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use mcp_cluster::{
    Cache, capture, ensure_rust_targets, ensure_valgrind, handle_signals, repository,
};
use mcp_e2e::{Artifacts, OperatorImage};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Keep what is counted now, where it changed for a reason: the commit says which.
    #[arg(long)]
    keep: bool,
}

/// The program that takes the paths.
const PROGRAM: &str = "mcp-hot-paths";
/// How often a path is taken more in the second count than in the first.
const TIMES: u64 = 20;
/// How far a count may be from the kept one, of which it is this part: hashes have other keys in each process.
const TOLERANCE: f64 = 0.03;

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    handle_signals()?;
    ensure_rust_targets()?;
    ensure_valgrind()?;
    let cache = Cache::open()?;
    let target = Artifacts::image_target()?;
    let counter = Counter {
        program: OperatorImage::build_program(&cache, &repository(), &target, PROGRAM)?,
        logs: cache.folder("logs/instructions")?,
    };
    let kept = kept()?;
    println!("{:<10} {:>12} {:>12} {:>7}", "path", "kept", "now", "ratio");
    let mut counted = BTreeMap::new();
    let mut differing = Vec::new();
    for path in counter.paths()? {
        let now = counter.count(&path)?;
        let before = kept.get(&path).copied();
        let ratio = before.map(|before| ratio(now, before));
        let shown = |value: Option<String>| value.unwrap_or_else(|| "-".into());
        println!(
            "{path:<10} {:>12} {now:>12} {:>7}",
            shown(before.map(|before| before.to_string())),
            shown(ratio.map(|ratio| format!("{ratio:.3}"))),
        );
        if ratio.is_none_or(|ratio| (ratio - 1.0).abs() > TOLERANCE) {
            differing.push(path.clone());
        }
        counted.insert(path, now);
    }
    let file = file();
    if arguments.keep {
        let text = serde_json::to_string_pretty(&counted)?;
        return fs::write(&file, text + "\n")
            .with_context(|| format!("cannot write {}", file.display()));
    }
    if kept.is_empty() {
        println!("no counts are kept for processors of this kind");
        return Ok(());
    }
    let gone = kept.keys().find(|path| !counted.contains_key(*path));
    ensure!(
        gone.is_none(),
        "{} names {gone:?}, which is no path",
        file.display()
    );
    ensure!(
        differing.is_empty(),
        "more than {:.0} % from what is kept in {}: {}. If that is as it should be: `cargo xtask instructions --keep`, and say why \
         in the commit",
        TOLERANCE * 100.0,
        file.display(),
        differing.join(", "),
    );
    Ok(())
}

/// What was counted when somebody last looked, for this kind of processor: none, where nobody did.
fn kept() -> Result<BTreeMap<String, u64>> {
    let file = file();
    if !file.exists() {
        return Ok(BTreeMap::new());
    }
    let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} holds no counts", file.display()))
}

fn file() -> PathBuf {
    let name = format!("{}.json", std::env::consts::ARCH);
    repository().join("tests/hot-paths").join(name)
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn ratio(now: u64, before: u64) -> f64 {
    now as f64 / before as f64
}

struct Counter {
    program: PathBuf,
    logs: PathBuf,
}

impl Counter {
    fn paths(&self) -> Result<Vec<String>> {
        let names = capture(&mut Command::new(&self.program))?;
        Ok(names.lines().map(Into::into).collect())
    }

    /// Instructions of taking a path once.
    fn count(&self, path: &str) -> Result<u64> {
        let (few, many) = (self.total(path, 1)?, self.total(path, 1 + TIMES)?);
        Ok(many.saturating_sub(few) / TIMES)
    }

    /// Instructions of a process that takes the path so many times.
    fn total(&self, path: &str, times: u64) -> Result<u64> {
        let out = self.logs.join(format!("{path}-{times}.callgrind"));
        let mut command = Command::new("valgrind");
        command
            .args(["--quiet", "--tool=callgrind"])
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(&self.program)
            .args([path, &times.to_string()]);
        capture(&mut command)?;
        total_of(&out)
    }
}

/// Of all functions, as callgrind writes it.
fn total_of(out: &Path) -> Result<u64> {
    let text = fs::read_to_string(out).with_context(|| format!("cannot read {}", out.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.with_context(|| format!("{} has no total", out.display()))?;
    total
        .trim()
        .parse()
        .context("callgrind's total is no number")
}
