use k8s_openapi::api::core::v1::Secret;
use mcp_testkit::{ApiServer, Match, Verb};

use super::super::certificate::Facts;
use super::*;

const NAME: &str = "mcp-operator-webhook";
const LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 90);

fn endpoint() -> Endpoint {
    Endpoint::Service {
        namespace: "ns".into(),
        name: "webhook".into(),
    }
}

async fn replica(api: &ApiServer) -> CertificateRenewal {
    CertificateRenewal::obtain(
        &api.client(),
        &endpoint(),
        LIFETIME,
        CertificateMetrics::default(),
    )
    .await
    .unwrap()
}

fn certificates(replica: &CertificateRenewal) -> &Certificates {
    replica.stored.certificates.as_ref().unwrap()
}

/// As if the API server had trusted this since yesterday.
fn trusted(replica: &CertificateRenewal) -> Trusted {
    Trusted {
        ca_bundle: replica.authorities.borrow().ca_bundle.clone(),
        since: Instant::now() - PROPAGATION,
    }
}

#[tokio::test]
async fn replicas_share_what_the_first_of_them_made() {
    let api = ApiServer::new();
    let (mut first, mut second) = (replica(&api).await, replica(&api).await);
    assert_eq!(certificates(&first), certificates(&second));
    api.clear_log();
    for replica in [&mut first, &mut second] {
        replica
            .pass(Term::default(), Some(&trusted(replica)))
            .await
            .unwrap();
    }
    assert!(api.writes().is_empty(), "and again changes nothing");
    assert!(api.delete("Secret", "ns", NAME));
    second.pass(Term::default(), None).await.unwrap();
    let back: Secret = api.get_as("ns", NAME).unwrap();
    first.pass(Term::default(), None).await.unwrap();
    assert_eq!(certificates(&first), certificates(&second), "{back:?}");
}

#[tokio::test]
async fn a_renewal_is_made_by_one_and_followed_by_the_other() {
    let api = ApiServer::new();
    let policy = Policy {
        names: endpoint().names(),
        lifetime: LIFETIME,
    };
    let two_months_ago = Timestamp::now() - SignedDuration::from_hours(24 * 61);
    let store = CertificateStore::Shared {
        client: api.client(),
        namespace: "ns".into(),
    };
    let old = Certificates::new(&policy, two_months_ago).unwrap();
    store.obtain(|| Ok(old.clone())).await.unwrap();
    let (mut first, mut second) = (replica(&api).await, replica(&api).await);
    let published = certificates(&first).clone();
    assert!(published.next.is_some());
    assert_eq!(published.serving, old.serving);
    second.pass(Term::default(), None).await.unwrap();
    assert_eq!(certificates(&second), &published);
    assert_eq!(second.authorities.borrow().ca_bundle, published.trusted());

    // The trust in what was before is none in what is next.
    let mut stale = trusted(&second);
    stale.ca_bundle = published.authorities[0].clone();
    second.pass(Term::default(), Some(&stale)).await.unwrap();
    let mut recent = trusted(&second);
    recent.since = Instant::now();
    second.pass(Term::default(), Some(&recent)).await.unwrap();
    assert_eq!(certificates(&second), &published);

    second
        .pass(Term::default(), Some(&trusted(&second)))
        .await
        .unwrap();
    assert_eq!(
        Some(&certificates(&second).serving),
        published.next.as_ref()
    );
    first
        .pass(Term::default(), Some(&trusted(&first)))
        .await
        .unwrap();
    assert_eq!(certificates(&first), certificates(&second));
    let updates = api.requests_of(&Match::verb(Verb::Replace).kind("Secret"));
    assert_eq!(updates.len(), 2, "{updates:?}");
}

#[tokio::test]
async fn what_is_no_certificate_is_replaced_and_what_is_cert_managers_is_not() {
    let api = ApiServer::new();
    api.put(mcp_testkit::objects::secret(
        "ns",
        NAME,
        serde_json::json!({ "tls.crt": "bm8=" }),
    ));
    assert!(replica(&api).await.stored.certificates.is_some());
    api.edit("Secret", "ns", NAME, |secret| {
        secret["metadata"]["annotations"] =
            serde_json::json!({ "cert-manager.io/certificate-name": "a" });
    });
    let refused = CertificateRenewal::obtain(
        &api.client(),
        &endpoint(),
        LIFETIME,
        CertificateMetrics::default(),
    )
    .await;
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("--webhook-cert-dir"), "{error}");
}

/// Not only when it is looked after the next time: a certificate of minutes would have little left.
#[tokio::test]
async fn the_next_one_is_due_as_soon_as_it_is_trusted() {
    let api = ApiServer::new();
    let short = SignedDuration::from_mins(2);
    let policy = Policy {
        names: endpoint().names(),
        lifetime: short,
    };
    let store = CertificateStore::Shared {
        client: api.client(),
        namespace: "ns".into(),
    };
    let old = Certificates::new(&policy, Timestamp::now() - short * 2 / 3).unwrap();
    store.obtain(|| Ok(old.clone())).await.unwrap();
    // Under options that make them for months.
    let replica = replica(&api).await;
    let published = certificates(&replica).clone();
    assert_eq!(published.serving, old.serving);
    let in_seconds = |due: Instant| due.duration_since(replica.looked).as_secs();
    assert_eq!(in_seconds(replica.due(None)), 5, "a 24th of two minutes");

    assert!(published.next.is_some());
    let seen = replica.looked - Duration::from_secs(3);
    let trusted = |ca_bundle: String| Trusted {
        ca_bundle,
        since: seen,
    };
    let due = replica.due(Some(&trusted(published.trusted())));
    assert_eq!(in_seconds(due), 2);
    let of_another = replica.due(Some(&trusted(published.authorities[0].clone())));
    assert_eq!(in_seconds(of_another), 5);
}

/// What is wrong is the clock of this replica, not the certificate of all others.
#[tokio::test]
async fn a_replica_whose_clock_is_wrong_goes_by_the_api_server_s() {
    let api = ApiServer::new();
    let years = SignedDuration::from_hours(24 * 365 * 2);
    api.set_clock_ahead(years);
    let first = replica(&api).await;
    let made = certificates(&first).clone();
    let facts = Facts::of(&made.serving.certificate).unwrap();
    let issued = facts.issued.duration_since(Timestamp::now() + years);
    assert!(issued.abs() < SignedDuration::from_secs(60), "{issued:?}");
    // For its own clock they are of a distant future, and then long expired.
    for ahead in [years, years + SignedDuration::from_hours(24 * 59)] {
        api.set_clock_ahead(ahead);
        api.clear_log();
        let mut other = replica(&api).await;
        other.pass(Term::default(), None).await.unwrap();
        assert_eq!(certificates(&other), &made);
        assert!(api.writes().is_empty());
    }
    api.set_clock_ahead(years + SignedDuration::from_hours(24 * 61));
    let next = replica(&api).await;
    assert!(certificates(&next).next.is_some(), "it is renewed in time");
}
