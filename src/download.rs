//! Downloads: streamed and verified, without the access token.

use crate::atomic_file::AtomicFile;
use crate::client::body::{check_encoding, read_body, read_error, truncated};
use crate::client::call::{Call, Kind};
use crate::client::client::Client;
use crate::client::reply::{content_type, retry_after};
use crate::client::retry::Clock;
use crate::content::{begins_text, is_text_type};
use crate::error::{Error, ErrorKind, Result};
use crate::file_version::FileVersion;
use crate::http::transport::Response;
use crate::http::url::{Url, check_length, without_fragment};
use crate::redact::{redact, sanitize};
use std::fmt;
use std::io::{self, Read, Write};
use std::mem;
use std::path::Path;

/// Bytes of an error body that are read for an excerpt.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// The most bytes at the beginning of a file that are looked at.
const MAX_HEAD: usize = 512;

/// The size of the pieces that a file is copied in.
const PIECE: usize = 32 * 1024;

/// Called with the bytes downloaded so far and the total.
type Progress<'a> = dyn FnMut(u64, Option<u64>) + 'a;

/// A download that has not started yet: see [`Api::download`](crate::Api::download).
///
/// ```no_run
/// # fn main() -> mingram::Result<()> {
/// # let api = mingram::Api::new("IGQVJ...");
/// # let url = "https://cdn.example/v/a.jpg";
/// let saved = api
///     .download(url)
///     .on_progress(|done, total| eprint!("\r{done} of {total:?}"))
///     .save("a.jpg")?;
/// println!("{} bytes of {:?}", saved.length, saved.content_type);
/// # Ok(()) }
/// ```
///
/// # Content
///
/// A successful reply is refused if it cannot be a picture or video, before anything is
/// written. It is refused if it is empty, if its `Content-Type` is one of text (`text/*`,
/// HTML, XML including SVG, JSON, scripts, playlists, forms, multipart), and whatever its
/// type, if its first byte after white space is `<`, `{` or `[`, with which HTML, XML and JSON
/// begin. Without a type, and with any other one, only the first bytes count.
#[must_use = "nothing is sent until `save`, `write_to` or `open`"]
pub struct Download<'a> {
    client: &'a Client,
    url: &'a str,
    /// The first byte to request, and the version it must be from.
    resume: Option<(u64, &'a FileVersion)>,
    accept_unknown_length: bool,
    accept_any_type: bool,
    progress: Option<Box<Progress<'a>>>,
}

/// A file written by [`Download::save`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Saved {
    /// Its length in bytes.
    pub length: u64,
    /// The content type sent by the server, for example `image/jpeg`.
    pub content_type: Option<String>,
}

/// What [`Download::resume`] received. A body is of the version that [`Body::version`]
/// returns.
#[derive(Debug)]
#[non_exhaustive]
pub enum Resumed {
    /// The rest of the file: append it to the partial one.
    Rest(Body),
    /// The entire file: truncate the partial one first.
    Entire(Body),
    /// Nothing: the partial file is complete, and the server still has that version.
    Complete,
}

