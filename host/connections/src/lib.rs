//! Requests to services that a registrar names and never reaches itself.
//!
//! - In: the connections of an MCPPlugin ([`Connections`], checked once, when the plugin is put into force), and a way to
//!   read the Secrets that they name ([`SecretLookup`]).
//! - Out: a [`Session`] with the credentials of one pass, so that a rotated Secret is used from the next pass on; it sends
//!   requests, refuses what a plugin must not do, and gives the answers. A [`RetryAfterGate`] outlives sessions: it knows
//!   which services want no request now.
//! - Never: a credential leaves this crate only in the header of a request. It is in no error, log, event or answer.

mod credential;
mod endpoint;
mod error;
mod exchange;
mod retry_after;
mod session;

pub use credential::{CredentialError, SecretLookup};
pub use endpoint::{Connections, InvalidConnection};
pub use error::ExchangeError;
pub use exchange::Purpose;
pub use retry_after::RetryAfterGate;
pub use session::Session;
