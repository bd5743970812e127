//! Handshakes and certificates against `openssl s_server`, a TLS that shares no code
//! with this program. The certificates come from the `openssl` command as well.
#![cfg(feature = "platform-roots")]

mod common;

use common::{api, in_a_child};
use mingram::ErrorKind;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

const CONFIG: &str = "
[req]
distinguished_name = name
prompt = no
[name]
[authority]
basicConstraints = critical, CA:true
[leaf]
basicConstraints = CA:false
subjectAltName = DNS:localhost
[other]
basicConstraints = CA:false
subjectAltName = DNS:other.example
[for_clients]
basicConstraints = CA:false
subjectAltName = DNS:localhost
extendedKeyUsage = clientAuth
[critical]
basicConstraints = CA:false
subjectAltName = DNS:localhost
1.2.3.4 = critical, ASN1:NULL
[no_further]
basicConstraints = critical, CA:true, pathlen:0
[of_example]
basicConstraints = critical, CA:true
nameConstraints = critical, permitted;DNS:example.org
[critical_authority]
basicConstraints = critical, CA:true
1.2.3.4 = critical, ASN1:NULL
[malformed]
basicConstraints = CA:false
subjectAltName = DER:04:03:61:62:63
";

const FOLDER: &str = "MINGRAM_TEST_OPENSSL";

const P256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const P384: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
const P521: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-521"];

/// A directory with an authority that this process trusts, and what it issues.
struct Pki(PathBuf);

/// Runs the test of this name in a process that trusts a new authority and no other.
/// Skipped if there is no `openssl` command.
fn trusting(test: &str, body: impl FnOnce(&Pki)) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return in_a_child(test, &[], || body(&Pki(folder.into())));
    }
    if Command::new("openssl").arg("version").output().is_err() {
        println!("{test}: skipped, there is no openssl command (apt install openssl)");
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("openssl-{test}"));
    std::fs::create_dir_all(&folder).unwrap();
    let pki = Pki(folder.clone());
    std::fs::write(folder.join("openssl.cnf"), CONFIG).unwrap();
    // What the server sends for `Api::me`.
    let reply = common::json("200 OK", r#"{"id":"17841405793187218"}"#);
    let target = format!("me?access_token={}", common::replay::TOKEN);
    std::fs::write(folder.join(target), reply).unwrap();
    pki.authority("trusted");
    let trust = folder.join("trusted.pem");
    let environment = [
        (FOLDER, folder.to_str().unwrap()),
        ("SSL_CERT_FILE", trust.to_str().unwrap()),
    ];
    in_a_child(test, &environment, || unreachable!("this is the parent"));
    std::fs::remove_dir_all(&folder).unwrap();
}

