//! `cargo xtask fuzz`: LLVM's fuzzer on what comes from outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use mcp_cluster::{Cache, Progress, ensure_cpp_compiler, handle_signals, repository, run_logged};
use serde_json::Value;

/// Longest input of the corpora that are kept: what is longer is slow, and nothing that anybody reads.
const LONGEST: &str = "-max_len=8192";
/// Seconds after which one input is one too many.
const TIMEOUT: &str = "-timeout=20";
/// How the fuzzer says at its end how many inputs it tried.
const EXECUTED: &str = "stat::number_of_executed_units:";

/// Counts how often each branch is taken, and shows the fuzzer what is compared with what.
const COUNTERS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// One target, by the name of its corpus; otherwise all of them, one after the other.
    target: Option<String>,
    /// How long each is fuzzed.
    #[arg(long, default_value_t = 10, conflicts_with = "inputs")]
    seconds: u64,
    /// How many inputs each is given, however long that takes.
    #[arg(long)]
    inputs: Option<u64>,
    /// What the inputs follow from: the same number gives the same inputs, where the corpora are the same. [default: another
    /// one each time]
    #[arg(long)]
    seed: Option<u32>,
    /// Replace the corpora in the repository by what reaches the most with the fewest bytes.
    #[arg(long)]
    keep: bool,
}

impl Arguments {
    fn effort(&self) -> Effort {
        match self.inputs {
            Some(_) => Effort::Long,
            None => Effort::Short,
        }
    }
}

/// What the program is built for.
#[derive(Clone, Copy)]
enum Effort {
    /// Seconds of fuzzing: crates of others stay as the tests have them.
    Short,
    /// Millions of inputs: it is worth while to have crates of others as the benches have them, several times as fast.
    Long,
}

impl Effort {
    /// In either case crates of others are what is built for something else already.
    fn configure(self, cargo: &mut Command) -> &mut Command {
        match self {
            Self::Short => cargo.args(["--config", "profile.dev.package.\"*\".opt-level=0"]),
            Self::Long => cargo
                .args(["--profile", "bench"])
                // Ours say what they take for impossible all the same.
                .args(["--config", "profile.bench.debug-assertions=true"])
                .args(["--config", "profile.bench.overflow-checks=true"])
                .args([
                    "--config",
                    "profile.bench.package.\"*\".debug-assertions=false",
                ])
                .args([
                    "--config",
                    "profile.bench.package.\"*\".overflow-checks=false",
                ]),
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    handle_signals()?;
    ensure_cpp_compiler()?;
    let targets = targets(arguments.target.as_deref())?;
    let cache = Cache::open()?;
    let logs = cache.folder("logs/fuzz")?;
    let packages: Vec<Package> = [Package::Host, Package::Plugins]
        .into_iter()
        .filter(|package| targets.iter().any(|target| target.package == *package))
        .collect();
    let mut progress = Progress::new(1 + packages.len());
    let library = progress.step("build the fuzzer", || library(&cache, &logs))?;
    let mut programs = Vec::new();
    for package in packages {
        let title = format!("build {} with counters", package.folder());
        let program = progress.step(&title, || {
            package.build(&cache, &library, arguments.effort(), &logs)
        })?;
        programs.push((package, program));
    }
    println!(
        "{:<14} {:>12} {:>8} {:>10}",
        "target", "inputs", "seconds", "per second"
    );
    for target in targets {
        let program = programs
            .iter()
            .find(|(package, _)| *package == target.package);
        let (_, program) = program.context("every package of a target is built")?;
        let fuzzer = Fuzzer {
            program,
            kept: target.corpus(),
            found: found(&cache, arguments, &target.name)?,
            name: target.name,
            logs: &logs,
        };
        fuzzer.fuzz(arguments)?;
        if arguments.keep {
            fuzzer.keep()?;
        }
    }
    Ok(())
}

/// What has targets. Their corpora lie beside them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Package {
    /// Those of the operator's crates.
    Host,
    /// Those of plugins, as native code.
    Plugins,
}

impl Package {
    fn folder(self) -> &'static str {
        match self {
            Self::Host => "tests/fuzz",
            Self::Plugins => "plugins/fuzz",
        }
    }

    fn corpora(self) -> PathBuf {
        repository().join(self.folder()).join("corpus")
    }

    /// The program that has all of its targets, with counters on branches.
    fn build(self, cache: &Cache, library: &Path, effort: Effort, logs: &Path) -> Result<PathBuf> {
        let flags = format!("-L native={} {COUNTERS}", library.display());
        let mut cargo = Command::new("cargo");
        cargo
            .args(["build", "--example", "fuzzer", "--message-format=json"])
            .args(["--config", "profile.dev.opt-level=1"]);
        match self {
            Self::Host => effort
                .configure(&mut cargo)
                .current_dir(repository())
                .env(
                    "RUSTC_WORKSPACE_WRAPPER",
                    repository().join("tests/fuzz/instrument"),
                )
                .env("MCP_FUZZ_FLAGS", flags)
                .args(["--workspace", "--features", "mcp-fuzz/libfuzzer"]),
            // With a target, flags are not those of programs that are built on the way.
            Self::Plugins => cargo
                .current_dir(repository().join(self.folder()))
                .env("RUSTFLAGS", flags)
                .args(["--locked", "--features", "libfuzzer", "--target"])
                .arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
                .arg("--target-dir")
                .arg(cache.folder("fuzz-plugins")?),
        };
        let log = logs.join(format!("{}.log", self.folder().replace('/', "-")));
        let messages = messages(&mut cargo, &log)?;
        let is_program = |message: &&Value| message["target"]["name"] == "fuzzer";
        let found = messages.iter().rfind(is_program);
        let program = found.and_then(|message| message["executable"].as_str());
        program
            .map(PathBuf::from)
            .context("cargo does not say where the fuzzer is")
    }
}

