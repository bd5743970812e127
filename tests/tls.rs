//! Real TLS over the loopback interface: a private authority made here, a
//! rustls server, and the client as it is, with `SSL_CERT_FILE` for its trust.
//!
//! Where that variable must be set, a test runs itself once more in a process
//! of its own: setting it in this one would be unsafe.

mod common;

#[cfg(any(feature = "https", feature = "platform-roots", feature = "keep-alive"))]
mod server {
    use crate::common::replay::{Received, TOKEN, read_request};
    use crate::common::secrets::{found, shown};
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use rustls::crypto::ring;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    use rustls::{
        CipherSuite, HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection, StreamOwned,
        SupportedProtocolVersion,
    };
    use std::io::{self, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::sync::{Arc, Mutex};
    use std::thread;
    use std::time::{Duration, Instant};

    pub type Tls = StreamOwned<ServerConnection, TcpStream>;

    /// Says to the process that it is the one with the trust, and where the
    /// authority is.
    const CHILD: &str = "MINGRAM_TEST_AUTHORITY";

    /// A certificate and its key.
    pub struct Identity {
        pub chain: Vec<CertificateDer<'static>>,
        pub key: PrivateKeyDer<'static>,
    }

    pub struct Authority {
        name: &'static str,
        key: KeyPair,
    }

    pub const TRUSTED: &str = "mingram's test authority";

    fn authority_params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    pub fn localhost() -> CertificateParams {
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap()
    }

    impl Authority {
        pub fn new(name: &'static str) -> Authority {
            Authority {
                name,
                key: KeyPair::generate().unwrap(),
            }
        }

        pub fn issue(&self, params: CertificateParams) -> Identity {
            let key = KeyPair::generate().unwrap();
            let issuer = Issuer::new(authority_params(self.name), &self.key);
            let certificate = params.signed_by(&key, &issuer).unwrap();
            Identity {
                chain: vec![certificate.der().clone()],
                key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            }
        }

        pub fn certificate(&self) -> rcgen::Certificate {
            authority_params(self.name).self_signed(&self.key).unwrap()
        }

        /// The authority's own certificate, used as a server's.
        #[cfg(feature = "platform-roots")]
        pub fn itself(&self) -> Identity {
            Identity {
                chain: vec![self.certificate().der().clone()],
                key: PrivateKeyDer::Pkcs8(self.key.serialize_der().into()),
            }
        }
    }

    /// Runs the test that is called so in a process that trusts a new
    /// authority and no other, and there does what it is given.
    pub fn trusting(test: &str, body: impl FnOnce(&Authority)) {
        if let Some(folder) = std::env::var_os(CHILD) {
            let key = std::fs::read_to_string(Path::new(&folder).join("key.pem")).unwrap();
            return body(&Authority {
                name: TRUSTED,
                key: KeyPair::from_pem(&key).unwrap(),
            });
        }
        let authority = Authority::new(TRUSTED);
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{test}"));
        std::fs::create_dir_all(&folder).unwrap();
        let trust = folder.join("authority.pem");
        std::fs::write(&trust, authority.certificate().pem()).unwrap();
        std::fs::write(folder.join("key.pem"), authority.key.serialize_pem()).unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(CHILD, &folder)
            .env("SSL_CERT_FILE", trust)
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}"
        );
    }

    /// What a handshake came to.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct Shake {
        pub kind: Option<HandshakeKind>,
        pub version: Option<ProtocolVersion>,
        pub suite: Option<rustls::CipherSuite>,
    }

    pub struct TlsServer {
        port: u16,
        shakes: Arc<Mutex<Vec<Shake>>>,
        received: Arc<Mutex<Vec<Received>>>,
    }

    /// Serves the first so many connections; the process ends before they do.
    const CONNECTIONS: usize = 64;

    impl TlsServer {
        pub fn start(
            identity: Identity,
            versions: &[&'static SupportedProtocolVersion],
            answer: impl Fn(&Received, Tls) -> io::Result<()> + Send + Sync + 'static,
        ) -> TlsServer {
            let provider = Arc::new(ring::default_provider());
            let key = provider.key_provider.load_private_key(identity.key);
            // Also takes a key that is not the certificate's.
            let certified = CertifiedKey::new(identity.chain, key.unwrap());
            let config = ServerConfig::builder_with_provider(provider)
                .with_protocol_versions(versions)
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
            let config = Arc::new(config);
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let server = TlsServer {
                port: listener.local_addr().unwrap().port(),
                shakes: Arc::default(),
                received: Arc::default(),
            };
            let (shakes, received) = (server.shakes.clone(), server.received.clone());
            let answer = Arc::new(answer);
            thread::spawn(move || {
                for tcp in listener.incoming().take(CONNECTIONS).flatten() {
                    let (config, answer) = (config.clone(), answer.clone());
                    let (shakes, received) = (shakes.clone(), received.clone());
                    thread::spawn(move || {
                        let _ = tcp.set_read_timeout(Some(Duration::from_secs(10)));
                        let connection = ServerConnection::new(config).unwrap();
                        let mut reader = BufReader::new(StreamOwned::new(connection, tcp));
                        let Ok(Some(request)) = read_request(&mut reader) else {
                            return;
                        };
                        let tls = reader.into_inner();
                        shakes.lock().unwrap().push(Shake {
                            kind: tls.conn.handshake_kind(),
                            version: tls.conn.protocol_version(),
                            suite: tls
                                .conn
                                .negotiated_cipher_suite()
                                .map(|suite| suite.suite()),
                        });
                        received.lock().unwrap().push(request.clone());
                        // A client that goes away is what some tests are about.
                        let _ = answer(&request, tls);
                    });
                }
            });
            server
        }

        pub fn url(&self) -> String {
            format!("https://localhost:{}", self.port)
        }

        pub fn shakes(&self) -> Vec<Shake> {
            self.shakes.lock().unwrap().clone()
        }

        pub fn received(&self) -> usize {
            self.received.lock().unwrap().len()
        }
    }

    /// Ends the connection as TLS asks for.
    pub fn close(mut tls: Tls) -> io::Result<()> {
        tls.conn.send_close_notify();
        tls.flush()
    }

    /// Makes the call, which is over three seconds after its time at the latest, even on a
    /// busy machine, and whose error shows no secret.
    #[track_caller]
    pub fn timed<T>(
        time: Duration,
        call: impl FnOnce() -> mingram::Result<T>,
    ) -> mingram::Result<T> {
        let start = Instant::now();
        let outcome = call();
        let took = start.elapsed();
        assert!(took < time + Duration::from_secs(3), "took {took:?}");
        if let Err(error) = &outcome {
            assert_eq!(found(&shown(error), &[TOKEN]), None);
        }
        outcome
    }

    /// Whether this processor has AES instructions, as far as mingram can know.
    pub fn has_aes() -> bool {
        #[cfg(target_arch = "aarch64")]
        return std::arch::is_aarch64_feature_detected!("aes");
        #[cfg(target_arch = "x86")]
        return std::arch::is_x86_feature_detected!("aes")
            && std::arch::is_x86_feature_detected!("pclmulqdq");
        #[cfg(not(any(target_arch = "aarch64", target_arch = "x86")))]
        cfg!(target_arch = "x86_64")
    }

    /// The cipher suites of mingram's provider, in their order: what this processor is
    /// fast at comes first.
    pub fn suites() -> Vec<CipherSuite> {
        use CipherSuite as C;
        let aes = [
            C::TLS13_AES_128_GCM_SHA256,
            C::TLS13_AES_256_GCM_SHA384,
            C::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            C::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            C::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            C::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ];
        let chacha20 = [
            C::TLS13_CHACHA20_POLY1305_SHA256,
            C::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            C::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ];
        match has_aes() {
            true if cfg!(target_arch = "x86_64") => aes.to_vec(),
            true => [&aes[..], &chacha20].concat(),
            false => [&chacha20[..], &aes].concat(),
        }
    }

    pub fn reply_with(reply: &str, mut tls: Tls) -> io::Result<()> {
        tls.write_all(reply.as_bytes())?;
        close(tls)
    }
}

