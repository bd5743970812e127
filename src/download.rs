//! Files: streamed, verified, without the access token.

use crate::call::{Call, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::query::{Address, without_fragment};
use crate::redact::redact;
use crate::reply::{check_coding, cut_short, read_body, retry_after, short, shown};
use crate::transport::{Method, Response};
use std::fmt;
use std::io::{self, Read, Write};

/// So much of a refusal's body is read, in bytes, for its excerpt.
const REFUSAL: usize = 64 * 1024;

/// Told the bytes of the file that are there, and all it will have.
type Progress<'a> = dyn FnMut(u64, Option<u64>) + 'a;

/// A download about to begin: see [`Api::file`](crate::Api::file).
///
/// ```no_run
/// # fn main() -> mingram::Result<()> {
/// # let api = mingram::Api::new("IGQVJ...");
/// # let (url, mut file) = ("https://cdn.example/v/a.jpg", Vec::new());
/// let bytes = api
///     .file(url)
///     .on_progress(|done, total| eprint!("\r{done} of {total:?}"))
///     .write_to(&mut file)?;
/// # Ok(()) }
/// ```
#[must_use = "nothing is sent until `open` or `write_to`"]
pub struct Download<'a> {
    settings: &'a Settings,
    url: &'a str,
    from: u64,
    accept_unknown_length: bool,
    progress: Option<Box<Progress<'a>>>,
}

impl<'a> Download<'a> {
    pub(crate) fn new(settings: &'a Settings, url: &'a str) -> Download<'a> {
        Download {
            settings,
            url,
            from: 0,
            accept_unknown_length: false,
            progress: None,
        }
    }

    /// Asks for the rest alone, from this byte on, where the server can do
    /// that. Look at [`Body::start`] for what it did. Default: 0, all of it.
    pub fn resume_from(mut self, byte: u64) -> Download<'a> {
        self.from = byte;
        self
    }

    /// Takes a file that came without a length, or a part whose range does not
    /// say how long the file is, though nobody can tell then whether it is
    /// whole. Default: an error,
    /// [`ErrorKind::UnknownLength`](crate::ErrorKind::UnknownLength).
    pub fn accept_unknown_length(mut self) -> Download<'a> {
        self.accept_unknown_length = true;
        self
    }

    /// Called by [`write_to`](Download::write_to) after each piece, with the
    /// bytes of the file that are there and, where known, all it will have.
    pub fn on_progress(mut self, progress: impl FnMut(u64, Option<u64>) + 'a) -> Download<'a> {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Sends the request and waits for the headers; the file is then read from
    /// the [`Body`].
    ///
    /// # Errors
    ///
    /// As for [`Api::download`](crate::Api::download), but for those of the
    /// file itself.
    pub fn open(&self) -> Result<Body> {
        let address = Address::parse(self.url).map_err(|fault| {
            Error::invalid(format!("the address of the file is not usable: {fault}"))
        })?;
        let name = format!("GET {}", address.without_query());
        let url = without_fragment(self.url).to_owned();
        let mut call = self.settings.call(Method::Get, name, url)?;
        call.retries = self.settings.retries;
        call.timeout = self.settings.download_timeout;
        call.private = false;
        call.range_from = self.from;
        // A caller's mistake, but then the token must not show.
        call.secrets.push(self.settings.token.expose());
        self.settings.retrying(&call, || {
            self.settings
                .open(&call)
                .and_then(|response| self.body(&call, response))
        })
    }

    /// Downloads into `writer`; answers how many bytes of the file are there
    /// now, those before [`resume_from`](Download::resume_from) included.
    ///
    /// # Errors
    ///
    /// As for [`Api::download`](crate::Api::download). Where the rest alone was
    /// asked for and all of it came, nothing is written:
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput); use
    /// [`open`](Download::open) and [`Body::write_to`] to be ready for both.
    pub fn write_to(mut self, writer: &mut dyn Write) -> Result<u64> {
        let mut body = self.open()?;
        if body.start() != self.from {
            let message = "the server sends the whole file only: begin again with an empty one";
            return Err(Error::invalid(message).in_call(&body.name, &[]));
        }
        let mut pieces = Pieces {
            writer,
            progress: self.progress.as_deref_mut(),
            position: body.position(),
            total: body.total(),
        };
        body.write_to(&mut pieces)
    }

    fn body(&self, call: &Call<'_>, response: Response) -> Result<Body> {
        check_coding(&response)?;
        let announced = response.length();
        let (start, end, total) = match response.status {
            200 => (0, announced, announced),
            206 => match response.header("content-range").and_then(content_range) {
                Some((start, _, _)) if start != self.from => {
                    return Err(Error::new(
                        ErrorKind::Malformed,
                        "the server sent another part than was asked for",
                    ));
                }
                Some((start, end, total)) if total.is_none_or(|total| total == end) => {
                    if announced.is_some_and(|length| length != end - start) {
                        let message = "the length of the part is not the one its range announces";
                        return Err(Error::new(ErrorKind::Malformed, message));
                    }
                    (start, Some(end), total)
                }
                Some(_) => {
                    return Err(Error::new(
                        ErrorKind::Malformed,
                        "the server sent less than the rest of the file",
                    ));
                }
                None => {
                    return Err(Error::new(
                        ErrorKind::Malformed,
                        "a part (HTTP 206) without a readable range",
                    ));
                }
            },
            status => {
                let wait = retry_after(&response);
                let content_type = response.header("content-type").unwrap_or("no content type");
                let content_type = shown(content_type, &call.secrets);
                let text = match read_body(response, REFUSAL) {
                    Ok(body) => String::from_utf8_lossy(&body).into_owned(),
                    // The time is used up: no refusal to be tried again.
                    Err(error) if error.is_timeout() => return Err(error.with_status(status)),
                    Err(_) => String::new(),
                };
                let message = format!("HTTP {status} ({content_type}): {}", call.excerpt(&text));
                return Err(Error::new(ErrorKind::Status, message)
                    .with_status(status)
                    .with_retry_after(wait));
            }
        };
        if total.is_none() && !self.accept_unknown_length {
            let message = "the server does not say how long the file is, so nobody can tell whether it is whole";
            return Err(Error::new(ErrorKind::UnknownLength, message).with_status(response.status));
        }
        let content_type = response.header("content-type").map(str::to_owned);
        Ok(Body {
            name: redact(&call.name, &call.secrets),
            content_type,
            start,
            position: start,
            end,
            total,
            announced: announced.is_some(),
            inner: response.body,
        })
    }
}

