//! A database for LiteLLM: with it, LiteLLM keeps what its admin API is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{Cache, content_key, read, repository, write};
use crate::command::{capture, run_logged};
use crate::kubectl::Kubectl;
use crate::litellm::{LiteLlm, rolled_out};
use crate::machine::{ensure_database_packages, postgres_folder};
use crate::progress::Progress;
use crate::template::fill;

const NAMESPACE: &str = "--namespace=litellm";
/// Name of the database.
const NAME: &str = "litellm";

/// What the database and LiteLLM's client of it need, installed.
#[derive(Debug, Clone)]
pub struct LiteLlmDatabase {
    litellm: LiteLlm,
    engine: PathBuf,
}

impl LiteLlmDatabase {
    /// Installs it into the cache, unless that was done.
    ///
    /// # Errors
    /// When Postgres or Node.js are missing and cannot be installed, or npm fails, with the end of its log.
    pub fn install(cache: &Cache, litellm: &LiteLlm) -> Result<Self> {
        ensure_database_packages()?;
        let sources =
            ["engine.js", "package.json", "package-lock.json"].map(|name| source().join(name));
        let contents = sources
            .iter()
            .map(|file| read(file))
            .collect::<Result<Vec<_>>>()?;
        let key = content_key(contents.iter().map(Vec::as_slice));
        let folder = litellm.environment().join(format!("query-engine-{key}"));
        let engine = folder.join("query-engine");
        let installed = Self {
            litellm: litellm.clone(),
            engine,
        };
        if folder.join("installed").is_file() {
            return Ok(installed);
        }
        let _lock = cache.lock("python")?;
        fs::create_dir_all(&folder)?;
        for (file, content) in sources.iter().zip(&contents) {
            write(&folder.join(file.file_name().unwrap_or_default()), content)?;
        }
        let log = folder.join("install.log");
        Progress::new(1).step("install LiteLLM's database client", || {
            let mut npm = Command::new("npm");
            npm.current_dir(&folder)
                .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
            run_logged(&mut npm, &log)?;
            installed.make_program(&folder)?;
            installed.generate_client(&folder, &log)
        })?;
        write(&folder.join("installed"), "")?;
        Ok(installed)
    }

