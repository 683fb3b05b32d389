use jiff::{SignedDuration, Timestamp};
use mcp_operator_metrics::CertificateMetrics;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, ClientConnection, ServerConnection};

use super::super::certificate::issue;
use super::*;

/// An authority, in PEM, and what signs for it.
fn authority() -> (String, Issuer<'static, KeyPair>) {
    // Fails only if there is one already, which is then the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = ca.self_signed(&key).unwrap().pem();
    (pem, Issuer::new(ca, key))
}

/// A certificate for localhost, and its authority in PEM.
struct Served {
    ca: String,
    serving: ServingCert,
}

impl Served {
    fn new() -> Self {
        let lifetime = SignedDuration::from_hours(1);
        let (ca, pair) = issue(&["localhost".into()], lifetime, Timestamp::now()).unwrap();
        let serving = ServingCert::new(&pair, CertificateMetrics::default()).unwrap();
        Self { ca, serving }
    }
}

type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

fn identity(issuer: &Issuer<'static, KeyPair>, common: &str, dns: &[&str]) -> Identity {
    let dns: Vec<String> = dns.iter().map(|&name| name.into()).collect();
    let mut params = CertificateParams::new(dns).unwrap();
    params.distinguished_name.push(DnType::CommonName, common);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    (certificate.der().clone(), key)
}

/// A handshake in memory: whether the server takes the client.
fn is_served(cert: &Served, tls: Arc<ServerConfig>, identity: Option<&Identity>) -> bool {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(cert.ca.as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(vec![certificate.clone()], key.clone_key())
            .unwrap(),
    };
    let name = "localhost".try_into().unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut server = ServerConnection::new(tls).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut sent = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut sent).unwrap();
        }
        let mut sent = sent.as_slice();
        while !sent.is_empty() {
            server.read_tls(&mut sent).unwrap();
            if server.process_new_packets().is_err() {
                return false;
            }
        }
        let mut answered = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut answered).unwrap();
        }
        let mut answered = answered.as_slice();
        while !answered.is_empty() {
            client.read_tls(&mut answered).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    true
}

#[test]
fn without_an_authority_everybody_is_served() {
    authority();
    let cert = Served::new();
    assert!(is_served(&cert, cert.serving.tls(None), None));
}

#[test]
fn only_clients_of_the_authority_are_served() {
    let (pem, issuer) = authority();
    let cert = Served::new();
    let tls = || {
        let clients = verifier(pem.as_bytes(), &[]).unwrap();
        cert.serving.tls(Some(clients))
    };
    let stranger = identity(&authority().1, "kube-apiserver", &[]);
    assert!(!is_served(&cert, tls(), None), "none without a certificate");
    assert!(!is_served(&cert, tls(), Some(&stranger)));
    let known = identity(&issuer, "anybody", &[]);
    assert!(is_served(&cert, tls(), Some(&known)));
}

#[test]
fn of_the_authority_only_the_names_that_are_allowed_are_served() {
    let (pem, issuer) = authority();
    let cert = Served::new();
    let names = ["kube-apiserver".to_owned(), "api.example".to_owned()];
    for (common, dns, served) in [
        ("kube-apiserver", &[][..], true),
        ("other", &["api.example"][..], true),
        ("other", &["other.example", "api.example"][..], true),
        ("other", &[][..], false),
        ("kube-apiserver2", &["api.example.org"][..], false),
    ] {
        let clients = verifier(pem.as_bytes(), &names).unwrap();
        let client = identity(&issuer, common, dns);
        let tls = cert.serving.tls(Some(clients));
        assert_eq!(
            is_served(&cert, tls, Some(&client)),
            served,
            "{common} {dns:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changes_is_read_again_and_a_broken_one_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.crt");
    let cert = Served::new();
    let (first, second) = (authority(), authority());
    let serve = || ClientCa::new(file.clone(), Vec::new()).serve(cert.serving.clone());
    for broken in [None, Some(""), Some("garbage")] {
        if let Some(text) = broken {
            std::fs::write(&file, text).unwrap();
        }
        let error = serve().err().unwrap().to_string();
        assert!(error.starts_with("--webhook-client-ca "), "{error}");
    }
    std::fs::write(&file, &first.0).unwrap();
    let (reload, mut tls) = serve().unwrap();
    let reload = tokio::spawn(reload);
    let old = identity(&first.1, "a", &[]);
    let new = identity(&second.1, "a", &[]);
    assert!(is_served(&cert, tls.borrow().clone(), Some(&old)));
    std::fs::write(&file, "garbage").unwrap();
    sleep(INTERVAL * 2).await;
    assert!(is_served(&cert, tls.borrow().clone(), Some(&old)));
    std::fs::write(&file, &second.0).unwrap();
    tls.changed().await.unwrap();
    assert!(!is_served(&cert, tls.borrow().clone(), Some(&old)));
    assert!(is_served(&cert, tls.borrow().clone(), Some(&new)));
    reload.abort();
}
