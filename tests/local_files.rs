//! The files that mingram writes: named without a directory, and with the mode that the umask
//! leaves. In processes of their own, for which directory and umask are set.
#![cfg(unix)]

mod common;

use common::{Folder, Server, reply};
use mingram::auth::{LongLivedToken, TokenFile};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

/// The server's URL, in the environment of the child.
const URL: &str = "MINGRAM_TEST_URL";

/// Writes each kind of file under a name alone, and twice, so that it replaces one.
fn write_all_files(url: &str) {
    let api = common::api(url);
    let url = format!("{url}/f");
    for turn in 0..2 {
        let token = LongLivedToken::new("IGQVJ", None, UNIX_EPOCH + Duration::from_secs(turn));
        for name in ["token.json", "./dotted.json"] {
            let file = TokenFile::new(name);
            file.save(&token).unwrap();
            assert_eq!(file.load().unwrap(), token, "{name}");
        }
        for name in ["photo.jpg", "./dotted.jpg"] {
            api.download(&url).accept_any_type().save(name).unwrap();
            assert_eq!(fs::read(name).unwrap(), b"picture", "{name}");
        }
        let download = api.download(&url).accept_any_type();
        download.save_resumable("resumed.jpg").unwrap();
        assert_eq!(fs::read("resumed.jpg").unwrap(), b"picture");
        fs::remove_file("resumed.jpg").unwrap();
    }
    let download = api.download(&url).accept_any_type();
    download.save_resumable("resumed.jpg").unwrap();
}

#[test]
fn a_name_alone_is_a_file_of_the_working_directory() {
    const NAME: &str = "a_name_alone_is_a_file_of_the_working_directory";
    if let Ok(url) = std::env::var(URL) {
        return write_all_files(&url);
    }
    let server = Server::script([reply("200 OK", &[], "picture")]);
    for umask in ["000", "002", "022", "027", "077"] {
        let folder = Folder::new();
        let output = Command::new("sh")
            .args(["-c", "umask \"$0\"; exec \"$@\"", umask])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(URL, server.url())
            .current_dir(&folder.0)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let text = text + &String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("1 passed"), "{umask}: {text}");
        let mode = |name: &String| {
            let metadata = fs::metadata(folder.0.join(name)).unwrap();
            metadata.permissions().mode() & 0o7777
        };
        let names = folder.names();
        let modes: BTreeMap<_, _> = names
            .iter()
            .map(|name| (name.as_str(), mode(name)))
            .collect();
        // A token is private whatever the umask; a picture is what any other program writes.
        let plain = 0o666 & !u32::from_str_radix(umask, 8).unwrap();
        let wanted = BTreeMap::from([
            ("dotted.jpg", plain),
            ("dotted.json", 0o600),
            ("photo.jpg", plain),
            ("resumed.jpg", plain),
            ("token.json", 0o600),
        ]);
        assert_eq!(modes, wanted, "{umask}");
    }
}