/// Where is put what reaches more of the code: what was found before is begun with too, unless inputs should be the same.
fn found(cache: &Cache, arguments: &Arguments, target: &str) -> Result<PathBuf> {
    if arguments.seed.is_none() {
        return cache.folder(format!("fuzz/{target}"));
    }
    let found = cache.folder(format!("fuzz-seeded/{target}"))?;
    fs::remove_dir_all(&found).with_context(|| format!("cannot empty {}", found.display()))?;
    cache.folder(format!("fuzz-seeded/{target}"))
}

struct Target {
    package: Package,
    name: String,
}

impl Target {
    fn corpus(&self) -> PathBuf {
        self.package.corpora().join(&self.name)
    }
}

/// The targets, or the one that is asked for.
fn targets(asked: Option<&str>) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for package in [Package::Host, Package::Plugins] {
        let folder = package.corpora();
        let cannot = || format!("cannot read {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(cannot)? {
            let name = entry.with_context(cannot)?.file_name();
            let name = name.to_string_lossy().into_owned();
            targets.push(Target { package, name });
        }
    }
    targets.sort_by(|one, other| one.name.cmp(&other.name));
    let Some(asked) = asked else {
        return Ok(targets);
    };
    let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
    targets.retain(|target| target.name == asked);
    ensure!(
        !targets.is_empty(),
        "there is no target {asked}: name one of {}",
        names.join(", ")
    );
    Ok(targets)
}

/// The folder with the fuzzer as a library.
fn library(cache: &Cache, logs: &Path) -> Result<PathBuf> {
    let folder = repository().join("tests/libfuzzer");
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(&folder)
        .args([
            "build",
            "--release",
            "--locked",
            "--message-format=json",
            "--target-dir",
        ])
        .arg(cache.folder("fuzz-library")?);
    let messages = messages(&mut cargo, &logs.join("library.log"))?;
    let is_library = |message: &&Value| {
        let libraries = message["linked_libs"].as_array();
        libraries.is_some_and(|them| them.contains(&"static=fuzzer".into()))
    };
    let found = messages.iter().find(is_library);
    let folder = found.and_then(|message| message["out_dir"].as_str());
    folder
        .map(PathBuf::from)
        .context("cargo does not say where libfuzzer.a is")
}

/// What cargo says while it builds.
fn messages(cargo: &mut Command, log: &Path) -> Result<Vec<Value>> {
    run_logged(cargo, log)?;
    let said = read(log)?;
    Ok(said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}

fn read(file: &Path) -> Result<String> {
    let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(String::from_utf8_lossy(&content).into_owned())
}

/// One target.
struct Fuzzer<'a> {
    program: &'a Path,
    name: String,
    /// Its corpus in the repository.
    kept: PathBuf,
    /// What was found on this machine.
    found: PathBuf,
    logs: &'a Path,
}

impl Fuzzer<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command
            .current_dir(self.logs)
            .env("MCP_FUZZ_TARGET", &self.name)
            .args([LONGEST, TIMEOUT])
            .arg(format!(
                "-dict={}",
                repository().join("tests/fuzz/dictionary").display()
            ))
            .arg(format!(
                "-artifact_prefix={}-",
                self.logs.join(&self.name).display()
            ));
        command
    }

    fn fuzz(&self, arguments: &Arguments) -> Result<()> {
        let log = self.logs.join(format!("{}.log", self.name));
        let mut command = self.command();
        command
            .arg("-print_final_stats=1")
            .arg(match arguments.inputs {
                Some(inputs) => format!("-runs={inputs}"),
                None => format!("-max_total_time={}", arguments.seconds),
            })
            // None is 0, which the fuzzer takes for another one each time.
            .arg(format!("-seed={}", arguments.seed.unwrap_or_default()));
        let began = Instant::now();
        let ended = run_logged(command.arg(&self.found).arg(&self.kept), &log);
        ended.with_context(|| format!(
            "{}: the bytes are in a file that begins with {}-; put it into {}, and the ordinary tests of that package try it",
            self.name,
            self.logs.join(&self.name).display(),
            self.kept.display()
        ))?;
        let seconds = began.elapsed().as_secs().max(1);
        let said = read(&log)?;
        let executed = said.lines().find_map(|line| line.strip_prefix(EXECUTED));
        let Some(executed) = executed.and_then(|number| number.trim().parse::<u64>().ok()) else {
            bail!(
                "the fuzzer does not say in {} how much it tried",
                log.display()
            );
        };
        println!(
            "{:<14} {executed:>12} {seconds:>8} {:>10}",
            self.name,
            executed / seconds
        );
        Ok(())
    }

    /// Makes the corpus in the repository anew, of what is there and what was found.
    fn keep(&self) -> Result<()> {
        let merged = self.found.with_extension("merged");
        if merged.exists() {
            fs::remove_dir_all(&merged)?;
        }
        fs::create_dir_all(&merged)?;
        let mut command = self.command();
        command
            .arg("-merge=1")
            .args([&merged, &self.kept, &self.found]);
        run_logged(
            &mut command,
            &self.logs.join(format!("{}-merge.log", self.name)),
        )?;
        fs::remove_dir_all(&self.kept)?;
        fs::create_dir_all(&self.kept)?;
        for entry in fs::read_dir(&merged)? {
            let entry = entry?;
            fs::copy(entry.path(), self.kept.join(entry.file_name()))?;
        }
        Ok(())
    }
}
