//! An API server in memory, for tests of what lies between a client and a controller.
//!
//! [`ApiServer`] is a `tower::Service` that a `kube::Client` is made of. It knows objects of any kind, versions, watches,
//! status subresources, server-side apply with its managed fields and conflicts, preconditions and finalizers, and it
//! words its errors as the API server does. A test says what goes wrong ([`ApiServer::fail`]), what happens in the middle
//! of a flow ([`ApiServer::before`]), what admission does, and looks at what was asked ([`ApiServer::requests`]).
//!
//! It does not validate objects against a schema, sets no defaults of its own, and runs no controller: the garbage
//! collector comes when it is called.

mod access;
mod commit;
mod conflicts;
mod counting_allocator;
mod discovery;
mod fields;
mod garbage;
mod log;
mod managed_fields;
mod merge;
pub mod objects;
mod preconditions;
mod read;
mod request;
mod resources;
mod rules;
mod schema;
mod script;
mod selector;
mod server;
mod service;
mod status;
mod store;
mod wait;
mod watch;
pub mod workloads;
mod write;

pub use self::access::TEST_MANAGER;
pub use self::counting_allocator::{CountingAllocator, most_during};
pub use self::log::Recorded;
pub use self::request::Verb;
pub use self::resources::ResourceType;
pub use self::rules::{Fault, Match, Times};
pub use self::server::ApiServer;
pub use self::service::AnswerBody;
pub use self::status::Failure;
pub use self::store::WatchEnd;

#[cfg(test)]
mod tests;
