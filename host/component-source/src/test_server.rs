//! A registry in this process, which answers as it is told and writes down what it was asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpListener;

use crate::digest::Digest;
use crate::manifest::{Descriptor, Manifest, OCI_MANIFEST, WASM, WASM_CONFIG};

/// Name and password of who may read and write.
pub(crate) const USER: (&str, &str) = ("robot", "secret");
const TOKEN: &str = "token-of-the-robot";

/// What is asked of who comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Login {
    #[default]
    Nobody,
    Basic,
    Bearer,
}

/// A path that is answered with this, whatever is stored.
#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
struct State {
    login: Login,
    keeps_referrers: bool,
    fixed: BTreeMap<String, Fixed>,
    /// By path: type and content.
    stored: BTreeMap<String, (String, Vec<u8>)>,
    asked: Vec<(Method, String, HeaderMap)>,
}

impl State {
    /// Stores a manifest; says whether it is in the list of referrers of another now.
    fn put_manifest(&mut self, path: String, content_type: String, body: &[u8]) -> bool {
        let (folder, _) = path.rsplit_once('/').unwrap();
        let by_digest = format!("{folder}/{}", Digest::of(body));
        let stored = (content_type, body.to_vec());
        self.stored.insert(by_digest, stored.clone());
        self.stored.insert(path, stored);
        let manifest: Manifest = serde_json::from_slice(body).unwrap();
        let Some(subject) = manifest.subject.filter(|_| self.keeps_referrers) else {
            return false;
        };
        let mut referrer = Descriptor::of(OCI_MANIFEST, body);
        referrer.artifact_type = manifest.artifact_type;
        let list = format!("/v2/rule/referrers/{}", subject.digest);
        let known = self
            .stored
            .get(&list)
            .map(|(_, list)| serde_json::from_slice::<Manifest>(list).unwrap());
        let mut known = known.and_then(|list| list.manifests).unwrap_or_default();
        known.push(referrer);
        let index = serde_json::to_vec(&Manifest::index(known)).unwrap();
        self.stored.insert(
            list,
            ("application/vnd.oci.image.index.v1+json".into(), index),
        );
        true
    }
}