/// `bytes 5-9/10` as first byte, end and total.
fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, end) = (
        first.parse::<u64>().ok()?,
        last.parse::<u64>().ok()?.checked_add(1)?,
    );
    let total = if total == "*" {
        None
    } else {
        Some(total.parse().ok()?)
    };
    (first < end).then_some((first, end, total))
}

impl fmt::Debug for Download<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        f.debug_struct("Download")
            .field("url", &redact(url, &[self.settings.token.expose()]))
            .field("resume_from", &self.from)
            .finish_non_exhaustive()
    }
}

/// A file as it comes. Reading ends in an error, and not in an end, where the
/// connection ends before the announced length; the [`io::Error`] holds an
/// [`Error`], and `Error::from` takes it out. [`write_to`](Body::write_to) does
/// that by itself.
pub struct Body {
    name: String,
    content_type: Option<String>,
    start: u64,
    position: u64,
    end: Option<u64>,
    /// The same, but for a range that does not say how long the file is.
    total: Option<u64>,
    /// By its own length, and not by its range alone.
    announced: bool,
    inner: Box<dyn Read + Send>,
}

impl Body {
    /// The byte of the file that this begins with: what was asked for, or 0
    /// where the server sends the whole file only.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The bytes of the file that are behind it: the start, and all that was
    /// read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The length of the whole file; `None` only where
    /// [`accept_unknown_length`](Download::accept_unknown_length) was set.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// What the server says it is, as `image/jpeg`.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Reads all that is left into `writer`, through 32 KiB, and answers how
    /// many bytes of the file are behind it then.
    ///
    /// # Errors
    ///
    /// As for [`Api::download`](crate::Api::download); [`io::copy`] would not
    /// say whether the connection failed or the writer.
    pub fn write_to(&mut self, writer: &mut dyn Write) -> Result<u64> {
        let mut piece = vec![0; 32 * 1024];
        loop {
            let length = match self.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::from(error)),
            };
            writer
                .write_all(&piece[..length])
                .map_err(|error| self.not_written(error))?;
        }
        writer.flush().map_err(|error| self.not_written(error))?;
        Ok(self.position)
    }

    fn not_written(&self, error: io::Error) -> Error {
        let message = format!(
            "the file could not be written after {} bytes: {error}",
            self.position
        );
        Error::new(ErrorKind::Io, message)
            .with_source(error)
            .in_call(&self.name, &[])
    }
}

/// The writer of [`Download::write_to`], which tells how far it is.
struct Pieces<'w, 'p, 'a> {
    writer: &'w mut dyn Write,
    progress: Option<&'p mut Progress<'a>>,
    position: u64,
    total: Option<u64>,
}

impl Write for Pieces<'_, '_, '_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.writer.write_all(piece)?;
        self.position += piece.len() as u64;
        if let Some(progress) = &mut self.progress {
            progress(self.position, self.total);
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.end.map_or(u64::MAX, |end| end - self.position);
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        if room == 0 {
            if self.announced && !buf.is_empty() {
                // The transport is to see the end too, or it could not use the
                // connection again. Without a length there may be more to wait
                // for: a last chunk, or a close.
                let _ = self.inner.read(&mut [0]);
            }
            return Ok(0);
        }
        let failed = |error: Error| io::Error::other(error.in_call(&self.name, &[]));
        match self.inner.read(&mut buf[..room]) {
            Ok(0) => match self.end {
                Some(end) => Err(failed(short(self.position, end))),
                None => Ok(0),
            },
            Ok(length) => {
                self.position += length as u64;
                Ok(length)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(failed(cut_short(error, self.position, self.end))),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("start", &self.start)
            .field("position", &self.position)
            .field("total", &self.total)
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::content_range;

    #[test]
    fn reads_content_ranges() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, 10, Some(10))));
        assert_eq!(content_range("bytes 0-0/*"), Some((0, 1, None)));
        for bad in [
            "",
            "bytes */10",
            "bytes 9-5/10",
            "bytes 5-/10",
            "items 1-2/3",
            "bytes 0-18446744073709551615/1",
        ] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }
}