/// What is offered, as it is on the wire.
#[cfg(any(feature = "https", feature = "platform-roots", feature = "keep-alive"))]
mod client_hello {
    use crate::common;
    use crate::server::{has_aes, suites};
    use std::io::{self, Read};
    use std::net::TcpListener;
    use std::thread;

    /// The cipher suites of the first message of a connection.
    fn offered(mut tcp: impl Read) -> io::Result<Vec<u16>> {
        let mut record = [0; 5];
        tcp.read_exact(&mut record)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes([record[3], record[4]]))];
        tcp.read_exact(&mut message)?;
        assert_eq!((record[0], message[0]), (22, 1), "no ClientHello");
        // After the type, the length, the version, and 32 random bytes.
        let (session, rest) = message[38..].split_first().unwrap();
        let rest = &rest[usize::from(*session)..];
        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        let suites = rest[2..2 + length].chunks_exact(2);
        Ok(suites
            .map(|two| u16::from_be_bytes([two[0], two[1]]))
            .collect())
    }

    /// `MINGRAM_TEST_AES` says whether the processor has AES instructions, for a run
    /// under an emulator that can do without.
    #[test]
    fn the_fastest_cipher_suite_comes_first() {
        if let Some(aes) = std::env::var_os("MINGRAM_TEST_AES") {
            assert_eq!(has_aes(), aes == "1");
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || offered(listener.accept().unwrap().0));
        common::api(&format!("https://localhost:{port}"))
            .me("")
            .unwrap_err();
        let offered = server.join().unwrap().unwrap();
        // The last is no suite, but says that there will be no renegotiation.
        let mut wanted: Vec<u16> = suites().into_iter().map(u16::from).collect();
        wanted.push(0x00ff);
        assert_eq!(offered, wanted);
        let first = if has_aes() { 0x1301 } else { 0x1303 };
        assert_eq!(offered[0], first);
    }
}