/// Clones are the same registry.
#[derive(Clone)]
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let server = Self { address, state };
        let handler = server.clone();
        let router = Router::new().fallback(move |request: Request<Body>| {
            let handler = handler.clone();
            async move { handler.answer(request).await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    pub(crate) fn login(&self, login: Login) {
        self.state.lock().unwrap().login = login;
    }

    pub(crate) fn keep_referrers(&self) {
        self.state.lock().unwrap().keeps_referrers = true;
    }

    pub(crate) fn fix(&self, path: &str, fixed: Fixed) {
        self.state
            .lock()
            .unwrap()
            .fixed
            .insert(path.to_owned(), fixed);
    }

    pub(crate) fn redirect(&self, path: &str, to: String) {
        let headers = vec![("location", to)];
        self.fix(
            path,
            Fixed {
                status: 307,
                headers,
                body: Vec::new(),
            },
        );
    }

    pub(crate) fn status(&self, path: &str, status: u16) {
        self.fix(
            path,
            Fixed {
                status,
                headers: Vec::new(),
                body: b"a secret of somebody".to_vec(),
            },
        );
    }

    pub(crate) fn store(&self, path: &str, content_type: &str, content: &[u8]) {
        let stored = (content_type.to_owned(), content.to_vec());
        self.state
            .lock()
            .unwrap()
            .stored
            .insert(path.to_owned(), stored);
    }

    /// What is under a path.
    pub(crate) fn stored(&self, path: &str) -> Option<Vec<u8>> {
        let stored = self.state.lock().unwrap().stored.get(path).cloned();
        stored.map(|(_, content)| content)
    }

    /// A component under a tag of the repository `rule`, in the CNCF's layout.
    pub(crate) fn component(&self, tag: &str, component: &[u8]) -> Digest {
        let config = b"{}";
        let layer = Descriptor::of(WASM, component);
        let manifest = Manifest::artifact(Descriptor::of(WASM_CONFIG, config), vec![layer]);
        let manifest = serde_json::to_vec(&manifest).unwrap();
        self.store(
            &format!("/v2/rule/blobs/{}", Digest::of(component)),
            "application/octet-stream",
            component,
        );
        self.manifest(tag, OCI_MANIFEST, &manifest)
    }

    pub(crate) fn manifest(&self, tag: &str, media_type: &str, manifest: &[u8]) -> Digest {
        let digest = Digest::of(manifest);
        self.store(&format!("/v2/rule/manifests/{tag}"), media_type, manifest);
        self.store(
            &format!("/v2/rule/manifests/{digest}"),
            media_type,
            manifest,
        );
        digest
    }

    /// Paths that were asked for since the last call, with whether somebody showed credentials.
    pub(crate) fn asked(&self) -> Vec<(String, bool)> {
        let asked = std::mem::take(&mut self.state.lock().unwrap().asked);
        let path = |(_, path, headers): (Method, String, HeaderMap)| {
            (path, headers.contains_key("authorization"))
        };
        asked.into_iter().map(path).collect()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let path = parts.uri.path().to_owned();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let mut state = self.state.lock().unwrap();
        state
            .asked
            .push((parts.method.clone(), path.clone(), parts.headers.clone()));
        let answer = |status: u16, headers: &[(&str, &str)], body: &[u8]| {
            let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            response.body(Body::from(body.to_vec())).unwrap()
        };
        let shown = parts
            .headers
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        let basic = format!(
            "Basic {}",
            STANDARD.encode(format!("{}:{}", USER.0, USER.1))
        );
        if path == "/token" {
            return if shown == Some(&basic) {
                answer(
                    200,
                    &[],
                    format!(r#"{{"token": "{TOKEN}", "access_token": "{TOKEN}"}}"#).as_bytes(),
                )
            } else {
                answer(401, &[], b"")
            };
        }
        if path.starts_with("/v2/") {
            let realm = format!(
                r#"Bearer realm="http://{}/token",service="here",scope="repository:rule:pull""#,
                self.address
            );
            let refused = match state.login {
                Login::Nobody => None,
                Login::Basic => {
                    (shown != Some(&basic)).then_some(r#"Basic realm="here""#.to_owned())
                }
                Login::Bearer => (shown != Some(&format!("Bearer {TOKEN}"))).then_some(realm),
            };
            if let Some(challenge) = refused {
                return answer(401, &[("www-authenticate", &challenge)], b"");
            }
        }
        if let Some(Fixed {
            status,
            headers,
            body,
        }) = state.fixed.get(&path).cloned()
        {
            let headers: Vec<(&str, &str)> = headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            return answer(status, &headers, &body);
        }
        match parts.method {
            Method::POST => answer(202, &[("location", &format!("{path}upload?state=1"))], b""),
            Method::PUT if path.ends_with("/upload") => {
                let digest = query.split("digest=").nth(1).unwrap().replace("%3A", ":");
                let path = path.replace("uploads/upload", &digest);
                state
                    .stored
                    .insert(path, ("application/octet-stream".into(), body.to_vec()));
                answer(201, &[], b"")
            }
            Method::PUT => {
                let content_type = parts.headers["content-type"].to_str().unwrap().to_owned();
                let is_listed = state.put_manifest(path, content_type, &body);
                answer(
                    201,
                    if is_listed {
                        &[("oci-subject", "yes")]
                    } else {
                        &[]
                    },
                    b"",
                )
            }
            _ => match state.stored.get(&path) {
                Some((content_type, content)) => {
                    answer(200, &[("content-type", content_type)], content)
                }
                None => answer(404, &[], b"a secret of somebody"),
            },
        }
    }
}