impl<'a> Download<'a> {
    pub(crate) fn new(client: &'a Client, url: &'a str) -> Download<'a> {
        Download {
            client,
            url,
            resume: None,
            accept_unknown_length: false,
            accept_any_type: false,
            progress: None,
        }
    }

    /// Requests only the bytes from this one on, if the file is still of this version, which
    /// an earlier download returned as [`Body::version`]. Default: the entire file. Call
    /// [`resume`](Download::resume) next.
    ///
    /// The server compares the version (`If-Range`), and so does mingram: a part must repeat
    /// the total and the validator. You get the entire file if its version is another one, if
    /// the part does not show which one it is, if the server does not send parts, and if there
    /// is no such byte. A partial file that has all bytes is
    /// [complete](Resumed::Complete) if the server answers that there are no more (416, with
    /// the same total), or begins to send the same version again.
    ///
    /// ```no_run
    /// # use mingram::Resumed;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (api, url) = (mingram::Api::new("IGQVJ..."), "https://cdn.example/v/a.mp4");
    /// let mut file = std::fs::OpenOptions::new().append(true).open("a.mp4.part")?;
    /// let version = std::fs::read_to_string("a.mp4.version")?.parse()?;
    /// let length = file.metadata()?.len();
    /// match api.download(url).resume_from(length, &version).resume()? {
    ///     Resumed::Rest(mut body) => body.write_to(&mut file)?,
    ///     Resumed::Entire(mut body) => {
    ///         file.set_len(0)?;
    ///         std::fs::remove_file("a.mp4.version")?;
    ///         if let Some(version) = body.version() {
    ///             std::fs::write("a.mp4.version", version.to_string())?;
    ///         }
    ///         body.write_to(&mut file)?
    ///     }
    ///     _ => length,
    /// };
    /// # Ok(()) }
    /// ```
    pub fn resume_from(mut self, byte: u64, version: &'a FileVersion) -> Download<'a> {
        self.resume = Some((byte, version));
        self
    }

    /// Accepts a file whose length is not known, although a truncated one cannot be
    /// recognised then. Default: such a file is an error,
    /// [`ErrorKind::UnknownLength`](crate::ErrorKind::UnknownLength).
    pub fn accept_unknown_length(mut self) -> Download<'a> {
        self.accept_unknown_length = true;
        self
    }

    /// Accepts files of any type, and empty ones. Default: what cannot be a picture or video
    /// is an error, [`ErrorKind::WrongContent`](crate::ErrorKind::WrongContent), because a
    /// network that requires a login answers with a page of its own. The
    /// [checks](Download#content) are described above.
    pub fn accept_any_type(mut self) -> Download<'a> {
        self.accept_any_type = true;
        self
    }

    /// Called by [`save`](Download::save) and [`write_to`](Download::write_to) after each
    /// piece, with the bytes of the file written so far and, if known, its length.
    pub fn on_progress(mut self, progress: impl FnMut(u64, Option<u64>) + 'a) -> Download<'a> {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Downloads to a file, replacing it if it exists. A symbolic link is replaced, not
    /// followed.
    ///
    /// The data is written to a temporary file in the same directory, which is checked for
    /// completeness, flushed to the disk and then renamed. After a crash or power cut the
    /// path holds the old file, the complete new one, or nothing if there was none. Several
    /// programs may save to the same path: each has its own temporary file, and the last one
    /// to finish counts.
    ///
    /// The temporary file is called `.NAME.RANDOM.tmp`: at most the first 100 bytes of the
    /// name, and 16 hexadecimal digits. A program that is killed leaves it behind, and nothing
    /// removes it: no program can know whether another one, in a container or on another
    /// host, is still writing it.
    ///
    /// # Errors
    ///
    /// As for [`write_to`](Download::write_to), and all of them name the path. On an error
    /// the path is unchanged and the temporary file is removed. Nothing is sent if the path
    /// cannot become a file ([`Io`](ErrorKind::Io)): it has no file name at its end, is a
    /// directory or a device, or is in a directory that is missing or not writable.
    /// [`InvalidInput`](ErrorKind::InvalidInput) if [`resume_from`](Download::resume_from)
    /// is set.
    pub fn save(self, path: impl AsRef<Path>) -> Result<Saved> {
        let (path, secret) = (path.as_ref(), self.client.token.expose());
        let saved = self.save_to(path);
        saved.map_err(|error| error.in_file(path, &[secret]))
    }

    fn save_to(self, path: &Path) -> Result<Saved> {
        if self.resume.is_some() {
            return Err(Error::invalid(
                "`save` writes entire files: use `resume` and your own file with `resume_from`",
            ));
        }
        let failed =
            |error: io::Error| Error::new(ErrorKind::Io, error.to_string()).with_source(error);
        let mut file = AtomicFile::create(path, 0o666).map_err(failed)?;
        let mut body = self.open()?;
        let length = body.copy(&mut file.file, self.progress)?;
        file.commit().map_err(failed)?.map_err(|error| {
            let message = format!("it is written, but may not survive a power cut: {error}");
            Error::new(ErrorKind::Io, message).with_source(error)
        })?;
        Ok(Saved {
            length,
            content_type: body.content_type,
        })
    }

    /// Downloads into `writer`, in pieces of 32 KiB. Returns the length of the file in
    /// bytes, including those before [`resume_from`](Download::resume_from).
    ///
    /// Nothing is retried once the first byte is written: after an error, `writer` holds
    /// a part of the file.
    ///
    /// # Errors
    ///
    /// Besides those of every call: [`Truncated`](ErrorKind::Truncated) if the connection
    /// ended early, [`UnknownLength`](ErrorKind::UnknownLength) if the file's length is not
    /// known, [`WrongContent`](ErrorKind::WrongContent) if it
    /// [cannot be](Download#content) a picture or video, [`Status`](ErrorKind::Status) if the
    /// server refused, and [`Io`](ErrorKind::Io) if `writer` failed. [`InvalidInput`](ErrorKind::InvalidInput),
    /// with nothing written, if the server sent the entire file in spite of
    /// [`resume_from`](Download::resume_from); use [`resume`](Download::resume) to handle
    /// both cases.
    pub fn write_to(self, writer: &mut dyn Write) -> Result<u64> {
        self.open()?.copy(writer, self.progress)
    }

    /// Sends the request, waits for the headers and the first bytes, and returns a reader for
    /// the file.
    ///
    /// # Errors
    ///
    /// As for [`write_to`](Download::write_to), without those of the writer.
    pub fn open(&self) -> Result<Body> {
        match self.request()? {
            Resumed::Entire(body) if self.resume.is_none_or(|(byte, _)| byte == 0) => Ok(body),
            Resumed::Rest(body) => Ok(body),
            Resumed::Entire(body) => {
                let message = "the file has changed, or the server only sends the entire file: start again with an empty one";
                Err(Error::invalid(message).in_call(&body.name, &[]))
            }
            Resumed::Complete => Err(Error::invalid("the file is complete already")),
        }
    }

    /// Like [`open`](Download::open), but takes the entire file if the server does not send
    /// the part that [`resume_from`](Download::resume_from) requests, and nothing if there
    /// are no more bytes. Without `resume_from`, and from byte 0, it is always the entire
    /// file.
    ///
    /// # Errors
    ///
    /// As for [`open`](Download::open), without [`InvalidInput`](ErrorKind::InvalidInput) for
    /// an entire file.
    pub fn resume(&self) -> Result<Resumed> {
        self.request()
    }

    fn request(&self) -> Result<Resumed> {
        let part = self
            .resume
            .filter(|(byte, version)| (1..=version.total()).contains(byte));
        let call = self.call(part)?;
        self.client.retrying(&call, || {
            let response = self.client.open(&call)?;
            let Some((byte, version)) = part else {
                return self.check(&call, None, response).map(Resumed::Entire);
            };
            if byte == version.total() && has_no_more(&response, version) {
                return Ok(Resumed::Complete);
            }
            if is_missing(&response, version) {
                // Closes its connection first.
                drop(response);
                let of_all = self.call(None)?;
                let response = self.client.open(&of_all)?;
                return self.check(&of_all, None, response).map(Resumed::Entire);
            }
            let body = self.check(&call, part, response)?;
            Ok(match body.start() {
                0 => Resumed::Entire(body),
                _ => Resumed::Rest(body),
            })
        })
    }

    /// The call for a part or for the entire file.
    fn call<'b>(&'b self, part: Option<(u64, &'b FileVersion)>) -> Result<Call<'b>> {
        let url = Url::parse(self.url)
            .map_err(|problem| Error::invalid(format!("the file's URL is invalid: {problem}")))?;
        self.client.check_download(&url)?;
        check_length(self.url)?;
        let name = format!("GET {}", url.without_query());
        let mut call = Call::get(Kind::Download, name, without_fragment(self.url).to_owned());
        if let Some((byte, version)) = part {
            (call.range_from, call.if_range) = (byte, Some(version.validator()));
        }
        // The token does not belong in a file's URL, but must not be shown if it is there.
        call.secrets.push(self.client.token.expose());
        Ok(call)
    }

    /// Checks that the response is the requested file or part.
    fn check(
        &self,
        call: &Call<'_>,
        part: Option<(u64, &FileVersion)>,
        response: Response,
    ) -> Result<Body> {
        check_encoding(&response)?;
        let from = part.map_or(0, |(byte, _)| byte);
        let (start, end, total) = match response.status {
            200 => (0, response.length(), response.length()),
            206 => extent(&response, from)?,
            _ => return Err(refused(call, response, &*self.client.clock)),
        };
        let version = match part {
            Some((_, version)) if start > 0 => Some(version.clone()),
            _ => total.and_then(|total| FileVersion::of(&response, total)),
        };
        let (status, has_length) = (response.status, response.length().is_some());
        let content_type = response.header("content-type").map(str::to_owned);
        let is_text = content_type.as_deref().is_some_and(is_text_type) && !self.accept_any_type;
        let mut body = Body {
            name: redact(&call.name, &call.secrets),
            content_type,
            version,
            start,
            position: start,
            end,
            total,
            has_length,
            inner: response.body,
        };
        if is_text {
            return Err(body.is_wrong(call).with_status(status));
        }
        if total.is_none() && !self.accept_unknown_length {
            let message = "the server did not send the file's length, so a truncated file could not be recognised";
            return Err(Error::new(ErrorKind::UnknownLength, message).with_status(status));
        }
        if start == 0 && !self.accept_any_type && !body.begins_well()? {
            return Err(body.is_wrong(call).with_status(status));
        }
        Ok(body)
    }
}

/// The first byte, the end and the total of a part that must reach from this byte to the end.
fn extent(response: &Response, from: u64) -> Result<(u64, Option<u64>, Option<u64>)> {
    let problem = match range(response) {
        None => "the server sent a part (HTTP 206) without a valid range",
        Some((start, ..)) if start != from => "the server sent another part than requested",
        Some((_, end, Some(total))) if total != end => {
            "the server sent less than the rest of the file"
        }
        Some((start, end, total)) => match response.length() {
            Some(length) if length != end - start => {
                "the part's content-length contradicts its range"
            }
            _ => return Ok((start, Some(end), total)),
        },
    };
    Err(Error::new(ErrorKind::Malformed, problem))
}

/// Whether the response to a request for what follows the last byte shows that the server
/// still has this version: there are no more bytes, or it sends the same ones again. Many
/// servers omit the validator with status 416, which they send only if it was compared.
fn has_no_more(response: &Response, version: &FileVersion) -> bool {
    match response.status {
        416 => {
            let range = response.header("content-range").unwrap_or_default();
            let total = range.strip_prefix("bytes */");
            total.and_then(|total| total.parse().ok()) == Some(version.total())
                && version.of_response(response).is_none_or(|is_this| is_this)
        }
        200 => version.includes(response, response.length()),
        _ => false,
    }
}

/// Whether the server has no such part of this version: there is no such byte, or the part
/// is of another version or does not show which one, because the server did not compare them.
fn is_missing(response: &Response, version: &FileVersion) -> bool {
    match (response.status, range(response)) {
        (416, _) => true,
        (206, Some((_, _, total))) => !version.includes(response, total),
        _ => false,
    }
}

/// The error for any other status.
fn refused(call: &Call<'_>, response: Response, clock: &dyn Clock) -> Error {
    let status = response.status;
    let wait = retry_after(&response, clock);
    let content_type = content_type(&response, call);
    let body = match read_body(response, MAX_ERROR_BODY) {
        Ok(body) => body,
        // The time is up, so the refusal must not be retried.
        Err(error) if error.is_timeout() => return error.with_status(status),
        Err(_) => Vec::new(),
    };
    let excerpt = call.excerpt(&String::from_utf8_lossy(&body));
    let message = format!("HTTP {status} ({content_type}): {excerpt}");
    Error::new(ErrorKind::Status, message)
        .with_status(status)
        .with_retry_after(wait)
}

/// The range of a part: first byte, end and total.
fn range(response: &Response) -> Option<(u64, u64, Option<u64>)> {
    response.header("content-range").and_then(content_range)
}

/// Parses `bytes 5-9/10` into first byte, end and total.
fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let first = first.parse::<u64>().ok()?;
    let end = last.parse::<u64>().ok()?.checked_add(1)?;
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    (first < end).then_some((first, end, total))
}

impl fmt::Debug for Download<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        f.debug_struct("Download")
            .field("url", &redact(url, &[self.client.token.expose()]))
            .field("resume", &self.resume)
            .finish_non_exhaustive()
    }
}

