//! A real registry that asks who pulls: without a password it is said which field names one, and with it the server runs.

use anyhow::{Result, ensure};
use mcp_cluster::{Cache, NodeRegistry, OciRegistry};
use mcp_e2e::{Environment, eventually};
use serde_json::{Value, json};

use crate::SOON;

const TEAM: &str = "--namespace=pulling";

struct Pulled {
    environment: Environment,
    registry: NodeRegistry,
}

impl Pulled {
    fn start() -> Result<Self> {
        let environment = Environment::open()?;
        let folder = environment.logs.join("private-registry");
        let registry = NodeRegistry::start(&Cache::open()?, &folder)?;
        registry.push("docker.io/local/mcp-weather:1.0.0", "acme/weather", "1.0.0")?;
        let kubectl = &environment.kubectl;
        kubectl.run(&["create", "namespace", "pulling"])?;
        let allow = json!([{ "op": "add", "path": "/spec/settings/allowedRegistries/-", "value": registry.host() }]);
        let patch = ["patch", "mcpplugin", "validation", "--type=json", "--patch"];
        kubectl.run(&[&patch[..], &[&allow.to_string()]].concat())?;
        Ok(Self {
            environment,
            registry,
        })
    }

    fn apply(&self, tag: &str, more: &Value) -> Result<()> {
        let repository = format!("{}/acme/weather", self.registry.host());
        let mut server = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "weather", "namespace": "pulling" },
            "spec": {
                "image": { "repository": repository, "tag": tag }, "replicas": 1, "litellm": { "autoRegister": false },
                "resources": { "requests": { "cpu": "10m", "memory": "16Mi" }, "limits": { "cpu": "500m", "memory": "64Mi" } },
            },
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            server["spec"][name] = value.clone();
        }
        let server = server.to_string();
        // The rule that lets this registry in may not be in force yet.
        eventually("the registry is allowed", SOON, || {
            self.environment.kubectl.apply(&server).map(drop)
        })
    }

    fn login(&self, secret: &str, password: &str) -> Result<()> {
        let (host, user) = (self.registry.host(), OciRegistry::USER);
        let create = ["create", "secret", "docker-registry", secret, TEAM];
        let login = [
            format!("--docker-server={host}"),
            format!("--docker-username={user}"),
            format!("--docker-password={password}"),
        ];
        let login = login.each_ref().map(String::as_str);
        let kubectl = &self.environment.kubectl;
        kubectl.run(&[&create[..], &login].concat()).map(drop)
    }

    /// Waits until the server says so.
    fn says(&self, status: &str, words: &str) -> Result<()> {
        let get = ["get", "mcpserver", "weather", TEAM];
        eventually(&format!("Ready is {status}: {words}"), SOON, || {
            let server = self.environment.kubectl.json(&get)?;
            let conditions = server["status"]["conditions"].as_array();
            let ready = conditions
                .into_iter()
                .flatten()
                .find(|condition| condition["type"] == "Ready");
            let is_said = ready.is_some_and(|ready| {
                let message = ready["message"].as_str().unwrap_or_default();
                ready["status"] == status && message.contains(words)
            });
            ensure!(is_said, "{}", server["status"]["conditions"]);
            Ok(())
        })
    }
}

#[test]
fn a_registry_with_a_password_is_pulled_from_with_it_and_otherwise_the_field_is_named() -> Result<()>
{
    let pulled = Pulled::start()?;
    let named = "in spec.imagePullSecrets, or mend the one that is named there";
    pulled.apply("1.0.0", &json!({}))?;
    pulled.says("False", named)?;

    pulled.login("guessed", "guessed")?;
    let with = |secret: &str| json!({ "imagePullSecrets": [{ "name": secret }] });
    pulled.apply("1.0.0", &with("guessed"))?;
    pulled.says("False", named)?;

    pulled.login("acme", OciRegistry::PASSWORD)?;
    pulled.apply("1.0.0", &with("acme"))?;
    pulled.says("True", "")?;

    pulled.apply("2.0.0", &with("acme"))?;
    pulled.says("False", "set spec.image.repository and spec.image.tag")?;
    let delete = ["delete", "namespace", "pulling"];
    pulled.environment.kubectl.run(&delete).map(drop)
}
