use mcp_operator_core::retry::Classify;

use super::*;
use crate::manifest::{OCI_INDEX, OCI_MANIFEST, WASM};
use crate::test_server::{Login, TestServer, USER};
use crate::{ComponentError, PushOptions, push};

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn plain() -> Transport {
    Transport {
        authorities: None,
        plain_http: true,
    }
}

fn robot() -> Credentials {
    Credentials::Password {
        username: USER.0.into(),
        password: USER.1.into(),
    }
}

fn reference(server: &TestServer, version: &str) -> Reference {
    format!("{}/rule{version}", server.address).parse().unwrap()
}

fn open(server: &TestServer, version: &str, credentials: Credentials) -> Registry {
    Registry::open(&reference(server, version), credentials, plain()).unwrap()
}

async fn fetch(registry: &Registry, limit: usize) -> Result<(Artifact, Vec<u8>), FetchError> {
    let artifact = registry.resolve().await?;
    let component = registry.component(&artifact, limit).await?;
    Ok((artifact, component))
}

async fn anonymous(server: &TestServer, version: &str) -> Result<(Artifact, Vec<u8>), FetchError> {
    fetch(&open(server, version, Credentials::Anonymous), 1 << 20).await
}

#[tokio::test]
async fn a_tag_is_resolved_and_a_digest_stays_what_it_is() {
    let server = TestServer::start().await;
    let first = server.component("1.0.0", COMPONENT);
    let (artifact, component) = anonymous(&server, ":1.0.0").await.unwrap();
    assert_eq!(component, COMPONENT);
    assert_eq!(
        (artifact.digest, artifact.component),
        (first, Digest::of(COMPONENT))
    );
    assert_eq!(artifact.pinned, format!("{}/rule@{first}", server.address));

    let second = server.component("1.0.0", b"another");
    assert_eq!(anonymous(&server, ":1.0.0").await.unwrap().0.digest, second);
    for version in [format!("@{first}"), format!(":1.0.0@{first}")] {
        let (artifact, component) = anonymous(&server, &version).await.unwrap();
        assert_eq!((artifact.digest, component.as_slice()), (first, COMPONENT));
    }
    let missing = anonymous(&server, ":2").await.unwrap_err();
    assert_eq!(missing.category(), "SourceNotFound");
    assert!(
        missing
            .to_string()
            .starts_with(&format!("{}/rule:2 is not there", server.address)),
        "{missing}"
    );
}

#[tokio::test]
async fn what_comes_is_what_its_digest_says() {
    let server = TestServer::start().await;
    let digest = server.component("1", COMPONENT);
    server.store(
        &format!("/v2/rule/blobs/{}", Digest::of(COMPONENT)),
        "",
        b"forged",
    );
    let forged = anonymous(&server, ":1").await.unwrap_err();
    assert_eq!(forged.category(), "DigestMismatch");
    server.store(&format!("/v2/rule/manifests/{digest}"), OCI_MANIFEST, b"{}");
    let forged = anonymous(&server, &format!("@{digest}")).await.unwrap_err();
    assert_eq!(forged.category(), "DigestMismatch");
}

#[tokio::test]
async fn more_than_the_limit_is_not_read_whatever_the_manifest_says() {
    let server = TestServer::start().await;
    server.component("1", COMPONENT);
    let registry = open(&server, ":1", Credentials::Anonymous);
    assert!(fetch(&registry, COMPONENT.len()).await.is_ok());
    let announced = fetch(&registry, COMPONENT.len() - 1).await.unwrap_err();
    assert_eq!(announced.category(), "TooLarge");
    // The manifest says less than there is.
    let artifact = Artifact {
        size: 1,
        ..registry.resolve().await.unwrap()
    };
    let lied = registry
        .component(&artifact, COMPONENT.len() - 1)
        .await
        .unwrap_err();
    assert_eq!(lied.category(), "TooLarge");
    server.manifest("big", OCI_MANIFEST, &vec![b' '; MANIFEST_LIMIT + 1]);
    assert_eq!(
        anonymous(&server, ":big").await.unwrap_err().category(),
        "TooLarge"
    );
}

