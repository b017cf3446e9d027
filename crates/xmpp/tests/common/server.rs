//! A small XMPP server that does what a test says: SCRAM with channel binding over TLS 1.3, which packaged servers do not offer, and
//! everything that an honest server would not do. Its SCRAM is written over again here, so that the client's is not its own judge.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sasl::common::Password;
use sasl::common::scram::{ScramProvider, Sha1, Sha256};
use sha2::Digest as _;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// An authority and what it signs.
pub struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);
impl Authority {
    pub fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Authority(rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap())
    }
    pub fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }
    pub fn server(&self, name: &str, tls12: bool) -> (ServerConfig, CertificateDer<'static>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(vec![name.into()]).unwrap().signed_by(&key, &self.0).unwrap();
        let der = leaf.der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = if tls12 { &[&rustls::version::TLS12] } else { &[&rustls::version::TLS13] };
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        (builder.with_no_client_auth().with_single_cert(vec![der.clone()], key).unwrap(), der)
    }
}

/// What the server says and does.
#[derive(Clone)]
pub struct Script {
    pub mechanisms: &'static [&'static str],
    pub bindings: &'static [&'static str],
    /// It says this to be its signature.
    pub signature: Option<&'static [u8]>,
    /// What it does not offer, and yet has: it refuses `y` (RFC 5802 §6).
    pub has_plus: bool,
    pub iterations: u32,
    /// Its nonce, instead of one that begins with the client's.
    pub nonce: Option<&'static str>,
    /// Whom its certificate is for.
    pub name: &'static str,
    /// It speaks TLS 1.2 and no other.
    pub tls12: bool,
    /// Sent once the client is bound.
    pub then: String,
}
impl Default for Script {
    fn default() -> Self {
        let mechanisms = &["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];
        Script {
            mechanisms,
            bindings: &["tls-exporter"],
            signature: None,
            has_plus: true,
            iterations: 4096,
            nonce: None,
            name: "localhost",
            tls12: false,
            then: String::new(),
        }
    }
}
pub struct Server {
    pub port: u16,
    /// What clients sent, a stanza or an element of the login each.
    pub heard: Arc<Mutex<Vec<String>>>,
}
impl Server {
    pub fn heard(&self, what: &str) -> usize {
        self.heard.lock().unwrap().iter().filter(|text| text.contains(what)).count()
    }
    /// Waits for it.
    pub async fn hears(&self, what: &str) {
        let end = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
        while self.heard(what) == 0 {
            assert!(tokio::time::Instant::now() < end, "no {what}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
    /// TLS from the first byte; the account is `alice` with the password `secret`.
    pub async fn start(authority: &Authority, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (tls, leaf) = authority.server(script.name, script.tls12);
        let (acceptor, told) = (TlsAcceptor::from(Arc::new(tls)), heard.clone());
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, script, heard, leaf) = (acceptor.clone(), script.clone(), told.clone(), leaf.clone());
                tokio::spawn(async move {
                    let Ok(tls) = acceptor.accept(tcp).await else { return };
                    let _ = Talk { tls, read: String::new(), heard }.run(&script, &leaf).await;
                });
            }
        });
        Server { port, heard }
    }
}
/// In the clear: sends `answers`, one after each thing that it reads.
pub async fn clear(answers: &'static [&'static str]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            for answer in answers {
                let _ = tcp.read(&mut buffer).await;
                let _ = tcp.write_all(answer.as_bytes()).await;
            }
            let _ = tcp.read(&mut buffer).await;
        }
    });
    port
}
/// Has a certificate of the same authority, ends TLS and begins it again.
pub async fn man_in_the_middle(authority: &Authority, to: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tls, _) = authority.server("localhost", false);
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let connector = TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()));
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let (acceptor, connector) = (acceptor.clone(), connector.clone());
            tokio::spawn(async move {
                let mut client = acceptor.accept(tcp).await.unwrap();
                let tcp = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let mut server = connector.connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

struct Talk<I> {
    tls: I,
    read: String,
    heard: Arc<Mutex<Vec<String>>>,
}
type Broken = std::io::Error;
impl<I: AsyncRead + AsyncWrite + Unpin> Talk<I> {
    async fn say(&mut self, text: &str) -> Result<(), Broken> {
        self.tls.write_all(text.as_bytes()).await?;
        self.tls.flush().await
    }
    /// Up to and with `end`.
    async fn until(&mut self, ends: &[&str]) -> Result<String, Broken> {
        loop {
            let found = ends.iter().filter_map(|end| self.read.find(end).map(|at| at + end.len())).min();
            if let Some(at) = found {
                let rest = self.read.split_off(at);
                let text = std::mem::replace(&mut self.read, rest);
                self.heard.lock().unwrap().push(text.clone());
                return Ok(text);
            }
            let mut buffer = [0; 16 * 1024];
            let n = self.tls.read(&mut buffer).await?;
            if n == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            self.read.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
        }
    }
    async fn stream(&mut self, features: &str) -> Result<(), Broken> {
        self.until(&["version='1.0'>", "version=\"1.0\">"]).await?;
        self.say("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='localhost' id='s' version='1.0'>").await?;
        self.say(&format!("<stream:features>{features}</stream:features>")).await
    }
    /// The text of an element that was read.
    fn data(text: &str) -> Vec<u8> {
        let inner = text.rsplit_once("</").map_or("", |(before, _)| before.rsplit_once('>').map_or("", |(_, inner)| inner));
        BASE64.decode(inner).unwrap()
    }
    async fn fail(&mut self, condition: &str) -> Result<(), Broken> {
        self.say(&format!("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><{condition}/></failure>")).await?;
        self.until(&["</stream:stream>"]).await.map(drop)
    }
}
fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!(" {name}="))?;
    rest.get(1..)?.split(['\'', '"']).next()
}
impl Talk<TlsStream<TcpStream>> {
    async fn run(mut self, script: &Script, leaf: &[u8]) -> Result<(), Broken> {
        let mechanisms: String = script.mechanisms.iter().map(|m| format!("<mechanism>{m}</mechanism>")).collect();
        let bindings: String = script.bindings.iter().map(|b| format!("<channel-binding type='{b}'/>")).collect();
        let offer = format!(
            "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{mechanisms}</mechanisms><sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>{bindings}</sasl-channel-binding>"
        );
        self.stream(&offer).await?;
        let auth = self.until(&["</auth>"]).await?;
        let mechanism = attribute(&auth, "mechanism").unwrap().to_owned();
        let first = String::from_utf8(Self::data(&auth)).unwrap();
        let last = match mechanism.as_str() {
            "PLAIN" if first == "\0alice\0secret" => String::new(),
            "PLAIN" => return self.fail("not-authorized").await,
            name if name.contains("256") => match self.scram::<Sha256>(script, leaf, &first).await? {
                Some(last) => last,
                None => return Ok(()),
            },
            _ => match self.scram::<Sha1>(script, leaf, &first).await? {
                Some(last) => last,
                None => return Ok(()),
            },
        };
        self.say(&format!("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</success>", BASE64.encode(last))).await?;
        self.stream("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>").await?;
        self.until(&["</iq>"]).await?;
        self.say("<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>alice@localhost/r</jid></bind></iq>").await?;
        self.until(&["</presence>"]).await?;
        self.say(&script.then).await?;
        loop {
            let stanza = self.until(&["</iq>", "</message>", "</presence>", "</stream:stream>", "unavailable'/>"]).await?;
            if stanza.contains("urn:xmpp:ping") {
                let id = attribute(&stanza, "id").unwrap().to_owned();
                self.say(&format!("<iq type='result' id='{id}'/>")).await?;
            } else if stanza.contains("urn:example:huge") {
                let (id, to) = (attribute(&stanza, "id").unwrap(), attribute(&stanza, "to").unwrap());
                let huge = format!("<iq type='result' id='{id}' from='{to}'><x xmlns='u'>{}</x></iq>", "x".repeat(300 * 1024));
                self.say(&huge).await?;
            } else if stanza.contains("</stream") {
                return self.say("</stream:stream>").await;
            }
        }
    }
    /// The server's last word; `None`: refused.
    async fn scram<S: ScramProvider>(&mut self, script: &Script, leaf: &[u8], first: &str) -> Result<Option<String>, Broken> {
        let at = first.match_indices(',').nth(1).unwrap().0 + 1;
        let (header, bare) = first.split_at(at);
        if header == "y,," && script.has_plus {
            self.fail("not-authorized").await?;
            return Ok(None);
        }
        let client_nonce = bare.split_once(",r=").unwrap().1;
        assert!(bare.starts_with("n=alice,"));
        let nonce = script.nonce.map_or_else(|| format!("{client_nonce}server"), str::to_owned);
        let challenge = format!("r={nonce},s={},i={}", BASE64.encode(b"saltsalt"), script.iterations);
        self.say(&format!("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</challenge>", BASE64.encode(&challenge))).await?;
        let response = self.until(&["</response>", "<abort"]).await?;
        if response.contains("<abort") {
            return Ok(None);
        }
        let last = String::from_utf8(Self::data(&response)).unwrap();
        let (without_proof, proof) = last.rsplit_once(",p=").unwrap();
        let mut bound = header.as_bytes().to_vec();
        match header {
            "p=tls-exporter,," => {
                bound.extend(self.tls.get_ref().1.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None).unwrap());
            }
            "p=tls-server-end-point,," => bound.extend(sha2::Sha256::digest(leaf)),
            _ => {}
        }
        if without_proof.split(',').next() != Some(&format!("c={}", BASE64.encode(bound))) {
            let error = BASE64.encode("e=channel-bindings-dont-match");
            // ejabberd only says not-authorized; RFC 5802 has a word for it
            self.say(&format!("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{error}</challenge>")).await?;
            return Ok(None);
        }
        let salted = S::derive(&Password::Plain("secret".into()), b"saltsalt", script.iterations).unwrap();
        let auth = format!("{bare},{challenge},{without_proof}");
        let client_key = S::hmac(b"Client Key", &salted).unwrap();
        let signature = S::hmac(auth.as_bytes(), &S::hash(&client_key)).unwrap();
        let expected: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        if BASE64.decode(proof).unwrap() != expected {
            self.fail("not-authorized").await?;
            return Ok(None);
        }
        let own = S::hmac(auth.as_bytes(), &S::hmac(b"Server Key", &salted).unwrap()).unwrap();
        Ok(Some(format!("v={}", BASE64.encode(script.signature.unwrap_or(&own)))))
    }
}