/// The certificates come from the machine's store, here from `SSL_CERT_FILE`.
#[cfg(feature = "platform-roots")]
mod trusted {
    use crate::common;
    use crate::common::replay::{Received, TOKEN, read_request};
    use crate::server::*;
    use mingram::{Api, Error, ErrorKind as K};
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use rustls::crypto::{CryptoProvider, ring};
    use rustls::pki_types::PrivateKeyDer;
    use rustls::version::{TLS12, TLS13};
    use rustls::{
        CipherSuite, HandshakeKind, NamedGroup, ProtocolVersion, SupportedProtocolVersion,
    };
    use std::io::{self, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::{Duration, Instant};

    const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
    const ID: &str = r#"{"id":"17841405793187218"}"#;

    const TIME: Duration = Duration::from_secs(5);

    fn api(url: &str) -> Api {
        common::api(url)
            .with_timeout(TIME)
            .with_download_timeout(TIME)
    }

    fn me(server: &TlsServer) -> mingram::Result<String> {
        let api = api(&server.url());
        timed(TIME, || api.me("")).map(|user| user.id)
    }

    /// Over this version alone. The client keeps the sessions of a host by its
    /// name, so each version has a process of its own.
    fn a_whole_feed(
        authority: &Authority,
        version: &'static SupportedProtocolVersion,
        spoken: ProtocolVersion,
    ) {
        let server = TlsServer::start(authority.issue(localhost()), &[version], |request, tls| {
            let after = common::param(request, "after");
            let from = after.map_or(0, |cursor| cursor[1..].parse().unwrap());
            let page = common::feed_page(from, (from + 10).min(35), 35);
            reply_with(&common::json("200 OK", &page), tls)
        });
        let api = api(&server.url());
        let ids: Vec<String> = api
            .my_media("")
            .into_iter()
            .map(|media| media.unwrap().id)
            .collect();
        let wanted: Vec<String> = (0..35).map(|id| id.to_string()).collect();
        assert_eq!(ids, wanted);
        // With another timeout as well.
        let other = api.clone().with_timeout(Duration::from_secs(7));
        assert_eq!(other.my_media("").into_iter().count(), 35);
        let shakes = server.shakes();
        assert!(
            shakes.iter().all(|shake| shake.version == Some(spoken)),
            "{shakes:?}"
        );
        // Every connection but the first takes the session up again.
        let kinds: Vec<_> = shakes.iter().map(|shake| shake.kind.unwrap()).collect();
        assert_eq!(kinds[0], HandshakeKind::Full);
        assert_eq!(kinds[1..], [HandshakeKind::Resumed; 7]);
    }

    #[test]
    fn a_whole_feed_over_tls_1_3() {
        trusting("trusted::a_whole_feed_over_tls_1_3", |authority| {
            a_whole_feed(authority, &TLS13, ProtocolVersion::TLSv1_3);
        });
    }

    #[test]
    fn a_whole_feed_over_tls_1_2() {
        trusting("trusted::a_whole_feed_over_tls_1_2", |authority| {
            a_whole_feed(authority, &TLS12, ProtocolVersion::TLSv1_2);
        });
    }

    /// The refusal of a server with this certificate.
    fn refusal(identity: Identity, version: &'static SupportedProtocolVersion) -> Error {
        let server = TlsServer::start(identity, &[version], |_, tls| {
            reply_with(&common::json("200 OK", ID), tls)
        });
        let error = me(&server).unwrap_err();
        assert_eq!(server.received(), 0, "the token went out");
        assert_eq!(error.kind(), K::Tls, "{error}");
        assert!(!error.is_transient());
        error
    }

    #[test]
    fn certificates() {
        trusting("trusted::certificates", |authority| {
            let named = |name: &str| CertificateParams::new(vec![name.to_owned()]).unwrap();
            let valid = |from: i32, to: i32| {
                let mut params = localhost();
                params.not_before = date_time_ymd(from, 1, 1);
                params.not_after = date_time_ymd(to, 1, 1);
                params
            };
            let self_signed = || {
                let key = KeyPair::generate().unwrap();
                Identity {
                    chain: vec![localhost().self_signed(&key).unwrap().der().clone()],
                    key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
                }
            };
            let refused = |identity: Identity, piece: &str| {
                let again = Identity {
                    chain: identity.chain.clone(),
                    key: identity.key.clone_key(),
                };
                let [message, old] = [(identity, &TLS13), (again, &TLS12)]
                    .map(|(identity, version)| refusal(identity, version).to_string());
                assert_eq!(message, old);
                assert!(
                    message.starts_with("GET /me: the server's certificate "),
                    "{message}"
                );
                assert!(message.contains(piece), "{message}");
                message
            };
            refused(
                authority.issue(named("other.example")),
                "is for another host name",
            );
            refused(
                authority.issue(named("localhost.example")),
                "is for another host name",
            );
            refused(
                Authority::new("Another").issue(localhost()),
                "its issuer is not trusted",
            );
            // One that only calls itself so.
            refused(
                Authority::new(TRUSTED).issue(localhost()),
                "has a wrong signature",
            );
            refused(self_signed(), "is self-signed");
            refused(authority.itself(), "is a certificate authority's");
            // The certificate of a server that has another key.
            let mut stolen = authority.issue(localhost());
            stolen.key = authority.issue(localhost()).key;
            refused(stolen, "or its server lacks its key");
            let expired = refused(
                authority.issue(valid(2001, 2002)),
                "has expired according to this machine's clock",
            );
            let early = refused(
                authority.issue(valid(2997, 2998)),
                "is not valid yet according to this machine's clock",
            );
            for message in [expired, early] {
                assert!(message.contains("which says 20"), "{message}");
                assert!(message.ends_with(": check the clock first"), "{message}");
            }
            // And the good one is taken, so that the refusals mean something.
            let server = TlsServer::start(authority.issue(localhost()), BOTH, |_, tls| {
                reply_with(&common::json("200 OK", ID), tls)
            });
            assert_eq!(me(&server).unwrap(), "17841405793187218");
        });
    }

    /// Answers the first bytes of each connection with these, then closes or
    /// stays silent.
    fn plain(answer: &'static [u8], silent: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!(
            "https://localhost:{}",
            listener.local_addr().unwrap().port()
        );
        thread::spawn(move || {
            for mut tcp in listener.incoming().take(4).flatten() {
                thread::spawn(move || {
                    let _ = tcp.read(&mut [0; 4096]);
                    let _ = tcp.write_all(answer);
                    if silent {
                        let _ = tcp.read_to_end(&mut Vec::new());
                    }
                });
            }
        });
        url
    }

