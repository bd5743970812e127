//! The `f64` nearest to a decimal number, ties to even. std's parser is faster, but it adds
//! 17 KB of code and tables to a program that does not use it otherwise, and replies
//! rarely contain numbers with a fraction.

/// The midpoint of two floats has fewer significant digits than this. Of the digits after
/// them it only matters whether all are zero.
const DIGITS: usize = 800;

/// The limit of an exponent: no number of digits compensates for it.
const FAR: i64 = 1 << 40;

/// The value of a JSON number; infinite if it is too large.
pub(crate) fn float(text: &str) -> f64 {
    let negative = text.starts_with('-');
    f64::from_bits(nearest(text) | u64::from(negative) << 63)
}

/// The bits of the nearest float, without its sign.
fn nearest(text: &str) -> u64 {
    let Decimal {
        mut number,
        digits,
        mut exponent,
        mut inexact,
    } = Decimal::parse(text);
    let size = exponent + digits as i64;
    if number.is_empty() || size < -400 {
        return 0;
    }
    if size > 400 {
        return f64::INFINITY.to_bits();
    }
    // Ten is five times two, and the power of two is added at the end. The number is
    // shifted by whole limbs, so that a quotient has 64 bits or more.
    let mut twos = exponent as i32;
    if exponent < 0 {
        let shifted = exponent.unsigned_abs() as usize * 7 / 96 + 3;
        let mut scaled = vec![0; shifted];
        scaled.append(&mut number);
        number = scaled;
        twos -= 32 * shifted as i32;
    }
    while exponent != 0 {
        let step = exponent.clamp(-13, 13);
        let power = 5u32.pow(step.unsigned_abs() as u32);
        match step > 0 {
            true => multiply(&mut number, power, 0),
            false => inexact |= divide(&mut number, power) > 0,
        }
        exponent -= step;
    }
    round(&number, twos, inexact)
}

/// A decimal number: an integer, times ten to `exponent`.
#[derive(Default)]
struct Decimal {
    number: Vec<u32>,
    /// The number of its digits.
    digits: usize,
    exponent: i64,
    /// Whether anything was cut off below the number.
    inexact: bool,
}

impl Decimal {
    fn parse(text: &str) -> Decimal {
        let mut it = Decimal::default();
        let mut fraction = 0;
        let mut bytes = text.bytes();
        for byte in &mut bytes {
            match byte {
                b'.' => fraction = 1,
                b'e' | b'E' => break,
                b'-' => {}
                _ if it.digits < DIGITS => {
                    multiply(&mut it.number, 10, u32::from(byte - b'0'));
                    it.digits += usize::from(!it.number.is_empty());
                    it.exponent -= fraction;
                }
                _ => {
                    it.inexact |= byte > b'0';
                    it.exponent += 1 - fraction;
                }
            }
        }
        let mut written = 0;
        let mut sign = 1;
        for byte in bytes {
            match byte {
                b'+' => {}
                b'-' => sign = -1,
                _ => written = (written * 10 + i64::from(byte - b'0')).min(FAR),
            }
        }
        it.exponent += sign * written;
        it
    }
}

/// The bits of the float nearest to a number times two to `twos`.
fn round(number: &[u32], twos: i32, mut inexact: bool) -> u64 {
    // Its highest 64 bits; the lowest is set if anything below them is.
    let mut high = 0u128;
    for limb in number.iter().rev().chain(&[0, 0]).take(3) {
        high = high << 32 | u128::from(*limb);
    }
    let zeros = high.leading_zeros();
    high <<= zeros;
    inexact |= high as u64 > 0 || number.iter().rev().skip(3).any(|&limb| limb > 0);
    let high = (high >> 64) as u64 | u64::from(inexact);
    // The highest bit stands for two to the power of this.
    let power = 32 * (number.len() as i32 + 1) - 1 - zeros as i32 + twos;
    if power > 1023 {
        return f64::INFINITY.to_bits();
    }
    // A float has 53 bits, and fewer below 2^-1022.
    let below = 11 + (-1022 - power).max(0);
    let (kept, rest) = match below {
        0..64 => (high >> below, high << (64 - below)),
        64 => (0, high),
        _ => (0, 0),
    };
    let half = 1 << 63;
    let up = rest > half || rest == half && kept & 1 == 1;
    kept + u64::from(up) + (((power + 1022).max(0) as u64) << 52)
}

