use super::*;

/// A Deployment whose pods need `token` and can do without `extra`.
fn deployment() -> Value {
    let variable = |secret: &str, optional: bool| json!({ "name": secret, "valueFrom": { "secretKeyRef": { "name": secret, "key": "k", "optional": optional } } });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "mcp-a" },
        "spec": { "template": { "metadata": {}, "spec": { "containers": [
            { "name": "server", "env": [variable("token", false), variable("extra", true)] },
        ] } } },
    })
}

const OF: HashedFor<'static> = HashedFor {
    server: "tools/a",
    uid: "uid",
};

fn known(pairs: &[(&str, u8)]) -> BTreeMap<String, Fingerprint> {
    pairs
        .iter()
        .map(|(name, byte)| ((*name).to_owned(), [*byte; 32]))
        .collect()
}

fn key(byte: u8) -> HashKey {
    HashKey::new(&[byte; 32]).unwrap()
}

/// The Deployment after a reconcile that found these Secrets. None: they could not be read.
fn after(live: Option<&Value>, secrets: Option<&[(&str, u8)]>) -> Value {
    after_with(&key(1), live, secrets)
}

fn after_with(key: &HashKey, live: Option<&Value>, secrets: Option<&[(&str, u8)]>) -> Value {
    let live: Option<DynamicObject> =
        live.map(|live| serde_json::from_value(live.clone()).unwrap());
    let mut wanted = deployment();
    let secrets = secrets.map(known);
    stamp(&mut wanted, live.as_ref(), secrets.as_ref(), key, &OF);
    wanted
}

/// Whether the pods are replaced.
fn replaces(live: &Value, next: &Value) -> bool {
    live["spec"]["template"] != next["spec"]["template"]
}

#[test]
fn new_data_replaces_the_pods_and_nothing_else_does() {
    let first = after(None, Some(&[("token", 1)]));
    for same in [&[("token", 1)][..], &[("token", 1), ("unrelated", 9)]] {
        assert_eq!(after(Some(&first), Some(same)), first);
    }
    let second = after(Some(&first), Some(&[("token", 2)]));
    assert!(replaces(&first, &second));
    assert_eq!(after(Some(&second), Some(&[("token", 2)])), second);
}

#[test]
fn a_secret_that_is_gone_replaces_no_pods_and_neither_does_its_return() {
    let first = after(None, Some(&[("token", 1), ("extra", 1)]));
    let gone = after(Some(&first), Some(&[]));
    assert_eq!(gone, first);
    assert_eq!(
        after(Some(&gone), Some(&[("token", 1), ("extra", 1)])),
        first
    );
    let other = after(Some(&gone), Some(&[("token", 2), ("extra", 1)]));
    assert!(replaces(&gone, &other), "it came back as another one");
}

#[test]
fn secrets_that_cannot_be_read_replace_no_pods() {
    let first = after(None, Some(&[("token", 1)]));
    let forbidden = after(Some(&first), None);
    assert_eq!(forbidden, first);
    let rotated = after(Some(&forbidden), Some(&[("token", 2)]));
    assert!(
        replaces(&forbidden, &rotated),
        "it is seen when it can be read again"
    );
    // From the very beginning.
    let unread = after(None, None);
    assert_eq!(unread, deployment());
    assert!(!replaces(
        &unread,
        &after(Some(&unread), Some(&[("token", 1), ("extra", 1)]))
    ));
}

#[test]
fn pods_that_waited_for_a_required_secret_are_not_replaced_for_it() {
    let waiting = after(None, Some(&[]));
    let started = after(Some(&waiting), Some(&[("token", 1)]));
    assert!(!replaces(&waiting, &started));
    assert!(replaces(
        &started,
        &after(Some(&started), Some(&[("token", 2)]))
    ));
}

#[test]
fn pods_that_run_without_an_optional_secret_are_replaced_for_it() {
    let without = after(None, Some(&[("token", 1)]));
    let with = after(Some(&without), Some(&[("token", 1), ("extra", 1)]));
    assert!(replaces(&without, &with));
    // Pods that have not started get it as they start.
    let waiting = after(None, Some(&[]));
    let waiting = after(Some(&waiting), Some(&[("extra", 1)]));
    let started = after(Some(&waiting), Some(&[("token", 1), ("extra", 1)]));
    assert!(!replaces(&waiting, &started));
}

#[test]
fn the_hash_depends_on_the_key_the_server_and_the_secret() {
    let hash = key(1).hash("uid", "a", &[1; 32]);
    assert_eq!(hash, key(1).hash("uid", "a", &[1; 32]));
    for other in [
        key(2).hash("uid", "a", &[1; 32]),
        key(1).hash("other", "a", &[1; 32]),
        key(1).hash("uid", "b", &[1; 32]),
        key(1).hash("uid", "a", &[2; 32]),
    ] {
        assert_ne!(hash, other);
    }
    assert!(key(1).made(&hash) && !key(2).made(&hash));
    assert!(HashKey::new(&[1; 31]).is_none());
    assert!(!format!("{:?}", key(1)).contains("0101"));
}