    #[test]
    fn no_tls_there() {
        trusting("trusted::no_tls_there", |_| {
            let answers: [(&[u8], K, &str); 4] = [
                (
                    b"HTTP/1.1 400 Bad Request\r\n\r\n",
                    K::Tls,
                    "does not speak TLS",
                ),
                (b"SSH-2.0-OpenSSH_9.2p1\r\n", K::Tls, "does not speak TLS"),
                (b"\0\0\0\0\0\0\0\0", K::Tls, "does not speak TLS"),
                (b"", K::ConnectionLost, "broke before the reply came"),
            ];
            for (answer, kind, piece) in answers {
                let api = api(&plain(answer, false));
                let error = timed(TIME, || api.me("")).unwrap_err();
                assert_eq!(error.kind(), kind, "{error}");
                assert!(error.to_string().contains(piece), "{error}");
            }
        });
    }

    /// Each alert in plain words, by its number in RFC 8446 and 5246.
    #[test]
    fn alerts() {
        trusting("trusted::alerts", |_| {
            let answers: [(&[u8], &str); 8] = [
                (b"\x15\x03\x03\0\x02\x02\x28", "offers nothing that"),
                (b"\x15\x03\x03\0\x02\x02\x47", "offers nothing that"),
                (
                    b"\x15\x03\x01\0\x02\x02\x46",
                    "supports neither TLS 1.2 nor",
                ),
                (
                    b"\x15\x03\x03\0\x02\x02\x70",
                    "does not serve this host name",
                ),
                (
                    b"\x15\x03\x03\0\x02\x02\x2a",
                    "asks for a client certificate",
                ),
                (b"\x15\x03\x03\0\x02\x02\x31", "denies access"),
                (b"\x15\x03\x03\0\x02\x02\x50", "has an internal error"),
                (
                    b"\x15\x03\x03\0\x02\x02\xff",
                    "objects to what this program",
                ),
            ];
            for (answer, words) in answers {
                let api = api(&plain(answer, false));
                let error = timed(TIME, || api.me("")).unwrap_err();
                assert_eq!(error.kind(), K::Tls, "{error}");
                let message = error.to_string();
                assert!(
                    message.contains("the server ended TLS (alert "),
                    "{message}"
                );
                assert!(message.contains(&format!("): it {words}")), "{message}");
            }
        });
    }

    #[test]
    fn a_handshake_that_is_never_answered() {
        trusting("trusted::a_handshake_that_is_never_answered", |_| {
            for answer in [&b""[..], b"\x16\x03\x03\0\x40\x02"] {
                let second = Duration::from_secs(1);
                let api = api(&plain(answer, true)).with_timeout(second);
                let error = timed(second, || api.me("")).unwrap_err();
                assert!(error.is_timeout(), "{error}");
            }
        });
    }

    /// A connection that TLS did not end is one that was cut, however whole the
    /// reply looks; but for what is whole by its own length.
    #[test]
    fn a_close_without_notice() {
        trusting("trusted::a_close_without_notice", |authority| {
            let identity = || authority.issue(localhost());
            let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let rows = [
                (
                    "with a length",
                    format!("HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{ID}"),
                    Some(K::Truncated),
                ),
                (
                    "until the close",
                    format!("HTTP/1.1 200 OK\r\n\r\n{ID}"),
                    Some(K::Truncated),
                ),
                (
                    "in a chunk",
                    format!("{chunked}1B\r\n{ID}"),
                    Some(K::Truncated),
                ),
                (
                    "between chunks",
                    format!("{chunked}1A\r\n{ID}\r\n"),
                    Some(K::Truncated),
                ),
                (
                    "in the trailers",
                    format!("{chunked}1A\r\n{ID}\r\n0\r\n"),
                    Some(K::Truncated),
                ),
                (
                    "in the headers",
                    "HTTP/1.1 200 OK\r\nA: b\r\n".to_owned(),
                    Some(K::ConnectionLost),
                ),
                (
                    "in a Location",
                    "HTTP/1.1 302 Found\r\nLocation: /m".to_owned(),
                    Some(K::ConnectionLost),
                ),
                (
                    "in the status line",
                    "HTTP/1.1 200".to_owned(),
                    Some(K::ConnectionLost),
                ),
                (
                    "behind the length",
                    format!("HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n{ID}"),
                    None,
                ),
                (
                    "behind the chunks",
                    format!("{chunked}1A\r\n{ID}\r\n0\r\n\r\n"),
                    None,
                ),
            ];
            for (name, reply, wanted) in rows {
                let of_json = reply.clone();
                let server = TlsServer::start(identity(), BOTH, move |_, mut tls| {
                    tls.write_all(of_json.as_bytes())
                });
                let outcome = me(&server);
                assert_eq!(
                    outcome.as_ref().err().map(Error::kind),
                    wanted,
                    "{name}: {outcome:?}"
                );
                let url = format!("{}/f", server.url());
                let api = api(&server.url());
                let mut file = Vec::new();
                let download = api.download(&url).accept_unknown_length().accept_any_type();
                let outcome = timed(TIME, || download.write_to(&mut file));
                assert_eq!(
                    outcome.as_ref().err().map(Error::kind),
                    wanted,
                    "{name}: {outcome:?}"
                );
            }
            // What is cut passes for a whole with neither: the brackets tell,
            // and a file without a length is taken only by who asks for that.
            let server = TlsServer::start(identity(), BOTH, |_, mut tls| {
                tls.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{}", &ID[..25]).as_bytes())
            });
            assert_eq!(me(&server).unwrap_err().kind(), K::Truncated);
            let url = format!("{}/f", server.url());
            let api = api(&url);
            let error = timed(TIME, || api.download(&url).write_to(&mut Vec::new())).unwrap_err();
            assert_eq!(error.kind(), K::UnknownLength);
            // Ended as it should be, a body without a length is whole.
            let server = TlsServer::start(identity(), BOTH, |_, tls| {
                reply_with(&format!("HTTP/1.1 200 OK\r\n\r\n{ID}"), tls)
            });
            assert_eq!(me(&server).unwrap(), "17841405793187218");
        });
    }

