//! A control plane with the operator, and a namespace for each way of judging.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kube::api::{DynamicObject, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config};
use mcp_cluster::{Cache, ControlPlane, ControlPlaneOptions, Kubectl};
use mcp_e2e::{Environment, Operator, eventually, install_definitions, install_plugins};
use serde_json::{Value, json};

use crate::cel;
use crate::native::Native;

/// The label of namespaces by which a judge is chosen.
pub(crate) const JUDGE: &str = "bench";
/// Plugins that are in force, all of them with the default rules. Each namespace is judged by the first ones.
const PLUGINS: usize = 16;
/// By which the bench's server is admitted.
const SETTINGS: &str = "123456789012";
const SOON: Duration = Duration::from_mins(2);

/// Who says whether an MCPServer is as rules want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judge {
    Nobody,
    Cel,
    Native,
    NativeTwice,
    One,
    Four,
    Sixteen,
}

impl Judge {
    pub(crate) const ALL: [Self; 7] = [
        Self::Nobody,
        Self::Cel,
        Self::Native,
        Self::NativeTwice,
        Self::One,
        Self::Four,
        Self::Sixteen,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Nobody => "no webhook",
            Self::Cel => "a ValidatingAdmissionPolicy with the same rules",
            Self::Native => "a webhook with the same rules compiled in",
            Self::NativeTwice => "the same, and one before it that sets an annotation",
            Self::One => "the operator, 1 plugin",
            Self::Four => "the operator, 4 plugins",
            Self::Sixteen => "the operator, 16 plugins",
        }
    }

    /// Its namespace, and the value of the label of it.
    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Cel => "cel",
            Self::Native => "native",
            Self::NativeTwice => "native-twice",
            Self::One => "one",
            Self::Four => "four",
            Self::Sixteen => "sixteen",
        }
    }

    fn plugins(self) -> usize {
        match self {
            Self::Nobody | Self::Cel | Self::Native | Self::NativeTwice => 0,
            Self::One => 1,
            Self::Four => 4,
            Self::Sixteen => PLUGINS,
        }
    }
}

/// A control plane with the operator.
pub(crate) struct Rig {
    pub(crate) environment: Environment,
    pub(crate) client: Client,
    pub(crate) operator: Operator,
    pub(crate) cluster: ControlPlane,
}

impl Rig {
    pub(crate) async fn start(native: &Native) -> Result<Self> {
        let options = ControlPlaneOptions {
            name: "bench-admission".into(),
            ..ControlPlaneOptions::default()
        };
        let cluster = ControlPlane::start(&Cache::open()?, options)?;
        let kubectl = cluster.kubectl();
        install_definitions(kubectl)?;
        install_plugins(kubectl)?;
        kubectl.run(&["delete", "mcpplugins", "--all"])?;
        for judge in Judge::ALL {
            let name = judge.namespace();
            apply(
                kubectl,
                &json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": { JUDGE: name } } }),
            )?;
        }
        for number in 1..=PLUGINS {
            apply(kubectl, &plugin(number))?;
        }
        for object in cel::policy() {
            apply(kubectl, &object)?;
        }
        for configuration in native.configurations() {
            apply(kubectl, &configuration)?;
        }
        let environment = Environment {
            kubectl: kubectl.clone(),
            ..Environment::open()?
        };
        let operator = Operator::start_as_shipped(&environment, "bench-admission")?;
        kubectl.run(&[
            "wait",
            "--for=condition=Ready",
            "mcpplugins",
            "--all",
            "--timeout=300s",
        ])?;
        call_for_own_namespaces(kubectl)?;
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig())?;
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let rig = Self {
            client: Client::try_from(config)?,
            environment,
            operator,
            cluster,
        };
        rig.refuses_what_it_should()?;
        Ok(rig)
    }

    /// All judges but nobody refuse a server without limits: what is measured is at work.
    fn refuses_what_it_should(&self) -> Result<()> {
        let create = ["create", "--dry-run=server", "--filename=-"];
        for judge in Judge::ALL {
            let mut wrong = server(judge.namespace(), "wrong");
            wrong["spec"]["resources"] = json!({});
            eventually(judge.title(), SOON, || {
                let refused = self
                    .cluster
                    .kubectl()
                    .pipe(&create, &wrong.to_string())
                    .err();
                let is_said = refused.is_some_and(|why| format!("{why:#}").contains("limits"));
                ensure!(is_said == (judge != Judge::Nobody), "it does not judge");
                Ok(())
            })?;
        }
        Ok(())
    }

    pub(crate) fn servers(&self, namespace: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("mcp.litellm.ai", "v1alpha1", "MCPServer");
        let kind = ApiResource::from_gvk(&kind);
        Api::namespaced_with(self.client.clone(), namespace, &kind)
    }

    /// Creates a server so often, one request after the other over one connection, and stores none.
    pub(crate) async fn dry_runs(&self, judge: Judge, count: usize) -> Result<Vec<Duration>> {
        let servers = self.servers(judge.namespace());
        let params = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let object = serde_json::from_value(server(judge.namespace(), "server"))?;
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            let created = servers.create(&params, &object).await;
            created.with_context(|| format!("{} refuses what is measured", judge.title()))?;
            times.push(began.elapsed());
        }
        Ok(times)
    }
}

