//! `mcp-operator plugin push`, `pull` and `verify`: registries, as authors use them.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, anyhow, ensure};
use mcp_component_source::{
    Artifact, Credentials, FetchError, PrivateKey, PublicKeys, PushOptions, Registry, Transport,
    push, sign, verify, within_limit,
};

use crate::cli::{
    PullArguments, PushArguments, RegistryArguments, RegistryCommand, VerifyArguments,
};

/// Most bytes that are fetched: far more than any operator takes.
const LIMIT: usize = 256 << 20;
/// How long an author waits for them.
const PULL_LIMIT: Duration = Duration::from_mins(10);
/// How every component begins. A module begins with another version.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// Does what was asked for.
///
/// # Errors
/// One sentence: why it cannot be done.
pub async fn run(command: RegistryCommand) -> Result<()> {
    match command {
        RegistryCommand::Push(arguments) => push_component(&arguments).await,
        RegistryCommand::Pull(arguments) => pull_component(&arguments).await,
        RegistryCommand::Verify(arguments) => verify_component(&arguments).await,
    }
}

async fn push_component(arguments: &PushArguments) -> Result<()> {
    let path = arguments.file.display();
    let component = read(&arguments.file)?;
    ensure!(
        component.starts_with(COMPONENT),
        "{path} is no component: build it for wasm32-wasip2"
    );
    let key = arguments.sign.as_deref().map(private_key).transpose()?;
    let named = &arguments.registry;
    ensure!(
        named.reference.digest().is_none(),
        "{} names a digest: what is pushed has the one that it has, so name a tag",
        named.reference
    );
    let registry =
        Registry::open_to_push(&named.reference, credentials(named)?, transport(named)?)?;
    let options = PushOptions {
        annotations: arguments.annotations.clone(),
        plain: arguments.plain,
    };
    let artifact = push(&registry, &component, &options)
        .await
        .map_err(|error| denied(named, error.into()))?;
    if let Some(key) = &key {
        sign(&registry, &artifact, key).await?;
    }
    println!("{}", artifact.pinned);
    let tagged = &named.reference;
    eprintln!(
        "spec:\n  source: {{oci: {{reference: \"{tagged}\"}}}}\n  sha256: {}",
        artifact.component.hex()
    );
    if let Some(key) = key {
        eprintln!("signed by {}", key.public().id());
    }
    Ok(())
}

async fn pull_component(arguments: &PullArguments) -> Result<()> {
    let named = &arguments.registry;
    let (registry, artifact) = resolve(named).await?;
    if !arguments.keys.is_empty() {
        verify(&registry, &artifact, &[public_keys(&arguments.keys)?]).await?;
    }
    let fetch = registry.component(&artifact, LIMIT);
    let component = within_limit::<_, FetchError>(&artifact.pinned, PULL_LIMIT, fetch).await?;
    let named_after = || {
        let name = named.reference.repository().rsplit('/').next();
        PathBuf::from(format!("{}.wasm", name.unwrap_or("component")))
    };
    let output = arguments.output.clone().unwrap_or_else(named_after);
    fs::write(&output, component).with_context(|| format!("cannot write {}", output.display()))?;
    println!("{} {}", artifact.pinned, output.display());
    Ok(())
}

async fn verify_component(arguments: &VerifyArguments) -> Result<()> {
    let keys = public_keys(&arguments.keys)?;
    let (registry, artifact) = resolve(&arguments.registry).await?;
    let signers = verify(&registry, &artifact, &[keys]).await?;
    println!("{}", artifact.pinned);
    for signer in signers {
        println!("signed by {signer}");
    }
    Ok(())
}

async fn resolve(named: &RegistryArguments) -> Result<(Registry, Artifact)> {
    let registry = Registry::open(&named.reference, credentials(named)?, transport(named)?)?;
    let artifact = registry
        .resolve()
        .await
        .map_err(|error| denied(named, error.into()))?;
    Ok((registry, artifact))
}

/// What helps who is not let in.
fn denied(named: &RegistryArguments, error: anyhow::Error) -> anyhow::Error {
    if error.to_string().contains("credentials") {
        return anyhow!(
            "{error}: `docker login`, `podman login` or `oras login` to {}, or name a file by --registry-config",
            named.reference.registry()
        );
    }
    error
}

fn transport(named: &RegistryArguments) -> Result<Transport> {
    let authorities = named.ca_file.as_deref().map(read).transpose()?;
    let authorities = authorities.map(|pem| String::from_utf8_lossy(&pem).into_owned());
    Ok(Transport {
        authorities,
        plain_http: named.plain_http,
    })
}

/// Those of the file that is named; of Docker's own only if it has some.
fn credentials(named: &RegistryArguments) -> Result<Credentials> {
    if let Some(file) = &named.registry_config {
        let found = Credentials::from_docker_config(&read(file)?, &named.reference);
        return found.map_err(|reason| anyhow!("{} {reason}", file.display()));
    }
    let folder = env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".docker")));
    let config = folder.and_then(|folder| fs::read(folder.join("config.json")).ok());
    let found = config.map(|config| Credentials::from_docker_config(&config, &named.reference));
    Ok(found.and_then(Result::ok).unwrap_or_default())
}

fn private_key(file: &Path) -> Result<PrivateKey> {
    PrivateKey::from_pem(&read(file)?).map_err(|reason| anyhow!("{} {reason}", file.display()))
}

fn public_keys(files: &[PathBuf]) -> Result<PublicKeys> {
    let mut keys = PublicKeys::new("--key");
    for file in files {
        keys.add_pem(&read(file)?)
            .map_err(|reason| anyhow!("{} {reason}", file.display()))?;
    }
    Ok(keys)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}