    /// A byte now and then inside one TLS record, which is handed out only when it is
    /// whole.
    #[test]
    fn a_record_that_drips() {
        trusting("trusted::a_record_that_drips", |authority| {
            let server =
                TlsServer::start(authority.issue(localhost()), BOTH, |request, mut tls| {
                    tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")?;
                    tls.conn
                        .writer()
                        .write_all(format!("{ID:100}").as_bytes())?;
                    let mut record = Vec::new();
                    while tls.conn.wants_write() {
                        tls.conn.write_tls(&mut record)?;
                    }
                    let pause = match request.target.starts_with("/slow") {
                        true => Duration::from_millis(40),
                        false => Duration::from_millis(200),
                    };
                    for byte in record {
                        tls.sock.write_all(&[byte])?;
                        thread::sleep(pause);
                    }
                    close(tls)
                });
            // Time for a handshake and the headers, also under an emulator.
            let time = Duration::from_secs(3);
            let api = api(&server.url()).with_timeout(time);
            // To minreq a record is silence until it is whole.
            let limit = if POOLED { 5 * time } else { time };
            let error = timed(limit, || api.me("")).unwrap_err();
            assert!(error.is_timeout(), "{error}");
            let outcome = api.user("slow", "");
            match POOLED {
                true => assert_eq!(outcome.unwrap().id, "17841405793187218"),
                false => assert!(outcome.unwrap_err().is_timeout()),
            }
            let api = api.with_download_timeout(time);
            let url = format!("{}/f", server.url());
            let mut body = None;
            let error = timed(time, || {
                let body = body.insert(api.download(&url).accept_any_type().open()?);
                Ok(body.read(&mut [0; 8])?)
            });
            let error = error.unwrap_err();
            assert!(error.is_timeout(), "{error}");
            // What failed stays so, and is no end of the file.
            assert!(body.unwrap().read(&mut [0; 8]).is_err());
        });
    }

    /// The limits are those of a server that is silent, in the handshake, in the head and
    /// in the body, and not those of a caller that pauses.
    #[test]
    fn silence_and_pauses() {
        trusting("trusted::silence_and_pauses", |authority| {
            let file: Vec<u8> = (0..400_000_u32).map(|at| (at / 7) as u8).collect();
            let sent = file.clone();
            let server = TlsServer::start(
                authority.issue(localhost()),
                BOTH,
                move |request, mut tls| {
                    match &request.target[..] {
                        "/file" => {
                            write!(
                                tls,
                                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                                sent.len()
                            )?;
                            tls.write_all(&sent)?;
                            return close(tls);
                        }
                        "/half" => {
                            tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")?
                        }
                        _ => {}
                    }
                    tls.read(&mut [0]).map(drop)
                },
            );
            let time = Duration::from_secs(3);
            let api = api(&server.url())
                .with_timeout(time)
                .with_download_timeout(Duration::from_secs(60));
            for path in ["silent", "half"] {
                let url = format!("{}/{path}", server.url());
                let download = || {
                    let download = api.download(&url).accept_any_type();
                    download.write_to(&mut Vec::new())
                };
                let error = timed(2 * time, download).unwrap_err();
                assert!(error.is_timeout(), "{error}");
            }
            let unanswered = format!("{}/f", plain(b"", true));
            let error = timed(time, || api.download(&unanswered).open().map(drop));
            assert!(error.unwrap_err().is_timeout());
            let api = api.with_download_timeout(time);
            let url = format!("{}/file", server.url());
            let mut body = api.download(&url).accept_any_type().open().unwrap();
            let mut read = vec![0; 10];
            body.read_exact(&mut read).unwrap();
            thread::sleep(time + time / 4);
            body.read_to_end(&mut read).unwrap();
            assert!(read == file);
        });
    }

