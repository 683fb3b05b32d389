//! What registries answer with, and what people write about them: references, manifests, signatures, keys.

use std::sync::LazyLock;

use mcp_component_source::{Digest, PublicKeys, Reference, fuzzing};

/// The key that made the signatures of the corpus.
const KEY: &[u8] = include_bytes!("artifacts-key.pem");
/// What they sign.
const SIGNED: &[u8] = b"{}";

static KEYS: LazyLock<PublicKeys> = LazyLock::new(|| {
    let mut keys = PublicKeys::new("the corpus");
    let added = keys.add_pem(KEY);
    assert!(added.is_ok(), "{added:?}");
    keys
});

/// The first byte says what the others are.
pub(crate) fn run(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else {
        return;
    };
    let text = std::str::from_utf8(data).unwrap_or_default();
    match kind {
        b'r' => reference(text),
        b'd' => digest(text),
        b'm' => manifest(data),
        b'c' => challenge(data),
        b'b' => bundle(data),
        b't' => signed_text(text),
        b'k' => keys(data),
        _ => {}
    }
}

fn reference(text: &str) {
    let Ok(reference) = text.parse::<Reference>() else {
        return;
    };
    let written = reference.to_string();
    assert_eq!(written.parse(), Ok(reference.clone()), "{written}");
    let registry = reference.registry();
    let url = format!("https://{registry}/v2/");
    let host = url.split('/').nth(2);
    assert_eq!(host, Some(registry), "a registry is a host: {url}");
    assert!(!registry.contains(['@', '\\', '?', '#', '%']), "{registry}");
    assert!(!reference.repository().split('/').any(|part| part == ".."));
    let pinned = reference.pinned(Digest::of(SIGNED));
    assert!(pinned.parse::<Reference>().is_ok(), "{pinned}");
}

fn digest(text: &str) {
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
}

fn manifest(data: &[u8]) {
    let Some((written, component)) = fuzzing::manifest(data) else {
        return;
    };
    if let Err(why) = &component {
        assert!(!why.is_empty());
    }
    let again = fuzzing::manifest(written.as_bytes());
    assert_eq!(again, Some((written, component)));
}

fn challenge(data: &[u8]) {
    if let Some(realm) = fuzzing::token_realm(data) {
        assert!(data.len() >= realm.len());
    }
}

/// Whatever is done to a signature, it is one of what was signed, or none.
fn bundle(data: &[u8]) {
    let other = Digest::of(b"something else");
    assert!(!fuzzing::is_signed_by_bundle(data, other, &KEYS));
    let none = PublicKeys::new("nobody");
    assert!(!fuzzing::is_signed_by_bundle(
        data,
        Digest::of(SIGNED),
        &none
    ));
}

fn signed_text(text: &str) {
    let (signature, text) = text.split_once('\n').unwrap_or((text, ""));
    let other = Digest::of(b"something else");
    assert!(!fuzzing::is_signed_by_text(
        text.as_bytes(),
        signature,
        other,
        &KEYS
    ));
}

fn keys(data: &[u8]) {
    let mut keys = PublicKeys::new("a file");
    if let Err(why) = keys.add_pem(data) {
        assert!(!why.is_empty() && why.len() < 1024);
    }
}
