//! Loads components: from bytes to a [`Plugin`].

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Mutex;
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};

use crate::cache::{Cache, Digest};
use crate::config::HostConfig;
use crate::error::{Fault, HostError, PluginError};
use crate::exports::{self, Exports};
use crate::memory_file::MemoryFile;
use crate::plugin::{Plugin, Program};
use crate::quota::{self, SharedQuota};
use crate::store::StoreState;
use crate::ticker::Ticker;
use crate::{compile, engine, native};

/// Loads plugins, and owns the engines, the cache and the limits that they share. Cheap to clone; needs a tokio runtime
/// with I/O and time.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    config: HostConfig,
    cache: Cache,
    /// One compilation at a time, because of its memory.
    compiling: Mutex<()>,
    pooling: Linker<StoreState>,
    on_demand: Linker<StoreState>,
    shared: Arc<SharedQuota>,
}

impl Host {
    /// Sets up the engines, opens the cache and starts the thread that interrupts guests.
    ///
    /// # Errors
    ///
    /// [`HostError::Cache`] if the cache directory cannot be created or other users can write into it,
    /// [`HostError::Engine`] if there is not enough address space for the pool, [`HostError::Thread`] if no thread can be
    /// started.
    pub fn new(config: HostConfig) -> Result<Self, HostError> {
        let refused = |error: wasmtime::Error| HostError::Engine(format!("{error:#}"));
        // Only an engine that can compile knows what machine code depends on, and those that run plugins cannot.
        let compatibility = engine::compatibility(&engine::compiling().map_err(refused)?);
        let cache = Cache::open(&config.cache_dir, compatibility, config.cache_bytes)
            .map_err(|error| HostError::Cache(error.to_string()))?;
        let pooling = linker(&engine::pooling(config.concurrency, config.slot).map_err(refused)?)
            .map_err(refused)?;
        let on_demand = linker(&engine::on_demand().map_err(refused)?).map_err(refused)?;
        let ticker = Ticker::start(vec![pooling.engine().clone(), on_demand.engine().clone()])?;
        let shared = Arc::new(SharedQuota::new(&config, ticker));
        let compiling = Mutex::new(());
        Ok(Self(Arc::new(Inner {
            config,
            cache,
            compiling,
            pooling,
            on_demand,
            shared,
        })))
    }

    /// Loads a component: compiles it unless the cache has it, and checks that it fits the contract. `name` is used in
    /// errors and logs.
    ///
    /// # Errors
    ///
    /// A [`Fault`] of the component if it is too large, is not a component, does not fit the contract or does not compile;
    /// one of the host if the compiler or the cache cannot be used.
    pub async fn load(&self, name: &str, bytes: &[u8]) -> Result<Plugin, PluginError> {
        let name: Arc<str> = name.into();
        self.load_program(&name, bytes)
            .await
            .map_err(|fault| fault.in_plugin(&name))
    }

    /// Loads a component that was compiled before, by its digest; `None` if the cache no longer has it.
    ///
    /// # Errors
    ///
    /// As for [`Host::load`].
    pub async fn load_cached(
        &self,
        name: &str,
        digest: Digest,
    ) -> Result<Option<Plugin>, PluginError> {
        let name: Arc<str> = name.into();
        let loaded = async {
            match self.cached(digest).await? {
                Some(component) => self.program(&name, digest, component).await.map(Some),
                None => Ok(None),
            }
        };
        loaded.await.map_err(|fault: Fault| fault.in_plugin(&name))
    }

    /// The largest component that is accepted, in bytes.
    pub fn max_component_bytes(&self) -> usize {
        self.0.config.max_component_bytes
    }

    /// The most memory that a call can have, in bytes: half of [`HostConfig::memory_bytes`], whatever its limits say.
    pub fn largest_memory(&self) -> usize {
        self.0.shared.largest_memory
    }

    async fn load_program(&self, name: &Arc<str>, bytes: &[u8]) -> Result<Plugin, Fault> {
        self.check_header(bytes)?;
        let digest = Digest::of(bytes);
        let component = self.compiled(digest, bytes).await?;
        self.program(name, digest, component).await
    }

    async fn program(
        &self,
        name: &Arc<str>,
        digest: Digest,
        component: Component,
    ) -> Result<Plugin, Fault> {
        exports::refuse_imports(&component)?;
        let pooled = Engine::same(component.engine(), self.0.pooling.engine());
        let linker = if pooled {
            &self.0.pooling
        } else {
            &self.0.on_demand
        };
        let component = instantiate_pre(linker, &component)
            .map_err(|error| Fault::WrongWorld(format!("{error:#}")))?;
        let exports = Exports::find(&component)?;
        let program = Program {
            name: Arc::clone(name),
            digest,
            pooled,
            component,
            exports,
            quota: quota::of_plugin(&self.0.config),
            calls: self.0.config.metrics.of(name),
            observer: self.0.config.observer.clone(),
        };
        let plugin = Plugin::new(program, Arc::clone(&self.0.shared));
        plugin.check().await?;
        Ok(plugin)
    }