impl Pki {
    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(&self.0)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments:?}: {text}");
    }

    /// A self-signed certificate.
    fn authority(&self, name: &str) {
        let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
        let subject = format!("/CN={name}");
        let mut arguments = vec!["req", "-x509", "-config", "openssl.cnf", "-nodes"];
        arguments.extend(["-subj", &subject]);
        arguments.extend(["-extensions", "authority", "-days", "30"]);
        arguments.extend(["-keyout", &key, "-out", &pem, "-newkey"]);
        arguments.extend(P256);
        self.openssl(&arguments);
    }

    /// A certificate from this authority.
    fn issue(&self, name: &str, key_type: &[&str], issuer: &str, extensions: &str, more: &[&str]) {
        let [key, csr, pem] = ["key", "csr", "pem"].map(|end| format!("{name}.{end}"));
        let mut arguments = vec!["req", "-new", "-config", "openssl.cnf", "-nodes"];
        let subject = format!("/CN={name}");
        arguments.extend(["-subj", &subject, "-keyout", &key, "-out", &csr, "-newkey"]);
        arguments.extend(key_type);
        self.openssl(&arguments);
        let (issuer, issuer_key) = (format!("{issuer}.pem"), format!("{issuer}.key"));
        let mut arguments = vec![
            "x509",
            "-req",
            "-in",
            &csr,
            "-out",
            &pem,
            "-set_serial",
            "7",
        ];
        arguments.extend(["-CA", &issuer, "-CAkey", &issuer_key, "-days", "30"]);
        arguments.extend(["-extfile", "openssl.cnf", "-extensions", extensions]);
        arguments.extend(more);
        self.openssl(&arguments);
    }

    /// Sends the files of the directory.
    fn server(&self, name: &str, options: &[&str]) -> Server {
        self.start(name, &[&["-HTTP"], options].concat(), Stdio::null())
    }

    fn start(&self, name: &str, options: &[&str], input: Stdio) -> Server {
        let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0"])
            .args(["-key", &key, "-cert", &pem])
            .args(options)
            .current_dir(&self.0)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            Some(line.strip_prefix("ACCEPT 127.0.0.1:")?.to_owned())
        });
        Server {
            child,
            port: port.expect("a server that listens"),
            lines,
        }
    }

    fn me(&self, name: &str, options: &[&str]) -> mingram::Result<String> {
        let server = self.server(name, options);
        let api = api(&format!("https://localhost:{}", server.port));
        let api = api.with_timeout(Duration::from_secs(20));
        Ok(api.me("")?.id)
    }

    /// Several certificates in one file, for a chain.
    fn bundle(&self, name: &str, of: &[&str]) {
        let read = |name: &&str| std::fs::read(self.0.join(format!("{name}.pem"))).unwrap();
        let pem: Vec<u8> = of.iter().flat_map(read).collect();
        std::fs::write(self.0.join(format!("{name}.pem")), pem).unwrap();
    }

    #[track_caller]
    fn accepted(&self, name: &str, options: &[&str]) {
        let outcome = self.me(name, options);
        assert_eq!(outcome.unwrap(), "17841405793187218", "{name} {options:?}");
    }

    #[track_caller]
    fn refused(&self, name: &str, options: &[&str], message: &str) {
        let error = self.me(name, options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{name} {options:?}: {error}");
        assert!(
            error.to_string().contains(message),
            "{name} {options:?}: {error}"
        );
    }
}

