//! The plugin host of an author's machine, and plugins in it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use mcp_operator_api::v1alpha1::{McpPlugin, PluginSource};
use mcp_operator_policy::{ActivePlugin, Rejection, activate_file};
use mcp_plugin_host::{CallObserver, Compiler, Host, HostConfig};
use serde_json::{Map, Value};

use crate::project::Project;

/// Options of the plugin host. What is larger than an operator takes by default is told, not refused: that is for whoever
/// runs the operator.
#[derive(Clone, Debug, Args)]
pub(crate) struct HostArguments {
    /// Folder for compiled plugins; only you may write into it. [default: mcp-operator/plugins in your cache folder]
    #[arg(long, env = "CACHE_DIR", value_name = "FOLDER")]
    pub(crate) cache_dir: Option<PathBuf>,

    /// Largest component that is accepted, in MiB. An operator takes 8 unless it is told otherwise.
    #[arg(long, env = "PLUGIN_SIZE_LIMIT_MIB", default_value_t = SIZE_LIMIT_MIB)]
    pub(crate) plugin_size_limit_mib: usize,

    /// Address space of the process that compiles a component, in MiB. An operator gives it 512 unless it is told otherwise.
    #[arg(long, env = "COMPILER_MEMORY_MIB", default_value_t = COMPILER_MEMORY_MIB)]
    pub(crate) compiler_memory_mib: u64,
}

/// The largest component that an author's machine takes, in MiB: Python comes with some 18.
pub const SIZE_LIMIT_MIB: usize = 64;

/// What the compiler may have there, in MiB.
pub const COMPILER_MEMORY_MIB: u64 = 2048;

/// The largest component that an operator takes unless it is told otherwise, in MiB.
pub(crate) const OPERATOR_SIZE_LIMIT_MIB: usize = 8;

/// The last call of a plugin: what it took and wrote.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastCall {
    pub(crate) took: Duration,
    /// The part of it until there was an instance.
    pub(crate) instantiating: Duration,
    pub(crate) memory_bytes: usize,
    /// What all calls wrote since it was last taken.
    pub(crate) output: String,
}

/// A plugin host, and what its last call was.
pub(crate) struct Session {
    host: Host,
    last: Arc<Mutex<LastCall>>,
}

impl Session {
    pub(crate) fn start(arguments: &HostArguments) -> Result<Self> {
        let folder = match &arguments.cache_dir {
            Some(folder) => folder.clone(),
            None => user_cache().context("there is no home folder: give --cache-dir")?,
        };
        Self::in_folder(arguments, folder)
    }

    /// With another folder for compiled plugins.
    pub(crate) fn in_folder(arguments: &HostArguments, folder: PathBuf) -> Result<Self> {
        let last: Arc<Mutex<LastCall>> = Arc::default();
        let this = std::env::current_exe().context("this program has no path")?;
        let mut config = HostConfig::new(&folder, Compiler::new(this, ["compile-component"]));
        config.max_component_bytes = arguments.plugin_size_limit_mib.saturating_mul(1 << 20);
        config.compiler.memory_bytes = arguments.compiler_memory_mib.saturating_mul(1 << 20);
        config.compiler.cpu_time = Duration::from_mins(15);
        let seen = Arc::clone(&last);
        config.observer = Some(CallObserver::new(move |call| {
            let mut last = seen.lock().unwrap_or_else(PoisonError::into_inner);
            last.took = call.took;
            last.instantiating = call.instantiating;
            last.memory_bytes = call.memory_bytes;
            if !call.output.is_empty() {
                last.output.push_str(call.output);
                last.output.push('\n');
            }
        }));
        let host = Host::new(config).with_context(|| {
            format!(
                "plugins cannot be run; --cache-dir names another folder than {} for compiled ones",
                folder.display()
            )
        })?;
        Ok(Self { host, last })
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Puts the plugin of a folder into force by its MCPPlugin, as the operator does, with the component that lies there.
    /// These settings take the place of its own.
    pub(crate) async fn activate(
        &self,
        project: &Project,
        settings: Option<&Map<String, Value>>,
    ) -> Result<Arc<ActivePlugin>, Rejection> {
        let mut spec = project.plugin.spec.clone();
        spec.source = PluginSource {
            file: Some(project.component.display().to_string()),
            ..PluginSource::default()
        };
        // It is of the component that is shipped, and this one may just have been built.
        spec.sha256 = None;
        if let Some(settings) = settings {
            spec.settings.clone_from(settings);
        }
        let plugin = McpPlugin::new(project.name(), spec);
        activate_file(&self.host, &plugin).await
    }

    /// What the last call took, and what plugins wrote since this was last asked.
    pub(crate) fn take_last_call(&self) -> LastCall {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let output = std::mem::take(&mut last.output);
        LastCall {
            output,
            ..last.clone()
        }
    }
}

/// Why a plugin cannot be asked at all, for those who cannot go on without it.
pub(crate) fn rejected(why: &Rejection) -> anyhow::Error {
    anyhow!("{}: {}", why.category, why.message)
}

/// The folder for compiled plugins in the cache of this user; nothing if there is no home.
pub fn user_cache() -> Option<PathBuf> {
    let absolute = |name: &str| {
        let folder = PathBuf::from(std::env::var_os(name)?);
        folder.is_absolute().then_some(folder)
    };
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("mcp-operator/plugins"))
}