    /// What is left behind of a handshake that is never answered ends with the
    /// connection. With keep-alive nothing is left behind: see `connect.rs`.
    #[test]
    #[cfg(target_os = "linux")]
    fn unanswered_handshakes_leave_no_threads_for_ever() {
        trusting(
            "trusted::unanswered_handshakes_leave_no_threads_for_ever",
            |_| {
                const CALLS: usize = 8;
                let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
                let back_to = |wanted: usize| {
                    let start = Instant::now();
                    while threads() > wanted {
                        assert!(start.elapsed() < 4 * TIME, "{} threads are left", threads());
                        thread::sleep(Duration::from_millis(10));
                    }
                };
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let port = listener.local_addr().unwrap().port();
                let before = threads();
                let second = Duration::from_secs(1);
                let api = api(&format!("https://localhost:{port}")).with_timeout(second);
                thread::scope(|scope| {
                    for _ in 0..CALLS {
                        scope.spawn(|| {
                            let error = timed(second, || api.me("")).unwrap_err();
                            assert!(error.is_timeout(), "{error}");
                        });
                    }
                });
                if common::DIRECT {
                    back_to(before);
                }
                // They were never accepted, so this closes them all.
                drop(listener);
                back_to(before);
            },
        );
    }

    #[test]
    fn a_large_file() {
        trusting("trusted::a_large_file", |authority| {
            const LENGTH: usize = 5_000_000;
            let byte = |at: usize| (at.wrapping_mul(at) / 7) as u8;
            let (gone, closed) = mpsc::channel();
            let server = TlsServer::start(
                authority.issue(localhost()),
                BOTH,
                move |request, mut tls| {
                    if request.target != "/endless" {
                        write!(tls, "HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n")?;
                        let file: Vec<u8> = (0..LENGTH).map(byte).collect();
                        tls.write_all(&file)?;
                        return close(tls);
                    }
                    write!(tls, "HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\n\r\n")?;
                    while tls.write_all(&[7; 16 * 1024]).is_ok() {}
                    gone.send(()).map_err(io::Error::other)
                },
            );
            let url = format!("{}/f", server.url());
            // An old processor takes its time over five megabytes.
            let api = api(&url).with_download_timeout(Duration::from_secs(60));
            let mut file = Vec::new();
            assert_eq!(
                api.download(&url).write_to(&mut file).unwrap(),
                LENGTH as u64
            );
            assert!(file.iter().enumerate().all(|(at, &read)| read == byte(at)));
            // One that is left in the middle leaves the connection as well.
            let url = format!("{}/endless", server.url());
            let mut body = api.download(&url).open().unwrap();
            let mut start = [0; 4];
            body.read_exact(&mut start).unwrap();
            assert_eq!(start, [7; 4]);
            assert!(closed.try_recv().is_err());
            drop(body);
            closed.recv_timeout(TIME).unwrap();
        });
    }

    const POOLED: bool = common::DIRECT;

    /// Answers the requests of a connection until so many are answered, then
    /// reads one more and closes, with or without notice.
    fn keep(
        tls: Tls,
        first: &Received,
        most: usize,
        notice: bool,
        answer: impl Fn(&Received) -> String,
    ) -> io::Result<()> {
        let mut reader = BufReader::new(tls);
        let mut request = first.clone();
        for _ in 0..most {
            reader.get_mut().write_all(answer(&request).as_bytes())?;
            match read_request(&mut reader)? {
                Some(next) => request = next,
                None => return Ok(()),
            }
        }
        match notice {
            true => close(reader.into_inner()),
            false => Ok(()),
        }
    }

    /// The ids of a feed.
    fn ids(api: &Api) -> Vec<usize> {
        let media = api.my_media("").into_iter();
        media
            .map(|media| media.unwrap().id.parse().unwrap())
            .collect()
    }

    #[test]
    fn pages_and_files_share_a_connection() {
        trusting("trusted::pages_and_files_share_a_connection", |authority| {
            let server = TlsServer::start(authority.issue(localhost()), BOTH, |first, tls| {
                keep(tls, first, usize::MAX, true, |request| {
                    if request.target == "/f" {
                        return common::reply("200 OK", &[], "0123456789");
                    }
                    let after = common::param(request, "after");
                    let from = after.map_or(0, |cursor| cursor[1..].parse().unwrap());
                    common::json("200 OK", &common::feed_page(from, from + 20, 100))
                })
            });
            let api = api(&server.url());
            for _ in 0..2 {
                assert_eq!(ids(&api), (0..100).collect::<Vec<_>>());
                let mut file = Vec::new();
                let url = format!("{}/f", server.url());
                assert_eq!(api.clone().download(&url).write_to(&mut file).unwrap(), 10);
                assert_eq!(file, b"0123456789");
            }
            assert_eq!(server.shakes().len(), if POOLED { 1 } else { 12 });
        });
    }

    /// Retries are off: the transport mends it by itself.
    #[test]
    fn a_connection_that_went_stale_loses_and_repeats_nothing() {
        trusting(
            "trusted::a_connection_that_went_stale_loses_and_repeats_nothing",
            |authority| {
                for notice in [true, false] {
                    let answered = Arc::new(AtomicUsize::new(0));
                    let count = answered.clone();
                    let server =
                        TlsServer::start(authority.issue(localhost()), BOTH, move |first, tls| {
                            keep(tls, first, 3, notice, |request| {
                                count.fetch_add(1, Ordering::SeqCst);
                                let after = common::param(request, "after");
                                let from = after.map_or(0, |cursor| cursor[1..].parse().unwrap());
                                common::json("200 OK", &common::feed_page(from, from + 10, 200))
                            })
                        });
                    assert_eq!(ids(&api(&server.url())), (0..200).collect::<Vec<_>>());
                    assert_eq!(answered.load(Ordering::SeqCst), 20);
                    let connections = if POOLED { 7 } else { 20 };
                    assert_eq!(server.shakes().len(), connections, "{notice}");
                }
            },
        );
    }

