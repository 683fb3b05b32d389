//! The admission webhook: from the bytes of an AdmissionReview to an answer worded as the API server words its own.
//!
//! - In: HTTPS requests of the API server, the plugins in force, and how servers become objects ([`AdmissionState`]).
//! - Out: AdmissionReviews that allow, refuse, warn or patch; ConversionReviews with MCPServers in another version.
//! - Never: it talks to no cluster, and stores nothing. Certificates and the webhook configurations are the program's.
//!
//! [`server`] serves TLS, and bounds [`connection`]s; [`routes`] bounds bodies, time and load, with a share of
//! each for every peer ([`peer_shares`]); [`handlers`] ask the plugins; [`review`] reads and
//! writes AdmissionReviews, purely; [`revision`] ties the two questions about one request together; [`lookup_key`] says by
//! what a request is found in logs, audit logs and traces, and [`request_span`] what a trace says of it.
//! [`conversion_review`] asks nobody.

mod connection;
mod conversion_review;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handlers;
mod heap_cost;
mod lookup_key;
mod peer_shares;
mod request_span;
mod review;
mod revision;
mod routes;
mod scale;
mod server;
mod state;

pub use handlers::{mutate, validate};
pub use lookup_key::{REQUEST, TRACE};
pub use review::{ANSWERED, invalid, parse};
pub use routes::router;
pub use server::{Drain, serve};
pub use state::AdmissionState;
