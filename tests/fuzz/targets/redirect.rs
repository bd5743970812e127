//! The address that the browser was sent back to, to the login code: it is what
//! a URL library finds there, and it reaches the server as that.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mingram::auth::{Code, State};
use mingram_fuzz::{Player, SECRET, app};
use url::form_urlencoded;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (state, address) = text.split_once('\n').unwrap_or(("", &text));
    let query = address.trim_ascii().split('#').next().unwrap();
    let query = query.split_once('?').map_or(query, |(_, query)| query);
    let find = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    let repeats = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| {
        let same = |(other, _): &(_, _)| *other == name;
        form_urlencoded::parse(query.as_bytes()).filter(same).count() > 1
    });
    let code = match Code::from_redirect(address, &State::restore(state)) {
        Ok(code) => code,
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains(char::is_control), "{line:?}");
            assert!(
                find("error").is_some()
                    || find("code").is_none_or(|code| code.is_empty())
                    || state.is_empty()
                    || repeats
                    || find("state").as_deref() != Some(state),
                "{line}"
            );
            return;
        }
    };
    assert_eq!(find("error"), None);
    assert!(!state.is_empty() && find("state").as_deref() == Some(state));
    let found = find("code").unwrap();
    let found = found.trim_ascii();
    let found = found.strip_suffix("#_").unwrap_or(found).trim_ascii();
    assert!(!format!("{code:?}").contains(found) || "Code(..)".contains(found));

    let player = Player::body(br#"{"access_token":"new","user_id":1}"#);
    let fit = !found.is_empty()
        && found.len() <= 4096
        && found.bytes().all(|byte| byte.is_ascii_graphic());
    let sent = player.api().exchange_code(&app(), &code);
    assert_eq!(sent.is_ok(), fit, "{found:?}: {sent:?}");
    let asked = player.asked();
    assert_eq!(asked.len(), usize::from(fit));
    if let Some(request) = asked.first() {
        let body = request.body.as_deref().unwrap();
        let pairs: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect();
        let wanted = [
            ("client_id", "99"),
            ("client_secret", SECRET),
            ("grant_type", "authorization_code"),
            ("redirect_uri", "https://example.com/auth"),
            ("code", found),
        ];
        assert!(
            pairs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .eq(wanted),
            "{pairs:?}"
        );
    }
});
