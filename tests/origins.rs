//! Which host a request goes to, and how: each origin has its own connections, the token
//! travels to the configured host alone, and in plain text never off this machine.

mod common;

use common::replay::{Received, TOKEN, read_request};
use common::{Server, json, reply};
use mingram::auth::{App, Code};
use mingram::insights::Metric;
use mingram::transport::{Request, Response, Transport};
use mingram::{Api, ErrorKind, Result};
use std::collections::BTreeSet;
use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};

const ID: &str = r#"{"id":"1"}"#;

/// A server that keeps its connections, answers everything with the same, and notes it.
fn patient() -> (Server, Arc<Mutex<Vec<Received>>>) {
    let heard = Arc::<Mutex<Vec<Received>>>::default();
    let notes = heard.clone();
    let server = Server::start(move |request, stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut request = request.clone();
        loop {
            notes.lock().unwrap().push(request);
            let _ = stream.write_all(json("200 OK", ID).as_bytes());
            match read_request(&mut reader) {
                Ok(Some(next)) => request = next,
                _ => return,
            }
        }
    });
    (server, heard)
}

fn file(api: &Api, url: &str) -> Result<u64> {
    let download = api.download(url).accept_any_type();
    download.write_to(io::sink())
}

/// Two servers in turn on one `Api`, while the connections to both are kept: calls and their
/// token on one, files on the other. Neither ever hears what is meant for the other.
#[test]
fn kept_connections_stay_with_their_host() {
    let (graph, of_graph) = patient();
    let (files, of_files) = patient();
    let api = graph.api();
    let url = format!("{}/f", files.url());
    for _ in 0..5 {
        assert_eq!(api.me("").unwrap().id, "1");
        assert_eq!(file(&api, &url).unwrap(), ID.len() as u64);
        file(&api, &url).unwrap();
    }
    // A clone has the same connections, another host and another token.
    let other = api
        .clone()
        .with_base_url(files.url())
        .with_token("IGQVJother");
    other.me("").unwrap();
    api.me("").unwrap();

    let (of_graph, of_files) = (of_graph.lock().unwrap(), of_files.lock().unwrap());
    let mine = format!("/me?access_token={TOKEN}");
    assert_eq!((of_graph.len(), of_files.len()), (6, 11));
    for request in of_graph.iter() {
        assert_eq!(request.target, mine);
        assert_eq!(format!("http://{}", request.host()), graph.url());
    }
    for (at, request) in of_files.iter().enumerate() {
        let wanted = if at < 10 {
            "/f"
        } else {
            "/me?access_token=IGQVJother"
        };
        assert_eq!(request.target, wanted);
        assert_eq!(format!("http://{}", request.host()), files.url());
    }
}

/// What makes another origin: the scheme, the name and the port. Each has connections of its
/// own, though all of these lead to one server.
#[test]
fn every_part_of_an_origin_counts() {
    let (server, heard) = patient();
    let at = |scheme: &str, host: &str| format!("{scheme}://{host}:{}", server.port());
    let api = server.api();
    api.me("").unwrap();
    api.me("").unwrap();
    let kept = usize::from(common::DIRECT);
    assert_eq!(server.connections(), 2 - kept);
    // Without TLS on the other side nothing is sent, though a plain connection is there.
    #[cfg(any(feature = "https", feature = "keep-alive", feature = "platform-roots"))]
    {
        let secret = api.clone().with_base_url(at("https", "127.0.0.1"));
        assert!(secret.me("").is_err());
        assert_eq!(heard.lock().unwrap().len(), 2);
    }
    let before = server.connections();
    let named = api.clone().with_base_url(at("http", "localhost"));
    named.me("").unwrap();
    assert_eq!(server.connections(), before + 1);
    // The case of a name makes no other host.
    let loud = api.clone().with_base_url(at("http", "LocalHost"));
    loud.me("").unwrap();
    assert_eq!(server.connections(), before + 2 - kept);
    let heard = heard.lock().unwrap();
    let hosts: BTreeSet<String> = heard.iter().map(|request| request.host().into()).collect();
    let named = format!("localhost:{}", server.port());
    assert!(hosts.contains(&named), "{hosts:?}");
}

/// A redirect of a file leads to another server: its `Host` and its connection are its own.
#[test]
fn a_redirect_has_the_host_it_leads_to() {
    let (files, of_files) = patient();
    let target = format!("{}/f?a=b", files.url());
    let first = Server::script([reply("302 Found", &[("Location", &target)], "")]);
    file(&first.api(), &format!("{}/moved", first.url())).unwrap();
    let of_files = of_files.lock().unwrap();
    assert_eq!(of_files[0].target, "/f?a=b");
    assert_eq!(format!("http://{}", of_files[0].host()), files.url());
    assert_eq!(
        format!("http://{}", first.received()[0].host()),
        first.url()
    );
}

