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
    assert_eq!(component(map(&["a.wasm"]), None).unwrap(), b"a.wasm");
    assert_eq!(
        component(map(&["a.wasm", "b.wasm"]), Some("b.wasm")).unwrap(),
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
