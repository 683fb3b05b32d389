//! What the webhook needs from the cluster: a certificate to serve with, and an API server that trusts it.

mod ca_injection;
mod certificate;
mod client_ca;
mod serving_cert;

pub(crate) use ca_injection::inject_ca_bundle;
pub(crate) use client_ca::ClientCa;
pub(crate) use serving_cert::Endpoint;
pub(crate) use serving_cert::ServingCert;
