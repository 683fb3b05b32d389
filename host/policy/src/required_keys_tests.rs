use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use mcp_operator_connections::SecretLookup;
use mcp_operator_core::retry::Classify;
use mcp_plugin_host::{Compiler, Host, HostConfig};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::found::{invalid_reference, may_move};
use crate::lookup::ConfigMapLookup;

/// Made by OpenSSL, as the signature of `wasm` by the first key.
const OURS: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAED3yxyR11v4li+nlpxsG4JMuW5GeI
T99ipLSyVXW+4beJjTgf+hEqS1ZmxqelDSGt0EDV1BmY/CmSYtUfXQC0xg==
-----END PUBLIC KEY-----
";
const THEIRS: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+QLw55+NaRn96wWCdA0XyipqLtev
DOp4Nzny/SGYMHzxyXNW2y1Ep/j5Yg17k59ZTK+gBz2fYpjhrvPZ3R2oVA==
-----END PUBLIC KEY-----
";
const SIGNATURE: &str = "MEUCIFFcDcwxW7CwQ0HYFPaDD3LHpb7H7AfBPEHnpBiBlclTAiEAgUAEq+Ubf45pugwSW12XIUWbkv5QT/duBAsDSl/EykE=";

/// The operator's namespace: a Secret and a ConfigMap `keys`, with both keys.
struct Home;

impl SecretLookup for Home {
    fn namespace(&self) -> &'static str {
        "operator"
    }

    fn secret<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>> {
        let data = [("ours", OURS), ("theirs", THEIRS)];
        let data = data.map(|(key, pem)| (key.to_owned(), ByteString(pem.as_bytes().to_vec())));
        let secret = Secret {
            data: Some(data.into()),
            ..Secret::default()
        };
        ready(Ok((name == "keys").then_some(secret))).boxed()
    }
}

impl ConfigMapLookup for Home {
    fn config_map<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<ConfigMap>, String>> {
        let data = [("ours", OURS), ("theirs", THEIRS)];
        let data = data.map(|(key, pem)| (key.to_owned(), pem.to_owned()));
        let map = ConfigMap {
            data: Some(data.into()),
            ..ConfigMap::default()
        };
        ready(Ok(
            (namespace == "operator" && name == "keys").then_some(map)
        ))
        .boxed()
    }

    fn remedy(&self, _namespace: &str, _name: &str) -> String {
        "is not there".to_owned()
    }
}

struct World {
    folder: TempDir,
    loader: PluginLoader,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let compiler = Compiler::new(folder.path().join("no-compiler"), Vec::<String>::new());
        let host = Host::new(HostConfig::new(folder.path().join("cache"), compiler)).unwrap();
        let loader = PluginLoader {
            maps: Arc::new(Home),
            secrets: Arc::new(Home),
            signature_keys: None,
            host,
            builtin: folder.path().to_owned(),
            operator_namespace: Some("operator".into()),
        };
        fs::write(folder.path().join("rule.wasm"), "wasm").unwrap();
        fs::write(folder.path().join("rule.wasm.sig"), SIGNATURE).unwrap();
        Self { folder, loader }
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Who has signed the file, if it must be signed by these keys; or the category of the error and the error.
    async fn signers(&self, keys: Value) -> Result<usize, (&'static str, String)> {
        let file = self.folder.path().join("rule.wasm");
        let mut source = json!({ "file": file });
        if !keys.is_null() {
            source["verify"] = json!({ "publicKeys": keys });
        }
        self.find(source)
            .await
            .map(|provenance| provenance.signed_by.len())
    }

    async fn find(&self, source: Value) -> Result<Provenance, (&'static str, String)> {
        let spec = serde_json::from_value(json!({ "source": source })).unwrap();
        let found = self.loader.find(&spec).await;
        found
            .map(|found| found.provenance)
            .map_err(|error| (error.category(), error.to_string()))
    }
}

#[tokio::test]
async fn keys_are_in_the_plugin_or_in_the_operators_namespace() {
    let world = World::new();
    assert_eq!(world.signers(Value::Null).await, Ok(0));
    for key in [
        json!({ "pem": OURS }),
        json!({ "secretKeyRef": { "name": "keys", "key": "ours" } }),
        json!({ "configMapKeyRef": { "name": "keys", "key": "ours" } }),
    ] {
        assert_eq!(world.signers(json!([key])).await, Ok(1));
        assert_eq!(world.signers(json!([{ "pem": THEIRS }, key])).await, Ok(1));
    }
    for (keys, category, said) in [
        (
            json!([{ "pem": THEIRS }]),
            "SignatureUntrusted",
            "spec.source.file: file ",
        ),
        (
            json!([{ "pem": "none" }]),
            "InvalidSignatureKey",
            "spec.source.verify.publicKeys[0]: it holds no public key in PEM",
        ),
        (
            json!([{ "pem": OURS }, {}]),
            "InvalidSignatureKey",
            "spec.source.verify.publicKeys[1]: it names no key",
        ),
        (json!([]), "SignatureUntrusted", ""),
        (
            json!([{ "secretKeyRef": { "name": "other", "key": "ours" } }]),
            "InvalidSignatureKey",
            "spec.source.verify.publicKeys[0].secretKeyRef: there is no Secret other in the operator's namespace operator",
        ),
        (
            json!([{ "secretKeyRef": { "name": "keys", "key": "a" } }]),
            "InvalidSignatureKey",
            "spec.source.verify.publicKeys[0].secretKeyRef: Secret operator/keys has no key a",
        ),
        (
            json!([{ "configMapKeyRef": { "name": "other", "key": "ours" } }]),
            "InvalidSignatureKey",
            "spec.source.verify.publicKeys[0].configMapKeyRef: there is no ConfigMap other in the operator's namespace operator",
        ),
    ] {
        let (found, error) = world.signers(keys).await.unwrap_err();
        assert_eq!(found, category, "{error}");
        assert!(error.starts_with(said), "{error}");
    }
}