#[tokio::test]
async fn what_is_no_component_is_refused_by_what_it_is() {
    let server = TestServer::start().await;
    server.manifest(
        "index",
        OCI_INDEX,
        br#"{"schemaVersion": 2, "manifests": []}"#,
    );
    server.manifest("garbage", OCI_MANIFEST, b"<html>");
    for (version, category, said) in [
        (
            ":index",
            "UnsupportedArtifact",
            "is an index of 0 artifacts",
        ),
        (
            ":garbage",
            "SourceUnavailable",
            "a manifest that cannot be read",
        ),
    ] {
        let error = anonymous(&server, version).await.unwrap_err();
        assert_eq!(error.category(), category);
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn credentials_are_shown_to_who_asks_for_them_and_refused_ones_are_told() {
    let server = TestServer::start().await;
    server.component("1", COMPONENT);
    for login in [Login::Basic, Login::Bearer] {
        server.login(login);
        assert!(
            fetch(&open(&server, ":1", robot()), 100).await.is_ok(),
            "{login:?}"
        );
        let asked = server.asked();
        assert!(!asked[0].1, "nobody asked for them yet");
        let wrong = Credentials::Password {
            username: "robot".into(),
            password: "wrong".into(),
        };
        for (credentials, said) in [
            (
                Credentials::Anonymous,
                "wants credentials, and none are given",
            ),
            (wrong, "refuses the credentials"),
        ] {
            let error = fetch(&open(&server, ":1", credentials), 100)
                .await
                .unwrap_err();
            assert_eq!(error.category(), "AccessDenied");
            assert!(
                error.to_string().contains(said) && !error.to_string().contains("wrong"),
                "{error}"
            );
        }
        server.asked();
    }
}

#[tokio::test]
async fn a_registry_that_is_out_of_order_says_so_without_its_own_words() {
    let server = TestServer::start().await;
    server.component("1", COMPONENT);
    server.status("/v2/rule/manifests/1", 503);
    let error = anonymous(&server, ":1").await.unwrap_err();
    assert_eq!(
        (error.category(), error.class()),
        (
            "SourceUnavailable",
            mcp_operator_core::retry::ErrorClass::Transient
        )
    );
    assert_eq!(
        error.to_string(),
        format!("{0}/rule:1: {0} answers with HTTP 503", server.address)
    );
    let nobody: Reference = "127.0.0.1:1/rule:1".parse().unwrap();
    let registry = Registry::open(&nobody, Credentials::Anonymous, plain()).unwrap();
    let error = registry.resolve().await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("127.0.0.1:1 cannot be reached: "),
        "{error}"
    );
}

/// Registries send to their storage: for what is verified by its digest, and without the credentials.
#[tokio::test]
async fn a_redirect_is_followed_for_what_a_digest_names_and_never_with_credentials() {
    let (server, storage) = (TestServer::start().await, TestServer::start().await);
    server.login(Login::Basic);
    let digest = server.component("1", COMPONENT);
    let blob = format!("/v2/rule/blobs/{}", Digest::of(COMPONENT));
    server.redirect(&blob, format!("http://{}/blob", storage.address));
    storage.store("/blob", "", COMPONENT);
    let fetched = fetch(&open(&server, ":1", robot()), 100).await;
    assert_eq!(fetched.unwrap().1, COMPONENT);
    assert_eq!(storage.asked(), [("/blob".to_owned(), false)]);

    storage.store("/blob", "", b"forged");
    let forged = fetch(&open(&server, ":1", robot()), 100).await.unwrap_err();
    assert_eq!(forged.category(), "DigestMismatch");

    // What a tag is can be believed from the registry only.
    let manifest = server.stored("/v2/rule/manifests/1").unwrap();
    storage.store("/manifest", OCI_MANIFEST, &manifest);
    storage.store("/blob", "", COMPONENT);
    server.redirect(
        "/v2/rule/manifests/1",
        format!("http://{}/manifest", storage.address),
    );
    let refused = fetch(&open(&server, ":1", robot()), 100).await.unwrap_err();
    assert_eq!(refused.category(), "SourceForbidden");
    assert!(
        refused
            .to_string()
            .contains("redirected to 127.0.0.1, another host"),
        "{refused}"
    );
    server.redirect(
        &format!("/v2/rule/manifests/{digest}"),
        format!("http://{}/manifest", storage.address),
    );
    assert!(
        fetch(&open(&server, &format!("@{digest}"), robot()), 100)
            .await
            .is_ok()
    );

    // The registry itself may have it elsewhere, and wants to know who asks there too.
    server.redirect(&blob, "/v2/rule/elsewhere".to_owned());
    server.store("/v2/rule/elsewhere", "", COMPONENT);
    assert!(
        fetch(&open(&server, &format!("@{digest}"), robot()), 100)
            .await
            .is_ok()
    );

    // A way without an end.
    server.redirect(&blob, format!("http://{}{blob}", server.address));
    let error = fetch(&open(&server, &format!("@{digest}"), robot()), 100)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("redirected more than"),
        "{error}"
    );
}

