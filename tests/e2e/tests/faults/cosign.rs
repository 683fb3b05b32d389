//! cosign itself beside our own: what one of them signs, the other accepts.

use std::fs::read_to_string;
use std::path::Path;

use anyhow::{Context, Result};
use mcp_cluster::{Cache, Cosign, CosignKey, SignatureLayout};
use serde_json::{Value, json};

use crate::registry::Registered;

/// Of `spec.source`, that one of these keys must have signed.
fn signed_by(public: &Path) -> Result<Value> {
    Ok(json!({ "verify": { "publicKeys": [{ "pem": read_to_string(public)? }] } }))
}

/// Pushes the rule under a tag, as an artifact of its own; the end of its reference by digest.
fn pushed(it: &Registered, tag: &str, more: &[&str]) -> Result<String> {
    let annotation = format!("org.opencontainers.image.title={tag}");
    let arguments = [&["--annotation", &annotation][..], more].concat();
    let digest = it.push(&it.component(), tag, &arguments)?;
    Ok(format!("@{digest}"))
}

/// `plugin verify` with a key.
fn verified(it: &Registered, public: &Path, version: &str) -> Result<String> {
    let key = public.to_string_lossy();
    it.plugin(&["verify", "--key", &key], &it.reference(version))
}

/// The error of what must fail.
fn refused<T>(result: Result<T>) -> Result<String> {
    let error = result.err().context("it was accepted")?;
    Ok(format!("{error:#}"))
}

#[test]
fn what_cosign_signs_is_accepted_in_each_layout_and_cosign_accepts_what_is_signed_here()
-> Result<()> {
    let mut it = Registered::start("cosign")?;
    let cosign = Cosign::build(&Cache::open()?, &it.registry, &it.folder.join("cosign"))?;
    let (ours, theirs) = (cosign.generate_key("ours")?, cosign.generate_key("theirs")?);
    it.restart("cosign-asked", &[])?;
    for (tag, layout) in [
        ("bundle", SignatureLayout::Bundle),
        ("tag", SignatureLayout::Tag),
    ] {
        let version = pushed(&it, tag, &[])?;
        let said = refused(verified(&it, &ours.public, &version))?;
        assert!(said.contains("has no signature"), "{said}");
        cosign.sign(&ours, &it.reference(&version), layout)?;
        is_accepted(&it, &version, &ours, &theirs).context(tag)?;
    }
    // In both layouts, of which the second key has only one.
    let version = pushed(&it, "both", &[])?;
    let place = it.reference(&version);
    cosign.sign(&ours, &place, SignatureLayout::Tag)?;
    cosign.sign(&theirs, &place, SignatureLayout::Bundle)?;
    for key in [&ours, &theirs] {
        verified(&it, &key.public, &version)?;
    }
    is_accepted_by_cosign(&it, &cosign)
}

/// By whoever authors plugins and by the operator, and by neither with the other key.
fn is_accepted(it: &Registered, version: &str, ours: &CosignKey, theirs: &CosignKey) -> Result<()> {
    verified(it, &ours.public, version)?;
    let said = refused(verified(it, &theirs.public, version))?;
    assert!(
        said.contains("has a signature, but none by the key of --key"),
        "{said}"
    );
    it.rule(version, &json!({}), &signed_by(&ours.public)?)?;
    let plugin = it.rule_is("True", "InForce")?;
    let signers = plugin["status"]["signedBy"].as_array();
    assert_eq!(signers.map(Vec::len), Some(1), "{plugin}");
    it.is_enforced()?;
    it.rule(version, &json!({}), &signed_by(&theirs.public)?)?;
    let said = it.rule_says("SignatureUntrusted")?;
    assert!(
        said.contains("none by the key of spec.source.verify.publicKeys"),
        "{said}"
    );
    it.delete_rule()
}

/// What `plugin push --sign` has signed, by its key and by no other.
fn is_accepted_by_cosign(it: &Registered, cosign: &Cosign) -> Result<()> {
    let ((private, public), (_, other)) = (it.key("by-hand")?, it.key("by-others")?);
    let version = pushed(it, "signed", &["--sign", &private])?;
    let place = it.reference(&version);
    let said = cosign.verify(Path::new(&public), &place)?;
    let digest = version.trim_start_matches('@');
    assert!(said.contains(digest), "{said}");
    refused(cosign.verify(Path::new(&other), &place))?;
    let unsigned = it.reference(&pushed(it, "unsigned", &[])?);
    refused(cosign.verify(Path::new(&public), &unsigned)).map(drop)
}