/// A reader for a file that is being downloaded.
///
/// If the connection ends before the end of the file, reading fails. The [`io::Error`]
/// then contains an [`Error`]; `Error::from` takes it out, and
/// [`write_to`](Body::write_to) does so itself.
pub struct Body {
    name: String,
    content_type: Option<String>,
    version: Option<FileVersion>,
    start: u64,
    position: u64,
    end: Option<u64>,
    /// Equal to `end`, except for a range without a total.
    total: Option<u64>,
    /// Whether there is a content length, besides the range.
    has_length: bool,
    inner: Box<dyn Read + Send>,
}

impl Body {
    /// The first byte of the file that is read: the one requested, or 0 for
    /// [`Resumed::Entire`].
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The position in the file: the start plus the bytes read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The length of the file; `None` only if
    /// [`accept_unknown_length`](Download::accept_unknown_length) is set.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// The version of the file, for [`resume_from`](Download::resume_from). `None` if the
    /// server sent no validator that is [strong](FileVersion): then a part of this file
    /// cannot be resumed.
    pub fn version(&self) -> Option<&FileVersion> {
        self.version.as_ref()
    }

    /// The content type sent by the server, for example `image/jpeg`.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Copies the rest of the file into `writer`, in pieces of 32 KiB. Returns the
    /// position after it.
    ///
    /// # Errors
    ///
    /// As for [`Download::write_to`]. Unlike [`io::copy`], it distinguishes failures of
    /// the connection from those of the writer.
    pub fn write_to(&mut self, writer: &mut dyn Write) -> Result<u64> {
        self.copy(writer, None)
    }