/// Its own keys come on top of what an MCPPlugin says, and nothing that it says takes their place.
#[tokio::test]
async fn the_operators_keys_are_required_of_everything_but_the_image() {
    let mut world = World::new();
    world.loader.signature_keys = Some(world.write("ours.pub", OURS));
    assert_eq!(world.signers(Value::Null).await, Ok(1));
    assert_eq!(world.signers(json!([{ "pem": OURS }])).await, Ok(2));
    assert_eq!(
        world
            .signers(json!([{ "pem": THEIRS }]))
            .await
            .unwrap_err()
            .0,
        "SignatureUntrusted"
    );
    assert_eq!(
        world.find(json!({ "builtin": "rule" })).await,
        Ok(Provenance::default())
    );
    let (category, said) = world
        .find(json!({ "configMap": { "namespace": "operator", "name": "keys", "key": "ours" } }))
        .await
        .unwrap_err();
    assert_eq!(category, "SignatureMissing");
    assert!(
        said.contains("put one beside it, with .sig after its name"),
        "{said}"
    );

    // As a ConfigMap is mounted: what begins with a dot is the kubelet's.
    world.write("folder/..data/theirs.pub", "garbage");
    world.write("folder/theirs.pub", THEIRS);
    world.loader.signature_keys = Some(world.folder.path().join("folder"));
    assert_eq!(
        world.signers(json!([{ "pem": OURS }])).await.unwrap_err().0,
        "SignatureUntrusted"
    );
    world.write("folder/ours.pub", OURS);
    assert_eq!(world.signers(Value::Null).await, Ok(1));

    // Whoever cannot read them trusts nobody.
    for (path, said) in [
        (
            world.write("garbage.pub", "garbage"),
            "holds no public key in PEM",
        ),
        (
            world
                .write("empty/.hidden", "")
                .parent()
                .unwrap()
                .to_owned(),
            "there is no key in it",
        ),
        (world.folder.path().join("nowhere"), "No such file"),
    ] {
        world.loader.signature_keys = Some(path);
        let (category, error) = world.signers(json!([{ "pem": OURS }])).await.unwrap_err();
        assert_eq!(category, "InvalidSignatureKey");
        assert!(
            error.starts_with("--signature-keys ") && error.contains(said),
            "{error}"
        );
        assert!(world.find(json!({ "builtin": "rule" })).await.is_ok());
    }
}

#[test]
fn a_copy_is_used_if_a_key_that_is_trusted_now_had_signed_it() {
    let keys = |pems: &[&str]| {
        let mut keys = PublicKeys::new("here");
        for pem in pems {
            keys.add_pem(pem.as_bytes()).unwrap();
        }
        keys
    };
    let ours = keys(&[OURS]).ids().next().unwrap().to_string();
    let signed = Provenance {
        signed_by: vec![ours],
        ..Provenance::default()
    };
    assert!(kept_is_signed(&signed, &[keys(&[OURS])]).is_ok());
    assert!(kept_is_signed(&signed, &[keys(&[THEIRS, OURS]), keys(&[OURS])]).is_ok());
    assert!(kept_is_signed(&Provenance::default(), &[]).is_ok());
    for (provenance, required) in [
        (&Provenance::default(), vec![keys(&[OURS])]),
        (&signed, vec![keys(&[THEIRS])]),
        (&signed, vec![keys(&[OURS]), keys(&[THEIRS])]),
    ] {
        let error = kept_is_signed(provenance, &required).unwrap_err();
        assert_eq!(error.category(), "SignatureMissing");
    }
}

#[test]
fn what_may_become_something_else_is_looked_at_again() {
    let digest = format!("ghcr.io/acme/rule@sha256:{}", "0".repeat(64));
    for (spec, moves) in [
        (
            json!({ "source": { "oci": { "reference": "ghcr.io/acme/rule:1" } } }),
            true,
        ),
        (
            json!({ "source": { "oci": { "reference": "ghcr.io/acme/rule:1" } }, "sha256": "0".repeat(64) }),
            true,
        ),
        (
            json!({ "source": { "oci": { "reference": digest } } }),
            false,
        ),
        (
            json!({ "source": { "oci": { "reference": "none" } } }),
            false,
        ),
        (json!({ "source": { "url": "https://a.test/b" } }), true),
        (
            json!({ "source": { "url": "https://a.test/b" }, "sha256": "0".repeat(64) }),
            false,
        ),
        (json!({ "source": { "builtin": "validation" } }), false),
    ] {
        assert_eq!(
            may_move(&serde_json::from_value(spec.clone()).unwrap()),
            moves,
            "{spec}"
        );
    }
}

#[test]
fn a_reference_that_is_none_names_its_field() {
    let invalid = |oci: Value| {
        let oci = serde_json::from_value(oci).unwrap();
        invalid_reference(&oci)
            .map(|(field, reason)| format!("{field}: {reason}"))
            .unwrap_or_default()
    };
    assert_eq!(invalid(json!({ "reference": "ghcr.io/acme/rule:1" })), "");
    assert_eq!(
        invalid(json!({ "reference": "localhost:5000/rule:1", "plainHttp": true })),
        ""
    );
    let error = invalid(json!({ "reference": "acme/rule:1" }));
    assert!(
        error.starts_with("spec.source.oci.reference: it must begin with the host"),
        "{error}"
    );
    let error = invalid(json!({ "reference": "ghcr.io/acme/rule:1", "plainHttp": true }));
    assert!(
        error.starts_with(
            "spec.source.oci.plainHttp: only a registry at the operator's own address"
        ),
        "{error}"
    );
}