    #[test]
    fn redirects_to_plain_http() {
        trusting("trusted::redirects_to_plain_http", |authority| {
            let plain = common::Server::script([common::json("200 OK", ID)]);
            let location = format!("http://localhost:{}/me", plain.port());
            let server = TlsServer::start(authority.issue(localhost()), BOTH, move |_, tls| {
                let reply = common::reply("302 Found", &[("Location", &location)], "");
                reply_with(&reply, tls)
            });
            let error = me(&server).unwrap_err();
            assert_eq!(error.kind(), K::Redirect);
            assert!(error.to_string().contains("must not receive"), "{error}");
            let url = format!("{}/f?access_token={TOKEN}", server.url());
            let api = api(&url);
            let error = timed(TIME, || api.download(&url).write_to(&mut Vec::new())).unwrap_err();
            assert_eq!(error.kind(), K::Redirect);
            assert!(error.to_string().contains("from https to http"), "{error}");
            assert_eq!(plain.connections(), 0);
        });
    }

    /// A provider that knows a single cipher, so that its use can be seen.
    fn one_cipher() -> CryptoProvider {
        CryptoProvider {
            cipher_suites: vec![ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256],
            ..ring::default_provider()
        }
    }

    #[test]
    fn a_provider_that_was_there_first_stays() {
        trusting(
            "trusted::a_provider_that_was_there_first_stays",
            |authority| {
                one_cipher().install_default().unwrap();
                let server = TlsServer::start(authority.issue(localhost()), BOTH, |_, tls| {
                    reply_with(&common::json("200 OK", ID), tls)
                });
                me(&server).unwrap();
                assert_eq!(
                    CryptoProvider::get_default().unwrap().cipher_suites.len(),
                    1
                );
                let suite = server.shakes()[0].suite;
                // With keep-alive mingram has its own, whatever the process has.
                let wanted = match POOLED {
                    true => suites()[0],
                    false => CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
                };
                assert_eq!(suite, Some(wanted));
            },
        );
    }

    #[test]
    fn a_lean_provider_where_there_was_none() {
        trusting(
            "trusted::a_lean_provider_where_there_was_none",
            |authority| {
                assert!(CryptoProvider::get_default().is_none());
                let server = TlsServer::start(authority.issue(localhost()), BOTH, |_, tls| {
                    reply_with(&common::json("200 OK", ID), tls)
                });
                me(&server).unwrap();
                if common::DIRECT {
                    // The provider is passed on, and the process is left alone.
                    assert!(CryptoProvider::get_default().is_none());
                    return;
                }
                let provider = CryptoProvider::get_default().unwrap();
                let of_process: Vec<_> = provider.cipher_suites.iter().map(|s| s.suite()).collect();
                assert_eq!(of_process, suites());
                let groups: Vec<_> = provider
                    .kx_groups
                    .iter()
                    .map(|group| group.name())
                    .collect();
                assert_eq!(groups, [NamedGroup::secp256r1, NamedGroup::secp384r1]);
            },
        );
    }

    #[test]
    fn an_empty_trust_store() {
        trusting("trusted::an_empty_trust_store", |authority| {
            // The variable is read at the first call, so the file may go now.
            std::fs::write(std::env::var_os("SSL_CERT_FILE").unwrap(), "").unwrap();
            let error = refusal(authority.issue(localhost()), &TLS13);
            assert!(
                error.to_string().contains("TLS could not be set up"),
                "{error}"
            );
        });
    }
}

/// The Mozilla roots that are compiled in, and no other.
#[cfg(all(
    any(feature = "https", feature = "keep-alive"),
    not(feature = "platform-roots")
))]
mod compiled_in {
    use crate::common;
    use crate::server::*;
    use mingram::ErrorKind;
    use rustls::crypto::{CryptoProvider, ring};
    use rustls::version::{TLS12, TLS13};
    use std::time::Duration;

    #[test]
    fn a_private_authority_is_refused() {
        trusting("compiled_in::a_private_authority_is_refused", |authority| {
            let server =
                TlsServer::start(authority.issue(localhost()), &[&TLS13, &TLS12], |_, tls| {
                    reply_with(&common::json("200 OK", r#"{"id":"1"}"#), tls)
                });
            let api = common::api(&server.url());
            let error = timed(Duration::from_secs(20), || api.me("")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Tls);
            assert!(
                error
                    .to_string()
                    .contains("self-signed or its issuer is not trusted"),
                "{error}"
            );
            assert_eq!(
                (server.received(), server.shakes().len()),
                (0, 0),
                "the token went out"
            );
        });
    }

    #[test]
    fn a_provider_that_was_there_first_stays() {
        trusting("compiled_in::a_provider_that_was_there_first_stays", |_| {
            let mut provider = ring::default_provider();
            provider.cipher_suites.truncate(1);
            provider.install_default().unwrap();
            let error = common::api("https://localhost:1").me("").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
            assert_eq!(
                CryptoProvider::get_default().unwrap().cipher_suites.len(),
                1
            );
        });
    }
}

/// `DefaultTransport::with_roots`.
#[cfg(any(
    feature = "keep-alive",
    all(feature = "https", feature = "platform-roots")
))]
mod own_roots {
    use crate::common::{self, replay::TOKEN};
    use crate::server::*;
    use mingram::transport::DefaultTransport;
    use mingram::{Api, ErrorKind};
    use rcgen::KeyPair;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::version::{TLS12, TLS13};
    use std::time::Duration;

