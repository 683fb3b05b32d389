//! The admission webhook: from the bytes of an AdmissionReview to an answer in the words of the API server.
//!
//! [`server`] serves TLS with what [`identity`] has; [`routes`] bounds bodies, time and load; [`handlers`] ask the
//! plugins; [`review`] reads and writes AdmissionReviews, purely. [`registration`] tells the API server whom to trust.

mod certificate;
mod handlers;
mod identity;
mod registration;
mod review;
mod routes;
mod server;
mod state;

pub(crate) use handlers::{mutate, validate};
pub use identity::{Identity, Place};
pub use registration::keep_registered;
pub(crate) use review::{invalid, parse};
pub use routes::router;
pub use server::serve;
pub use state::State;
