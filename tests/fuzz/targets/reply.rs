//! Reply bytes to the whole call, everything above the socket: the first byte
//! chooses the call, and a 0x1E ends one reply and begins the next.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mingram::auth::Code;
use mingram::download::Resumed;
use mingram::{Edge, Error, Media, MediaField, Position, UserField};
use mingram_fuzz::{BASE, CODE, LOGIN, Player, app, check_error};
use url::{ParseError, Url};

fuzz_target!(|data: &[u8]| {
    let Some((&choice, replies)) = data.split_first() else {
        return;
    };
    let replies: Vec<Vec<u8>> = replies
        .split(|&byte| byte == 0x1e)
        .map(<[u8]>::to_vec)
        .collect();
    let most = replies.len();
    let player = Player::new(replies);
    let api = player.api();
    let mut download = false;
    let error = match choice {
        b'a' => api.me(UserField::BASIC).err(),
        b'b' => items(api.my_media(MediaField::BASIC), most),
        b'c' => items(api.user_media("7", "").before("start"), most),
        b'd' => {
            let mut pages = api.children("7", "").page_size(3).after("start").pages();
            let error = pages.by_ref().find_map(Result::err);
            assert!(pages.next().is_none(), "pages go on after the end");
            error
        }
        b'e' => api.media("7", MediaField::PROFESSIONAL).err(),
        b'f' => api.node::<Vec<Media>>("7/x", &[("a", "b")]).err(),
        b'g' => api.exchange_code(&app(), &Code::new(CODE)).err(),
        b'h' => api.exchange_token(&app()).err(),
        b'i' => api.refresh_token().err(),
        b'j' => {
            download = true;
            let mut file = Vec::new();
            match api
                .download("https://cdn.example/a.jpg")
                .write_to(&mut file)
            {
                Ok(length) => {
                    assert_eq!(length, file.len() as u64);
                    None
                }
                Err(error) => Some(error),
            }
        }
        b'k' => {
            download = true;
            let mut file = Vec::new();
            let version = "10 \"v1\"".parse().unwrap();
            let rest = api
                .download("https://cdn.example/a.jpg")
                .accept_unknown_length()
                .accept_any_type()
                .resume_from(5, &version);
            let read = rest.open().and_then(|resumed| match resumed {
                Resumed::Rest(mut body) => Ok((5, body.write_to(&mut file)?)),
                Resumed::Entire(mut body) => Ok((0, body.write_to(&mut file)?)),
                _ => Ok((0, 0)),
            });
            match read {
                Ok((start, length)) => {
                    assert_eq!(length, start + file.len() as u64);
                    None
                }
                Err(error) => Some(error),
            }
        }
        _ => return,
    };
    if let Some(error) = &error {
        check_error(error);
    }
    let asked = player.asked();
    // Six addresses a try, two tries a page, and a page for each reply or one
    // more, after which cursors repeat.
    assert!(asked.len() <= 12 * (most + 1), "{} requests", asked.len());
    let home = Url::parse(if choice == b'g' { LOGIN } else { BASE }).unwrap();
    for request in asked {
        assert!(request.url.bytes().all(|byte| byte.is_ascii_graphic()));
        let url = match Url::parse(&request.url) {
            Ok(url) => url,
            // Whether a name is good punycode is for the resolver to say.
            Err(ParseError::IdnaError) if download => continue,
            Err(error) => panic!("{error}: {}", request.url),
        };
        if download {
            assert_eq!(url.scheme(), "https", "{}", request.url);
        } else {
            assert_eq!(url.origin(), home.origin(), "{}", request.url);
        }
        assert_eq!(request.body.is_some(), choice == b'g');
    }
});

fn items(edge: Edge<Media>, most: usize) -> Option<Error> {
    let mut items = edge.items();
    let mut read = 0usize;
    let error = loop {
        match items.next() {
            None => break None,
            Some(Err(error)) => break Some(error),
            Some(Ok(_)) => read += 1,
        }
        // No item is shorter on the wire than `{"id":1},`.
        assert!(read <= (most + 1) * 64 * 1024, "{read} items");
    };
    assert!(items.next().is_none(), "items go on after the end");
    // Where to go on is known, whatever happened, and is the same as text.
    let position = items.position();
    assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
    error
}