/// What a viewer knows of the cluster is not enough to try guesses.
#[test]
fn nothing_that_stands_there_follows_from_the_uid_and_the_data() {
    use hmac::{Hmac, Mac};
    let mut mac = Hmac::<Sha256>::new_from_slice(b"uid").unwrap();
    mac.update(b"token\0");
    mac.update(&[1; 32]);
    let guessed = hex::encode(&mac.finalize().into_bytes()[..8]);
    let guessed_stamp = hash_of_all(&[("token".to_owned(), guessed.clone())].into()).unwrap();
    let stamped = after(None, Some(&[("token", 1)])).to_string();
    assert!(!stamped.contains(&guessed) && !stamped.contains(&guessed_stamp));
}

#[test]
fn another_key_replaces_no_pods_and_the_next_change_does() {
    let mut old_format = after(None, Some(&[("token", 1), ("extra", 1)]));
    old_format["metadata"]["annotations"][SECRETS_SEEN] =
        json!(r#"{"extra":"0011223344556677","token":"8899aabbccddeeff"}"#);
    let old_key = after_with(&key(2), None, Some(&[("token", 1), ("extra", 1)]));
    for before in [old_format, old_key] {
        // Whether the data has changed together with the key cannot be known.
        for token in [1, 2] {
            let taken_over = after(Some(&before), Some(&[("token", token), ("extra", 1)]));
            assert!(!replaces(&before, &taken_over));
            assert_ne!(before["metadata"], taken_over["metadata"]);
            let same = after(Some(&taken_over), Some(&[("token", token), ("extra", 1)]));
            assert_eq!(same, taken_over);
            let changed = after(Some(&taken_over), Some(&[("token", 3), ("extra", 1)]));
            assert!(replaces(&taken_over, &changed));
            let settled = after(Some(&changed), Some(&[("token", 3), ("extra", 1)]));
            assert_eq!(settled, changed);
        }
        // One that is away while the key changes is unknown when it is back.
        let away = after(Some(&before), Some(&[("extra", 1)]));
        let back = after(Some(&away), Some(&[("token", 2), ("extra", 1)]));
        assert!(!replaces(&before, &away) && !replaces(&away, &back));
    }
}

#[test]
fn secrets_are_found_wherever_a_pod_reads_them() {
    let pod = json!({ "spec": { "template": { "spec": {
        "initContainers": [{ "envFrom": [{ "secretRef": { "name": "a" } }, { "configMapRef": { "name": "no" } }] }],
        "containers": [{ "env": [{ "name": "x", "value": "y" }, { "name": "z", "valueFrom": { "secretKeyRef": { "name": "b", "optional": true } } }] }],
        "volumes": [
            { "secret": { "secretName": "c", "optional": true } }, { "emptyDir": {} },
            { "projected": { "sources": [{ "secret": { "name": "d" } }, { "secret": { "name": "b" } }] } },
        ],
    } } } });
    let found = references(&pod);
    let names: Vec<_> = found.keys().collect();
    assert_eq!(names, [&"a", &"b", &"c", &"d"]);
    assert_eq!((found["b"], found["c"]), (Need::Required, Need::Optional));
}

#[test]
fn a_deployment_without_secrets_stays_as_it_is() {
    let mut plain =
        json!({ "metadata": {}, "spec": { "template": { "spec": { "containers": [] } } } });
    let before = plain.clone();
    stamp(
        &mut plain,
        None,
        Some(&known(&[("token", 1)])),
        &key(1),
        &OF,
    );
    assert_eq!(plain, before);
}

/// A server that is restored from a backup has another uid, and the pods of its Deployment read the same data.
#[test]
fn another_uid_replaces_no_pods() {
    let before = after(None, Some(&[("token", 1), ("extra", 2)]));
    let of = HashedFor { uid: "new", ..OF };
    let next = |secrets: &[(&str, u8)]| {
        let live: DynamicObject = serde_json::from_value(before.clone()).unwrap();
        let mut wanted = deployment();
        stamp(
            &mut wanted,
            Some(&live),
            Some(&known(secrets)),
            &key(1),
            &of,
        );
        wanted
    };
    assert_eq!(next(&[("token", 1), ("extra", 2)]), before);
    assert!(replaces(&before, &next(&[("token", 1), ("extra", 3)])));
}

/// Hashes of an earlier version were made by the uid.
#[test]
fn hashes_that_were_made_by_the_uid_are_made_anew_and_replace_no_pods() {
    let by_uid = HashedFor {
        server: "uid",
        uid: "uid",
    };
    let secrets = known(&[("token", 1), ("extra", 2)]);
    let mut before = deployment();
    stamp(&mut before, None, Some(&secrets), &key(1), &by_uid);
    let now = after(Some(&before), Some(&[("token", 1), ("extra", 2)]));
    assert!(!replaces(&before, &now));
    assert_ne!(before["metadata"], now["metadata"]);
    let changed = after(Some(&before), Some(&[("token", 1), ("extra", 3)]));
    assert!(replaces(&before, &changed));
    assert_eq!(after(Some(&now), Some(&[("token", 1), ("extra", 2)])), now);
}
