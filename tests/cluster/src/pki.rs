//! The keys and certificates of one throwaway cluster.

use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::{fs, io::Write};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};

use crate::cache::write;

/// Writes all of them into `folder` and returns the administrator's token.
///
/// `address` is where the API server listens, `service_address` the first one of the service range, by which pods
/// call it.
pub(crate) fn write_all(
    folder: &Path,
    address: Ipv4Addr,
    service_address: Ipv4Addr,
) -> Result<String> {
    let issuer = authority(folder)?;
    let mut server = CertificateParams::default();
    server.distinguished_name = name("kube-apiserver", None);
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.subject_alt_names = [address, service_address]
        .map(|ip| SanType::IpAddress(IpAddr::V4(ip)))
        .to_vec();
    for host in [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
    ] {
        server
            .subject_alt_names
            .push(SanType::DnsName(host.try_into().context("no host name")?));
    }
    issue(folder, "apiserver", server, &issuer)?;

    // With this one the API server asks the kubelet for logs and `exec`.
    let mut kubelet_client = CertificateParams::default();
    kubelet_client.distinguished_name =
        name("kube-apiserver-kubelet-client", Some("system:masters"));
    kubelet_client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    issue(folder, "kubelet-client", kubelet_client, &issuer)?;

    let accounts = KeyPair::generate().context("cannot make the key of the service accounts")?;
    write_secret(
        &folder.join("service-accounts.key"),
        &accounts.serialize_pem(),
    )?;
    write(
        &folder.join("service-accounts.pub"),
        accounts.public_key_pem(),
    )?;

    let mut random = [0; 16];
    getrandom::fill(&mut random).context("the system has no random numbers")?;
    let token = hex::encode(random);
    write_secret(
        &folder.join("tokens.csv"),
        &format!("{token},admin,admin,system:masters\n"),
    )?;
    Ok(token)
}

/// Writes the certificate of a server at this address and its key, with the authority `ca.crt`.
pub(crate) fn write_server(folder: &Path, file: &str, address: IpAddr) -> Result<()> {
    let issuer = authority(folder)?;
    let mut server = CertificateParams::default();
    server.distinguished_name = name(file, None);
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.subject_alt_names = vec![SanType::IpAddress(address)];
    issue(folder, file, server, &issuer)
}

/// Makes a certificate authority, whose certificate is `ca.crt`.
fn authority(folder: &Path) -> Result<Issuer<'static, KeyPair>> {
    let ca_key = KeyPair::generate().context("cannot make the key of the certificate authority")?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name = name("test-ca", None);
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    let certificate = ca
        .self_signed(&ca_key)
        .context("cannot sign the certificate authority")?;
    write(&folder.join("ca.crt"), certificate.pem())?;
    Ok(Issuer::new(ca, ca_key))
}

/// Writes a kubeconfig with the administrator's token.
pub(crate) fn write_kubeconfig(path: &Path, server: &str, ca: &Path, token: &str) -> Result<()> {
    let content = format!(
        "apiVersion: v1
kind: Config
clusters:
- name: mcp-operator
  cluster:
    server: {server}
    certificate-authority: {}
users:
- name: admin
  user:
    token: {token}
contexts:
- name: mcp-operator
  context:
    cluster: mcp-operator
    user: admin
current-context: mcp-operator
",
        ca.display()
    );
    write_secret(path, &content)
}

fn issue(
    folder: &Path,
    file: &str,
    params: CertificateParams,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<()> {
    let key = KeyPair::generate().with_context(|| format!("cannot make the key of {file}"))?;
    let certificate = params
        .signed_by(&key, issuer)
        .with_context(|| format!("cannot sign the certificate of {file}"))?;
    write(&folder.join(format!("{file}.crt")), certificate.pem())?;
    write_secret(&folder.join(format!("{file}.key")), &key.serialize_pem())
}

fn name(common: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name
}

/// Keys and tokens are for this user alone.
fn write_secret(path: &Path, content: &str) -> Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(content.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