/// Notes the URL of each request and answers it.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn api(&self) -> Api {
        Api::new(TOKEN).with_transport(self.clone()).with_retries(0)
    }
}

impl Transport for Heard {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        self.0.lock().unwrap().push(request.url.to_owned());
        let body = br#"{"id":"1","access_token":"IGnew"}"#;
        Ok(Response::new(200, Vec::new(), &body[..]))
    }
}

/// The hosts to which plain http may be spoken, and all kinds that are like them.
fn hosts() -> Vec<(String, bool)> {
    let mut hosts: Vec<(String, bool)> = Vec::new();
    // Every first byte of an IPv4 address, and both ends of the block.
    for first in 0..=255 {
        for rest in ["0.0.0", "0.0.1", "255.255.255"] {
            hosts.push((format!("{first}.{rest}"), first == 127));
        }
    }
    let ipv6 = [
        "::1",
        "0:0:0:0:0:0:0:1",
        "::",
        "::2",
        "::11",
        "1::",
        "1::1",
        "::1:1",
        "fe80::1",
        "fc00::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::127.0.0.1",
        "::ffff:7f00:1",
    ];
    hosts.extend(ipv6.map(|ip| (format!("[{ip}]"), ip == "::1")));
    for name in ["localhost", "LOCALHOST", "LocalHost"] {
        hosts.push((name.to_owned(), true));
    }
    let others = [
        // Names that only look so.
        "localhost.",
        "localhost.evil.example",
        "evil.localhost",
        "notlocalhost",
        "localhos",
        "localhostt",
        "local-host",
        "localhost.localdomain",
        "127.0.0.1.evil.example",
        "127.0.0.1.nip.io",
        "127-0-0-1.evil.example",
        "graph.instagram.com",
        "loopback",
        "ip6-localhost",
        // Other ways to write the number, which some resolvers know.
        "127.1",
        "127.0.1",
        "127",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "127.0.0.01",
        "127.0.0.1.",
        "127.0.0.256",
        "127.0.0.1.1",
        "127.0.0",
        "017700000001",
        "::1",
        "[127.0.0.1]",
        "[localhost]",
        "[::1%25lo]",
        "[::1",
        "::1]",
        "[]",
        "",
        "127.0.0.1@evil.example",
        "evil.example@127.0.0.1",
        "localhost%2eevil.example",
        "127。0。0。1",
        "①②⑦.0.0.1",
        "ⓛocalhost",
    ];
    hosts.extend(others.map(|name| (name.to_owned(), false)));
    hosts
}

/// Plain http is spoken with this machine and with nobody else: nothing is sent to any other
/// host, neither by a call with the token nor by a login with its code, nor for a file.
#[test]
fn plain_http_stays_on_this_machine() {
    let app = App::new("1", "SECRET", "https://x.example/");
    for (host, local) in hosts() {
        let heard = Heard::default();
        for url in [format!("http://{host}"), format!("HTTP://{host}:8080/a")] {
            let api = heard.api().with_base_url(&url).with_login_url(&url);
            let results = [
                api.me("").map(drop),
                api.refresh_token().map(drop),
                api.exchange_code(&app, &Code::new("C")).map(drop),
                file(&api, &url).map(drop),
            ];
            let sent = heard.take();
            // The file has no length, which is found after it was requested.
            assert_eq!(sent.len(), if local { 4 } else { 0 }, "{url}: {sent:?}");
            for result in results {
                let kind = result.as_ref().map_err(mingram::Error::kind);
                let refused = kind == Err(ErrorKind::InvalidInput);
                assert_eq!(refused, !local, "{url}: {result:?}");
            }
        }
    }
    // The table against the standard library's own judgement.
    for (host, local) in hosts() {
        let v4 = host.parse::<Ipv4Addr>().map(|ip| ip.is_loopback());
        let text = host.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
        let v6 = text.and_then(|ip| ip.parse::<Ipv6Addr>().ok());
        if let Ok(wanted) = v4 {
            assert_eq!(local, wanted, "{host}");
        }
        if local && v4.is_err() && !host.eq_ignore_ascii_case("localhost") {
            assert!(v6.unwrap().is_loopback(), "{host}");
        }
    }
}

