//! The two rate-limit headers, each on a line of its own, through a reply.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mingram_fuzz::{Player, check_error};
use serde_json::Value;
use std::time::Duration;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data).replace('\r', "");
    let (app, business) = text.split_once('\n').unwrap_or((&text, ""));
    let business = business.replace('\n', " ");
    let head = format!("X-App-Usage: {app}\nX-Business-Use-Case-Usage: {business}\n\n");

    let api = Player::new(vec![
        format!("HTTP/1.1 200 OK\n{head}{{\"id\":\"1\"}}").into_bytes(),
    ])
    .api();
    // Headers that cannot be read never fail a call.
    assert_eq!(api.me("").unwrap().id, "1");
    let usage = api.usage();
    // Those of other use cases do not count.
    let all = usage.business.iter().filter(|entry| {
        let kind = entry.kind.as_deref();
        kind.is_none_or(|kind| kind.to_ascii_lowercase().contains("instagram"))
    });
    let most = all
        .flat_map(|b| [b.call_count, b.total_time, b.total_cputime])
        .chain(
            usage
                .app
                .iter()
                .flat_map(|a| [a.call_count, a.total_time, a.total_cputime]),
        )
        .max();
    assert_eq!(usage.percent(), most);

    if let Ok(Value::Object(seen)) = serde_json::from_str::<Value>(app.trim()) {
        let number = |name: &str| match seen.get(name) {
            None | Some(Value::Null) => Some(0),
            Some(value) => value.as_u64().filter(|&n| n <= i64::MAX as u64),
        };
        // Without a number it counts as absent.
        let names = ["call_count", "total_time", "total_cputime"];
        let has_numbers = names
            .iter()
            .any(|name| seen.get(*name).is_some_and(is_number));
        assert!(usage.app.is_some() || !has_numbers);
        let known = usage.app.unwrap_or_default();
        for (name, value) in [
            ("call_count", known.call_count),
            ("total_time", known.total_time),
            ("total_cputime", known.total_cputime),
        ] {
            if let Some(number) = number(name) {
                assert_eq!(value, number, "{name}");
            }
        }
    }
    if let Ok(Value::Object(seen)) = serde_json::from_str::<Value>(business.trim()) {
        let whole = seen.values().all(|entries| {
            entries
                .as_array()
                .is_some_and(|entries| entries.iter().all(Value::is_object))
        });
        if whole {
            let count: usize = seen.values().map(|v| v.as_array().unwrap().len()).sum();
            assert!(usage.business.len() <= count);
            // An id that quotes a token is not shown.
            let known = |id: &str| seen.contains_key(id) || id.contains("(not shown");
            assert!(usage.business.iter().all(|b| known(&b.id)));
        }
    }

    let limited = r#"{"error":{"message":"m","code":4}}"#;
    let api = Player::new(vec![
        format!("HTTP/1.1 400 Bad\n{head}{limited}").into_bytes(),
    ])
    .api();
    let error = api.me("").unwrap_err();
    check_error(&error);
    assert!(error.is_rate_limited());
    assert_eq!(error.retry_after(), usage.wait());
    assert!(usage.wait() != Some(Duration::ZERO));
});

fn is_number(value: &Value) -> bool {
    value.as_u64().is_some_and(|n| n <= i64::MAX as u64)
}
