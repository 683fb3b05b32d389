//! Requests to services that a registrar names and never reaches itself.
//!
//! [`endpoint`] is a connection of an MCPPlugin, checked once when the plugin is put into force. [`session`] holds its
//! [`credential`] for one pass, so that a rotated Secret is used from the next pass on. [`exchange`] sends one request and
//! refuses what a plugin must not do. [`left_alone`] outlives passes: it knows which services want no request now.
//! Credentials live here and nowhere else: they are in no error, log, event or answer.

mod credential;
mod endpoint;
mod error;
mod exchange;
mod left_alone;
mod session;

pub use endpoint::Connections;
pub use error::ExchangeError;
pub use exchange::Purpose;
pub use left_alone::LeftAlone;
pub use session::Session;
