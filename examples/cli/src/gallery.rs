//! `mingram gallery`: a folder with a page, a feed and the files of an account.

mod atom;
mod collect;
mod image;
mod json;
mod keep;
mod merge;
mod page;
mod plan;
mod text;

use crate::account::fields::{self, Fields};
use crate::account::listing::{self, Listed, Listing};
use crate::account::sample;
use crate::account::source::{self as account, Source};
use crate::exit::{FAILED, Failure as Exit, INTERRUPTED, Result};
use crate::options::{Arg, Args, Command};
use crate::store::directory::Directory;
use crate::store::failure::Failure;
use crate::store::record;
use crate::{output, signals};
use collect::Collector;
use json::{MEDIA, Post};
use keep::{Extent, Kept};
use merge::merge;
use mingram::{Api, User};
use miniserde::Serialize;
use page::Profile;
use plan::{Planned, is_profile, not_an_id, picture_stem, plan};
use std::collections::{HashMap, HashSet};
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

Run it again to update: what did not change is not downloaded or written again.
What does not come is counted as missing, and the gallery is made of the rest
and of what an earlier run has kept. A post is removed when it is not listed any
more and the service, asked for it, refuses it; a run asks for one. If a run
ends with an error, the old gallery stays as it was. Media that the service
gives no file for (often because of copyrighted music) are counted as
unavailable and do not make the run fail; -v names them. DIR/.mingram has whose
gallery it is, and which files it has downloaded: it removes no others.

Options:
  -n, --count N          the newest N posts (default: 100, at most 10000)
      --no-html          no index.html

With --json: a summary of the run as one object.
";

type Outcome<T> = std::result::Result<T, Failure>;

/// How unfinished files in the folder begin.
const UNFINISHED: &str = ".gallery-";

const PAGE: &str = "index.html";
const FEED: &str = "feed.xml";
const LIST: &str = "instagram.json";
const RECORD: &str = ".mingram/gallery.json";

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

/// Version 0.1 kept no record, but its feed has the account's own id.
fn has_sample(folder: &Directory) -> bool {
    match record::owner(folder, RECORD, Some("account")) {
        Ok(Some(owner)) => owner.is_sample(),
        Ok(None) => is_gallery(folder) && folder.read(FEED).contains(&atom::id(sample::ACCOUNT_ID)),
        Err(_) => false,
    }
}

/// Whether an earlier run made a gallery here.
fn is_gallery(folder: &Directory) -> bool {
    folder.read(FEED).contains(atom::GENERATOR) || folder.join(RECORD).is_file()
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
    listing: Counts,
    /// Media that the service gives no file for.
    unavailable: Vec<String>,
    error: Option<String>,
}

/// The posts of the listing. Each is one of the others.
#[derive(Default, Serialize)]
struct Counts {
    listed: usize,
    shown: usize,
    unavailable: usize,
    missing: usize,
}

impl Report {
    /// Counts a post that cannot be read.
    fn unreadable(&mut self, why: String) {
        self.listing.listed += 1;
        self.listing.missing += 1;
        self.missing.push(why);
    }

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
    check_places(&folder, options)?;
    let user = fields::me(api, &mut Fields::user_all("gallery"))?;
    let is_sample = [sample::USER_ID, sample::ACCOUNT_ID].contains(&user.id.as_str());
    let was_sample = !is_sample && has_sample(&folder);
    if !was_sample {
        check_feed(&folder, &user)?;
    }
    let mut kept = Kept::open(&folder, &user, was_sample)?;
    let mut listed = list(api, &user, options.count, !kept.posts.is_empty(), report)?;
    folder.create_inside(MEDIA)?;
    let mut refuse = |id: &str| report.unreadable(not_an_id(id));
    let planned = plan(&folder, std::mem::take(&mut listed.posts), &mut refuse)?;
    let mut profile = collect::profile(&mut kept, &user);
    let wanted = planned.iter().flat_map(Planned::wanted);
    kept.claim(wanted.chain(picture_stem(&user)).collect())?;

