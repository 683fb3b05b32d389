//! Gatekeeper's policies, judged by its own program without a cluster: `gator test`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cache::{Cache, repository};
use crate::tools::policy_tools;

/// Templates of five policies, and what pods a Deployment becomes: files of Gatekeeper's module.
const POLICIES: [&str; 6] = [
    "demo/agilebank/expansion_templates/expand_deployment_expansiontemplate.yaml",
    "demo/agilebank/remediation/k8sbannedimagetags_template.yaml",
    "demo/agilebank/templates/k8sallowedrepos_template.yaml",
    "demo/agilebank/templates/k8scontainterlimits_template.yaml",
    "demo/agilebank/templates/k8srequiredlabels_template.yaml",
    "demo/agilebank/templates/k8srequiredprobes_template.yaml",
];

/// The program, with templates out of Gatekeeper's module and the constraints of `tests/gatekeeper`.
#[derive(Debug, Clone)]
pub struct Gatekeeper {
    program: PathBuf,
    /// Templates and constraints.
    policies: Vec<PathBuf>,
}

/// What an object breaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Name of the constraint.
    pub constraint: String,
    /// Name of the object.
    pub object: String,
    /// In the policy's own words.
    pub message: String,
}

impl Gatekeeper {
    /// Builds it, unless it is there.
    ///
    /// # Errors
    /// When Go is missing, or its modules cannot be downloaded.
    pub fn build(cache: &Cache) -> Result<Self> {
        let (tools, module) = policy_tools(cache)?;
        let mut policies: Vec<PathBuf> = POLICIES.iter().map(|file| module.join(file)).collect();
        let own = ["pod-security.yaml", "constraints.yaml"];
        let folder = repository().join("tests/gatekeeper");
        policies.extend(own.iter().map(|file| folder.join(file)));
        Ok(Self {
            program: tools.path("gator"),
            policies,
        })
    }

    /// One pod for each constraint, called as it is, that breaks that one only.
    pub fn controls() -> PathBuf {
        repository().join("tests/gatekeeper/controls.yaml")
    }

    /// All that the objects of these files break. What is neither `.yaml` nor `.json` is not read.
    ///
    /// # Errors
    /// When a policy or an object cannot be read.
    pub fn violations(&self, files: &[&Path]) -> Result<Vec<Violation>> {
        let mut command = Command::new(&self.program);
        command.args(["test", "--output=json"]);
        let policies = self.policies.iter().map(PathBuf::as_path);
        for file in policies.chain(files.iter().copied()) {
            command.arg("--filename").arg(file);
        }
        let output = command.output().context("gator cannot be run")?;
        // It ends with 1 for violations, as for what it cannot read: then it says nothing on its standard output.
        let Ok(found) = serde_json::from_slice::<Value>(&output.stdout) else {
            bail!(
                "gator says no violations: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let violation = |found: &Value| Violation {
            constraint: text(&found["constraint"]["metadata"]["name"]),
            object: text(&found["violatingObject"]["metadata"]["name"]),
            message: text(&found["msg"]),
        };
        let found = found.as_array().into_iter().flatten();
        let mut violations: Vec<Violation> = found.map(violation).collect();
        violations.sort();
        Ok(violations)
    }
}
