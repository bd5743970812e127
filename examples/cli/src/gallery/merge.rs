//! What an earlier run shows and the service does not list now.

use std::collections::{BTreeMap, HashMap};

/// Adds what was kept to what is listed, each after the one that it followed before.
pub fn merge<T>(listed: Vec<T>, kept: Vec<T>, id: impl Fn(&T) -> &str) -> Vec<T> {
    let places = listed.iter().enumerate().map(|(i, one)| (id(one), i));
    let places: HashMap<String, usize> = places.map(|(id, i)| (id.to_owned(), i)).collect();
    let place = |one: &T| places.get(id(one)).copied();
    let first = kept.iter().find_map(place);
    let mut at = first.unwrap_or(listed.len());
    let mut before: BTreeMap<usize, Vec<T>> = BTreeMap::new();
    for one in kept {
        match place(&one) {
            Some(place) => at = place + 1,
            None => before.entry(at).or_default().push(one),
        }
    }
    let mut all = Vec::new();
    for (i, one) in listed.into_iter().enumerate() {
        all.extend(before.remove(&i).unwrap_or_default());
        all.push(one);
    }
    all.extend(before.into_values().flatten());
    all
}

#[cfg(test)]
mod tests {
    use super::merge;

    #[test]
    fn each_stays_behind_the_one_that_it_followed() {
        for (listed, kept, merged) in [
            ("nab", "ab", "nab"),
            ("nac", "abc", "nabc"),
            ("nb", "ab", "nab"),
            ("xy", "ab", "xyab"),
            ("", "ab", "ab"),
            ("ab", "", "ab"),
            ("dcba", "abcde", "decba"),
        ] {
            let split = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
            let all = merge(split(listed), split(kept), |one| one);
            assert_eq!(all.concat(), merged);
        }
    }
}
