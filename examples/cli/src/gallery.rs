//! `mingram gallery`: a folder with a page, a feed and the files of an account.

mod atom;
mod collect;
mod image;
mod json;
mod page;
mod text;

use crate::account::sample;
use crate::account::source::{self as account, Source, lacks_a_field};
use crate::exit::{FAILED, Failure as Exit, INTERRUPTED, Result};
use crate::options::{Arg, Args, Command};
use crate::store::directory::Directory;
use crate::store::failure::Failure;
use crate::{output, signals};
use collect::{Collector, is_profile};
use json::Post;
use mingram::{Api, Fields, Media, MediaField as M, User, UserField as U};
use miniserde::Serialize;
use page::Profile;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub const COMMAND: Command = Command {
    name: "gallery",
    about: "make a gallery: a page, a feed and the pictures",
    help: HELP,
    json: true,
    run,
};

const HELP: &str = "\
Make a directory with a gallery of an Instagram account, to open or to publish.

Usage: mingram gallery [OPTIONS] DIR

DIR is created if it is missing. It receives:
  index.html       the gallery: no script, and nothing is loaded from elsewhere
  media/           its pictures and videos
  instagram.json   the posts, for Hugo, Zola, Eleventy and the like
  feed.xml         an Atom feed

Run it again to update: what did not change is not downloaded or written again,
and posts that are no longer in the account are removed. If a run fails, the old
gallery stays as it was. Media that the service gives no file for (often because
of copyrighted music) are counted as unavailable and do not make the run fail;
-v names them.

Options:
  -n, --count N          the newest N posts (default: 100, at most 10000)
      --no-html          no index.html

With --json: a summary of the run as one object.
";

type Outcome<T> = std::result::Result<T, Failure>;

/// How unfinished files in the folder begin.
const UNFINISHED: &str = ".gallery-";

struct Options {
    dir: PathBuf,
    count: u32,
    html: bool,
    json: bool,
}

fn run(mut args: Args) -> Result<u8> {
    let options = options(&mut args)?;
    let api = open(&args, &options)?.with_retries(collect::RETRIES);
    let interrupted = || output::note("gallery", "interrupted; run it again to resume");
    signals::end_at_signal(INTERRUPTED, Duration::ZERO, interrupted, || ())?;
    let mut report = Report::default();
    let done = update(&api, &options, &mut report);
    output::clear_progress();
    let code = match &done {
        Err(failure) => failure.code(),
        Ok(()) if report.missing.is_empty() => 0,
        Ok(()) => FAILED,
    };
    report.error = done.err().map(|failure| failure.to_string());
    for missing in &report.missing {
        output::line(&format!("missing: {missing}"));
    }
    for unavailable in report.unavailable.iter().filter(|_| output::is_verbose()) {
        output::line(&format!("unavailable: {unavailable}"));
    }
    if let Some(error) = &report.error {
        output::error("gallery", error);
    }
    match options.json {
        true => output::print(miniserde::json::to_string(&report) + "\n")?,
        false if report.error.is_some() => {}
        false => output::report(report.text(&options))?,
    }
    Ok(code)
}

fn options(args: &mut Args) -> Result<Options> {
    let (mut dir, mut count, mut html) = (None, 100, true);
    while let Some(arg) = args.next()? {
        match arg.option() {
            Some("-n" | "--count") => count = args.number("--count", 1, 10_000)?,
            Some("--no-html") => html = false,
            _ => match arg {
                Arg::Value(value) if dir.is_none() => dir = Some(PathBuf::from(value)),
                arg => return Err(arg.unexpected()),
            },
        }
    }
    let dir = dir.ok_or_else(|| Exit::usage("the directory for the gallery is missing"))?;
    let json = args.json;
    Ok(Options {
        dir,
        count,
        html,
        json,
    })
}

/// The sample only goes into an empty directory or over the sample: the token of an account's
/// gallery may merely be lost.
fn open(args: &Args, options: &Options) -> Result<Api> {
    let mut source = account::source(args)?;
    let folder = Directory::look(&options.dir, UNFINISHED);
    if matches!(source, Source::Sample) && !folder.is_empty() && !has_sample(&folder) {
        source = source.but_not_the_sample()?;
    }
    source.open(args)
}

fn has_sample(folder: &Directory) -> bool {
    is_gallery(folder)
        && folder
            .read("feed.xml")
            .contains(&atom::id(sample::ACCOUNT_ID))
}

/// Whether an earlier run made a gallery here.
fn is_gallery(folder: &Directory) -> bool {
    folder.read("feed.xml").contains(atom::GENERATOR)
}

/// What a run did.
#[derive(Default, Serialize)]
struct Report {
    posts: usize,
    files: usize,
    downloaded: usize,
    removed: usize,
    /// Files that were not received, with the reason.
    missing: Vec<String>,
    /// Media that the service gives no file for.
    unavailable: Vec<String>,
    error: Option<String>,
}