    /// The client starts a program; this one is a script of Node.js.
    fn make_program(&self, folder: &Path) -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let script = folder.join("engine.js");
        write(
            &self.engine,
            format!("#!/bin/sh\nexec node '{}' \"$@\"\n", script.display()),
        )?;
        fs::set_permissions(&self.engine, fs::Permissions::from_mode(0o755))
            .context("cannot make the query engine executable")
    }

    /// The client is generated from LiteLLM's schema, with the engine that is used later.
    fn generate_client(&self, folder: &Path, log: &Path) -> Result<()> {
        let python = self.litellm.environment().join("bin/python");
        let place = "import litellm.proxy, os; print(os.path.dirname(litellm.proxy.__file__))";
        let proxy = capture(Command::new(python).args(["-c", place]))?;
        let schema =
            read(&Path::new(proxy.lines().last().unwrap_or_default()).join("schema.prisma"))?;
        let native = |line: &str| {
            if line.trim_start().starts_with("binaryTargets") {
                "  binaryTargets = [\"native\"]".to_owned()
            } else {
                line.to_owned()
            }
        };
        let schema: Vec<String> = String::from_utf8_lossy(&schema)
            .lines()
            .map(native)
            .collect();
        write(&folder.join("schema.prisma"), schema.join("\n"))?;
        let mut generate = Command::new("node");
        generate
            .current_dir(folder)
            .args([
                "node_modules/prisma/build/index.js",
                "generate",
                "--schema=schema.prisma",
            ])
            .env("PATH", self.litellm.path())
            .env("DATABASE_URL", "postgresql://nobody@localhost/nothing")
            .env("CHECKPOINT_DISABLE", "1")
            .env("PRISMA_HIDE_UPDATE_MESSAGE", "1")
            .env("PRISMA_ENGINES_CHECKSUM_IGNORE_MISSING", "1");
        for variable in [
            "PRISMA_QUERY_ENGINE_BINARY",
            "PRISMA_SCHEMA_ENGINE_BINARY",
            "PRISMA_QUERY_ENGINE_LIBRARY",
        ] {
            generate.env(variable, &self.engine);
        }
        run_logged(&mut generate, log)
    }

    /// Starts Postgres in the cluster, makes LiteLLM's tables, and rolls the proxy out with it.
    ///
    /// # Errors
    /// When something is refused or does not start.
    pub fn deploy(&self, kubectl: &Kubectl) -> Result<()> {
        let postgres = postgres_folder().context("Postgres is not installed")?;
        let template =
            String::from_utf8_lossy(&read(&folder().join("database.yaml"))?).into_owned();
        let postgres = postgres.to_string_lossy();
        kubectl.apply(&fill(
            "database.yaml",
            &template,
            &[("POSTGRES", &postgres)],
        )?)?;
        kubectl.run(&[
            "rollout",
            "status",
            "deployment/litellm-database",
            NAMESPACE,
            "--timeout=120s",
        ])?;
        self.script(kubectl, &["migrate"])?;
        let engine = format!("PRISMA_QUERY_ENGINE_BINARY={}", self.engine.display());
        let database = format!(
            "DATABASE_URL=postgresql://postgres@litellm-database.litellm.svc.cluster.local:5432/{NAME}"
        );
        kubectl.run(&[
            "set",
            "env",
            "deployment/litellm-proxy",
            NAMESPACE,
            &engine,
            &database,
            "DISABLE_SCHEMA_UPDATE=true",
            // At each start LiteLLM compares its tables with its schema all the same, by an engine of Prisma's that it would
            // have to download, and goes on without an answer after this many seconds.
            "LITELLM_PRISMA_COMMAND_TIMEOUT=1",
            "LITELLM_SALT_KEY=sk-salt-test",
        ])?;
        rolled_out(kubectl)
    }

    /// Takes the database away from LiteLLM, with its data, or gives it back.
    ///
    /// # Errors
    /// When Postgres refuses it.
    pub fn allow_connections(&self, kubectl: &Kubectl, allow: bool) -> Result<()> {
        self.administrate(
            kubectl,
            &format!("alter database {NAME} with allow_connections {allow}"),
        )?;
        if !allow {
            let end = format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{NAME}'"
            );
            self.administrate(kubectl, &end)?;
        }
        Ok(())
    }

    /// Carries out a statement in LiteLLM's database.
    ///
    /// # Errors
    /// When Postgres refuses it.
    pub fn run(&self, kubectl: &Kubectl, statement: &str) -> Result<()> {
        self.script(kubectl, &["run", statement])
    }

    fn script(&self, kubectl: &Kubectl, words: &[&str]) -> Result<()> {
        self.python(kubectl, NAME, words)
    }

    fn administrate(&self, kubectl: &Kubectl, statement: &str) -> Result<()> {
        self.python(kubectl, "postgres", &["run", statement])
    }

    fn python(&self, kubectl: &Kubectl, database: &str, words: &[&str]) -> Result<()> {
        let address = kubectl.run(&[
            "get",
            "service",
            "litellm-database",
            NAMESPACE,
            "--output=jsonpath={.spec.clusterIP}",
        ])?;
        let url = format!("postgresql://postgres@{address}:5432/{database}");
        let mut command = Command::new(self.litellm.environment().join("bin/python"));
        command
            .arg(folder().join("database.py"))
            .arg(url)
            .args(words);
        capture(&mut command).map(drop)
    }
}

fn folder() -> PathBuf {
    repository().join("tests/litellm")
}

fn source() -> PathBuf {
    folder().join("database")
}
