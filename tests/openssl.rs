//! Handshakes and certificates against `openssl s_server`, a TLS that shares no code
//! with this program. The certificates come from the `openssl` command as well.
#![cfg(all(feature = "platform-roots", not(feature = "https")))]

mod common;

use common::{api, in_a_child};
use mingram::ErrorKind;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
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

    fn server(&self, name: &str, options: &[&str]) -> Server {
        let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-HTTP"])
            .args(["-key", &key, "-cert", &pem])
            .args(options)
            .current_dir(&self.0)
            .stdin(Stdio::null())
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
        }
    }

    fn me(&self, name: &str, options: &[&str]) -> mingram::Result<String> {
        let server = self.server(name, options);
        let api = api(&format!("https://localhost:{}", server.port));
        let api = api.with_timeout(Duration::from_secs(20));
        Ok(api.me(&[])?.id)
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
        for (name, of) in [("p256", "ECDSA"), ("rsa", "RSA")] {
            for size in ["128", "256"] {
                let hash = if size == "128" { "256" } else { "384" };
                let cipher = format!("ECDHE-{of}-AES{size}-GCM-SHA{hash}");
                pki.accepted(name, &["-tls1_2", "-cipher", &cipher]);
                let suite = format!("TLS_AES_{size}_GCM_SHA{hash}");
                pki.accepted(name, &["-tls1_3", "-ciphersuites", &suite]);
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
        pki.refused("sha1", weak, "certificate is invalid");
        pki.issue("short", &["rsa:1024"], "trusted", "leaf", &[]);
        pki.refused("short", weak, "certificate is invalid");
    });
}

/// Servers with nothing that this program supports: the error says so.
#[test]
fn servers_that_offer_nothing_in_common() {
    trusting("servers_that_offer_nothing_in_common", |pki| {
        let nothing = "or offers nothing that this program supports: TLS 1.2 or 1.3 with AES-GCM";
        pki.issue("p256", P256, "trusted", "leaf", &[]);
        pki.issue("p521", P521, "trusted", "leaf", &[]);
        pki.refused("p256", &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], nothing);
        for version in ["-tls1_2", "-tls1_3"] {
            pki.refused("p521", &[version], nothing);
            pki.refused("p256", &[version, "-groups", "P-521"], nothing);
            pki.refused("p256", &[version, "-groups", "X25519"], nothing);
        }
        let suite = "TLS_CHACHA20_POLY1305_SHA256";
        pki.refused("p256", &["-tls1_3", "-ciphersuites", suite], nothing);
        let cipher = "ECDHE-ECDSA-CHACHA20-POLY1305";
        pki.refused("p256", &["-tls1_2", "-cipher", cipher], nothing);
    });
}
