//! Hexadecimal digits.

/// The digits of a number, at least that many, in lower case. Some requests write two such numbers: Rust's formatting costs
/// more than all else in them.
pub(crate) fn digits(number: u64, least: u32) -> impl Iterator<Item = u8> {
    let count = (u64::BITS - number.leading_zeros()).div_ceil(4).max(least);
    (0..count).rev().map(move |digit| {
        let digit = (number >> (4 * digit) & 0xf) as u8;
        digit + if digit < 10 { b'0' } else { b'a' - 10 }
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_number_has_at_least_the_given_digits() {
        for (number, least, digits) in [
            (0, 1, "0"),
            (9, 1, "9"),
            (0xf, 1, "f"),
            (0x10, 1, "10"),
            (0xabc, 16, "0000000000000abc"),
            (u64::MAX, 16, "ffffffffffffffff"),
        ] {
            assert_eq!(super::digits(number, least).map(char::from).collect::<String>(), digits);
        }
    }
}
