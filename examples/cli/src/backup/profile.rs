//! The profile, and its picture.

use super::download::Run;
use super::post::Wanted;
use super::work::{GONE, Work};
use crate::store::failure::Failure;
use crate::store::names::{Want, file_name};
use crate::store::sidecar::{PROFILE_TEXTS, Role, Sidecar, object};
use mingram::User;

/// What the names of the picture begin with.
const STEM: &str = "profile";

/// Takes in the profile. Another picture than before is to be downloaded.
pub fn profile(run: &Run<'_>, name: &str, mut user: User) -> Result<(), Failure> {
    // Signed for a few days, and another URL each time.
    let url = user.profile_picture_url.take();
    let (sidecar, failure) = Sidecar::open(run.folder, name.to_owned(), None);
    failure.map_or(Ok(()), Err)?;
    let mut work = Work::new(run, STEM, sidecar, false);
    work.post
        .sidecar
        .update(object(&user), PROFILE_TEXTS, run.now);
    let found = run.folder.find(STEM);
    let noted = work.post.sidecar.noted(None, Role::File);
    if url.is_none() && found.is_none() && noted.is_none() {
        return work.finish();
    }
    run.count(|summary| summary.files += 1);
    let source = url.as_deref().map(|url| file_name(url).to_owned());
    let noted = noted.unwrap_or_default();
    let is_new = source.is_some() && noted.source != source;
    if let Some(found) = found.as_ref().filter(|_| !is_new) {
        if work
            .check(None, Role::File, found, url.as_deref())
            .is_none()
        {
            return work.finish();
        }
    }
    match url {
        None if found.is_none() => work.miss(STEM, GONE),
        None => work.miss(STEM, "damaged, and the service gives no URL for it"),
        Some(url) => work.want(Wanted {
            id: user.id,
            is_child: false,
            role: Role::File,
            stem: STEM.to_owned(),
            url,
            want: Want::Picture,
            published: None,
            replaces: found,
            keeps_old: is_new,
            source: Some(source.unwrap_or_default()),
        }),
    }
    work.finish()
}
