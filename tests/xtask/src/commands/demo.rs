//! `cargo xtask demo`: the main job, on a real cluster, shown step by step.

mod forecast;

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mcp_cluster::{
    Cache, Cluster, ControlPlane, ControlPlaneOptions, Existing, Kubectl, LiteLlm, Progress,
    RealNode, ensure_node_packages, ensure_prerequisites, ensure_rust_targets, handle_signals,
    interrupted, repository,
};
use mcp_e2e::{
    Artifacts, Environment, Installer, Operator, Part, eventually, install_definitions,
    install_into_node, install_plugins,
};
use serde_json::json;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// End when everything was shown, instead of staying until Ctrl-C.
    #[arg(long)]
    once: bool,
    /// A cluster of your own, in which the operator is installed already: nothing is started, only the sample rule is
    /// built, and what is shown is taken away again.
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
}

/// What there is to show with. Fields are dropped in this order: the operator before its cluster.
struct Stage {
    _operator: Option<Operator>,
    litellm: Option<LiteLlm>,
    /// Folder with the sample rule.
    plugins: PathBuf,
    cluster: Cluster,
}

/// Namespace of what is shown.
const NAMESPACE: &str = "tools";
/// The rule that is shipped, and its ConfigMap.
const RULE: &str = "require-team-label";

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    handle_signals()?;
    if let Some(kubeconfig) = &arguments.kubeconfig {
        return in_existing(kubeconfig);
    }
    ensure_prerequisites(false)?;
    let stage = set_up()?;
    show(&stage)?;
    let kubeconfig = stage.cluster.kubectl().kubeconfig();
    title("Go on by hand");
    println!("export KUBECONFIG={}", kubeconfig.display());
    println!("kubectl get mcpservers,mcpplugins -A; kubectl explain mcpserver.spec");
    if arguments.once {
        return Ok(());
    }
    println!("\nThe cluster stays until Ctrl-C.");
    while !interrupted() {
        sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// In a cluster of the user's: what is made is taken away again, also if something fails.
fn in_existing(kubeconfig: &Path) -> Result<()> {
    let cluster = Existing::open(kubeconfig)?;
    ensure_rust_targets()?;
    println!(
        "Left out: LiteLLM, and the call of a tool through it; pods, if the cluster lacks the image."
    );
    let stage = Stage {
        _operator: None,
        litellm: None,
        plugins: Artifacts::build(&Cache::open()?, &[Part::Plugins])?.plugins,
        cluster: Cluster::Existing(cluster),
    };
    let kubectl = stage.cluster.kubectl();
    let had_namespace = kubectl.run(&["get", "namespace", NAMESPACE]).is_ok();
    let shown = show(&stage);
    let cleaned = clean_up(kubectl, had_namespace);
    shown.and(cleaned)
}

fn clean_up(kubectl: &Kubectl, keep_namespace: bool) -> Result<()> {
    title("Taking it away again");
    let gone = "--ignore-not-found";
    let map = [
        "delete",
        "configmap",
        RULE,
        "--namespace=mcp-operator-system",
        gone,
    ];
    print(kubectl, &["delete", "mcpplugin", RULE, gone])?;
    print(kubectl, &map)?;
    print(
        kubectl,
        &["delete", "--filename", &sample("weather.yaml"), gone],
    )?;
    if !keep_namespace {
        print(kubectl, &["delete", "namespace", NAMESPACE])?;
    }
    Ok(())
}

/// A real node where this machine can do it, otherwise a control plane with simulated nodes.
fn set_up() -> Result<Stage> {
    let cache = Cache::open()?;
    let mut parts = vec![Part::Operator, Part::Plugins];
    if let Err(error) = ensure_node_packages() {
        println!("No real node: {error:#}");
        println!("Left out: pods that really run, LiteLLM, and the call of a tool through it.");
        forecast::tell(&cache, &parts, false)?;
        return on_control_plane(&cache, Artifacts::build(&cache, &parts)?);
    }
    parts.push(Part::Server);
    forecast::tell(&cache, &parts, true)?;
    let artifacts = Artifacts::build(&cache, &parts)?;
    let litellm = LiteLlm::install(&cache)?;
    let mut progress = Progress::new(3);
    let node = progress.step("start a Kubernetes with a real node", || {
        RealNode::start(&cache)
    })?;
    progress.step("install the operator", || {
        install_into_node(
            &node,
            &artifacts.images(&node.logs().join("images"))?,
            Installer::Kustomize,
        )
    })?;
    progress.step("start LiteLLM", || litellm.deploy(&node))?;
    Ok(Stage {
        _operator: None,
        litellm: Some(litellm),
        plugins: artifacts.plugins,
        cluster: Cluster::RealNode(Box::new(node)),
    })
}

fn on_control_plane(cache: &Cache, artifacts: Artifacts) -> Result<Stage> {
    let mut progress = Progress::new(2);
    let options = ControlPlaneOptions {
        name: "demo-control-plane".into(),
        ..ControlPlaneOptions::default()
    };
    let cluster = progress.step("start a control plane", || {
        ControlPlane::start(cache, options)
    })?;
    let logs = cache.folder("logs/demo")?;
    let environment = Environment::new(cluster.kubectl().clone(), artifacts.clone(), logs);
    let operator = progress.step("start the operator", || {
        install_definitions(cluster.kubectl())?;
        install_plugins(cluster.kubectl())?;
        Operator::start(&environment, "demo")
    })?;
    Ok(Stage {
        _operator: Some(operator),
        litellm: None,
        plugins: artifacts.plugins,
        cluster: Cluster::ControlPlane(Box::new(cluster)),
    })
}

fn show(stage: &Stage) -> Result<()> {
    let kubectl = stage.cluster.kubectl();
    // A namespace from an earlier demo on the same cluster is as good.
    let _ = kubectl.run(&["create", "namespace", NAMESPACE]);
    title("The policy in force");
    print(kubectl, &["get", "mcpplugins"])?;
    denied(kubectl)?;
    one_manifest(stage, kubectl)?;
    if let Some(litellm) = &stage.litellm {
        tools(litellm, kubectl)?;
    }
    own_rule(stage, kubectl)
}

fn denied(kubectl: &Kubectl) -> Result<()> {
    title("A manifest with three mistakes");
    let refused = kubectl.run(&["apply", "--filename", &sample("denied.yaml")]);
    let error = refused
        .err()
        .context("the manifest with mistakes was accepted")?
        .to_string();
    let said = error
        .find("The MCPServer")
        .map_or(error.as_str(), |at| &error[at..]);
    println!("$ kubectl apply -f deploy/samples/denied.yaml\n{said}");
    Ok(())
}

fn one_manifest(stage: &Stage, kubectl: &Kubectl) -> Result<()> {
    title("One manifest, and everything it becomes");
    print(kubectl, &["apply", "--filename", &sample("weather.yaml")])?;
    let (what, until) = match &stage.cluster {
        // Whether the image is there is not known.
        Cluster::Existing(_) => ("deployment/mcp-weather", "--for=create"),
        _ if stage.litellm.is_some() => ("mcpserver/weather", "--for=condition=Ready"),
        _ => ("mcpserver/weather", "--for=condition=DeploymentReady"),
    };
    kubectl.run(&["wait", what, "--namespace=tools", until, "--timeout=300s"])?;
    print(kubectl, &["get", "mcpserver", "--namespace=tools"])?;
    print(
        kubectl,
        &[
            "get",
            "deployment,service,serviceaccount,configmap,poddisruptionbudget,pod",
            "--namespace=tools",
            "--selector=mcp.litellm.ai/server=weather",
        ],
    )
}

fn tools(litellm: &LiteLlm, kubectl: &Kubectl) -> Result<()> {
    title("Its tools, through LiteLLM");
    let tools = litellm.tools(kubectl)?;
    println!("tools/list: {}", tools.join(", "));
    let tool = "tools_weather-add";
    println!(
        "tools/call {tool} {{\"a\": 40, \"b\": 2}}: {}",
        litellm.call(kubectl, tool, &json!({ "a": 40, "b": 2 }))?
    );
    Ok(())
}

/// A rule of somebody's own, shipped while everything runs.
fn own_rule(stage: &Stage, kubectl: &Kubectl) -> Result<()> {
    title("A rule of your own, without a restart");
    let file = format!(
        "--from-file=plugin.wasm={}",
        stage.plugins.join("require_team_label.wasm").display()
    );
    let map = [
        "create",
        "configmap",
        RULE,
        "--namespace=mcp-operator-system",
        &file,
        "--dry-run=client",
        "--output=yaml",
    ];
    kubectl.apply(&kubectl.run(&map)?)?;
    println!(
        "$ kubectl create configmap require-team-label -n mcp-operator-system --from-file=plugin.wasm=require_team_label.wasm"
    );
    print(kubectl, &["apply", "--filename", &sample("plugin.yaml")])?;
    let began = Instant::now();
    let manifest = std::fs::read_to_string(sample("weather.yaml"))?
        .replace("    team: platform\n", "    app: weather\n");
    let error = eventually("the rule is in force", Duration::from_secs(30), || {
        let refused = kubectl.pipe(&["apply", "--dry-run=server", "--filename", "-"], &manifest);
        let error = refused
            .err()
            .context("a server without a team was accepted")?
            .to_string();
        ensure!(error.contains("metadata.labels[team]"), "{error}");
        Ok(error)
    })?;
    let said = error
        .find("The MCPServer")
        .map_or(error.as_str(), |at| &error[at..]);
    println!(
        "After {:.1} s, the same manifest without its label `team`:\n{said}",
        began.elapsed().as_secs_f32()
    );
    print(kubectl, &["get", "mcpplugins"])?;
    kubectl.run(&["delete", "mcpplugin", RULE]).map(drop)
}

fn title(text: &str) {
    println!("\n\u{2500}\u{2500} {text}");
}

fn print(kubectl: &Kubectl, args: &[&str]) -> Result<()> {
    let shown: Vec<String> = args
        .iter()
        .map(|arg| arg.replace(&format!("{}/", repository().display()), ""))
        .collect();
    println!("$ kubectl {}", shown.join(" "));
    println!("{}", kubectl.run(args)?.trim_end());
    Ok(())
}

fn sample(name: &str) -> String {
    repository()
        .join("deploy/samples")
        .join(name)
        .to_string_lossy()
        .into_owned()
}
