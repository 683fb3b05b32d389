//! Rules that come from a real registry: found, verified, lost and found again.

use std::fs::{create_dir_all, read_dir, remove_file, write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use mcp_cluster::{Cache, OciRegistry, capture};
use mcp_e2e::{
    Environment, Operator, OwnCluster, create_pull_secret, create_registry_ca, eventually,
    write_docker_config,
};
use serde_json::{Value, json};

use crate::world::{RECOVERY, World};

const OPERATOR: &str = "mcp-operator-system";
const RULE: &str = "team";
/// Tags are looked at each second: nobody waits for minutes here.
const REFRESH: [&str; 2] = ["--source-refresh-seconds", "1"];

/// A cluster, and a registry that its operator is let into.
pub(crate) struct Registered {
    world: World,
    environment: Environment,
    pub(crate) registry: OciRegistry,
    operator: Option<Operator>,
    /// Keys, and what is pushed.
    pub(crate) folder: PathBuf,
}

impl Registered {
    /// A cluster and a registry, with what the operator needs to be let in.
    pub(crate) fn start(name: &str) -> Result<Self> {
        let world = World::start(name)?;
        let folder = world.own.environment.logs.join(name);
        create_dir_all(&folder)?;
        let environment = Environment {
            // Its cache of components is its own, as that of a pod is.
            logs: folder.clone(),
            ..world.own.environment.clone()
        };
        let registry = OciRegistry::start(&Cache::open()?, &folder.join("registry"))?;
        let registered = Self {
            world,
            environment,
            registry,
            operator: None,
            folder,
        };
        for (secret, password) in [("pull", OciRegistry::PASSWORD), ("wrong", "guessed")] {
            let file = registered.folder.join(secret);
            write_docker_config(&file, &registered.registry, password)?;
            create_pull_secret(registered.world.kubectl(), secret, &file)?;
        }
        create_registry_ca(registered.world.kubectl(), &registered.registry)?;
        Ok(registered)
    }

    /// As a new pod does.
    pub(crate) fn restart(&mut self, name: &str, options: &[&str]) -> Result<()> {
        if let Some(mut operator) = self.operator.take() {
            operator.kill();
        }
        self.forget_rule()?;
        let kubeconfig = self.environment.kubectl.kubeconfig();
        let options = [&REFRESH, options].concat();
        let operator = Operator::start_with(&self.environment, name, kubeconfig, &options)?;
        self.operator = Some(operator);
        Ok(())
    }

    /// Takes what was compiled of the rule out of the cache, which a new pod does not have. The other plugins stay: compiling
    /// them anew is what takes longest, and shows nothing.
    fn forget_rule(&self) -> Result<()> {
        let digest = "--output=jsonpath={.status.digest}";
        let get = ["get", "mcpplugin", RULE, "--ignore-not-found", digest];
        let digest = self.world.kubectl().run(&get)?;
        let Some(digest) = digest.trim().strip_prefix("sha256:") else {
            return Ok(());
        };
        for file in read_dir(self.environment.logs.join("components"))? {
            let file = file?;
            if file.file_name().to_string_lossy().starts_with(digest) {
                remove_file(file.path())?;
            }
        }
        Ok(())
    }

    pub(crate) fn reference(&self, version: &str) -> String {
        format!("{}/rules/team-label{version}", self.registry.host())
    }

    /// `mcp-operator plugin`, as an author calls it.
    pub(crate) fn plugin(&self, arguments: &[&str], reference: &str) -> Result<String> {
        let mut command = Command::new(&self.environment.artifacts.operator);
        command.arg("plugin").args(arguments).arg(reference);
        command.arg("--ca-file").arg(self.registry.ca_file());
        command
            .arg("--registry-config")
            .arg(self.folder.join("pull"));
        capture(&mut command)
    }

    /// Pushes a component, and gives the digest of the artifact.
    pub(crate) fn push(&self, file: &Path, tag: &str, more: &[&str]) -> Result<String> {
        let file = file.to_string_lossy();
        let arguments = [&["push", &*file][..], more].concat();
        let pinned = self.plugin(&arguments, &self.reference(&format!(":{tag}")))?;
        let (_, digest) = pinned.trim().split_once('@').context("no digest")?;
        Ok(digest.to_owned())
    }

    pub(crate) fn component(&self) -> PathBuf {
        self.environment
            .artifacts
            .plugins
            .join("require_team_label.wasm")
    }

    /// A pair of keys: the files of the private and of the public one.
    pub(crate) fn key(&self, name: &str) -> Result<(String, String)> {
        let path = |end: &str| {
            self.folder
                .join(format!("{name}.{end}"))
                .to_string_lossy()
                .into_owned()
        };
        let (private, public) = (path("key"), path("pub"));
        let pair = rcgen::KeyPair::generate()?;
        write(&private, pair.serialize_pem())?;
        write(&public, pair.public_key_pem())?;
        Ok((private, public))
    }

    /// Applies the rule, from this version and with these fields.
    pub(crate) fn rule(&self, version: &str, spec: &Value, source: &Value) -> Result<()> {
        let mut rule = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": RULE },
            "spec": { "source": {
                "oci": { "reference": self.reference(version), "pullSecret": "pull" },
                "caConfigMap": { "name": "registry-ca", "key": "ca.crt" },
            } },
        });
        let merge = |into: &mut Value, from: &Value| {
            for (name, value) in from.as_object().into_iter().flatten() {
                into[name] = value.clone();
            }
        };
        merge(&mut rule["spec"], spec);
        merge(&mut rule["spec"]["source"], source);
        self.world
            .kubectl()
            .pipe(&["apply", "--filename", "-"], &rule.to_string())
            .map(drop)
    }

    /// Waits until the rule's condition has this status and reason, and gives the MCPPlugin.
    pub(crate) fn rule_is(&self, status: &str, reason: &str) -> Result<Value> {
        eventually("the rule's condition", RECOVERY, || {
            let plugin = self.world.kubectl().json(&["get", "mcpplugin", RULE])?;
            let ready = &plugin["status"]["conditions"][0];
            let is_of = plugin["status"]["observedGeneration"] == plugin["metadata"]["generation"];
            ensure!(
                is_of && ready["status"] == status && ready["reason"] == reason,
                "{ready}"
            );
            Ok(plugin)
        })
    }

    /// The message of that condition.
    pub(crate) fn rule_says(&self, reason: &str) -> Result<String> {
        let plugin = self.rule_is("False", reason)?;
        let message = plugin["status"]["conditions"][0]["message"].as_str();
        Ok(message.unwrap_or_default().to_owned())
    }

    pub(crate) fn delete_rule(&self) -> Result<()> {
        self.world
            .kubectl()
            .run(&["delete", "mcpplugin", RULE])
            .map(drop)
    }

    /// Whether a server without the label is refused, and why.
    fn judged(&self) -> Result<String, String> {
        let server = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "violating", "namespace": OwnCluster::NAMESPACE },
            "spec": {
                "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" },
                "resources": { "limits": { "cpu": "500m", "memory": "64Mi" } },
            },
        });
        let create = ["create", "--dry-run=server", "--filename", "-"];
        let created = self.world.kubectl().pipe(&create, &server.to_string());
        created.map_err(|error| format!("{error:#}"))
    }

    /// Waits until what is in force is the only copy that is kept.
    fn is_kept(&self) -> Result<()> {
        let plugin = self.rule_is("True", "InForce")?;
        let uid = plugin["metadata"]["uid"].as_str().context("no uid")?;
        let of_rule = format!("--selector=mcp.litellm.ai/plugin-uid={uid}");
        let list = ["get", "configmaps", "--namespace", OPERATOR, &of_rule];
        eventually("a copy is kept", RECOVERY, || {
            let copies = self.world.kubectl().json(&list)?;
            let copies = copies["items"].as_array().context("no list")?;
            let kept = copies
                .iter()
                .map(|copy| &copy["metadata"]["annotations"]["mcp.litellm.ai/resolved-reference"]);
            ensure!(
                kept.eq([&plugin["status"]["resolvedReference"]]),
                "{copies:?}"
            );
            Ok(())
        })
    }

    pub(crate) fn is_enforced(&self) -> Result<()> {
        eventually("the rule is enforced", RECOVERY, || {
            let refused = self.judged().err().context("it was accepted")?;
            ensure!(
                refused.contains("metadata.labels[team]: Required value"),
                "{refused}"
            );
            Ok(())
        })
    }
}

