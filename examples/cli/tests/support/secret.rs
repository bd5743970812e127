//! A token to look for in what was written.

/// A token that looks different in every way it can be written.
pub const REAL: &str = "IGQVJ/re%al=secret";

/// The ways it can be written: plain, percent-encoded, in JSON, and both.
pub fn written() -> Vec<String> {
    let encoded = "IGQVJ%2Fre%25al%3Dsecret";
    vec![
        REAL.to_owned(),
        encoded.to_owned(),
        encoded.replace("%2F", "%2f").replace("%3D", "%3d"),
        REAL.replace('/', "\\/"),
        encoded.replace('%', "\\u0025"),
        encoded.replace('%', "%25"),
        // And any piece of it worth the name.
        "al=secret".to_owned(),
        "al%3Dsecret".to_owned(),
        "secret".to_owned(),
    ]
}
