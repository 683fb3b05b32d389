//! One file for each command.

pub(crate) mod availability;
pub(crate) mod background;
pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod chaos;
pub(crate) mod demo;
pub(crate) mod down;
pub(crate) mod fuzz;
pub(crate) mod image;
pub(crate) mod instructions;
pub(crate) mod kubeconfig;
pub(crate) mod manifests;
pub(crate) mod supervise;
pub(crate) mod test;
pub(crate) mod up;