    let mut collector = Collector::new(api, &folder, &kept, report);
    profile.picture = collector.picture(&user)?;
    let mut posts = Vec::new();
    for (i, one) in planned.iter().enumerate() {
        if output::shows_progress() {
            output::progress(&format!("post {} of {}", i + 1, planned.len()));
        }
        posts.extend(collector.post(one)?);
    }
    let (absent, unfinished) = (collector.absent, collector.unfinished);
    let extent = extent(&planned, &listed, &kept);
    let gone = kept.leaving(api, &extent, &absent);
    let mut posts = merge(posts, kept.posts.clone(), |post| &post.id);
    drop_gone(&mut posts, &gone, &planned);
    folder.flush()?;
    kept.set_aside()?;
    write(&folder, options, &profile, &posts)?;
    finish(&mut kept, &profile, &posts, &gone, report)?;
    sweep(&folder, |stem| unfinished.contains(stem))
}

/// The posts of a listing, and how far it went.
struct Posts {
    posts: Vec<listing::Post>,
    is_empty: bool,
    is_cut: bool,
    is_sound: bool,
}

fn list(
    api: &Api,
    user: &User,
    count: u32,
    has_posts: bool,
    report: &mut Report,
) -> Outcome<Posts> {
    let mut listing = Listing::new(api, Fields::post_all("gallery"), count.min(100));
    let (mut posts, mut unreadable) = (Vec::new(), 0);
    while posts.len() + unreadable < count as usize {
        match listing.next() {
            Some(Ok(Listed::Post(post))) => posts.push(*post),
            Some(Ok(Listed::Unreadable(why))) => {
                unreadable += 1;
                report.unreadable(format!("a media of the list: {why}"));
            }
            Some(Err(error)) => return Err(error.into()),
            None => break,
        }
    }
    if let Some(doubt) = listing.doubt(user.media_count, has_posts) {
        return Err(Failure::Content(doubt));
    }
    Ok(Posts {
        is_cut: posts.len() + unreadable == count as usize,
        is_sound: unreadable == 0,
        is_empty: posts.is_empty() && unreadable == 0,
        posts,
    })
}

fn extent<'a>(planned: &'a [Planned], listed: &Posts, kept: &Kept<'_>) -> Extent<'a> {
    let albums = planned.iter().filter(|one| one.is_complete());
    let children = planned.iter().flat_map(|one| &one.children);
    let published = |one| collect::published(one, kept.post(&one.media.id));
    let last = planned.last().and_then(published);
    Extent {
        ids: planned.iter().map(|one| one.media.id.as_str()).collect(),
        albums: albums.map(|one| one.media.id.as_str()).collect(),
        children: children.map(|child| child.id.as_str()).collect(),
        oldest: last.and_then(|_| planned.iter().filter_map(published).min()),
        is_empty: listed.is_empty,
        is_cut: listed.is_cut,
        is_sound: listed.is_sound,
    }
}

/// Takes out what has left the account, what is beyond the count, and from an album what is
/// listed elsewhere.
fn drop_gone(posts: &mut Vec<Post>, gone: &HashSet<String>, planned: &[Planned]) {
    let mut listed: HashMap<&str, HashSet<&str>> = HashMap::new();
    for one in planned {
        let own = Some(&one.own).filter(|_| !one.is_album());
        for node in one.children.iter().chain(own) {
            listed.entry(&node.id).or_default().insert(&one.media.id);
        }
    }
    let has_moved = |post: &str, child: &str| {
        let places = listed.get(child);
        places.is_some_and(|places| !places.contains(post))
    };
    posts.retain_mut(|post| {
        let before = post.children.len();
        post.children
            .retain(|child| !gone.contains(&child.id) && !has_moved(&post.id, &child.id));
        match before > post.children.len() {
            true if post.children.is_empty() => post.files.clear(),
            _ => post.set_cover(),
        }
        !gone.contains(&post.id) && !post.files.is_empty()
    });
}