impl Report {
    fn text(&self, options: &Options) -> String {
        let main = match options.html {
            true => "index.html",
            false => "instagram.json",
        };
        let path = options.dir.join(main);
        let (posts, files, new, removed) = (self.posts, self.files, self.downloaded, self.removed);
        let mut text = format!(
            "{}: {posts} posts, {files} files ({new} new, {removed} removed)",
            path.display()
        );
        if !self.unavailable.is_empty() {
            text += &format!(", {} unavailable", self.unavailable.len());
        }
        text + "\n"
    }
}

/// Downloads everything that is new, then writes the pages, index.html last, and then
/// removes what is no longer used. Whatever ends the run, the gallery is whole.
fn update(api: &Api, options: &Options, report: &mut Report) -> Outcome<()> {
    let folder = Directory::open(&options.dir, UNFINISHED)?;
    let may_write_page = is_free(&folder, "index.html", page::GENERATOR)?;
    for (name, free) in [
        ("index.html", may_write_page || !options.html),
        ("feed.xml", is_free(&folder, "feed.xml", atom::GENERATOR)?),
        (
            "instagram.json",
            is_gallery(&folder) || !folder.join("instagram.json").exists(),
        ),
    ] {
        if !free {
            let what = "it was not made by `mingram gallery`: use another folder";
            return Err(Failure::at(&folder.join(name), io::Error::other(what)));
        }
    }
    let user = user(api)?;
    let listed = list(api, options.count)?;
    if listed.is_empty() && user.media_count.is_some_and(|count| count > 0) {
        let what = "the service lists no media of an account that has some: nothing was changed";
        return Err(Failure::Content(what.to_owned()));
    }
    let media = folder.join("media");
    match fs::create_dir(&media) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Failure::at(&media, error));
        }
        _ => {}
    }
    let mut collector = Collector {
        api,
        folder: &folder,
        report,
    };
    let profile = collector.profile(user)?;
    let mut posts = Vec::new();
    for (i, media) in listed.iter().enumerate() {
        if output::shows_progress() {
            output::progress(&format!("post {} of {}", i + 1, listed.len()));
        }
        posts.extend(collector.post(media)?);
    }
    folder.flush()?;
    write(&folder, options, &profile, &posts, report)
}

fn write(
    folder: &Directory,
    options: &Options,
    profile: &Profile,
    posts: &[Post],
    report: &mut Report,
) -> Outcome<()> {
    // The page as well: a run may have ended between the two.
    let before = folder.read("instagram.json") + &folder.read("index.html");
    let feed = atom::write(profile, posts, options.html);
    folder.write_whole("feed.xml", feed.as_bytes())?;
    folder.write_whole("instagram.json", json::write(posts).as_bytes())?;
    if options.html {
        folder.write_whole("index.html", page::write(profile, posts).as_bytes())?;
    } else if is_free(folder, "index.html", page::GENERATOR)? {
        // It would show files that are removed now.
        folder.remove("index.html")?;
    }
    let picture = profile.picture.iter().map(|file| file.path.as_str());
    let used: HashSet<&str> = posts.iter().flat_map(Post::paths).chain(picture).collect();
    report.posts = posts.len();
    report.files = used.len();
    report.removed = remove_unused(folder, &before, &used)?;
    Ok(())
}

/// Removes files of posts that left, and unfinished ones. Returns how many files left. A
/// backup gives its files the same names, so only those that the gallery showed `before` are
/// removed, and old profile pictures.
fn remove_unused(folder: &Directory, before: &str, used: &HashSet<&str>) -> Outcome<usize> {
    let mut removed = 0;
    for name in names(folder, "media")? {
        let path = format!("media/{name}");
        let is_ours = is_profile(&name) || before.contains(&format!("\"{path}\""));
        if is_ours && !used.contains(path.as_str()) {
            folder.remove(&path)?;
            removed += 1;
        }
    }
    for name in names(folder, "")? {
        if name.starts_with(UNFINISHED) {
            folder.remove(&name)?;
        }
    }
    Ok(removed)
}

fn names(folder: &Directory, name: &str) -> Outcome<Vec<String>> {
    let path = folder.join(name);
    let entries = fs::read_dir(&path).map_err(|error| Failure::at(&path, error))?;
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().into_string());
    Ok(names.flatten().collect())
}

/// Whether a file is missing or was made by an earlier run, which leaves this mark.
fn is_free(folder: &Directory, name: &str, mark: &str) -> Outcome<bool> {
    let path = folder.join(name);
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Failure::at(&path, error)),
        Ok(held) => Ok(held.windows(mark.len()).any(|part| part == mark.as_bytes())),
    }
}

fn user(api: &Api) -> Outcome<User> {
    let all = [U::PROFESSIONAL, &[U::Biography, U::Website]].concat();
    match api.me(&all) {
        Err(error) if lacks_a_field(&error) => Ok(api.me(U::BASIC)?),
        user => Ok(user?),
    }
}

fn list(api: &Api, count: u32) -> Outcome<Vec<Media>> {
    let page_size = count.min(100);
    let list = |fields: Fields| {
        let edge = api.my_media(fields).page_size(page_size);
        edge.take(count as usize)
            .collect::<mingram::Result<Vec<_>>>()
    };
    match list(M::WITH_CHILDREN.and(M::AltText)) {
        Err(error) if lacks_a_field(&error) => Ok(list(M::WITH_CHILDREN)?),
        listed => Ok(listed?),
    }
}