    fn serve(identity: Identity) -> TlsServer {
        TlsServer::start(identity, &[&TLS13, &TLS12], |_, tls| {
            reply_with(&common::json("200 OK", r#"{"id":"1"}"#), tls)
        })
    }

    /// Calls a server of this identity, trusting these certificates.
    fn call(certificates: impl AsRef<[u8]>, identity: Identity) -> mingram::Result<String> {
        let server = serve(identity);
        let transport = DefaultTransport::with_roots(certificates).unwrap();
        let api = common::api(&server.url()).with_transport(transport);
        let outcome = timed(Duration::from_secs(20), || api.me(""));
        assert_eq!(server.received(), usize::from(outcome.is_ok()));
        outcome.map(|user| user.id)
    }

    #[test]
    fn these_are_trusted() {
        let (one, two) = (Authority::new("one"), Authority::new("two"));
        // As files have them: with text, with a key, with other line ends.
        let key = KeyPair::generate().unwrap().serialize_pem();
        let (first, second) = (one.certificate().pem(), two.certificate().pem());
        let bundle = format!(
            "# Caf\u{e9}\n{first}\n{key}second:\n{}",
            second.replace('\n', "\r\n")
        );
        let mut latin = bundle.clone().into_bytes();
        latin[5] = 0xe9;
        for authority in [&one, &two] {
            let issue = || authority.issue(localhost());
            assert_eq!(call(&bundle, issue()).unwrap(), "1");
            assert_eq!(call(&latin, issue()).unwrap(), "1");
        }
        let der = one.certificate().der().to_vec();
        assert_eq!(call(&der, one.issue(localhost())).unwrap(), "1");
        let error = call(&der, two.issue(localhost())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    }

    #[test]
    fn a_server_that_signed_its_own() {
        let key = KeyPair::generate().unwrap();
        let certificate = localhost().self_signed(&key).unwrap();
        let identity = Identity {
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        };
        assert_eq!(call(certificate.pem(), identity).unwrap(), "1");
    }

    /// Neither those of the machine nor those that are compiled in.
    #[test]
    fn no_other_is_trusted() {
        trusting("own_roots::no_other_is_trusted", |of_machine| {
            let own = Authority::new("own").certificate().pem();
            let error = call(own, of_machine.issue(localhost())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Tls);
            assert!(
                error.to_string().contains("its issuer is not trusted"),
                "{error}"
            );
        });
    }

    #[test]
    fn what_is_no_certificate() {
        let pem = Authority::new("one").certificate().pem();
        let key = KeyPair::generate().unwrap().serialize_pem();
        let cut = &pem[..pem.len() / 2];
        let damaged = pem.replacen("\nM", "\n!", 1);
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let indented = pem.replace("-----BEGIN", "  -----BEGIN");
        for (certificates, problem) in [
            ("", "root certificate 1 is not a certificate"),
            (
                "/etc/ssl/company.pem",
                "root certificate 1 is not a certificate",
            ),
            (&key, "there is none in this PEM text"),
            (cut, "the PEM text is damaged"),
            (&damaged, "the PEM text is damaged"),
            (
                &format!("{pem}{empty}"),
                "root certificate 2 is not a certificate",
            ),
            (&format!("{pem}{cut}"), "the PEM text is damaged"),
            // None is left out.
            (
                &format!("{pem}{indented}"),
                "does not begin at the start of a line",
            ),
            (
                &format!("\u{feff}{pem}{pem}"),
                "does not begin at the start of a line",
            ),
        ] {
            let error = DefaultTransport::with_roots(certificates).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let message = error.to_string();
            assert!(message.contains(problem), "{message}");
            assert!(
                message.lines().count() == 1 && message.len() < 200,
                "{message}"
            );
        }
    }

    /// The certificates of a proxy show its network.
    #[test]
    fn debug_shows_nothing() {
        let pem = Authority::new("one").certificate().pem();
        let transport = DefaultTransport::with_roots(pem).unwrap();
        assert_eq!(format!("{transport:?}"), "DefaultTransport { .. }");
        let _ = Api::new(TOKEN).with_transport(transport);
    }
}

/// A program without TLS says which feature it lacks, and sends nothing.
#[cfg(not(any(feature = "https", feature = "platform-roots", feature = "keep-alive")))]
#[test]
fn without_tls() {
    use mingram::{Api, ErrorKind};
    let api = Api::new("IGQVJsample").with_retries(0);
    let file = api
        .download("https://localhost:1/f")
        .write_to(&mut Vec::new());
    for error in [api.me("").unwrap_err(), file.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let message = error.to_string();
        assert!(message.contains("built without TLS"), "{message}");
        assert!(
            message.contains("mingram's feature `https`, `platform-roots` or `keep-alive`"),
            "{message}"
        );
    }
    // Over plain http to this machine it works.
    let server = common::Server::script([common::json("200 OK", r#"{"id":"1"}"#)]);
    assert_eq!(server.api().me("").unwrap().id, "1");
}