fn apply(kubectl: &Kubectl, object: &Value) -> Result<()> {
    let apply = ["apply", "--server-side", "--filename=-"];
    kubectl.pipe(&apply, &object.to_string()).map(drop)
}

/// One of the plugins, for the namespaces that are judged by so many.
fn plugin(number: usize) -> Value {
    let judges = Judge::ALL
        .into_iter()
        .filter(|judge| judge.plugins() >= number);
    let namespaces: Vec<&str> = judges.map(Judge::namespace).collect();
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin",
        "metadata": { "name": format!("rules-{number:02}") },
        "spec": {
            "source": { "builtin": "validation" },
            "settings": { "ecr": { "accounts": [SETTINGS] } },
            "match": { "namespaceSelector": { "matchExpressions": [{ "key": JUDGE, "operator": "In", "values": namespaces }] } },
        },
    })
}

/// Has the API server call the operator's webhooks for the namespaces of its judges only.
fn call_for_own_namespaces(kubectl: &Kubectl) -> Result<()> {
    let own: Vec<&str> = [Judge::One, Judge::Four, Judge::Sixteen]
        .map(Judge::namespace)
        .into();
    let selector =
        json!({ "matchExpressions": [{ "key": JUDGE, "operator": "In", "values": own }] });
    for configuration in [
        "mutatingwebhookconfiguration",
        "validatingwebhookconfiguration",
    ] {
        let changes = [0, 1].map(|webhook| {
            json!({ "op": "add", "path": format!("/webhooks/{webhook}/namespaceSelector"), "value": selector })
        });
        let patch = format!("--patch={}", json!(changes));
        kubectl.run(&[
            "patch",
            configuration,
            "mcp-operator",
            "--type=json",
            &patch,
        ])?;
    }
    Ok(())
}

/// A server as users write it, which all judges admit. Not registered: LiteLLM is not what is measured.
pub(crate) fn server(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": name, "namespace": namespace, "labels": { "team": "platform" } },
        "spec": {
            "replicas": 2,
            "image": { "repository": format!("{SETTINGS}.dkr.ecr.us-east-1.amazonaws.com/mcp-weather"), "tag": "1.0.0" },
            "config": { "logLevel": "info" },
            "secrets": [{ "name": "TOKEN", "awsSecretKey": "mcp/weather/token" }],
            // Small: many of them must fit on the simulated node.
            "resources": { "limits": { "cpu": "10m", "memory": "64Mi" } },
            "litellm": { "autoRegister": false },
        },
    })
}