/// A file on this machine is requested only if the base URL leads here too: its URL comes
/// from a reply.
#[test]
fn a_reply_does_not_lead_to_this_machine() {
    for (base, allowed) in [
        ("http://127.0.0.1:9", true),
        ("http://localhost:9", true),
        ("http://[::1]:9", true),
        ("https://127.0.0.1", true),
        ("https://graph.instagram.com", false),
        ("https://128.0.0.1", false),
        ("https://[::2]", false),
        ("https://localhost.example", false),
    ] {
        let heard = Heard::default();
        let api = heard.api().with_base_url(base);
        let _ = file(&api, "http://127.0.0.1:631/f");
        assert_eq!(heard.take().len(), usize::from(allowed), "{base}");
        let _ = file(&api, "https://127.0.0.1/f");
        assert_eq!(heard.take().len(), 1, "{base}");
    }
}

/// A slash at the end of a base URL is no part of it, and a path before it is.
#[test]
fn base_urls_with_slashes() {
    let app = App::new("1", "SECRET", "https://x.example/");
    for (base, wanted) in [
        ("https://h.example", "https://h.example"),
        ("https://h.example/", "https://h.example"),
        ("https://h.example//", "https://h.example"),
        ("https://h.example:8443/", "https://h.example:8443"),
        ("https://h.example/a/b", "https://h.example/a/b"),
        ("https://h.example/a/b/", "https://h.example/a/b"),
        ("https://[2001:db8::1]/", "https://[2001:db8::1]"),
    ] {
        let heard = Heard::default();
        let api = heard.api().with_base_url(base).with_login_url(base);
        api.me("").unwrap();
        api.clone().with_version("v25.0").me("").unwrap();
        api.exchange_token(&app).unwrap();
        api.exchange_code(&app, &Code::new("C")).unwrap();
        let sent = heard.take();
        let paths: Vec<&str> = sent
            .iter()
            .map(|url| url.split('?').next().unwrap())
            .collect();
        let paths_wanted = ["me", "v25.0/me", "access_token", "oauth/access_token"];
        let paths_wanted = paths_wanted.map(|path| format!("{wanted}/{path}"));
        assert_eq!(paths, paths_wanted, "{base}");
    }
}

/// A version is `v`, one to four digits, a dot and one to four digits. Nothing else reaches
/// the path of a request that carries the token.
#[test]
fn versions() {
    let path = |version: &str| {
        let heard = Heard::default();
        let result = heard.api().with_version(version).me("");
        let sent = heard.take();
        match result {
            Ok(_) => Some(sent.into_iter().next().unwrap()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
                assert!(sent.is_empty(), "{version}: {sent:?}");
                None
            }
        }
    };
    for good in ["v1.0", "v25.0", "v25.12", "v0.0", "v9999.9999", "v100.0"] {
        let url = format!("https://graph.instagram.com/{good}/me?access_token={TOKEN}");
        assert_eq!(path(good), Some(url));
    }
    for bad in [
        "",
        "v",
        "25",
        "25.0",
        "v25",
        "v25.",
        "v.0",
        "v.",
        "V25.0",
        "vv25.0",
        " v25.0",
        "v25.0 ",
        "v25.0/",
        "/v25.0",
        "v25/../me.0",
        "v25.0/../me",
        "v../0",
        "v..",
        "v25..0",
        "v25.0.0",
        "v25,0",
        "v-1.0",
        "v+1.0",
        "v1.-0",
        "v1.+0",
        "v1e1.0",
        "v0x1.0",
        "v12345.0",
        "v1.12345",
        "v25.0?a=b",
        "v25.0#a",
        "v25?.0",
        "v25#.0",
        "v25%2e0",
        "v25.0%2f..",
        "v25.0\n",
        "v25.\t0",
        "v２５.0",
        "v25.٠",
        "va.b",
        "v2a.0",
        "v25.0b",
        "me",
        ".",
        "..",
        "v25\\..0",
        "v25.0@x",
    ] {
        assert_eq!(path(bad), None, "{bad:?}");
    }
    // Every byte in every place of a good one.
    for at in 0..=5 {
        for byte in 0..128_u8 {
            let mut version = "v25.0".to_owned();
            version.insert(at, char::from(byte));
            let good = byte.is_ascii_digit() && at > 0;
            assert_eq!(path(&version).is_some(), good, "{version:?}");
        }
    }
}

/// A URL may have 32 KiB, to the byte, whatever makes it long.
#[test]
fn the_longest_url() {
    const MOST: usize = 32 * 1024;
    let base = format!("https://graph.instagram.com/me?a=&access_token={TOKEN}").len();
    for (length, fits) in [(MOST - 1, true), (MOST, true), (MOST + 1, false)] {
        let heard = Heard::default();
        let value = "x".repeat(length - base);
        let result = heard.api().node::<mingram::User>("me", &[("a", &value)]);
        assert_eq!(result.is_ok(), fits, "{length}: {result:?}");
        let url = format!("https://h.example/{}", "x".repeat(length - 18));
        let _ = file(&heard.api(), &url);
        let lengths: Vec<usize> = heard.take().iter().map(String::len).collect();
        let wanted = if fits { vec![length; 2] } else { Vec::new() };
        assert_eq!(lengths, wanted);
    }
}