#[test]
fn a_rule_from_a_registry_is_in_force_and_outlives_the_registry_and_the_pod() -> Result<()> {
    let mut it = Registered::start("registry")?;
    let first = it.push(&it.component(), "1.0.0", &[])?;
    it.restart("registry-start", &[])?;

    // By tag: the status says what that stands for.
    it.rule(":1.0.0", &json!({}), &json!({}))?;
    let plugin = it.rule_is("True", "InForce")?;
    assert_eq!(
        plugin["status"]["resolvedReference"],
        it.reference(&format!("@{first}"))
    );
    assert!(plugin["status"]["signedBy"].is_null());
    it.is_enforced()?;
    let component = plugin["status"]["digest"].clone();

    // The tag becomes something that is no plugin: the last good one stays.
    let empty = it.folder.join("empty.wasm");
    write(&empty, b"\0asm\x0d\0\x01\0")?;
    let second = it.push(&empty, "1.0.0", &["--plain"])?;
    assert_ne!(first, second);
    let plugin = it.rule_is("False", "WrongWorld")?;
    assert_eq!(plugin["status"]["digest"], component);
    it.is_enforced()?;

    // By digest; and what is pinned to another component is refused before it is fetched.
    it.rule(&format!("@{first}"), &json!({}), &json!({}))?;
    it.rule_is("True", "InForce")?;
    let pin = component
        .as_str()
        .context("no digest")?
        .trim_start_matches("sha256:");
    it.rule(&format!("@{first}"), &json!({ "sha256": pin }), &json!({}))?;
    it.rule_is("True", "InForce")?;
    it.rule(&format!("@{second}"), &json!({ "sha256": pin }), &json!({}))?;
    let said = it.rule_says("DigestMismatch")?;
    assert!(said.contains("spec.sha256 wants"), "{said}");

    // Credentials.
    let login = |secret: &str| json!({ "oci": { "reference": it.reference(&format!("@{first}")), "pullSecret": secret } });
    it.rule("", &json!({}), &login("wrong"))?;
    let said = it.rule_says("AccessDenied")?;
    assert!(said.contains("the registry refuses the credentials, or they do not allow this: they are those of Secret mcp-operator-system/wrong"), "{said}");
    it.rule("", &json!({}), &login("missing"))?;
    let said = it.rule_says("InvalidPullSecret")?;
    assert!(
        said.contains(
            "spec.source.oci.pullSecret: there is no Secret missing in the operator's namespace"
        ),
        "{said}"
    );
    it.rule(
        "",
        &json!({}),
        &json!({ "oci": { "reference": it.reference(&format!("@{first}")) } }),
    )?;
    let said = it.rule_says("AccessDenied")?;
    assert!(
        said.contains("name a Secret with some in spec.source.oci.pullSecret"),
        "{said}"
    );
    it.is_enforced()?;

    // Nobody answers any more, and the pod is another one, with an empty cache.
    it.rule(&format!("@{first}"), &json!({}), &json!({}))?;
    it.is_kept()?;
    it.registry.stop();
    it.restart("registry-gone", &[])?;
    it.is_enforced()?;
    let said = it.rule_says("SourceUnavailable")?;
    assert!(
        said.contains("cannot be reached")
            && said.contains("the last good component stays in force"),
        "{said}"
    );
    it.registry.resume()?;
    let plugin = it.rule_is("True", "InForce")?;
    assert_eq!(
        plugin["status"]["resolvedReference"],
        it.reference(&format!("@{first}"))
    );
    Ok(())
}

