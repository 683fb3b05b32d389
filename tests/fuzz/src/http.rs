//! Any bytes at the webhook's port, as they come out of TLS.

use std::cell::RefCell;

use mcp_operator_admission::{fuzzing, router};
use mcp_operator_metrics::AdmissionMetrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime::{Builder, Runtime};

use crate::webhook::state;

/// Room of the connection, in each direction.
const ROOM: usize = 1 << 20;
/// How HTTP/2 begins an answer: a frame of settings, after its length.
const SETTINGS: u8 = 4;
const PATHS: [&str; 5] = [
    "/validate/mcpserver?timeout=1s",
    "/mutate/mcpserver",
    "/validate/mcpplugin",
    "/",
    "/convert",
];

thread_local! {
    /// Its clock goes on by itself where everybody waits for it: what is never finished ends at once.
    static RUNTIME: RefCell<Option<Runtime>> = RefCell::new(
        Builder::new_current_thread().enable_time().start_paused(true).build().ok(),
    );
}

/// The first byte says whether the others are all that is sent, or the body of a request.
pub(crate) fn run(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else {
        return;
    };
    let Some(path) = PATHS.get(usize::from(*kind)) else {
        let answer = exchange(data);
        assert!(is_http(&answer), "what is answered is HTTP: {answer:?}");
        return;
    };
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: webhook\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        data.len()
    );
    let answer = exchange(&[head.as_bytes(), data].concat());
    let status = answer.get(9..12).unwrap_or_default();
    let expected: &[&[u8]] = if *path == "/" {
        &[b"404"]
    } else {
        &[b"200", b"400"]
    };
    assert!(
        expected.contains(&status),
        "a whole request has an answer: {:?}",
        String::from_utf8_lossy(&answer)
    );
}

/// Nothing, where nothing was asked; otherwise an answer of HTTP/1 or the beginning of HTTP/2.
fn is_http(answer: &[u8]) -> bool {
    answer.is_empty() || answer.starts_with(b"HTTP/1.") || answer.get(3) == Some(&SETTINGS)
}

/// Everything that comes back when these bytes are sent, and no more.
fn exchange(sent: &[u8]) -> Vec<u8> {
    let (mut client, server) = duplex(ROOM);
    let router = router(state().clone(), AdmissionMetrics::default());
    let talk = async {
        let serving = tokio::spawn(fuzzing::serve_connection(server, router));
        // Whoever is told off is not listened to any more. The end of the bytes is not told, as no API server does.
        let _ = client.write_all(sent).await;
        let mut answer = Vec::new();
        let read = client.read_to_end(&mut answer).await;
        let ended = serving.await;
        assert!(ended.is_ok(), "the connection's task panicked: {ended:?}");
        assert!(read.is_ok(), "{read:?}");
        answer
    };
    RUNTIME.with_borrow(|runtime| {
        runtime
            .as_ref()
            .map(|runtime| runtime.block_on(talk))
            .unwrap_or_default()
    })
}