    /// Refuses bytes that are too large or no component without starting the compiler.
    fn check_header(&self, bytes: &[u8]) -> Result<(), Fault> {
        let limit = self.0.config.max_component_bytes;
        if bytes.len() > limit {
            return Err(Fault::TooLarge {
                bytes: bytes.len(),
                limit,
            });
        }
        match bytes.first_chunk::<8>() {
            Some(b"\0asm\x0d\0\x01\0") => Ok(()),
            Some(b"\0asm\x01\0\0\0") => Err(Fault::NotAComponent(
                "a core module; build for wasm32-wasip2, or make a component of it with `wasm-tools component new`"
                    .to_owned(),
            )),
            Some([b'\0', b'a', b's', b'm', version @ ..]) => Err(Fault::NotAComponent(format!(
                "WebAssembly of an unknown version {}",
                hex::encode(version)
            ))),
            _ => Err(Fault::NotAComponent("the first bytes are not those of WebAssembly".to_owned())),
        }
    }

    async fn compiled(&self, digest: Digest, bytes: &[u8]) -> Result<Component, Fault> {
        if let Some(component) = self.cached(digest).await? {
            return Ok(component);
        }
        let _guard = self.0.compiling.lock().await;
        // Another task may have compiled it in the meantime.
        if let Some(component) = self.cached(digest).await? {
            return Ok(component);
        }
        if let Some(why) = self.0.cache.known_failure(digest, &self.compiler_limit()) {
            return Err(Fault::CompileFailed(why));
        }
        match self.compile(digest, bytes).await {
            Ok(()) => self.cached(digest).await?.ok_or_else(of_another_build),
            Err(Fault::CacheUnusable(why)) => self.compile_in_memory(bytes, &why).await,
            Err(fault) => Err(fault),
        }
    }

    /// A full volume takes no rule away: machine code that cannot be kept is in memory for as long as it is used.
    async fn compile_in_memory(&self, bytes: &[u8], why: &str) -> Result<Component, Fault> {
        tracing::warn!(
            error = why,
            "the cache of compiled components cannot be written: this one is kept in memory, and compiled again by the next process"
        );
        let code = MemoryFile::create().map_err(unusable)?;
        let output = code.writer().map_err(unusable)?;
        let compiled = compile::run(&self.0.config.compiler, bytes, output).await;
        compiled.map_err(|failed| failed.fault)?;
        let host = self.clone();
        blocking(move || {
            code.seal().map_err(unusable)?;
            host.native(&code.path()).map_err(|_| of_another_build())
        })
        .await
    }

    async fn compile(&self, digest: Digest, bytes: &[u8]) -> Result<(), Fault> {
        let staged = self.0.cache.stage().map_err(unusable)?;
        let output = staged.reopen().map_err(unusable)?;
        if let Err(failed) = compile::run(&self.0.config.compiler, bytes, output).await {
            if let (true, Fault::CompileFailed(why)) = (failed.permanent, &failed.fault) {
                // If it cannot be recorded, the next attempt fails again.
                let _ = self
                    .0
                    .cache
                    .record_failure(digest, &self.compiler_limit(), why);
            }
            return Err(failed.fault);
        }
        let host = self.clone();
        blocking(move || host.0.cache.publish(staged, digest).map_err(unusable)).await
    }

    /// What a recorded failure depends on besides the component and the engine.
    fn compiler_limit(&self) -> String {
        self.0.config.compiler.memory_bytes.to_string()
    }

    /// The component, if the cache has usable machine code of it. Machine code that is not usable is compiled again.
    async fn cached(&self, digest: Digest) -> Result<Option<Component>, Fault> {
        let host = self.clone();
        blocking(move || {
            let Some(file) = host.0.cache.lookup(digest).map_err(unusable)? else {
                return Ok(None);
            };
            Ok(host.native(&file).ok())
        })
        .await
    }

    /// Maps machine code. A component that does not fit into a slot of the pool is allocated on demand.
    fn native(&self, file: &Path) -> wasmtime::Result<Component> {
        native::load(self.0.pooling.engine(), file)
            .or_else(|_| native::load(self.0.on_demand.engine(), file))
            .inspect_err(|error| {
                let error = format!("{error:#}");
                tracing::warn!(file = %file.display(), error, "compiled component cannot be used");
            })
    }
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<StoreState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Ok(linker)
}

/// `jco componentize` imports `wasi:http` whether or not a plugin has a use for it. There is no network behind it: who calls
/// anything of it traps.
fn instantiate_pre(
    linker: &Linker<StoreState>,
    component: &Component,
) -> wasmtime::Result<InstancePre<StoreState>> {
    if !exports::imports_http(component) {
        return linker.instantiate_pre(component);
    }
    let mut linker = linker.clone();
    linker.define_unknown_imports_as_traps(component)?;
    linker.instantiate_pre(component)
}

/// Reads and hashes files outside the threads of the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            Err(Fault::HostFailed {
                call: "load",
                cause: error.to_string(),
            })
        })
}

fn of_another_build() -> Fault {
    Fault::CompilerUnavailable(
        "what it put out is not for this engine; is it of the same build?".to_owned(),
    )
}

fn unusable(error: io::Error) -> Fault {
    Fault::CacheUnusable(error.to_string())
}
