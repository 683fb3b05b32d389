//! `cargo xtask image`: the operator's container image, without a container engine.

mod provenance;
mod sbom;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use mcp_cluster::image::Written;
use mcp_cluster::{Cache, ensure_rust_targets, handle_signals, repository};
use mcp_e2e::{Artifacts, BUILTIN_PLUGINS, OperatorImage, copy_sources};

use self::provenance::{Revision, Subject};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Name of the image, with its tag.
    #[arg(long, default_value_t = format!("docker.io/library/mcp-operator:{VERSION}"))]
    name: String,
    /// Folder for the archive and what says how it was made. [default: `image` in the cache]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Builds it once more from a copy of the sources in another folder, and fails unless both images are the same.
    #[arg(long)]
    check: bool,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What a node pulls, and should have in seconds.
const LARGEST_MIB: f64 = 40.0;

/// One image, and what it was made of.
struct Made {
    parts: OperatorImage,
    written: Written,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    handle_signals()?;
    ensure_rust_targets()?;
    let cache = Cache::open()?;
    let folder = match &arguments.output {
        Some(folder) => folder.clone(),
        None => cache.folder("image")?,
    };
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    let checkout = repository();
    let revision = Revision::of(&checkout)?;
    if revision.is_changed {
        eprintln!("the checkout has changes that are not committed: the image is of no revision");
    }
    let archive = folder.join("mcp-operator.tar");
    let target = Artifacts::image_target()?;
    let made = make(arguments, &cache, &checkout, &target, &revision, &archive)?;
    if arguments.check {
        check(arguments, &cache, &revision, &made)?;
    }
    let sbom = folder.join("mcp-operator.cdx.json");
    sbom::write(&cache, &checkout, &made.parts.target, &revision, &sbom)?;
    let subject = Subject {
        name: &arguments.name,
        digest: &made.written.digest,
        archive: &archive,
        sbom: &sbom,
    };
    let provenance = folder.join("mcp-operator.provenance.json");
    provenance::write(&checkout, &revision, &subject, &provenance)?;

    let mib = mebibytes(made.written.stored_bytes);
    println!("image       {}", arguments.name);
    println!("digest      {}", made.written.digest);
    println!(
        "size        {mib:.1} MiB; on a node {:.1} MiB, of it {}",
        mebibytes(made.written.layer_bytes),
        sizes(&made.parts)?
    );
    println!("archive     {}", archive.display());
    println!("SBOM        {}", sbom.display());
    println!("provenance  {}", provenance.display());
    if mib > LARGEST_MIB {
        bail!("the image has {mib:.1} MiB: more than {LARGEST_MIB} MiB is too large");
    }
    Ok(())
}

fn make(
    arguments: &Arguments,
    cache: &Cache,
    checkout: &Path,
    target: &Path,
    revision: &Revision,
    archive: &Path,
) -> Result<Made> {
    let parts = OperatorImage::build(cache, checkout, target)?;
    let created = Timestamp::from_second(revision.seconds)
        .context("SOURCE_DATE_EPOCH is no time")?
        .to_string();
    let mut image = parts
        .image(&arguments.name)?
        .compressed()
        .created(&created)
        .label("org.opencontainers.image.title", "mcp-operator")
        .label("org.opencontainers.image.version", VERSION)
        .label("org.opencontainers.image.licenses", "Apache-2.0");
    if let Some(commit) = revision.clean_commit() {
        image = image.label("org.opencontainers.image.revision", commit);
    }
    let written = image.write(archive)?;
    Ok(Made { parts, written })
}

/// Once more, where nothing is as it was but the sources.
fn check(arguments: &Arguments, cache: &Cache, revision: &Revision, first: &Made) -> Result<()> {
    let place = cache.folder("image-check")?;
    let (sources, target) = (place.join("sources"), place.join("target"));
    if sources.exists() {
        fs::remove_dir_all(&sources)
            .with_context(|| format!("cannot remove {}", sources.display()))?;
    }
    copy_sources(&repository(), &sources)?;
    let archive = place.join("mcp-operator.tar");
    let second = make(arguments, cache, &sources, &target, revision, &archive)?;
    if second.written == first.written {
        println!("built twice, in two folders: one digest");
        return Ok(());
    }
    let mut differing = Vec::new();
    for (one, other) in files(&first.parts).into_iter().zip(files(&second.parts)) {
        let read =
            |file: &Path| fs::read(file).with_context(|| format!("cannot read {}", file.display()));
        if read(&one)? != read(&other)? {
            differing.push(format!("{} and {}", one.display(), other.display()));
        }
    }
    bail!(
        "built twice, in two folders, the image is not the same: {}; {} differ",
        second.written.digest,
        differing.join("; ")
    )
}

/// What was built of the image, in a fixed order.
fn files(parts: &OperatorImage) -> Vec<PathBuf> {
    let plugins = BUILTIN_PLUGINS.map(|plugin| parts.plugins.join(format!("{plugin}.wasm")));
    [parts.operator.clone()]
        .into_iter()
        .chain(plugins)
        .collect()
}

/// For people: which part is how large.
fn sizes(parts: &OperatorImage) -> Result<String> {
    let size = |file: &PathBuf| -> Result<u64> {
        let metadata = fs::metadata(file);
        Ok(metadata
            .with_context(|| format!("cannot read {}", file.display()))?
            .len())
    };
    let sizes = files(parts).iter().map(size).collect::<Result<Vec<_>>>()?;
    let (program, plugins) = sizes.split_first().context("no program")?;
    Ok(format!(
        "the program {:.1} MiB, plugins {:.1} MiB",
        mebibytes(*program),
        mebibytes(plugins.iter().sum())
    ))
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
