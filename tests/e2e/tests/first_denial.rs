//! From an empty folder to the first denial in a cluster, in each language: by `plugin new`, and then by the commands of the
//! README that it writes, as they stand there.
//!
//! What is built takes minutes and the network, so it is only run where it is asked for: `cargo xtask test --only authoring`.

use std::collections::BTreeMap;
use std::env;
use std::fs::{create_dir_all, read_to_string, write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mcp_cluster::{Cache, OciRegistry};
use mcp_e2e::{
    Environment, Operator, create_pull_secret, create_registry_ca, eventually, write_docker_config,
};
use tempfile::TempDir;

/// With warm package caches, on a machine that does nothing else, it is a fraction of this.
const LONGEST: Duration = Duration::from_mins(5);
/// How long the operator may take to put a component into force, or to forget it.
const SOON: Duration = Duration::from_mins(2);
/// What a plugin in Python needs, as its README says.
const FOR_PYTHON: [&str; 4] = [
    "--plugin-size-limit-mib",
    "20",
    "--compiler-memory-mib",
    "1024",
];
const DENIAL: &str = "metadata.labels[owner]: Required value: say who owns this server";

/// Somebody with a shell, a registry and a cluster.
struct Author {
    environment: Environment,
    registry: OciRegistry,
    /// Has the programs, and what `docker login` wrote.
    home: TempDir,
}

/// What a command printed.
struct Printed {
    success: bool,
    text: String,
}

impl Author {
    fn new(environment: Environment) -> Result<Self> {
        let registry = OciRegistry::start(&Cache::open()?, &environment.logs.join("registry"))?;
        let home = tempfile::tempdir()?;
        let login = home.path().join("config.json");
        write_docker_config(&login, &registry, OciRegistry::PASSWORD)?;
        create_pull_secret(&environment.kubectl, "pull", &login)?;
        create_registry_ca(&environment.kubectl, &registry)?;
        let programs = home.path().join("bin");
        create_dir_all(&programs)?;
        symlink(
            &environment.artifacts.operator,
            programs.join("mcp-operator"),
        )?;
        symlink(environment.kubectl.program(), programs.join("kubectl"))?;
        Ok(Self {
            environment,
            registry,
            home,
        })
    }

    /// Runs a line as it would be typed.
    fn types(&self, folder: &Path, line: &str) -> Result<Printed> {
        let home = self.home.path();
        let path = env::var("PATH")?;
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(folder)
            .env("PATH", format!("{}:{path}", home.join("bin").display()))
            .env("KUBECONFIG", self.environment.kubectl.kubeconfig())
            .env("KUBECACHEDIR", home.join("kube"))
            .env("DOCKER_CONFIG", home)
            .env("CACHE_DIR", self.environment.logs.join("components"))
            // What is built is not to depend on who builds the tests.
            .env_remove("CARGO_TARGET_DIR")
            .output()?;
        let text = [output.stdout, output.stderr].concat();
        Ok(Printed {
            success: output.status.success(),
            text: String::from_utf8_lossy(&text).into_owned(),
        })
    }

    /// Puts the names of this cluster and this registry where the examples' are, as whoever follows them does.
    fn adapts(&self, project: &Path) -> Result<()> {
        let edit = |file: &str, edits: &[(&str, String)]| -> Result<()> {
            let file = project.join(file);
            let text = read_to_string(&file)?;
            let edited = edits
                .iter()
                .fold(text, |text, (from, to)| text.replace(from, to));
            write(&file, edited).with_context(|| format!("cannot write {}", file.display()))
        };
        let host = self.registry.host();
        let ca = self.registry.ca_file();
        edit(
            "README.md",
            &[
                ("ghcr.io/acme", host.clone()),
                (
                    "plugin push",
                    format!("plugin push --ca-file {}", ca.display()),
                ),
            ],
        )?;
        let access = ", pullSecret: pull}\n    caConfigMap: {name: registry-ca, key: ca.crt}";
        edit(
            "plugin.yaml",
            &[
                ("ghcr.io/acme", host),
                (":0.1.0\"}", format!(":0.1.0\"{access}")),
            ],
        )?;
        edit("server.yaml", &[("ghcr.io/acme", "docker.io/local".into())])
    }

    /// Makes a plugin and follows its README until it denies. What each command took, by its line.
    fn follows(&self, language: &str) -> Result<()> {
        let name = format!("require-owner-{language}");
        let folder = tempfile::tempdir()?;
        let project = folder.path().join(&name);
        let began = Instant::now();
        let new = format!("mcp-operator plugin new {name} --lang {language}");
        let made = self.types(folder.path(), &new)?;
        ensure!(made.success, "{}", made.text);
        self.adapts(&project)?;
        let readme = read_to_string(project.join("README.md"))?;
        let lines: Vec<&str> = readme
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .collect();
        let (last, before) = lines.split_last().context("the README has no commands")?;
        for line in before {
            let step = Instant::now();
            let printed = self.types(&project, line)?;
            println!("{language}: {:5.1} s  {line}", step.elapsed().as_secs_f64());
            // One of them shows what would be denied.
            let is_check = line.starts_with("mcp-operator check");
            ensure!(printed.success != is_check, "{line}: {}", printed.text);
            ensure!(
                !is_check || printed.text.contains(DENIAL),
                "{}",
                printed.text
            );
        }
        ensure!(last.starts_with("kubectl apply -f server.yaml"), "{last}");
        eventually("the rule denies", SOON, || {
            let applied = self.types(&project, last)?;
            let is_denied = !applied.success && applied.text.contains(DENIAL);
            ensure!(is_denied, "{}", applied.text);
            Ok(())
        })?;
        let took = began.elapsed();
        println!(
            "{language}: {:5.1} s from an empty folder to the first denial in a cluster",
            took.as_secs_f64()
        );
        ensure!(took < LONGEST, "{took:?}");
        self.corrects(&project, &name)
    }

    /// Who names an owner may have a server, and without the rule so may everybody.
    fn corrects(&self, project: &Path, name: &str) -> Result<()> {
        let server = read_to_string(project.join("server.yaml"))?;
        let owned = server.replace("  name: weather", "  name: weather\n  labels: {owner: ann}");
        write(project.join("owned.yaml"), owned)?;
        let dry_run = "kubectl apply --dry-run=server -f";
        let owned = self.types(project, &format!("{dry_run} owned.yaml"))?;
        ensure!(owned.success, "{}", owned.text);
        let deleted = self.types(project, &format!("kubectl delete mcpplugin {name}"))?;
        ensure!(deleted.success, "{}", deleted.text);
        eventually("the rule is gone", SOON, || {
            let applied = self.types(project, &format!("{dry_run} server.yaml"))?;
            ensure!(applied.success, "{}", applied.text);
            Ok(())
        })
    }
}

#[test]
fn a_plugin_from_nothing_denies_in_a_cluster_within_five_minutes() -> Result<()> {
    let environment = Environment::open()?;
    let kubeconfig = environment.kubectl.kubeconfig();
    let _operator = Operator::start_with(&environment, "first-denial", kubeconfig, &FOR_PYTHON)?;
    let author = Author::new(environment.clone())?;
    // All of them are tried, also after one has failed.
    let failed: BTreeMap<&str, String> = ["rust", "python", "js", "go"]
        .into_iter()
        .filter_map(|language| {
            let error = author.follows(language).err()?;
            Some((language, format!("{error:#}")))
        })
        .collect();
    ensure!(failed.is_empty(), "{failed:#?}");
    Ok(())
}
