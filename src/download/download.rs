//! Downloads: streamed and verified, without the access token.

use super::content::{begins_text, is_text_type};
use super::version::FileVersion;
use crate::atomic_file::AtomicFile;
use crate::client::body::{read_body, read_error, truncated};
use crate::client::call::{Call, Kind};
use crate::client::client::Client;
use crate::client::reply::{content_type, retry_after};
use crate::client::retry::{Attempt, Clock};
use crate::client::timed::Timed;
use crate::error::{Error, ErrorKind, Result};
use crate::http::coding::check_identity;
use crate::http::transport::Response;
use crate::http::url::{Url, check_length, repaired};
use crate::redact::{redact, sanitize};
use std::fmt;
use std::io::{self, Read, Write};
use std::mem;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

/// Bytes of an error body that are read for an excerpt.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// The most bytes at the beginning of a file that are looked at.
const MAX_HEAD: usize = 512;

/// The size of the pieces that a file is copied in.
const PIECE: usize = 32 * 1024;

/// Called with the bytes downloaded so far and the total.
pub(crate) type Progress<'a> = dyn FnMut(u64, Option<u64>) -> ControlFlow<()> + 'a;

/// A download that has not started yet: see [`Api::download`](crate::Api::download).
///
/// ```no_run
/// # fn main() -> mingram::Result<()> {
/// # let api = mingram::Api::new("IGQVJ...");
/// # let url = "https://cdn.example/v/a.jpg";
/// let saved = api.download(url).save("a.jpg")?;
/// println!("{} bytes of {:?}", saved.length, saved.content_type);
/// # Ok(()) }
/// ```
///
/// | to | call |
/// |---|---|
/// | write a file, entirely or not at all | [`save`](Download::save) |
/// | write a file that takes long, and continue after a kill | [`save_resumable`](Download::save_resumable) |
/// | write anywhere, or read | [`write_to`](Download::write_to), [`open`](Download::open) |
/// | download a file only if it has changed | [`unless`](Download::unless) |
/// | continue a partial file of your own | [`resume_from`](Download::resume_from) |
///
/// # Content
///
/// A successful reply is refused if it cannot be a picture or video, before anything is
/// written. It is refused if it is empty, if its `Content-Type` is one of text (`text/*`,
/// HTML, XML including SVG, JSON, scripts, playlists, forms, multipart), and whatever its
/// type, if its first byte after white space is `<`, `{` or `[`, with which HTML, XML and JSON
/// begin. Without a type, and with any other one, only the first bytes count.
#[must_use = "nothing is sent until `save`, `save_resumable`, `write_to` or `open`"]
pub struct Download<'a> {
    pub(crate) client: &'a Client,
    url: &'a str,
    accept_unknown_length: bool,
    accept_any_type: bool,
    pub(crate) progress: Option<Box<Progress<'a>>>,
    /// The time that is left, if earlier requests have used up some of it.
    pub(crate) time: Option<Duration>,
}

/// A download that continues a partial file: see [`Download::resume_from`].
#[derive(Debug)]
#[must_use = "nothing is sent until `open`"]
pub struct Resume<'a> {
    download: Download<'a>,
    byte: u64,
    version: &'a FileVersion,
}

/// A download of a file that may have changed: see [`Download::unless`].
#[derive(Debug)]
#[must_use = "nothing is sent until `open` or `save`"]
pub struct Unless<'a> {
    download: Download<'a>,
    version: &'a FileVersion,
}

/// A file written by [`Download::save`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Saved {
    /// Its length in bytes.
    pub length: u64,
    /// The content type sent by the server, for example `image/jpeg`.
    pub content_type: Option<String>,
    /// Its version, for [`Download::unless`]. `None` if the server sent no validator that
    /// is [strong](FileVersion).
    pub version: Option<FileVersion>,
}

