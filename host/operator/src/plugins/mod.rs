//! The plugins in force.
//!
//! [`Catalogue`] watches MCPPlugins and makes each of them an [`ActivePlugin`]: [`source`] has the bytes, [`activate`]
//! everything that is checked before. All of them together are a [`Snapshot`], one immutable value that a request takes
//! once; [`evaluate`] asks its plugins. [`given`] does the same once, with
//! plugins from files or from a record. [`convert`] alone knows the types of both sides of the contract.

mod activate;
mod catalogue;
mod convert;
mod evaluate;
mod given;
mod matching;
mod registrar;
mod snapshot;
mod source;
mod status;
mod subject;
mod write_status;

pub use activate::{ActivePlugin, Rejection};
pub use catalogue::{Catalogue, CatalogueOptions};
pub use evaluate::Defaulted;
pub(crate) use given::{activate_again, activate_all};
pub use mcp_plugin_host::contract::{Operation, Stage};
pub use snapshot::{Snapshot, Snapshots};
pub use subject::{NamespaceFacts, Subject, User};