/// `number × factor + add`; a number has 32 bits to a limb, the lowest first.
fn multiply(number: &mut Vec<u32>, factor: u32, add: u32) {
    let mut carry = u64::from(add);
    for limb in &mut *number {
        carry += u64::from(*limb) * u64::from(factor);
        *limb = carry as u32;
        carry >>= 32;
    }
    if carry > 0 {
        number.push(carry as u32);
    }
}

/// Divides and gives the remainder.
fn divide(number: &mut Vec<u32>, by: u32) -> u32 {
    let mut rest = 0;
    for limb in number.iter_mut().rev() {
        let part = rest << 32 | u64::from(*limb);
        *limb = (part / u64::from(by)) as u32;
        rest = part % u64::from(by);
    }
    while number.last() == Some(&0) {
        number.pop();
    }
    rest as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn same_as_std(text: &str) {
        let std: f64 = text.parse().unwrap();
        assert_eq!(
            float(text).to_bits(),
            std.to_bits(),
            "{text}: {} is not {std}",
            float(text)
        );
    }

    #[test]
    fn the_edges_of_the_format() {
        for text in [
            "0",
            "-0",
            "0.0",
            "-0.0e5",
            "0e99999999999999999999",
            "1",
            "-1.5",
            "0.1",
            "1e23",
            "9007199254740993",
            "9007199254740992.9",
            "9007199254740993.0000000000000000000000001",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775809",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "179769313486231580793728971405301e276",
            "1e308",
            "1e309",
            "-1e309",
            "1e9999",
            "1e-9999",
            "1e99999999999999999999",
            "-1e-99999999999999999999",
            "2.2250738585072014e-308",
            "2.2250738585072011e-308",
            "2.225073858507201e-308",
            "4.9406564584124654e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "2.47032822920623272e-324",
            "7.4e-324",
            "1e-323",
            "123456789012345678901234567890e-310",
            "0.000000000000000000000000000000000000000000000000000000000000000000000000000001",
        ] {
            same_as_std(text);
        }
    }

    #[test]
    fn numbers_of_any_length() {
        let zeros = "0".repeat(100_000);
        for text in [
            format!("1{zeros}"),
            format!("1{zeros}e-100000"),
            format!("0.{zeros}1"),
            format!("0.{zeros}1e100001"),
            format!("1.{zeros}1"),
            // Halfway between two floats, and a little more after very many digits.
            format!("9007199254740993.{zeros}"),
            format!("9007199254740993.{zeros}1"),
            format!("1e{zeros}5"),
            // The smallest float is half of this and has 751 digits.
            format!("{:.1100}", f64::from_bits(1)),
            format!("{:.1100}", f64::MIN_POSITIVE),
        ] {
            same_as_std(&text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        #[test]
        fn every_float_reads_back(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            for text in [format!("{value:e}"), format!("{value}")] {
                prop_assert_eq!(float(&text).to_bits(), bits);
            }
        }

        #[test]
        fn midpoints_round_to_even(mantissa in 1u64 << 52..1 << 53, shift in 0u32..70, e in 0..30) {
            let middle = (u128::from(mantissa) * 2 + 1) << shift;
            let zeros = "0".repeat(1000);
            for text in [
                format!("{middle}"),
                format!("{middle}.{zeros}1"),
                format!("{}", middle - 1),
                format!("{middle}e-{e}"),
                format!("{middle}{zeros}e-1000"),
            ] {
                same_as_std(&text);
            }
        }

        #[test]
        fn any_number(text in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?") {
            same_as_std(&text);
        }
    }
}
