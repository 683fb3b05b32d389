//! `cargo xtask test`: every test there is.

mod existing;
mod left_out;
mod libtest;
mod report;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use mcp_cluster::{
    Cache, ControlPlane, ControlPlaneOptions, LiteLlm, LiteLlmDatabase, RealNode, chart_tools,
    control_plane_tools, ensure_node_possible, ensure_prerequisites, ensure_rust_targets,
    handle_signals, node_tools, policy_tools, repository, run_attended_lines, signing_tools,
    stock_images,
};
use mcp_e2e::{
    Artifacts, Environment, Installer, Part, install_definitions, install_into_node,
    install_plugins, load_operator_image,
};

use self::libtest::Counts;
use self::report::Report;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these: unit tests, tests against a control plane, or tests on a real node.
    #[arg(long, value_enum)]
    only: Option<Tier>,
    /// Of the tests against a control plane, only those with this in their names: also those that are long.
    #[arg(long)]
    filter: Option<String>,
    /// A cluster of your own to test on, such as kind's: the tests against a control plane run there, as far as they can,
    /// and take away what they made. No Kubernetes is built; `kubectl` is the one on PATH.
    #[arg(long, conflicts_with = "only")]
    kubeconfig: Option<PathBuf>,
    /// With `--kubeconfig`: the address of this machine at which the cluster's API server calls the operator's webhook, if
    /// that is not on this machine's loopback. For kind: `docker network inspect kind` tells the gateway.
    #[arg(long, value_name = "IP", requires = "kubeconfig", default_value_t = Environment::LOOPBACK)]
    webhook_host: IpAddr,
    /// An archive of `cargo xtask image`, which the real node runs in the place of an operator that is built for the tests.
    #[arg(long, value_name = "ARCHIVE", conflicts_with = "kubeconfig")]
    image: Option<PathBuf>,
    /// The real node's operator is installed from its chart by Helm, in the place of kustomize.
    #[arg(long, conflicts_with = "kubeconfig")]
    helm: bool,
}

/// What a test needs.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Tier {
    /// Nothing.
    Unit,
    /// A control plane with simulated nodes.
    ControlPlane,
    /// Those against a control plane that take minutes each. They are only run where they are asked for.
    Long,
    /// A real node: Linux and root.
    Node,
    /// A real node with MCP servers that other people wrote, and the recipes. Takes some minutes, and is only run where it is
    /// asked for.
    Stock,
    /// Plugins from an empty folder to the first denial in a cluster, in each language: needs Python, Node.js and the network. Takes some
    /// minutes, and is only run where it is asked for.
    Authoring,
    /// A real node on which the operator is installed by Helm and by kustomize, and taken away again.
    Install,
}

/// A test program, its row in the table, and arguments of libtest.
type Program = (&'static str, &'static str, &'static [&'static str]);

/// Test programs against a control plane, and their rows in the table.
const CONTROL_PLANE: [Program; 5] = [
    ("control_plane", "control plane: objects", &[]),
    ("lifecycle", "control plane: lifecycle", &[]),
    ("registration", "control plane: registration", &[]),
    ("faults", "control plane: faults", &[]),
    // A short schedule, always the same one; `cargo xtask chaos` has the long ones. It says where it is.
    ("chaos", "control plane: chaos", &["--nocapture"]),
];
/// Those of them that are only run where they are asked for.
const LONG: Program = ("faults", "control plane: long", &["--ignored"]);
/// The same for the real node, with arguments of libtest. In this order: the second gives LiteLLM a database. It takes
/// minutes, and says where it is.
const NODE: [Program; 2] = [
    ("real_node", "real node: the whole way", &[]),
    ("litellm", "real node: LiteLLM", &["--nocapture"]),
];
/// The same for servers of others.
const STOCK: Program = ("stock", "real node: servers of others", &["--nocapture"]);
/// The same for the ways of installing.
const INSTALL: Program = ("install", "real node: Helm, kustomize", &["--nocapture"]);
/// The same for plugins that are made from nothing, on a control plane.
const FIRST_DENIAL: Program = (
    "first_denial",
    "authoring: first denial in a cluster",
    &["--nocapture"],
);
const NODE_START: &str = "real node: start";
const NODE_LACKS: &str = "root on Linux";

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    handle_signals()?;
    let mut report = Report::default();
    let result = match &arguments.kubeconfig {
        None if arguments.only == Some(Tier::Authoring) => authoring(&mut report),
        Some(kubeconfig) => existing::run(
            kubeconfig,
            arguments.webhook_host,
            arguments.filter.as_deref(),
            &mut report,
        ),
        None => on_this_machine(arguments, &mut report),
    };
    println!("\n{report}");
    result
}

