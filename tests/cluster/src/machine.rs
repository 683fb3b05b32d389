//! What the machine must have: installed when that is safe to do, named with its remedy when not.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::{Cache, read, repository};
use crate::command::{capture, find_program};

/// The oldest Python that LiteLLM and the MCP client run on.
const PYTHON: (u32, u32) = (3, 11);

/// Programs of a node that come from the distribution, and the Debian package of each.
const NODE_PROGRAMS: &[(&str, &str)] = &[
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("conntrack", "conntrack"),
    ("ip", "iproute2"),
    ("busybox", "busybox-static"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
];

/// Where distributions put the plugins of the container network, and the Debian package.
const CNI_FOLDERS: &[&str] = &["/usr/lib/cni", "/opt/cni/bin"];
const CNI_PACKAGE: &str = "containernetworking-plugins";

/// Everything that has to be there before something is built, checked at once: it is a pity to learn after an hour that
/// something is missing. `node`: also what the tests on a real node need.
///
/// # Errors
/// One sentence for each thing that is missing and cannot be installed.
pub fn ensure_prerequisites(node: bool) -> Result<()> {
    let mut checks = vec![ensure_rust_targets(), ensure_go(), ensure_setpriv()];
    if node {
        checks.extend([
            ensure_node_packages(),
            ensure_static_compiler(),
            ensure_python().map(drop),
            ensure_database_packages(),
        ]);
    }
    let missing: Vec<String> = checks
        .into_iter()
        .filter_map(Result::err)
        .map(|error| format!("{error:#}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!("{}", missing.join("\nerror: "))
}

/// Go, of which the version is left to `go.mod`: a newer toolchain is fetched by Go itself.
pub(crate) fn ensure_go() -> Result<()> {
    if find_program("go").is_none() {
        bail!(
            "`go` is not on PATH: install Go 1.21 or newer (it fetches the version that go.mod asks for)"
        );
    }
    Ok(())
}

/// `setpriv` ties servers to this program on Linux.
pub(crate) fn ensure_setpriv() -> Result<()> {
    if cfg!(target_os = "linux") && find_program("setpriv").is_none() {
        bail!("`setpriv` is not on PATH: install util-linux");
    }
    Ok(())
}

/// A Python that can make virtual environments.
///
/// # Errors
/// When there is none that is new enough.
pub fn ensure_python() -> Result<PathBuf> {
    let (major, minor) = PYTHON;
    if let Some(python) = find_python() {
        return Ok(python);
    }
    let packages = || match find_python() {
        Some(_) => Vec::new(),
        None => vec!["python3", "python3-venv"],
    };
    // An older distribution has only an older one.
    if can_install() && install(packages).is_ok() {
        return find_python().context("a Python that was just installed is gone");
    }
    bail!(
        "no Python {major}.{minor} or newer with its venv module: install it (Debian and Ubuntu: \
         `apt-get install python3 python3-venv`)"
    )
}

fn find_python() -> Option<PathBuf> {
    let (major, minor) = PYTHON;
    let probe =
        format!("import sys, venv, ensurepip; sys.exit(sys.version_info < ({major}, {minor}))");
    [
        "python3",
        "python3.14",
        "python3.13",
        "python3.12",
        "python3.11",
    ]
    .into_iter()
    .filter_map(find_program)
    .find(|python| capture(Command::new(python).args(["-c", &probe])).is_ok())
}

/// The Rust toolchain with the targets that `rust-toolchain.toml` lists, and the one of static programs for this
/// machine's processor.
///
/// # Errors
/// When rustup is missing or cannot install them.
pub fn ensure_rust_targets() -> Result<()> {
    if find_program("rustup").is_none() {
        bail!(
            "`rustup` is not on PATH: it installs the toolchain and targets that rust-toolchain.toml lists"
        );
    }
    let rustup = || {
        let mut command = Command::new("rustup");
        command.current_dir(repository());
        command
    };
    let installed = capture(rustup().args(["target", "list", "--installed"])).unwrap_or_default();
    let wanted = ["wasm32-wasip2".to_owned(), static_target()];
    if wanted
        .iter()
        .all(|target| installed.lines().any(|line| line == target))
    {
        return Ok(());
    }
    eprintln!("installing the Rust toolchain of rust-toolchain.toml");
    capture(rustup().args(["toolchain", "install"]))?;
    capture(rustup().args(["target", "add"]).args(&wanted)).map(drop)
}

/// The Rust target of static Linux programs for this machine's processor.
pub fn static_target() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

/// The C compiler for static programs: a few dependencies have parts in C and assembly.
///
/// # Errors
/// When it is missing and cannot be installed.
pub fn ensure_static_compiler() -> Result<()> {
    install(|| {
        let compiler = find_program("musl-gcc");
        compiler
            .is_none()
            .then_some("musl-tools")
            .into_iter()
            .collect()
    })
}

/// The C++ compiler: LLVM's fuzzer is C++.
///
/// # Errors
/// When it is missing and cannot be installed.
pub fn ensure_cpp_compiler() -> Result<()> {
    install(|| {
        let compiler = find_program("c++");
        compiler.is_none().then_some("g++").into_iter().collect()
    })
}

/// Valgrind: its callgrind counts instructions.
///
/// # Errors
/// When it is missing and cannot be installed.
pub fn ensure_valgrind() -> Result<()> {
    install(|| {
        let valgrind = find_program("valgrind");
        valgrind
            .is_none()
            .then_some("valgrind")
            .into_iter()
            .collect()
    })
}

/// Where Debian keeps Mozilla's list, without what this machine trusts besides.
const AUTHORITIES: &str = "/usr/share/ca-certificates/mozilla";

/// The certificate authorities that browsers trust, in PEM.
///
/// # Errors
/// When they are missing and cannot be installed.
pub fn ensure_authorities() -> Result<Vec<u8>> {
    install(|| {
        let found = Path::new(AUTHORITIES).is_dir();
        (!found).then_some("ca-certificates").into_iter().collect()
    })?;
    let mut files = std::fs::read_dir(AUTHORITIES)
        .with_context(|| format!("cannot read {AUTHORITIES}"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.sort();
    let contents = files
        .iter()
        .map(|file| read(file))
        .collect::<Result<Vec<_>>>()?;
    Ok(contents.concat())
}

/// The programs of the distribution that a real node needs; on Debian, as root, they are installed.
///
/// # Errors
/// When this is not Linux, not root, or something is missing and cannot be installed.
pub fn ensure_node_packages() -> Result<()> {
    ensure_node_possible()?;
    install(missing_packages)
}

/// Whether this is a machine for a real node at all, whatever is installed.
///
/// # Errors
/// When this is not Linux, or not root.
pub fn ensure_node_possible() -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("a real node needs Linux; the control plane with simulated nodes runs here too");
    }
    if !rustix::process::geteuid().is_root() {
        bail!(
            "a real node needs root, for namespaces and cgroups; run it with sudo or use the simulated nodes"
        );
    }
    Ok(())
}

/// What LiteLLM's database needs: Postgres, and Node.js for its client's query engine.
///
/// # Errors
/// When something is missing and cannot be installed.
pub fn ensure_database_packages() -> Result<()> {
    if find_program("npm").is_none() && !can_install() {
        bail!("`npm` is not on PATH: install Node.js 18 or newer");
    }
    install(|| {
        let npm = find_program("npm").is_none().then_some("npm");
        let postgres = postgres_folder().is_none().then_some("postgresql");
        npm.into_iter().chain(postgres).collect()
    })
}

/// Prometheus, and promtool which comes with it.
///
/// # Errors
/// When it is missing and cannot be installed.
pub(crate) fn ensure_prometheus() -> Result<()> {
    const PACKAGE: &str = "prometheus";
    install(|| {
        let is_there = ["prometheus", "promtool"]
            .iter()
            .all(|program| find_program(program).is_some());
        (!is_there).then_some(PACKAGE).into_iter().collect()
    })
}

/// Where distributions put the library that shows a program another time, and the Debian package.
const FAKE_TIME_FOLDERS: &[&str] = &["/usr/lib", "/usr/lib64"];
const FAKE_TIME: &str = "libfaketime";

/// The library that shows a program another time than that of the machine.
///
/// # Errors
/// When it is missing and cannot be installed.
pub fn ensure_fake_time() -> Result<PathBuf> {
    install(|| {
        fake_time()
            .is_none()
            .then_some(FAKE_TIME)
            .into_iter()
            .collect()
    })?;
    fake_time().with_context(|| format!("{FAKE_TIME} that was just installed is gone"))
}

fn fake_time() -> Option<PathBuf> {
    let multiarch = format!("{}-linux-gnu", std::env::consts::ARCH);
    let folders = FAKE_TIME_FOLDERS.iter().map(Path::new);
    folders
        .flat_map(|folder| [folder.join(&multiarch), folder.to_owned()])
        .map(|folder| folder.join("faketime/libfaketime.so.1"))
        .find(|library| library.is_file())
}

/// Whether Debian packages can be installed here.
fn can_install() -> bool {
    rustix::process::geteuid().is_root() && find_program("apt-get").is_some()
}

/// The folder with Postgres' programs, of the newest version that is installed.
pub(crate) fn postgres_folder() -> Option<PathBuf> {
    // Debian keeps them apart, since several versions may be installed.
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.flatten().map(|version| version.path().join("bin"));
    folders
        .filter(|folder| folder.join("initdb").is_file())
        .max()
}

/// Installs Debian packages until none is missing.
fn install(missing_packages: impl Fn() -> Vec<&'static str>) -> Result<()> {
    if missing_packages().is_empty() {
        return Ok(());
    }
    // Tests that run at once find out at once what is missing, and apt lets only one of them in.
    let _lock = Cache::open()?.lock("apt")?;
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    let command = format!(
        "apt-get install -y --no-install-recommends {}",
        missing.join(" ")
    );
    if find_program("apt-get").is_none() {
        bail!(
            "the machine lacks {}: install them (the names are Debian's)",
            missing.join(", ")
        );
    }
    eprintln!("installing {}", missing.join(", "));
    let install = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive")
            // Programs of others take packages, too: a machine that was just started updates itself.
            .args(["-o", "DPkg::Lock::Timeout=120"])
            .args(["install", "-y", "--no-install-recommends"])
            .args(&missing);
        capture(&mut apt)
    };
    // Package lists may be missing or old, which only shows when the install fails.
    let installed = install()
        .or_else(|_| capture(Command::new("apt-get").arg("update")).and_then(|_| install()));
    match installed {
        Ok(_) if missing_packages().is_empty() => Ok(()),
        Ok(_) => bail!(
            "the machine still lacks {} after `{command}`",
            missing_packages().join(", ")
        ),
        Err(error) => Err(error.context(format!("install what is missing by hand: `{command}`"))),
    }
}

/// The folder with the plugins of the container network.
pub(crate) fn cni_folder() -> Option<&'static Path> {
    CNI_FOLDERS
        .iter()
        .map(Path::new)
        .find(|folder| folder.join("bridge").is_file())
}

fn missing_packages() -> Vec<&'static str> {
    let mut missing: Vec<&str> = NODE_PROGRAMS
        .iter()
        .filter(|(program, _)| find_program(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    if cni_folder().is_none() {
        missing.push(CNI_PACKAGE);
    }
    missing.dedup();
    missing
}