#[test]
fn what_is_signed_by_no_trusted_key_is_not_loaded_and_no_plugin_changes_that() -> Result<()> {
    let mut it = Registered::start("signatures")?;
    let ((ours, ours_public), (theirs, theirs_public)) = (it.key("ours")?, it.key("theirs")?);
    it.push(&it.component(), "unsigned", &["--annotation", "a=unsigned"])?;
    it.push(
        &it.component(),
        "theirs",
        &["--annotation", "a=theirs", "--sign", &theirs],
    )?;
    it.push(
        &it.component(),
        "ours",
        &["--annotation", "a=ours", "--sign", &ours],
    )?;
    // An author sees beforehand what the operator will say.
    it.plugin(&["verify", "--key", &ours_public], &it.reference(":ours"))?;
    let refused = it.plugin(&["verify", "--key", &ours_public], &it.reference(":theirs"));
    let refused = format!("{:#}", refused.err().context("theirs is trusted")?);
    assert!(
        refused.contains("has a signature, but none by the key of --key"),
        "{refused}"
    );

    let from = format!("--from-file=ours.pub={ours_public}");
    let create = [
        "create",
        "configmap",
        "signers",
        "--namespace",
        OPERATOR,
        &from,
    ];
    it.world.kubectl().run(&create)?;
    let by_us = json!({ "verify": { "publicKeys": [{ "configMapKeyRef": { "name": "signers", "key": "ours.pub" } }] } });
    it.restart("signatures-asked", &[])?;
    it.rule(":ours", &json!({}), &by_us)?;
    let plugin = it.rule_is("True", "InForce")?;
    assert_eq!(
        plugin["status"]["signedBy"].as_array().map(Vec::len),
        Some(1)
    );
    it.is_enforced()?;
    for (version, reason, said) in [
        (
            ":unsigned",
            "SignatureMissing",
            "has no signature: sign it with",
        ),
        (
            ":theirs",
            "SignatureUntrusted",
            "but none by the key of spec.source.verify.publicKeys",
        ),
    ] {
        it.rule(version, &json!({}), &by_us)?;
        let message = it.rule_says(reason)?;
        assert!(
            message.contains(said) && message.contains("the last good component stays in force"),
            "{message}"
        );
    }
    // Somebody else's key beside ours.
    let both = json!({ "verify": { "publicKeys": [
        { "configMapKeyRef": { "name": "signers", "key": "ours.pub" } },
        { "pem": std::fs::read_to_string(&theirs_public)? },
    ] } });
    it.rule(":theirs", &json!({}), &both)?;
    it.is_kept()?;

    // The platform trusts ours only: neither what the plugin says nor what was in force before counts.
    it.restart(
        "signatures-required",
        &["--require-signatures", "--signature-keys", &ours_public],
    )?;
    let message = it.rule_says("SignatureUntrusted")?;
    assert!(
        message.contains("none by the key of the operator's option --signature-keys"),
        "{message}"
    );
    assert!(
        message.contains("none of the keys that it must be signed by now had signed it"),
        "{message}"
    );
    assert!(
        message.contains("are refused until it is loaded"),
        "{message}"
    );
    let refused = it.judged().unwrap_err();
    assert!(
        refused.contains("plugin team is not loaded (SignatureUntrusted)"),
        "{refused}"
    );
    it.rule(":unsigned", &json!({}), &json!({}))?;
    it.rule_says("SignatureMissing")?;
    it.rule(":ours", &json!({}), &json!({}))?;
    it.is_kept()?;
    it.is_enforced()?;

    // The copy says who has signed it: it is in force without the registry too.
    it.registry.stop();
    it.restart(
        "signatures-gone",
        &["--require-signatures", "--signature-keys", &ours_public],
    )?;
    it.is_enforced()?;
    it.rule_says("SourceUnavailable")?;
    it.delete_rule()
}
