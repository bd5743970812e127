//! What the three parsers share.

/// The text of the file, and how often to parse it.
pub fn input() -> (String, u32) {
    let mut args = std::env::args().skip(1);
    let (Some(file), Some(times)) = (args.next(), args.next()) else {
        panic!("a file and a number");
    };
    (
        std::fs::read_to_string(file).expect("a text"),
        times.parse().expect("a number"),
    )
}

/// Keeps a parsed page from being optimised away.
pub fn done(items: usize) {
    assert_eq!(std::hint::black_box(items), 100);
}
