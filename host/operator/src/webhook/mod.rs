//! What the webhook needs from the cluster: a certificate to serve with, and an API server that trusts it.
//!
//! Data goes one way: [`certificate`] makes and reads certificates, [`rotation`] says what is to be done with them (both pure),
//! `certificate_store` keeps them, `renewal` does what is to be done, and `serving_cert` and `ca_injection` are given the result. `expiry` says when all
//! of that did not help. `configuration` has the objects by which the API server finds the webhook, and
//! `configuration_owner` has them leave with the operator. `conversion` is the same for the definition of MCPServers.

mod ca_injection;
mod certificate;
mod certificate_files;
mod certificate_store;
mod client_ca;
mod configuration;
mod configuration_owner;
mod conversion;
mod endpoint;
mod expiry;
mod renewal;
mod rotation;
mod serving_cert;

pub(crate) use ca_injection::CaInjection;
pub(crate) use certificate_files::CertificateFiles;
pub(crate) use client_ca::ClientCa;
pub(crate) use configuration::Configurations;
pub(crate) use configuration_owner::ConfigurationOwner;
pub(crate) use endpoint::Endpoint;
pub(crate) use expiry::CertificateExpiry;
pub(crate) use renewal::CertificateRenewal;
pub(crate) use serving_cert::ServingCert;