fn on_this_machine(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let is_stock = arguments.only == Some(Tier::Stock);
    let is_install = arguments.only == Some(Tier::Install);
    let wanted = |tier| arguments.only.is_none_or(|only| only == tier);
    let node = match ensure_node_possible() {
        _ if !wanted(Tier::Node) && !is_stock && !is_install => false,
        Ok(()) => true,
        Err(error) if arguments.only.is_some() => return Err(error),
        // The table says it too, where it is seen.
        Err(error) => {
            eprintln!("tests on a real node will be left out: {error:#}");
            false
        }
    };
    let programs = match arguments.only {
        Some(Tier::Stock) => &[STOCK][..],
        Some(Tier::Install) => &[INSTALL],
        _ => &NODE,
    };
    let control_plane = match arguments.only {
        None | Some(Tier::ControlPlane) => &CONTROL_PLANE[..],
        Some(Tier::Long) => &[LONG],
        Some(_) => &[],
    };
    plan(report, wanted, control_plane, programs, node);
    if arguments.only == Some(Tier::Unit) {
        ensure_rust_targets()?;
    } else {
        ensure_prerequisites(node)?;
    }
    if wanted(Tier::Unit) {
        unit(report)?;
    }
    if arguments.only == Some(Tier::Unit) {
        return Ok(());
    }
    let cache = Cache::open()?;
    let image = arguments.image.as_deref();
    let (artifacts, mut images) = report.run("build", |_| match arguments.only {
        Some(Tier::Install) => build_installed(&cache, image),
        _ => build(&cache, node, image),
    })?;
    if !control_plane.is_empty() {
        let filter = arguments.filter.as_deref();
        on_control_plane(&cache, &artifacts, control_plane, filter, report)?;
    }
    if node {
        if is_stock {
            images.extend(stock_images(&cache)?);
        }
        let images = Images {
            operator: image,
            others: &images,
            installer: if arguments.helm {
                Installer::Helm
            } else {
                Installer::Kustomize
            },
        };
        on_node(&cache, &artifacts, &images, programs, report)?;
    }
    Ok(())
}

fn plan(
    report: &mut Report,
    wanted: impl Fn(Tier) -> bool,
    control_plane: &[Program],
    programs: &[Program],
    node: bool,
) {
    if wanted(Tier::Unit) {
        report.plan("unit: host");
        report.plan("unit: plugins");
    }
    let needs_node = wanted(Tier::Node) || wanted(Tier::Stock) || wanted(Tier::Install);
    if !control_plane.is_empty() || needs_node {
        report.plan("build");
    }
    for (_, row, _) in control_plane {
        report.plan(row);
    }
    if needs_node {
        let rows = programs.iter().map(|(_, row, _)| *row);
        for row in [NODE_START].into_iter().chain(rows) {
            report.plan(row);
            if !node {
                report.leave_out(row, NODE_LACKS);
            }
        }
    }
}

/// Pure code, the plugin host with real components, and the plugins natively.
fn unit(report: &mut Report) -> Result<()> {
    let host = ["test", "--workspace", "--exclude", "mcp-e2e"];
    // All of the exploration, of which a part is enough while somebody changes something.
    let explore = |command: &mut Command| {
        command.env("MCP_EXPLORE_SERVERS", "3");
    };
    report.run("unit: host", |counts| cargo("", &host, explore, counts))?;
    report.run("unit: plugins", |counts| {
        cargo("plugins", &["test"], |_| {}, counts)
    })
}

/// What a node is given.
struct Images<'a> {
    /// The operator's, if it is not among the others.
    operator: Option<&'a Path>,
    others: &'a [PathBuf],
    installer: Installer,
}

/// Plugins in each language, one after the other: their times are told.
fn authoring(report: &mut Report) -> Result<()> {
    const ROW: &str = "authoring: each language";
    let (_, denial, _) = FIRST_DENIAL;
    for row in [ROW, "build", denial] {
        report.plan(row);
    }
    ensure_prerequisites(false)?;
    let arguments = [
        "test",
        "--workspace",
        "--test",
        "authoring",
        "--",
        "--include-ignored",
        "--nocapture",
        "--test-threads=1",
    ];
    report.run(ROW, |counts| cargo("", &arguments, |_| {}, counts))?;
    let cache = Cache::open()?;
    let artifacts = report.run("build", |_| {
        control_plane_tools(&cache)?;
        Artifacts::build(&cache, &Part::ALL)
    })?;
    on_control_plane(&cache, &artifacts, &[FIRST_DENIAL], None, report)
}