    fn copy(
        &mut self,
        writer: &mut dyn Write,
        mut progress: Option<Box<Progress<'_>>>,
    ) -> Result<u64> {
        let mut piece = vec![0; PIECE];
        loop {
            let length = match self.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::from(error)),
            };
            writer
                .write_all(&piece[..length])
                .map_err(|error| self.write_error(error))?;
            if let Some(progress) = &mut progress {
                progress(self.position, self.total);
            }
        }
        writer.flush().map_err(|error| self.write_error(error))?;
        Ok(self.position)
    }

    /// Reads the beginning of the file, which [`read`](Body::read) returns again. Returns
    /// whether it may be a picture or video.
    fn begins_well(&mut self) -> Result<bool> {
        let (mut head, mut length) = (vec![0; MAX_HEAD], 0);
        while length < MAX_HEAD && begins_text(&head[..length]).is_none() {
            match self.read(&mut head[length..]) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::from(error)),
            }
        }
        head.truncate(length);
        let begins_well = begins_text(&head) == Some(false);
        self.position = self.start;
        let rest = mem::replace(&mut self.inner, Box::new(io::empty()));
        self.inner = Box::new(io::Cursor::new(head).chain(rest));
        Ok(begins_well)
    }

    /// The error for what cannot be a picture or video.
    fn is_wrong(&mut self, call: &Call<'_>) -> Error {
        let mut text = Vec::new();
        // If it fails, what was read before is enough.
        let _ = self.take(MAX_ERROR_BODY as u64).read_to_end(&mut text);
        let content_type = self.content_type().unwrap_or("no content type");
        let content_type = sanitize(content_type, &call.secrets);
        let message = match text.is_empty() {
            true => format!("the server sent an empty file ({content_type})"),
            false => format!(
                "the server sent text ({content_type}) instead of a picture or video, perhaps the login page of a network: {}",
                call.excerpt(&String::from_utf8_lossy(&text))
            ),
        };
        Error::new(ErrorKind::WrongContent, message)
    }

    fn write_error(&self, error: io::Error) -> Error {
        let message = format!("writing failed after {} bytes: {error}", self.position);
        Error::new(ErrorKind::Io, message)
            .with_source(error)
            .in_call(&self.name, &[])
    }
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.end.map_or(u64::MAX, |end| end - self.position);
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        if room == 0 {
            if self.has_length && !buf.is_empty() {
                // The transport must see the end, or it cannot reuse the connection.
                // Without a length this could block: for a last chunk, or a close.
                let _ = self.inner.read(&mut [0]);
            }
            return Ok(0);
        }
        let failed = |error: Error| io::Error::other(error.in_call(&self.name, &[]));
        match self.inner.read(&mut buf[..room]) {
            Ok(0) => match self.end {
                Some(end) => Err(failed(truncated(self.position, end))),
                None => Ok(0),
            },
            Ok(length) => {
                self.position += length as u64;
                Ok(length)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(failed(read_error(error, self.position, self.end))),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("start", &self.start)
            .field("position", &self.position)
            .field("total", &self.total)
            .field("version", &self.version)
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::content_range;

    #[test]
    fn parses_content_ranges() {
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
