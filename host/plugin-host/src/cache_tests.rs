use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

const LARGE: u64 = 1 << 20;

fn cache() -> (tempfile::TempDir, Cache) {
    let parent = tempfile::tempdir().unwrap();
    let cache = Cache::open(&parent.path().join("cache"), 7, LARGE).unwrap();
    (parent, cache)
}

fn publish(cache: &Cache, component: Digest, content: &[u8]) {
    let mut staged = cache.stage().unwrap();
    staged.write_all(content).unwrap();
    cache.publish(staged, component).unwrap();
}

#[test]
fn finds_what_was_published_for_the_same_engine_only() {
    let (_parent, cache) = cache();
    let component = Digest::of(b"component");
    assert_eq!(cache.lookup(component).unwrap(), None);
    publish(&cache, component, b"code");
    let path = cache.lookup(component).unwrap().unwrap();
    assert_eq!(fs::read(path).unwrap(), b"code");
    let other = Cache::open(&cache.dir, 8, LARGE).unwrap();
    assert_eq!(other.lookup(component).unwrap(), None);
}

#[test]
fn treats_a_changed_entry_as_absent() {
    let (_parent, cache) = cache();
    let component = Digest::of(b"component");
    publish(&cache, component, b"code");
    fs::write(cache.path(component, "cwasm"), b"c0de").unwrap();
    assert_eq!(cache.lookup(component).unwrap(), None);
    publish(&cache, component, b"code");
    assert!(cache.lookup(component).unwrap().is_some());
}

#[test]
fn sweeps_staged_files_of_yesterday_and_nothing_else() {
    let (_parent, cache) = cache();
    let component = Digest::of(b"component");
    publish(&cache, component, b"code");
    let (old, new) = (cache.dir.join("staged-old"), cache.dir.join("staged-new"));
    fs::write(&new, "").unwrap();
    for path in [&old, &cache.path(component, "cwasm")] {
        let file = File::options()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.set_modified(SystemTime::now() - 2 * STALE).unwrap();
    }
    let cache = Cache::open(&cache.dir, 7, LARGE).unwrap();
    assert!(!old.exists() && new.exists());
    assert!(cache.lookup(component).unwrap().is_some());
}

#[test]
fn makes_the_directory_private_and_refuses_one_that_others_can_write() {
    let (_parent, cache) = cache();
    assert_eq!(fs::metadata(&cache.dir).unwrap().mode() & 0o777, 0o700);
    fs::set_permissions(&cache.dir, fs::Permissions::from_mode(0o770)).unwrap();
    assert!(
        Cache::open(&cache.dir, 7, LARGE)
            .unwrap_err()
            .to_string()
            .contains("written by others")
    );
    assert!(cache.lookup(Digest::of(b"component")).is_err());
}

#[test]
fn refuses_entries_that_others_can_write_and_symbolic_links() {
    let (parent, cache) = cache();
    let component = Digest::of(b"component");
    publish(&cache, component, b"code");
    let code = cache.path(component, "cwasm");
    fs::set_permissions(&code, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(cache.lookup(component).is_err());
    fs::rename(&code, parent.path().join("elsewhere")).unwrap();
    symlink(parent.path().join("elsewhere"), &code).unwrap();
    assert!(cache.lookup(component).is_err());
}

#[test]
fn evicts_the_least_recently_used_entry() {
    let (_parent, mut cache) = cache();
    let entry = |name: &str| Digest::of(name.as_bytes());
    for (name, age) in [("used", 3), ("unused", 2), ("other", 1)] {
        publish(&cache, entry(name), &[0; 100]);
        let code = File::open(cache.path(entry(name), "cwasm")).unwrap();
        let recorded = File::open(cache.path(entry(name), "sha256")).unwrap();
        let time = SystemTime::now() - Duration::from_hours(age);
        code.set_modified(time).unwrap();
        recorded.set_modified(time).unwrap();
    }
    assert!(cache.lookup(entry("used")).unwrap().is_some());
    // Each has 100 bytes of code and 64 of its digest.
    cache.max_bytes = 3 * 164;
    publish(&cache, entry("new"), &[0; 100]);
    for (name, stays) in [
        ("used", true),
        ("unused", false),
        ("other", true),
        ("new", true),
    ] {
        assert_eq!(
            cache.lookup(entry(name)).unwrap().is_some(),
            stays,
            "{name}"
        );
    }
    cache.max_bytes = 1;
    publish(&cache, entry("large"), &[0; 100]);
    assert!(cache.lookup(entry("large")).unwrap().is_some());
    assert!(cache.lookup(entry("new")).unwrap().is_none());
}

#[test]
fn a_failure_is_recorded_for_the_same_limits() {
    let (_parent, cache) = cache();
    let component = Digest::of(b"component");
    assert_eq!(cache.known_failure(component, "64"), None);
    cache
        .record_failure(component, "64", "of two\nlines")
        .unwrap();
    assert_eq!(
        cache.known_failure(component, "64").as_deref(),
        Some("of two\nlines")
    );
    assert_eq!(cache.known_failure(component, "128"), None);
}

#[test]
fn a_digest_parses_what_it_displays() {
    let digest = Digest::of(b"component");
    assert_eq!(digest.to_string().parse(), Ok(digest));
    assert!("12".parse::<Digest>().is_err());
}