/// What [`Resume::open`] received. A body is of the version that [`Body::version`] returns.
#[derive(Debug)]
#[must_use = "the file, or its rest, is still to be read"]
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
            accept_unknown_length: false,
            accept_any_type: false,
            progress: None,
            time: None,
        }
    }

    /// Accepts a file whose length is not known, although a truncated one may not be
    /// recognised then. Default: such a file is an error,
    /// [`ErrorKind::UnknownLength`](crate::ErrorKind::UnknownLength), unless it comes in
    /// chunks and the transport looks for the last one: minreq does not.
    ///
    /// What is recognised as [`Truncated`](crate::ErrorKind::Truncated) depends on the
    /// [transport](crate::transport::DefaultTransport):
    ///
    /// | the connection ends | mingram's own | minreq |
    /// |---|---|---|
    /// | over TLS without close_notify: it broke | yes | yes |
    /// | otherwise, within a chunked body | yes | no |
    /// | otherwise, within a body that ends with the connection | no | no |
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

    /// Called by [`save`](Download::save), [`save_resumable`](Download::save_resumable),
    /// [`save_part`](Download::save_part) and [`write_to`](Download::write_to) when the file
    /// begins to arrive and after each piece, with the bytes of the file that are there and,
    /// if known, its length. [`ControlFlow::Break`] cancels the download, which then fails
    /// with [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
    ///
    /// ```no_run
    /// use std::ops::ControlFlow;
    /// use std::time::{Duration, Instant};
    ///
    /// # fn main() -> mingram::Result<()> {
    /// # let api = mingram::Api::new("IGQVJ...");
    /// # let url = "https://cdn.example/v/a.mp4";
    /// let begun = Instant::now();
    /// let download = api.download(url).on_progress(|done, total| {
    ///     eprint!("\r{done} of {total:?}");
    ///     match begun.elapsed() < Duration::from_secs(60) {
    ///         true => ControlFlow::Continue(()),
    ///         false => ControlFlow::Break(()),
    ///     }
    /// });
    /// download.save("a.mp4")?;
    /// # Ok(()) }
    /// ```
    pub fn on_progress(
        mut self,
        progress: impl FnMut(u64, Option<u64>) -> ControlFlow<()> + 'a,
    ) -> Download<'a> {
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
    /// host, is still writing it. [`save_resumable`](Download::save_resumable) leaves one
    /// partial file at most, and continues it.
    ///
    /// # Errors
    ///
    /// As for [`write_to`](Download::write_to), and all of them name the path. On an error
    /// the path is unchanged and the temporary file is removed. Nothing is sent if the path
    /// cannot become a file ([`Io`](ErrorKind::Io)): it has no file name at its end, is a
    /// directory or a device, or is in a directory that is missing or not writable.
    pub fn save(mut self, path: impl AsRef<Path>) -> Result<Saved> {
        let path = path.as_ref();
        let file = AtomicFile::create(path, 0o666).map_err(Error::of_file);
        let saved = file.and_then(|file| {
            let body = self.open()?;
            self.fill(file, body)
        });
        saved.map_err(|error| self.in_file(path, error))
    }

    fn fill(&mut self, mut file: AtomicFile<'_>, mut body: Body) -> Result<Saved> {
        let length = body.copy(&mut file.file, self.progress.as_deref_mut())?;
        let durable = file.commit().map_err(Error::of_file)?;
        durable.map_err(Error::not_durable)?;
        Ok(body.saved(length))
    }

    /// Names the local file in an error.
    pub(crate) fn in_file(&self, path: &Path, error: Error) -> Error {
        error.in_file(path, &self.client.secrets())
    }

    /// Downloads into `writer`, in pieces of 32 KiB. Returns the length of the file in
    /// bytes.
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
    /// server refused, [`Io`](ErrorKind::Io) if `writer` failed, and
    /// [`Cancelled`](ErrorKind::Cancelled) by [`on_progress`](Download::on_progress).
    pub fn write_to(mut self, mut writer: impl Write) -> Result<u64> {
        self.open()?.copy(&mut writer, self.progress.as_deref_mut())
    }

    /// Sends the request, waits for the headers and the first bytes, and returns a reader for
    /// the file.
    ///
    /// # Errors
    ///
    /// As for [`write_to`](Download::write_to), without those of the writer and of
    /// [`on_progress`](Download::on_progress).
    pub fn open(&self) -> Result<Body> {
        let call = self.call()?;
        self.client.retrying(&call, |attempt| {
            let response = self.client.open(&call, attempt)?;
            self.check(&call, None, response, attempt)
        })
    }

    /// Downloads the file only if it is not of this version any more, which an earlier
    /// download returned as [`Saved::version`] or [`Body::version`]. The server compares it
    /// (`If-None-Match` or `If-Modified-Since`), and so does mingram.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (api, url) = (mingram::Api::new("IGQVJ..."), "https://cdn.example/v/a.jpg");
    /// let version = std::fs::read_to_string("a.jpg.version")?.parse()?;
    /// match api.download(url).unless(&version).save("a.jpg")? {
    ///     Some(saved) => println!("{} new bytes", saved.length),
    ///     None => println!("not changed"),
    /// }
    /// # Ok(()) }
    /// ```
    #[doc(alias = "etag")]
    #[doc(alias = "if_modified_since")]
    pub fn unless(self, version: &'a FileVersion) -> Unless<'a> {
        Unless {
            download: self,
            version,
        }
    }

    /// Requests only the bytes from this one on, if the file is still of this version, which
    /// an earlier download returned as [`Body::version`]. For a partial file that you keep
    /// yourself: [`save_resumable`](Download::save_resumable) does all this in one call.
    ///
    /// The server compares the version (`If-Range`), and so does mingram: a part must repeat
    /// the total and the validator. You get the entire file if its version is another one, if
    /// the part does not show which one it is, if the server does not send parts, from byte
    /// 0, and if there is no such byte. A partial file that has all bytes is
    /// [complete](Resumed::Complete) if the server answers that there are no more (416, with
    /// the same total), or begins to send the same version again.
    ///
    /// ```no_run
    /// # use mingram::download::Resumed;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (api, url) = (mingram::Api::new("IGQVJ..."), "https://cdn.example/v/a.mp4");
    /// # let mut file: Vec<u8> = Vec::new();
    /// # let version = "183650 \"5f3c-1a\"".parse()?;
    /// match api.download(url).resume_from(file.len() as u64, &version).open()? {
    ///     Resumed::Rest(mut body) => drop(body.write_to(&mut file)?),
    ///     Resumed::Entire(mut body) => {
    ///         file.clear();
    ///         body.write_to(&mut file)?;
    ///     }
    ///     _ => println!("it is complete"),
    /// };
    /// # Ok(()) }
    /// ```
    #[doc(alias = "range")]
    pub fn resume_from(self, byte: u64, version: &'a FileVersion) -> Resume<'a> {
        Resume {
            download: self,
            byte,
            version,
        }
    }

    /// The rest of a file from this byte on.
    pub(crate) fn rest(&self, byte: u64, version: &FileVersion) -> Result<Resumed> {
        let mut call = self.call()?;
        let of_all = self.call()?;
        if !(1..=version.total()).contains(&byte) {
            return self.open().map(Resumed::Entire);
        }
        call.headers.push(("Range", format!("bytes={byte}-")));
        call.headers
            .push(("If-Range", version.validator().to_owned()));
        self.client.retrying(&call, |attempt| {
            let response = self.client.open(&call, attempt)?;
            if byte == version.total() && has_no_more(&response, version) {
                return Ok(Resumed::Complete);
            }
            if is_missing(&response, version) {
                // Closes its connection first.
                drop(response);
                let response = self.client.open(&of_all, attempt)?;
                return self
                    .check(&of_all, None, response, attempt)
                    .map(Resumed::Entire);
            }
            let body = self.check(&call, Some((byte, version)), response, attempt)?;
            Ok(match body.start() {
                0 => Resumed::Entire(body),
                _ => Resumed::Rest(body),
            })
        })
    }

    /// The file, if it is not of this version.
    fn changed(&self, version: &FileVersion) -> Result<Option<Body>> {
        let mut call = self.call()?;
        call.headers.push(version.condition());
        self.client.retrying(&call, |attempt| {
            let response = self.client.open(&call, attempt)?;
            let is_same = response.status == 304
                || response.status == 200 && version.includes(&response, response.length());
            match is_same {
                true => Ok(None),
                false => self.check(&call, None, response, attempt).map(Some),
            }
        })
    }

    /// The call for the entire file.
    fn call(&self) -> Result<Call<'_>> {
        let text = repaired(self.url);
        let url = Url::parse(&text)
            .map_err(|problem| Error::invalid(format!("the file's URL is invalid: {problem}")))?;
        self.client.check_download(&url)?;
        check_length(&text)?;
        let name = format!("GET {}", url.without_query());
        let mut call = Call::get(Kind::Download, name, text);
        // They do not belong in a file's URL, but must not be shown if they are there.
        call.secrets = self.client.secrets();
        call.time = self.time;
        Ok(call)
    }

    /// Checks that the response is the requested file or part.
    fn check(
        &self,
        call: &Call<'_>,
        part: Option<(u64, &FileVersion)>,
        mut response: Response,
        attempt: &Attempt,
    ) -> Result<Body> {
        if matches!(response.status, 200 | 206) {
            check_identity(&response)?;
        }
        let from = part.map_or(0, |(byte, _)| byte);
        let (start, end, total) = match response.status {
            200 => (0, response.length(), response.length()),
            206 => extent(&response, from)?,
            _ => {
                response.body = Box::new(Timed::new(response.body, attempt, call.kind));
                return Err(refused(call, response, &*self.client.clock));
            }
        };
        let version = match part {
            Some((_, version)) if start > 0 => Some(version.clone()),
            _ => total.and_then(|total| FileVersion::of(&response, total)),
        };
        let (status, has_length) = (response.status, response.length().is_some());
        let shows_end = status == 200 && response.shows_end();
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
            inner: Timed::new(response.body, attempt, call.kind),
        };
        if is_text {
            return Err(body.is_wrong(call).with_status(status));
        }
        if total.is_none() && !shows_end && !self.accept_unknown_length {
            let message = "the server did not send the file's length, so a truncated file could not be recognised";
            return Err(Error::new(ErrorKind::UnknownLength, message).with_status(status));
        }
        if start == 0 && !self.accept_any_type && !body.begins_well()? {
            return Err(body.is_wrong(call).with_status(status));
        }
        Ok(body)
    }
}