/// Everything that the tests are made of, so that the other rows are the tests' own time: the parts, and for a node the images.
fn build(cache: &Cache, node: bool, operator: Option<&Path>) -> Result<(Artifacts, Vec<PathBuf>)> {
    let artifacts = Artifacts::build(cache, &Part::ALL)?;
    control_plane_tools(cache)?;
    // The largest of what single tests use: built beside the tests, they would take the processors from all of them.
    policy_tools(cache)?;
    signing_tools(cache)?;
    let mut images = Vec::new();
    if node {
        node_tools(cache)?;
        LiteLlmDatabase::install(cache, &LiteLlm::install(cache)?)?;
        let folder = cache.folder("images")?;
        images = match operator {
            Some(_) => vec![artifacts.server_image(&folder)?],
            // The program as it was built for this machine: a static one would be everything built once more.
            None => artifacts.images(&folder)?,
        };
    }
    Ok((artifacts, images))
}

/// What is installed, and what installs it.
fn build_installed(cache: &Cache, operator: Option<&Path>) -> Result<(Artifacts, Vec<PathBuf>)> {
    let artifacts = Artifacts::build(cache, &[Part::Server])?;
    control_plane_tools(cache)?;
    node_tools(cache)?;
    chart_tools(cache)?;
    let images = match operator {
        Some(_) => vec![artifacts.server_image(&cache.folder("images")?)?],
        None => artifacts.shipped_images(cache)?,
    };
    Ok((artifacts, images))
}

fn on_control_plane(
    cache: &Cache,
    artifacts: &Artifacts,
    programs: &[Program],
    filter: Option<&str>,
    report: &mut Report,
) -> Result<()> {
    let options = ControlPlaneOptions {
        name: "test-control-plane".into(),
        audit: true,
        ..ControlPlaneOptions::default()
    };
    let cluster = ControlPlane::start(cache, options)?;
    install_definitions(cluster.kubectl())?;
    install_plugins(cluster.kubectl())?;
    let logs = cache.folder("logs/control-plane")?;
    let environment = Environment {
        audit: cluster.audit_log(),
        ..Environment::new(cluster.kubectl().clone(), artifacts.clone(), logs)
    };
    // Who names a test wants it, also where it is one of the long ones.
    let filter: Vec<&str> = filter
        .into_iter()
        .flat_map(|filter| [filter, "--include-ignored"])
        .collect();
    // All of them run, also after one has failed.
    let failed = programs
        .iter()
        .filter(|(program, row, arguments)| {
            let arguments = if filter.is_empty() {
                arguments
            } else {
                &filter[..]
            };
            let tests = report.run(row, |counts| e2e(program, arguments, &environment, counts));
            tests
                .inspect_err(|error| eprintln!("error: {error:#}"))
                .is_err()
        })
        .count();
    mcp_cluster::check_interrupted()?;
    if failed > 0 {
        bail!("tests against a control plane failed");
    }
    Ok(())
}

fn on_node(
    cache: &Cache,
    artifacts: &Artifacts,
    images: &Images,
    programs: &[Program],
    report: &mut Report,
) -> Result<()> {
    let installs_itself = programs.iter().any(|(program, ..)| *program == INSTALL.0);
    let node = report.run(NODE_START, |_| {
        let node = RealNode::start(cache)?;
        if let Some(archive) = images.operator {
            load_operator_image(&node, archive)?;
        }
        if installs_itself {
            for image in images.others {
                node.load_image(image)?;
            }
            return Ok(node);
        }
        install_into_node(&node, images.others, images.installer)?;
        LiteLlm::install(cache)?.deploy(&node)?;
        Ok(node)
    })?;
    let logs = cache.folder("logs/node")?;
    let environment = Environment::new(node.kubectl().clone(), artifacts.clone(), logs);
    for (program, row, arguments) in programs {
        report.run(row, |counts| e2e(program, arguments, &environment, counts))?;
    }
    Ok(())
}

/// One program of end-to-end tests, with these arguments of libtest.
fn e2e(
    program: &str,
    arguments: &[&str],
    environment: &Environment,
    counts: &mut Counts,
) -> Result<()> {
    // Of the whole workspace, so that nothing is built again with other features.
    let cargo_arguments = ["test", "--workspace", "--test", program, "--"];
    let prepare = |command: &mut Command| {
        environment.tell(command);
        command.env("RUST_TEST_THREADS", threads().to_string());
    };
    let arguments = [&cargo_arguments[..], arguments].concat();
    cargo("", &arguments, prepare, counts)
}

/// How many tests of a program run at once. Most of their time is waiting: on two cores four take 60 % of the time of two.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(4, |cores| cores.get().max(4))
}

/// Runs cargo in a folder of the checkout, with its output where ours goes.
fn cargo(
    folder: &str,
    args: &[&str],
    prepare: impl FnOnce(&mut Command),
    counts: &mut Counts,
) -> Result<()> {
    let mut command = Command::new("cargo");
    command
        .current_dir(repository().join(Path::new(folder)))
        .args(args);
    // An error says where it comes from by itself.
    command.env("RUST_BACKTRACE", "0");
    prepare(&mut command);
    run_attended_lines(&mut command, |line| {
        *counts += Counts::of_line(line).unwrap_or_default();
    })
}