#[tokio::test]
async fn a_redirect_and_a_place_of_tokens_lead_nowhere_where_nobody_is_asked() {
    let server = TestServer::start().await;
    server.component("1", COMPONENT);
    let blob = format!("/v2/rule/blobs/{}", Digest::of(COMPONENT));
    for (to, said) in [
        (
            "http://169.254.169.254/latest/meta-data/",
            "is not asked without TLS",
        ),
        (
            "https://169.254.169.254/latest/meta-data/",
            "169.254.169.254 is where a cloud gives",
        ),
        ("http://registry.example.test/", "is not asked without TLS"),
        ("https://user:word@127.0.0.1/", "must not hold a credential"),
        ("file:///etc/passwd", "is not asked without TLS"),
    ] {
        server.redirect(&blob, to.to_owned());
        let error = anonymous(&server, ":1").await.unwrap_err();
        assert_eq!(error.category(), "SourceForbidden");
        assert!(error.to_string().contains(said), "{error}");
        let challenge = format!(r#"Bearer realm="{to}""#);
        let fixed = crate::test_server::Fixed {
            status: 401,
            headers: vec![("www-authenticate", challenge)],
            body: Vec::new(),
        };
        server.fix("/v2/rule/manifests/tokens", fixed);
        let error = fetch(&open(&server, ":tokens", robot()), 100)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn without_tls_only_this_machine_is_asked() {
    let open = |reference: &str, plain_http| {
        let transport = Transport {
            authorities: None,
            plain_http,
        };
        let opened = Registry::open(
            &reference.parse().unwrap(),
            Credentials::Anonymous,
            transport,
        );
        opened
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert_eq!(open("localhost:5000/rule:1", true), "");
    assert_eq!(open("127.0.0.1:5000/rule:1", true), "");
    assert!(open("registry.acme.io/rule:1", true).contains("is not asked without TLS"));
    assert!(open("169.254.169.254/rule:1", false).contains("is where a cloud gives"));
}

#[test]
fn authorities_that_are_none_are_refused() {
    let transport = Transport {
        authorities: Some("no pem".into()),
        plain_http: false,
    };
    let reference = "ghcr.io/rule:1".parse().unwrap();
    let error = Registry::open(&reference, Credentials::Anonymous, transport)
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "the certificate authorities hold no certificate in PEM"
    );
    assert_eq!(error.category(), "InvalidAuthorities");
}

#[tokio::test]
async fn what_is_pushed_is_found_in_both_layouts() {
    let server = TestServer::start().await;
    server.login(Login::Basic);
    for (tag, plain_layout) in [("cncf", false), ("plain", true)] {
        let reference = reference(&server, &format!(":{tag}"));
        let registry = Registry::open_to_push(&reference, robot(), plain()).unwrap();
        let options = PushOptions {
            annotations: vec![(
                "org.opencontainers.image.source".into(),
                "https://acme.io".into(),
            )],
            plain: plain_layout,
        };
        let pushed = push(&registry, COMPONENT, &options).await.unwrap();
        let (found, component) = fetch(&open(&server, &format!(":{tag}"), robot()), 100)
            .await
            .unwrap();
        assert_eq!((found, component.as_slice()), (pushed, COMPONENT));
        let manifest = server.stored(&format!("/v2/rule/manifests/{tag}")).unwrap();
        let manifest: Manifest = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest.layers[0].media_type, WASM);
        assert_eq!(
            manifest.annotations["org.opencontainers.image.source"],
            "https://acme.io"
        );
        let config = manifest.config.unwrap();
        let content = server
            .stored(&format!("/v2/rule/blobs/{}", config.digest))
            .unwrap();
        assert_eq!(content.len() as u64, config.size);
        assert_eq!(
            config.media_type == crate::manifest::WASM_CONFIG,
            !plain_layout
        );
    }
    let refused =
        Registry::open_to_push(&reference(&server, ":1"), Credentials::Anonymous, plain()).unwrap();
    let error = push(&refused, COMPONENT, &PushOptions::default())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ComponentError::Fetch(FetchError::AccessDenied { .. })
        ),
        "{error}"
    );
}
