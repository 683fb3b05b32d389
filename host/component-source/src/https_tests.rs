use mcp_operator_core::retry::Classify;

use super::*;
use crate::test_server::TestServer;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn download(server: &TestServer, path: &str, pinned: bool) -> Result<Download, FetchError> {
    let transport = Transport {
        authorities: None,
        plain_http: true,
    };
    Download::open(
        &format!("http://{}{path}", server.address),
        transport,
        pinned,
    )
}

async fn fetch(server: &TestServer, pinned: bool) -> Result<Vec<u8>, FetchError> {
    download(server, "/a.wasm?x=1", pinned)?
        .component(100)
        .await
}

#[tokio::test]
async fn a_url_is_fetched_with_what_is_beside_it() {
    let server = TestServer::start().await;
    assert_eq!(
        fetch(&server, false).await.unwrap_err().category(),
        "SourceNotFound"
    );
    server.store("/a.wasm", "", COMPONENT);
    assert_eq!(fetch(&server, false).await.unwrap(), COMPONENT);
    let beside = download(&server, "/a.wasm?x=1", false).unwrap();
    assert_eq!(beside.signature().await.unwrap(), None);
    server.store("/a.wasm.sig", "", b"signature");
    assert_eq!(beside.signature().await.unwrap().unwrap(), b"signature");
    assert_eq!(
        beside.component(7).await.unwrap_err().category(),
        "TooLarge"
    );
    server.status("/a.wasm", 403);
    assert_eq!(
        fetch(&server, false).await.unwrap_err().category(),
        "AccessDenied"
    );
    server.status("/a.wasm", 500);
    assert_eq!(
        fetch(&server, false).await.unwrap_err().category(),
        "SourceUnavailable"
    );
}

/// A query may be what lets somebody in. Errors are read by those who may not see it.
#[tokio::test]
async fn no_error_tells_the_query() {
    let server = TestServer::start().await;
    server.redirect("/b.wasm", "http://169.254.169.254/c?x=1".into());
    for (path, status) in [("/a.wasm", 403), ("/a.wasm", 500), ("/b.wasm", 0)] {
        if status > 0 {
            server.status(path, status);
        }
        let open = download(&server, &format!("{path}?x=1"), true).unwrap();
        let said = open.component(100).await.unwrap_err().to_string();
        assert!(said.contains(path) && !said.contains("x=1"), "{said}");
    }
    for (url, shown) in [
        (
            "https://u:p@a.example.com/r.wasm?sig=1#a",
            "https://a.example.com/r.wasm?...",
        ),
        (
            "https://a.example.com/r.wasm",
            "https://a.example.com/r.wasm",
        ),
        ("no url?sig=1", "no url"),
    ] {
        assert_eq!(without_credentials(url), shown);
    }
}

/// Whoever is named vouches for what comes, unless a digest does.
#[tokio::test]
async fn a_redirect_to_another_host_is_followed_only_for_what_is_pinned() {
    let (server, other) = (TestServer::start().await, TestServer::start().await);
    other.store("/b.wasm", "", COMPONENT);
    server.redirect("/a.wasm", format!("http://{}/b.wasm", other.address));
    let refused = fetch(&server, false).await.unwrap_err();
    assert_eq!(refused.category(), "SourceForbidden");
    assert_eq!(fetch(&server, true).await.unwrap(), COMPONENT);
    server.redirect("/a.wasm", "/moved.wasm".to_owned());
    server.store("/moved.wasm", "", COMPONENT);
    assert_eq!(fetch(&server, false).await.unwrap(), COMPONENT);
}

#[test]
fn only_https_is_asked() {
    for url in [
        "http://rules.acme.io/a.wasm",
        "ftp://rules.acme.io/a",
        "https://user:word@acme.io/a",
        "https://169.254.169.254/a",
        "https://127.0.0.1.nip.io.\\@169.254.169.254/",
        "no url",
    ] {
        let opened = Download::open(url, Transport::default(), true);
        match opened {
            Err(error) => assert_eq!(error.category(), "SourceForbidden", "{url}"),
            Ok(download) => assert!(download.url.host_str().unwrap().contains("nip.io"), "{url}"),
        }
    }
}
