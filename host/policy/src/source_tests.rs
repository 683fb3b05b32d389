use std::collections::BTreeMap;

use k8s_openapi::ByteString;

use super::*;

fn map(keys: &[&str]) -> ConfigMap {
    let binary = keys
        .iter()
        .map(|key| ((*key).to_owned(), ByteString(key.as_bytes().to_vec())));
    ConfigMap {
        binary_data: Some(binary.collect::<BTreeMap<_, _>>()),
        ..ConfigMap::default()
    }
}

#[test]
fn the_only_key_need_not_be_named() {
    let found = |keys: &[&str], key| component(map(keys), key).map(|local| local.component);
    assert_eq!(found(&["a.wasm"], None).unwrap(), b"a.wasm");
    assert_eq!(
        found(&["a.wasm", "b.wasm"], Some("b.wasm")).unwrap(),
        b"b.wasm"
    );
    assert!(
        component(map(&["a.wasm", "b.wasm"]), None)
            .unwrap_err()
            .ends_with("a.wasm, b.wasm")
    );
    assert!(
        component(map(&["a.wasm"]), Some("c"))
            .unwrap_err()
            .contains("has no key c; it has: a.wasm")
    );
    assert_eq!(component(map(&[]), None).unwrap_err(), "is empty");
}

#[tokio::test]
async fn a_builtin_that_is_not_there_names_those_that_are() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("litellm_configmap.wasm"), "x").unwrap();
    assert_eq!(
        read_builtin(folder.path(), "litellm-configmap", 100)
            .await
            .unwrap(),
        b"x"
    );
    let error = read_builtin(folder.path(), "validations", 100)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no builtin plugin validations; there are: litellm-configmap"
    );
    assert_eq!(error.category(), "SourceNotFound");
}

#[tokio::test]
async fn a_builtin_that_cannot_be_read_is_not_said_to_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("a.wasm")).unwrap();
    let error = read_builtin(folder.path(), "a", 100).await.unwrap_err();
    assert_eq!(error.category(), "SourceUnavailable");
    assert!(error.to_string().contains("a directory"), "{error}");
}

#[tokio::test]
async fn of_a_file_no_more_is_read_than_a_component_may_have() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.wasm"), "12345").unwrap();
    assert_eq!(read_builtin(folder.path(), "a", 5).await.unwrap().len(), 5);
    let error = read_builtin(folder.path(), "a", 4).await.unwrap_err();
    assert_eq!(error.category(), "TooLarge");
    // Reading all of it would never end.
    let error = read_file("/dev/zero", 4).await.unwrap_err();
    assert_eq!(error.category(), "TooLarge");
}

#[test]
fn a_signature_beside_a_component_is_no_component() {
    let keys = ["a.wasm", "a.wasm.sig"];
    for key in [None, Some("a.wasm")] {
        let local = component(map(&keys), key).unwrap();
        assert_eq!(local.component, b"a.wasm");
        assert_eq!(local.signature.unwrap(), b"a.wasm.sig");
    }
    // What has no component beside it is one itself.
    let alone = component(map(&["a.sig"]), None).unwrap();
    assert_eq!(
        (alone.component, alone.signature),
        (b"a.sig".to_vec(), None)
    );
}

#[tokio::test]
async fn a_file_has_its_signature_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wasm");
    std::fs::write(&path, "wasm").unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(read_file(path, 100).await.unwrap().signature, None);
    std::fs::write(format!("{path}.sig"), "signature").unwrap();
    let local = read_file(path, 100).await.unwrap();
    assert_eq!(local.signature.unwrap(), b"signature");
}