/// Redirects everything to one place, and notes where requests go.
#[derive(Clone)]
struct Astray(String, Arc<Mutex<Vec<String>>>);

impl Transport for Astray {
    fn send(&self, request: &Request<'_>) -> Result<Response> {
        self.1.lock().unwrap().push(request.url.to_owned());
        let location = vec![("Location".to_owned(), self.0.clone())];
        Ok(Response::new(302, location, &b""[..]))
    }
}

/// No call and no login follows a redirect to another origin, whatever differs: its URL has
/// the token or the secret in it.
#[test]
fn no_redirect_leads_a_secret_astray() {
    let app = App::new("1", "SECRET", "https://x.example/");
    type Send<'a> = &'a dyn Fn(&Api) -> Result<()>;
    let calls: [Send<'_>; 6] = [
        &|api| api.me("").map(drop),
        &|api| api.my_media("").pages().next().unwrap().map(drop),
        &|api| api.media_insights("1", &[Metric::Reach]).map(drop),
        &|api| api.refresh_token().map(drop),
        &|api| api.exchange_token(&app).map(drop),
        &|api| api.exchange_code(&app, &Code::new("C")).map(drop),
    ];
    let secrets = format!("?access_token={TOKEN}&client_secret=SECRET");
    for to in [
        "https://evil.example/",
        "//evil.example/",
        "https://127.0.0.1/",
        "https://127.0.0.1:8443/",
        "https://127.0.0.1:8442/",
        "https://127.0.0.2:8443/",
        "https://localhost:8443/",
        "https://127.0.0.1:8443.evil.example/",
        "https://127.0.0.1:8443@evil.example/",
        "http://127.0.0.1:8443/",
        "http://localhost/",
        "\\\\evil.example\\",
        "ftp://127.0.0.1:8443/",
    ] {
        for base in ["https://127.0.0.1:8443", "http://127.0.0.1:8443"] {
            if to.strip_prefix(base) == Some("/") {
                continue;
            }
            for to in [to.to_owned(), format!("{to}{secrets}")] {
                for (at, call) in calls.iter().enumerate() {
                    let own = Astray(to.clone(), Arc::default());
                    let api = Api::new(TOKEN).with_transport(own.clone()).with_retries(0);
                    let error = call(&api.with_base_url(base).with_login_url(base)).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Redirect, "{at} {to}: {error}");
                    let sent = own.1.lock().unwrap();
                    assert_eq!(sent.len(), 1, "{at} {to}: {sent:?}");
                }
            }
        }
    }
}

/// The same origin, written in other ways: such a redirect is followed.
#[test]
fn a_redirect_to_the_same_origin() {
    for (base, to) in [
        ("https://h.example", "https://H.Example/a"),
        ("https://H.EXAMPLE", "https://h.example/a"),
        ("https://h.example", "HTTPS://h.example:443/a"),
        ("https://h.example:443", "https://h.example/a"),
        ("http://localhost", "http://LOCALHOST:80/a"),
        ("https://h.example", "//h.example/a"),
        ("https://h.example", "/a"),
    ] {
        let own = Astray(to.to_owned(), Arc::default());
        let api = Api::new(TOKEN).with_transport(own.clone()).with_retries(0);
        // It leads to itself for ever, which ends after five.
        api.with_base_url(base).me("").unwrap_err();
        assert_eq!(own.1.lock().unwrap().len(), 6, "{base} {to}");
    }
}

/// A file may move to any host, but not from https to plain http, even on this machine.
#[test]
fn a_file_that_is_encrypted_stays_so() {
    for (from, to, followed) in [
        ("https://h.example/f", "https://other.example/f", true),
        ("https://127.0.0.1/f", "http://127.0.0.1/f", false),
        ("https://h.example/f", "http://localhost/f", false),
        ("https://h.example/f", "http://h.example/f", false),
        ("http://127.0.0.1/f", "https://h.example/f", true),
        ("http://127.0.0.1/f", "http://localhost/f", true),
        ("http://127.0.0.1/f", "http://h.example/f", false),
    ] {
        let own = Astray(to.to_owned(), Arc::default());
        let api = Api::new(TOKEN).with_transport(own.clone()).with_retries(0);
        let error = file(&api.with_base_url("http://127.0.0.1:9"), from).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Redirect, "{error}");
        let sent = own.1.lock().unwrap();
        assert_eq!(sent.contains(&to.to_owned()), followed, "{from} {to}");
        assert!(!sent.iter().any(|url| url.contains(TOKEN)), "{sent:?}");
    }
}