struct Server {
    child: Child,
    port: String,
    /// What it prints from here on.
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn certificates_that_are_accepted() {
    trusting("certificates_that_are_accepted", |pki| {
        pki.issue("intermediate", P256, "trusted", "authority", &[]);
        pki.issue("below", P256, "intermediate", "leaf", &[]);
        pki.accepted("below", &["-cert_chain", "intermediate.pem"]);
        for (name, key) in [("rsa", &["rsa:2048"][..]), ("p256", P256), ("p384", P384)] {
            pki.issue(name, key, "trusted", "leaf", &[]);
            pki.accepted(name, &["-tls1_2"]);
            pki.accepted(name, &["-tls1_3"]);
        }
        for group in ["P-256", "P-384", "X25519:P-256"] {
            pki.accepted("p256", &["-tls1_3", "-groups", group]);
        }
    });
}

/// ChaCha20-Poly1305 is left out where nearly every processor has AES instructions.
const CHACHA20: bool = cfg!(not(target_arch = "x86_64"));

/// A file over each suite that is supported, and nothing over the others.
#[test]
fn every_cipher_suite() {
    const LENGTH: usize = 100_000;
    trusting("every_cipher_suite", |pki| {
        let file: Vec<u8> = (0..LENGTH)
            .map(|at| (at.wrapping_mul(at) / 7) as u8)
            .collect();
        let mut reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n").into_bytes();
        reply.extend(&file);
        std::fs::write(pki.0.join("file"), reply).unwrap();
        let suites = ["AES_128_GCM_SHA256", "AES_256_GCM_SHA384"].map(|name| (name, true));
        let suites = [suites[0], suites[1], ("CHACHA20_POLY1305_SHA256", CHACHA20)];
        let ciphers = [
            ("AES128-GCM-SHA256", true),
            ("AES256-GCM-SHA384", true),
            ("CHACHA20-POLY1305", CHACHA20),
            ("AES128-SHA256", false),
        ];
        for (certificate, of, key) in [("rsa", "RSA", &["rsa:2048"][..]), ("p256", "ECDSA", P256)] {
            pki.issue(certificate, key, "trusted", "leaf", &[]);
            let suites = suites.map(|(name, taken)| {
                (
                    ["-tls1_3", "-ciphersuites", &format!("TLS_{name}")].map(str::to_owned),
                    taken,
                )
            });
            let ciphers = ciphers.map(|(name, taken)| {
                (
                    ["-tls1_2", "-cipher", &format!("ECDHE-{of}-{name}")].map(str::to_owned),
                    taken,
                )
            });
            for (options, taken) in suites.iter().chain(&ciphers) {
                let options = options.each_ref().map(String::as_str);
                if !taken {
                    pki.refused(certificate, &options, NOTHING_IN_COMMON);
                    continue;
                }
                let server = pki.server(certificate, &options);
                let url = format!("https://localhost:{}", server.port);
                let mut read = Vec::new();
                let outcome = api(&url)
                    .download(&format!("{url}/file"))
                    .write_to(&mut read);
                assert_eq!(outcome.unwrap(), LENGTH as u64, "{options:?}");
                assert!(read == file, "{options:?}");
            }
        }
    });
}

#[test]
fn certificates_that_are_refused() {
    trusting("certificates_that_are_refused", |pki| {
        // OpenSSL itself uses these only when told so.
        let weak = &["-cipher", "ALL:@SECLEVEL=0"];
        pki.issue("expired", P256, "trusted", "leaf", &["-days", "-1"]);
        pki.refused(
            "expired",
            &[],
            "has expired according to this machine's clock",
        );
        pki.issue("other", P256, "trusted", "other", &[]);
        pki.refused("other", &[], "is for another host name");
        pki.authority("unknown");
        pki.issue("stranger", P256, "unknown", "leaf", &[]);
        pki.refused("stranger", &[], "its issuer is not trusted");
        pki.issue("intermediate", P256, "trusted", "authority", &[]);
        pki.issue("below", P256, "intermediate", "leaf", &[]);
        pki.refused("below", &[], "its issuer is not trusted");
        pki.issue("sha1", P256, "trusted", "leaf", &["-sha1"]);
        pki.refused("sha1", weak, "an algorithm that is too weak");
        pki.issue("short", &["rsa:1024"], "trusted", "leaf", &[]);
        pki.refused("short", weak, "an RSA key of fewer than 2048 bits");
        pki.refused("trusted", &[], "is a certificate authority's");
        for (extensions, reason) in [
            (
                "for_clients",
                "has another purpose than to identify a server",
            ),
            ("critical", "has a critical extension that is unknown here"),
            ("malformed", "is not encoded correctly"),
        ] {
            pki.issue(extensions, P256, "trusted", extensions, &[]);
            pki.refused(extensions, &[], reason);
        }
    });
}

/// A certificate that is good by itself, below one that is not.
#[test]
fn issuers_that_are_refused() {
    trusting("issuers_that_are_refused", |pki| {
        for (name, key, extensions, more, reason) in [
            (
                "expired",
                P256,
                "authority",
                &["-days", "-1"][..],
                "has expired",
            ),
            (
                "server",
                P256,
                "leaf",
                &[],
                "issued with one that is not a certificate authority's",
            ),
            (
                "of_example",
                P256,
                "of_example",
                &[],
                "must not issue it for (name constraints)",
            ),
            (
                "critical",
                P256,
                "critical_authority",
                &[],
                "has a critical extension",
            ),
            (
                "ed25519",
                &["ed25519"],
                "authority",
                &[],
                "an algorithm that is too weak or not supported",
            ),
            (
                "p521",
                P521,
                "authority",
                &["-sha256"],
                "a kind of key that is not supported",
            ),
            (
                "rsa1024",
                &["rsa:1024"],
                "authority",
                &[],
                "an RSA key of fewer than 2048 bits",
            ),
        ] {
            pki.issue(name, key, "trusted", extensions, more);
            pki.issue("below", P256, name, "leaf", &[]);
            let chain = format!("{name}.pem");
            pki.refused(
                "below",
                &["-cert_chain", &chain, "-cipher", "ALL:@SECLEVEL=0"],
                reason,
            );
        }
        pki.issue("first", P256, "trusted", "no_further", &[]);
        pki.issue("second", P256, "first", "authority", &[]);
        pki.issue("third", P256, "second", "leaf", &[]);
        pki.bundle("both", &["second", "first"]);
        pki.refused("third", &["-cert_chain", "both.pem"], "(path length)");
        // The chain is longer than any that is accepted.
        let mut names = vec!["trusted".to_owned()];
        for at in 0..8 {
            let name = format!("link{at}");
            pki.issue(&name, P256, names.last().unwrap(), "authority", &[]);
            names.push(name);
        }
        pki.issue("last", P256, "link7", "leaf", &[]);
        let names: Vec<&str> = names[1..].iter().rev().map(String::as_str).collect();
        pki.bundle("long", &names);
        pki.refused(
            "last",
            &["-cert_chain", "long.pem"],
            "has too many issuers in between",
        );
    });
}

const NOTHING_IN_COMMON: &str = match CHACHA20 {
    true => "offers nothing that this program supports: TLS 1.2 or 1.3 with AES-GCM or ChaCha20",
    false => "offers nothing that this program supports: TLS 1.2 or 1.3 with AES-GCM, and P-256",
};

/// What else a server ends TLS for.
#[test]
fn servers_that_want_something_else() {
    trusting("servers_that_want_something_else", |pki| {
        pki.issue("p256", P256, "trusted", "leaf", &[]);
        let certificate = "asks for a client certificate, which mingram does not have";
        pki.refused("p256", &["-tls1_3", "-Verify", "1"], certificate);
        pki.refused(
            "p256",
            &["-tls1_2", "-Verify", "1"],
            "or for a client certificate",
        );
        let name = &["-servername", "other.example", "-servername_fatal"];
        let name = [&name[..], &["-cert2", "p256.pem", "-key2", "p256.key"]].concat();
        pki.refused("p256", &name, "does not serve this host name");
        pki.refused(
            "p256",
            &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
            "supports neither TLS 1.2 nor TLS 1.3",
        );
    });
}

/// A server that asks for a new handshake when it has the request.
#[test]
fn servers_that_renegotiate() {
    trusting("servers_that_renegotiate", |pki| {
        pki.issue("p256", P256, "trusted", "leaf", &[]);
        // Commands of s_server; the second asks for a client certificate as well.
        for command in ["r\n", "R\n"] {
            let mut server = pki.start("p256", &["-tls1_2"], Stdio::piped());
            let api = api(&format!("https://localhost:{}", server.port));
            let error = std::thread::scope(|scope| {
                let call = scope.spawn(|| api.me("").unwrap_err());
                let request = server.lines.by_ref().map(Result::unwrap);
                assert!(request.into_iter().any(|line| line.starts_with("GET /me")));
                let mut input = server.child.stdin.take().unwrap();
                input.write_all(command.as_bytes()).unwrap();
                call.join().unwrap()
            });
            assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
            let message = error.to_string();
            println!("{message}");
            assert!(message.contains("asks to renegotiate"), "{message}");
            assert!(!message.contains("refused"), "{message}");
        }
    });
}

/// Servers with nothing that this program supports: the error says so.
#[test]
fn servers_that_offer_nothing_in_common() {
    trusting("servers_that_offer_nothing_in_common", |pki| {
        pki.issue("p256", P256, "trusted", "leaf", &[]);
        pki.issue("p521", P521, "trusted", "leaf", &[]);
        for version in ["-tls1_2", "-tls1_3"] {
            pki.refused("p521", &[version], NOTHING_IN_COMMON);
            pki.refused("p256", &[version, "-groups", "P-521"], NOTHING_IN_COMMON);
            pki.refused("p256", &[version, "-groups", "X25519"], NOTHING_IN_COMMON);
        }
    });
}
