//! From an account's domain to a line: where its servers are (RFC 6120 §3.2, XEP-0368), TCP, TLS.
//!
//! Invariants: the certificate is checked for the account's domain, whatever host DNS named; clear text goes to this machine only.
use super::error::ConnectError;
use super::{Config, Roots, Security};
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sha2::Digest as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long DNS has for the records that name servers.
const DNS: Duration = Duration::from_secs(8);
/// How long one address has.
const TCP: Duration = Duration::from_secs(8);
/// RFC 9266 §2.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// What ties a login to a TLS connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Bindings {
    /// RFC 9266; TLS 1.3 only.
    pub exporter: Option<Vec<u8>>,
    /// RFC 5929 §4.
    pub end_point: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    DirectTls,
    StartTls,
    Clear,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub host: String,
    pub port: u16,
    pub way: Way,
}

/// Where to try, in this order.
pub(super) async fn targets(config: &Config, domain: &str) -> Vec<Target> {
    let way = match config.security {
        Security::Tls => Way::StartTls,
        Security::DirectTls => Way::DirectTls,
        Security::ClearLoopback => Way::Clear,
    };
    if let Some((host, port)) = &config.host {
        return vec![Target { host: host.clone(), port: *port, way }];
    }
    let fallback = || Target { host: domain.into(), port: if way == Way::DirectTls { 5223 } else { 5222 }, way };
    let local = domain == "localhost" || domain.ends_with(".localhost") || domain.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    if way == Way::Clear || local {
        return vec![fallback()];
    }
    let Ok(resolver) = TokioResolver::builder_tokio().and_then(|builder| builder.build()) else { return vec![fallback()] };
    let (direct, start) = (format!("_xmpps-client._tcp.{domain}."), format!("_xmpp-client._tcp.{domain}."));
    let looked = tokio::time::timeout(DNS, async { tokio::join!(resolver.srv_lookup(direct), resolver.srv_lookup(start)) }).await;
    let Ok((direct, start)) = looked else { return vec![fallback()] };
    let mut records = Vec::new();
    for (found, way) in [(direct, Way::DirectTls), (start, Way::StartTls)] {
        for record in found.iter().flat_map(|lookup| lookup.answers()) {
            if let RData::SRV(srv) = &record.data {
                let host = srv.target.to_ascii();
                let target = Target { host: host.trim_end_matches('.').into(), port: srv.port, way };
                records.push(Srv { priority: srv.priority, weight: srv.weight, target });
            }
        }
    }
    if config.security == Security::DirectTls {
        records.retain(|r| r.target.way == Way::DirectTls);
    }
    if records.is_empty() {
        return vec![fallback()];
    }
    order(records, random)
}
struct Srv {
    priority: u16,
    weight: u16,
    target: Target,
}
/// RFC 2782: by priority; within one, drawn by weight. A target `.` means that the service is not there.
fn order(mut records: Vec<Srv>, mut random: impl FnMut() -> u64) -> Vec<Target> {
    records.retain(|r| !r.target.host.is_empty());
    records.sort_by_key(|r| (r.priority, r.weight != 0));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|r| r.priority) {
        let same = || records.iter().enumerate().filter(|(_, r)| r.priority == priority);
        let total = same().fold(0u64, |n, (_, r)| n.saturating_add(r.weight.into()));
        let mut drawn = random().checked_rem(total.saturating_add(1)).unwrap_or(0);
        let mut chosen = 0;
        for (i, r) in same() {
            chosen = i;
            match drawn.checked_sub(r.weight.into()) {
                Some(rest) if rest > 0 => drawn = rest,
                _ => break,
            }
        }
        ordered.push(records.remove(chosen).target);
    }
    ordered
}
/// For jitter and lots; secrets have their own.
pub(super) fn random() -> u64 {
    getrandom::u64().unwrap_or_default()
}

/// One address after the other.
pub(super) async fn connect(target: &Target, domain: &str) -> Result<TcpStream, ConnectError> {
    let unreachable = |cause: String| ConnectError::Unreachable { domain: domain.into(), cause };
    let host = target.host.trim_matches(['[', ']']);
    let found = tokio::net::lookup_host((host, target.port)).await;
    let addresses: Vec<SocketAddr> = found.map_err(|e| unreachable(format!("{host}: {e}")))?.collect();
    if target.way == Way::Clear && !addresses.iter().all(|a| a.ip().is_loopback()) {
        return Err(ConnectError::NotLoopback { host: host.into() });
    }
    let mut cause = format!("{host} has no address");
    for address in addresses {
        let tcp = match tokio::time::timeout(TCP, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => tcp,
            Ok(Err(e)) => {
                cause = format!("{address}: {e}");
                continue;
            }
            Err(_) => {
                cause = format!("{address}: no answer");
                continue;
            }
        };
        // stanzas are small and answered: Nagle's algorithm would hold each back for 40 ms
        tcp.set_nodelay(true).map_err(|e| unreachable(e.to_string()))?;
        return Ok(tcp);
    }
    Err(unreachable(cause))
}

