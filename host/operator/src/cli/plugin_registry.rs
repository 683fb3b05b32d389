//! Options of `plugin push`, `pull` and `verify`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mcp_component_source::Reference;

/// What can be done with a component in a registry.
#[derive(Debug, Subcommand)]
pub enum RegistryCommand {
    /// Push a component to a registry, and sign it.
    #[command(after_long_help = PUSH_HELP)]
    Push(PushArguments),
    /// Fetch a component from a registry, and write it into a file.
    Pull(PullArguments),
    /// Say by which keys a component in a registry is signed; fail if it is by none of them.
    Verify(VerifyArguments),
}

/// Options about a registry.
#[derive(Clone, Debug, Args)]
pub struct RegistryArguments {
    /// Registry, name, and tag or digest: `ghcr.io/acme/rules/team-label:1.0.0`.
    pub reference: Reference,

    /// Docker's configuration, of which credentials for the registry are taken: what `docker login`, `podman login` and
    /// `oras login` write. [default: config.json in the folder DOCKER_CONFIG, or in ~/.docker, if it is there]
    #[arg(long, value_name = "FILE")]
    pub registry_config: Option<PathBuf>,

    /// File with the certificate authorities of the registry, in PEM. [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// HTTP without TLS: only for a registry of this machine, such as `localhost:5000`.
    #[arg(long)]
    pub plain_http: bool,
}

/// Options of `push`.
#[derive(Clone, Debug, Args)]
pub struct PushArguments {
    /// The component: `target/wasm32-wasip2/release/team_label.wasm`.
    pub file: PathBuf,

    /// Where it goes.
    #[command(flatten)]
    pub registry: RegistryArguments,

    /// Sign it with this private key: PKCS#8 in PEM, ECDSA on P-256 or Ed25519.
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,

    /// Annotation of the artifact: `org.opencontainers.image.source=https://github.com/acme/rules`. May be given several
    /// times.
    #[arg(long = "annotation", value_name = "NAME=VALUE", value_parser = annotation)]
    pub annotations: Vec<(String, String)>,

    /// The plain layout, without the CNCF's configuration for WebAssembly, which some registries refuse.
    #[arg(long)]
    pub plain: bool,
}

/// Options of `pull`.
#[derive(Clone, Debug, Args)]
pub struct PullArguments {
    /// From where.
    #[command(flatten)]
    pub registry: RegistryArguments,

    /// The file. [default: the last part of the name in the registry, with .wasm]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Refuse it unless it is signed by one of these public keys. May be given several times.
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
}

/// Options of `verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArguments {
    /// Which artifact.
    #[command(flatten)]
    pub registry: RegistryArguments,

    /// File with public keys in PEM. May be given several times.
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub keys: Vec<PathBuf>,
}

const PUSH_HELP: &str = "\
It prints the reference by its digest, and an MCPPlugin's source that has it.

A key and its public half are made by
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out rule.key
  openssl pkey -in rule.key -pubout -out rule.pub
Keys of `cosign generate-key-pair` are encrypted, and sign with `cosign sign --key cosign.key REFERENCE`; the operator verifies \
both alike, and cosign verifies what is signed here with --insecure-ignore-tlog, since nothing is written into a public log.";

fn annotation(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("{text} is not NAME=VALUE"))
}