fn write(folder: &Directory, options: &Options, profile: &Profile, posts: &[Post]) -> Outcome<()> {
    let feed = atom::write(profile, posts, options.html);
    folder.write_whole(FEED, feed.as_bytes())?;
    folder.write_whole(LIST, json::write(posts).as_bytes())?;
    if options.html {
        folder.write_whole(PAGE, page::write(profile, posts).as_bytes())?;
    } else if is_free(folder, PAGE, page::GENERATOR)? {
        // It would show files that are removed now.
        folder.remove(PAGE)?;
    }
    Ok(())
}

/// Removes what is not shown any more, and counts what is.
fn finish(
    kept: &mut Kept<'_>,
    profile: &Profile,
    posts: &[Post],
    gone: &HashSet<String>,
    report: &mut Report,
) -> Outcome<()> {
    let picture = profile.picture.iter().map(|file| file.path.as_str());
    let used: HashSet<&str> = posts.iter().flat_map(Post::paths).chain(picture).collect();
    let children = posts.iter().flat_map(|post| &post.children);
    let children = children.map(|child| child.id.as_str());
    let shown = posts.iter().map(|post| post.id.as_str()).chain(children);
    report.posts = posts.len();
    report.files = used.len();
    report.removed = kept.remove(&used, &shown.collect(), gone)?;
    Ok(())
}

/// Removes what earlier runs have left unfinished: only what has a name that the gallery
/// gives.
fn sweep(folder: &Directory, keep: impl Fn(&str) -> bool) -> Outcome<()> {
    for stem in folder.unfinished() {
        if !keep(&stem) {
            folder.forget(&stem)?;
        }
    }
    let entries = fs::read_dir(folder.path()).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())) {
        let name = entry.file_name();
        let part = name.to_str().and_then(|name| name.strip_prefix(UNFINISHED));
        let stem = part.and_then(|part| part.strip_suffix(".part"));
        let stem = stem.map(|stem| stem.strip_suffix(".version").unwrap_or(stem));
        let is_ours =
            |stem: &&str| matches!(*stem, PAGE | FEED | LIST | "gallery.json") || is_profile(stem);
        if let Some(stem) = stem.filter(is_ours).filter(|stem| !keep(stem)) {
            folder.forget(stem)?;
        }
    }
    Ok(())
}

/// Refuses what would hang, lead elsewhere, or overwrite what the gallery did not make.
fn check_places(folder: &Directory, options: &Options) -> Outcome<()> {
    folder.check_inside(MEDIA)?;
    folder.check_inside(record::HIDDEN)?;
    for name in [PAGE, FEED, LIST] {
        folder.check_file(name)?;
    }
    for (name, free) in [
        (
            PAGE,
            !options.html || is_free(folder, PAGE, page::GENERATOR)?,
        ),
        (FEED, is_free(folder, FEED, atom::GENERATOR)?),
        (LIST, is_gallery(folder) || !folder.join(LIST).exists()),
    ] {
        if !free {
            let what = "it was not made by `mingram gallery`: use another folder";
            return Err(Failure::at(&folder.join(name), io::Error::other(what)));
        }
    }
    Ok(())
}

/// Refuses the gallery of another account that version 0.1 made, which kept no record: its
/// feed has an id and a name.
fn check_feed(folder: &Directory, user: &User) -> Outcome<()> {
    let feed = folder.read(FEED);
    if folder.join(RECORD).exists() || !feed.contains(atom::GENERATOR) {
        return Ok(());
    }
    let ids = [Some(&user.id), user.user_id.as_ref()];
    let mut ids = ids.into_iter().flatten();
    let name = user.username.as_deref().map(atom::uri);
    match ids.any(|id| feed.contains(&atom::id(id))) || name.is_some_and(|uri| feed.contains(&uri))
    {
        true => Ok(()),
        false => Err(record::another(folder, "gallery", "by its feed.xml")),
    }
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
