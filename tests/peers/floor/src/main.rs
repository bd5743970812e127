//! Own profile, then media in pages of 100, printed. With rustls and miniserde, and
//! the HTTP written by hand: what this stack weighs at least.

#[allow(dead_code, reason = "read, not used")]
#[path = "../../model/mini.rs"]
mod model;

#[cfg(feature = "lean")]
#[path = "../../../../src/http/tls/provider.rs"]
mod provider;

use miniserde::{Deserialize, json};
use model::{Failure, MEDIA_FIELDS, Page, USER_FIELDS, User};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

struct Client {
    tls: Arc<ClientConfig>,
    base: String,
    token: String,
}

impl Client {
    fn get<T: Deserialize>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, Box<dyn Error>> {
        let (https, rest) = match self.base.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err("the address is neither http nor https".into()),
        };
        let (host, port) = match rest.split_once(':') {
            Some((host, port)) => (host, port.parse()?),
            None => (rest, if https { 443 } else { 80 }),
        };
        let mut request = format!("GET {path}?access_token=");
        encode(&mut request, &self.token);
        for (name, value) in query {
            request.push('&');
            request.push_str(name);
            request.push('=');
            encode(&mut request, value);
        }
        request.push_str(" HTTP/1.1\r\nHost: ");
        request.push_str(rest);
        request.push_str("\r\nAccept: */*\r\nConnection: close\r\n\r\n");

        let mut stream = TcpStream::connect((host, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        let mut reply = Vec::new();
        if https {
            let name = ServerName::try_from(host.to_owned())?;
            let connection = ClientConnection::new(self.tls.clone(), name)?;
            let mut stream = StreamOwned::new(connection, stream);
            stream.write_all(request.as_bytes())?;
            stream.read_to_end(&mut reply)?;
        } else {
            stream.write_all(request.as_bytes())?;
            stream.read_to_end(&mut reply)?;
        }
        let (status, body) = split(reply)?;
        let text = std::str::from_utf8(&body)?;
        if status != 200 {
            return Err(match json::from_str::<Failure>(text) {
                Ok(Failure { error }) => format!("error {}: {}", error.code, error.message).into(),
                Err(_) => format!("HTTP {status}").into(),
            });
        }
        Ok(json::from_str(text)?)
    }
}

fn encode(out: &mut String, text: &str) {
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~,".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(b"0123456789ABCDEF"[usize::from(digit)] as char);
            }
        }
    }
}

/// Status and whole body of a reply, whether it has a length or comes in chunks.
fn split(mut reply: Vec<u8>) -> Result<(u16, Vec<u8>), Box<dyn Error>> {
    let short = "the reply is not complete";
    let end = reply
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .ok_or(short)?;
    let head = std::str::from_utf8(&reply[..end])?;
    let status = head.get(9..12).ok_or(short)?.parse()?;
    let (mut length, mut chunked) = (None, false);
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse::<usize>()?);
        }
        chunked |= name.eq_ignore_ascii_case("transfer-encoding");
    }
    reply.drain(..end + 4);
    if !chunked {
        return match length {
            Some(length) if reply.len() < length => Err(short.into()),
            _ => Ok((status, reply)),
        };
    }
    let (mut body, mut rest) = (Vec::new(), &reply[..]);
    loop {
        let line = rest.windows(2).position(|w| w == b"\r\n").ok_or(short)?;
        let size = std::str::from_utf8(&rest[..line])?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
        if size == 0 {
            return Ok((status, body));
        }
        rest = &rest[line + 2..];
        body.extend_from_slice(rest.get(..size).ok_or(short)?);
        rest = rest.get(size + 2..).ok_or(short)?;
    }
}

fn config() -> Result<Arc<ClientConfig>, rustls::Error> {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    #[cfg(feature = "lean")]
    let provider = Arc::new(provider::provider());
    #[cfg(not(feature = "lean"))]
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let count = std::env::args().nth(1).map_or(Ok(250), |n| n.parse())?;
    let client = Client {
        tls: config()?,
        base: std::env::var("INSTAGRAM_URL").unwrap_or("https://graph.instagram.com".into()),
        token: std::env::var("INSTAGRAM_TOKEN")?,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let me: User = client.get("/me", &[("fields", USER_FIELDS)])?;
    me.print(&mut out)?;
    let (mut left, mut after) = (count, String::new());
    while left > 0 {
        let mut query = vec![("fields", MEDIA_FIELDS), ("limit", "100")];
        if !after.is_empty() {
            query.push(("after", &after));
        }
        let mut page: Page = client.get("/me/media", &query)?;
        for media in page.data.iter().take(left) {
            media.print(&mut out)?;
        }
        left = left.saturating_sub(page.data.len());
        match page.next() {
            Some(cursor) => after = cursor,
            None => break,
        }
    }
    out.flush()?;
    Ok(())
}
