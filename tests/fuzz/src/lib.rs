//! Fuzz targets: everything that reads what somebody else wrote, and what must be true of it whatever that was.
//!
//! A target takes any bytes and panics where something does not hold. `cargo xtask fuzz` lets LLVM's fuzzer find bytes that
//! reach more of the code; what it found stays in `corpus/`, one folder for each target, and is tried by the ordinary tests.
//! Only crates of this workspace are watched by the fuzzer (`instrument`): what others parse is theirs, and everything is built
//! once.

mod artifacts;
mod conversion;
mod counting;
mod findings;
mod http;
mod manifests;
mod patches;
mod review;
mod webhook;

/// Something that takes any bytes.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of the folder with its corpus.
    pub name: &'static str,
    /// Tries these bytes, and panics where something does not hold.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 8] = [
    Target {
        name: "review",
        run: review::run,
    },
    Target {
        name: "conversion",
        run: conversion::run,
    },
    Target {
        name: "http",
        run: http::run,
    },
    Target {
        name: "patches",
        run: patches::run,
    },
    Target {
        name: "findings",
        run: findings::run,
    },
    Target {
        name: "manifests",
        run: manifests::run,
    },
    Target {
        name: "check",
        run: manifests::check,
    },
    Target {
        name: "artifacts",
        run: artifacts::run,
    },
];

/// The target of this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