/// One for all connections of the process with the same roots, while one of them is there: a store of roots takes 100 kB, and a gateway
/// has a thousand connections. Reads the roots; slow, once.
pub(super) fn shared_tls_config(roots: &Roots) -> Result<Arc<ClientConfig>, String> {
    static SHARED: Mutex<Vec<(Roots, Weak<ClientConfig>)>> = Mutex::new(Vec::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.retain(|(_, config)| config.strong_count() > 0);
    if let Some(config) = shared.iter().find(|(of, _)| of == roots).and_then(|(_, config)| config.upgrade()) {
        return Ok(config);
    }
    let config = Arc::new(tls_config(roots)?);
    shared.push((roots.clone(), Arc::downgrade(&config)));
    Ok(config)
}
fn tls_config(roots: &Roots) -> Result<ClientConfig, String> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
        }
        Roots::Pem(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|e| format!("the file of roots: {e}"))?;
                store.add(certificate).map_err(|e| format!("the file of roots: {e}"))?;
            }
        }
    }
    if store.is_empty() {
        return Err("no root certificates were found; install `ca-certificates` or give a file".into());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
    let mut config = builder.with_root_certificates(store).with_no_client_auth();
    config.alpn_protocols = vec![b"xmpp-client".to_vec()]; // XEP-0368 §4
    Ok(config)
}
/// TLS for the account's domain.
pub(super) async fn protect(tcp: TcpStream, tls: &Arc<ClientConfig>, domain: &str) -> Result<(Box<dyn Io>, Bindings), ConnectError> {
    let failed = |cause: String| ConnectError::Tls { domain: domain.into(), cause };
    let name = ServerName::try_from(domain.trim_matches(['[', ']']).to_owned()).map_err(|e| failed(e.to_string()))?;
    let stream = TlsConnector::from(tls.clone()).connect(name, tcp).await.map_err(|e| {
        match e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(why)) => ConnectError::Certificate { domain: domain.into(), cause: cause_of(why) },
            Some(other) => failed(other.to_string()),
            None => failed(e.to_string()),
        }
    })?;
    let session = stream.get_ref().1;
    let is_13 = session.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
    let exporter = if is_13 { session.export_keying_material(vec![0; 32], EXPORTER_LABEL, None).ok() } else { None };
    let end_point = session.peer_certificates().and_then(|chain| chain.first()).and_then(|leaf| end_point(leaf));
    Ok((Box::new(stream), Bindings { exporter, end_point }))
}
fn cause_of(error: &rustls::CertificateError) -> String {
    use rustls::CertificateError as E;
    match error {
        E::Expired | E::ExpiredContext { .. } => "it has expired, or the clock here is wrong".into(),
        E::NotValidYet | E::NotValidYetContext { .. } => "it is not valid yet, or the clock here is wrong".into(),
        E::UnknownIssuer | E::BadSignature => "nobody we trust has signed it".into(),
        E::NotValidForName | E::NotValidForNameContext { .. } => "it is for another name".into(),
        E::Revoked => "it was revoked".into(),
        other => other.to_string(),
    }
}
/// RFC 5929 §4.1: the certificate's hash, by the function of its signature; MD5 and SHA-1 count as SHA-256.
/// `None`: a signature whose function is not one of these.
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, outer, _) = der(certificate)?;
    let (_, _, rest) = der(outer)?; // tbsCertificate
    let (_, algorithm, _) = der(rest)?;
    let (0x06, oid, _) = der(algorithm)? else { return None };
    let hash = match oid {
        // RSA PKCS#1: 1.2.840.113549.1.1.n; ECDSA: 1.2.840.10045.4.1 and .4.3.n
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, n] => match n {
            4 | 5 | 11 => 256,
            12 => 384,
            13 => 512,
            _ => return None,
        },
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01] | [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02] => 256,
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03] => 384,
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04] => 512,
        _ => return None,
    };
    Some(match hash {
        256 => sha2::Sha256::digest(certificate).to_vec(),
        384 => sha2::Sha384::digest(certificate).to_vec(),
        _ => sha2::Sha512::digest(certificate).to_vec(),
    })
}
/// Tag, content, rest.
fn der(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().try_fold(0usize, |n, d| n.checked_mul(256)?.checked_add(usize::from(*d)))?, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn srv(priority: u16, weight: u16, host: &str) -> Srv {
        Srv { priority, weight, target: Target { host: host.into(), port: 1, way: Way::StartTls } }
    }
    fn names(targets: Vec<Target>) -> Vec<String> {
        targets.into_iter().map(|t| t.host).collect()
    }

    #[test]
    fn servers_are_tried_by_priority_and_weight() {
        let records = || vec![srv(20, 0, "last"), srv(10, 1, "light"), srv(10, 9, "heavy"), srv(5, 0, "first"), srv(1, 0, "")];
        assert_eq!(names(order(records(), || 0)), ["first", "light", "heavy", "last"]);
        assert_eq!(names(order(records(), || 1)), ["first", "light", "heavy", "last"]);
        assert_eq!(names(order(records(), || 2)), ["first", "heavy", "light", "last"]);
        assert_eq!(names(order(records(), || 10)), ["first", "heavy", "light", "last"]);
        let mut seed = 0u64;
        let mut heavy = 0;
        for _ in 0..1000 {
            let drawn = order(vec![srv(1, 10, "a"), srv(1, 90, "b")], || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                seed >> 33
            });
            heavy += i32::from(drawn[0].host == "b");
        }
        assert!((850..950).contains(&heavy), "{heavy}");
    }

    #[test]
    fn certificates_are_hashed_by_their_signature() {
        for (algorithm, length) in [(&rcgen::PKCS_ECDSA_P256_SHA256, 32), (&rcgen::PKCS_ECDSA_P384_SHA384, 48)] {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let certificate = rcgen::CertificateParams::new(vec!["x.org".into()]).unwrap().self_signed(&key).unwrap();
            assert_eq!(end_point(certificate.der()).unwrap().len(), length);
        }
        assert_eq!(end_point(b"\x30\x03\x30\x01"), None);
        assert_eq!(end_point(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
