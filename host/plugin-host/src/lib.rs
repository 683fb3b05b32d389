//! Runs policy plugins: WebAssembly components behind the WIT contract.