impl Resume<'_> {
    /// Sends the request, waits for the headers and the first bytes, and returns a reader for
    /// the rest or for the entire file.
    ///
    /// # Errors
    ///
    /// As for [`Download::open`].
    pub fn open(&self) -> Result<Resumed> {
        self.download.rest(self.byte, self.version)
    }
}

impl Unless<'_> {
    /// Like [`Download::open`]. `None` if the file is still of that version.
    ///
    /// # Errors
    ///
    /// As for [`Download::open`].
    pub fn open(&self) -> Result<Option<Body>> {
        self.download.changed(self.version)
    }

    /// Like [`Download::save`]. `None` if the file is still of that version: then nothing is
    /// written.
    ///
    /// # Errors
    ///
    /// As for [`Download::save`].
    pub fn save(mut self, path: impl AsRef<Path>) -> Result<Option<Saved>> {
        let path = path.as_ref();
        let file = AtomicFile::create(path, 0o666).map_err(Error::of_file);
        let saved = file.and_then(|file| match self.open()? {
            Some(body) => self.download.fill(file, body).map(Some),
            None => Ok(None),
        });
        saved.map_err(|error| self.download.in_file(path, error))
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
fn refused(call: &Call<'_>, mut response: Response, clock: &dyn Clock) -> Error {
    let status = response.status;
    let wait = retry_after(&response, clock);
    let content_type = content_type(&response, call);
    let body = match read_body(&mut response, MAX_ERROR_BODY) {
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
            .field("url", &redact(url, &self.client.secrets()))
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
    inner: Timed,
}

impl Body {
    /// The first byte of the file that is read: 0, except for [`Resumed::Rest`].
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The position in the file: the start plus the bytes read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The length of the file; `None` if it comes in chunks, or if
    /// [`accept_unknown_length`](Download::accept_unknown_length) is set.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// The version of the file, for [`resume_from`](Download::resume_from) and
    /// [`unless`](Download::unless). `None` if the
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
    pub fn write_to(&mut self, mut writer: impl Write) -> Result<u64> {
        self.copy(&mut writer, None)
    }

    pub(crate) fn copy(
        &mut self,
        writer: &mut dyn Write,
        mut progress: Option<&mut Progress<'_>>,
    ) -> Result<u64> {
        let mut piece = vec![0; PIECE];
        loop {
            if let Some(progress) = &mut progress {
                if progress(self.position, self.total).is_break() {
                    let message = format!("cancelled after {} bytes", self.position);
                    return Err(Error::new(ErrorKind::Cancelled, message).in_call(&self.name, &[]));
                }
            }
            let length = match self.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::from(error)),
            };
            writer
                .write_all(&piece[..length])
                .map_err(|error| self.write_error(error))?;
        }
        writer.flush().map_err(|error| self.write_error(error))?;
        Ok(self.position)
    }

    /// The time that is left for waiting for the rest of it.
    pub(crate) fn left(&self) -> Duration {
        self.inner.left
    }

    /// What is saved of it.
    pub(crate) fn saved(self, length: u64) -> Saved {
        Saved {
            length,
            content_type: self.content_type,
            version: self.version,
        }
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
        let rest = mem::replace(&mut self.inner.body, Box::new(io::empty()));
        self.inner.body = Box::new(io::Cursor::new(head).chain(rest));
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
            "bytes 5-4/10",
            "bytes 5-/10",
            "items 1-2/3",
            "bytes 0-18446744073709551615/1",
        ] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }
}
