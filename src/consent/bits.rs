//! Bit fields behind base64url, as the IAB's strings have them. Read over sextets, because encoders pad to bytes, to 24
//! bits or not at all.

/// The bits of a text, and how far they are read. Whatever lies beyond the end is `None`.
pub struct Bits<'a> {
    digits: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    /// `None`: it is empty, or not base64url.
    pub fn of(text: &'a str) -> Option<Self> {
        let digits = text.as_bytes();
        (!digits.is_empty() && digits.iter().all(|digit| sextet(*digit).is_some())).then_some(Self { digits, at: 0 })
    }

    /// How many there are, padding included.
    pub const fn len(&self) -> usize {
        self.digits.len() * 6
    }

    /// The big-endian number of the next bits, at most 32 of them.
    pub fn number(&mut self, len: usize) -> Option<u32> {
        let number = (self.at..self.at + len).try_fold(0, |number, bit| {
            let sextet = sextet(*self.digits.get(bit / 6)?)?;
            Some(number << 1 | u32::from(sextet >> (5 - bit % 6) & 1))
        })?;
        self.at += len;
        Some(number)
    }

    /// The next bit.
    pub fn flag(&mut self) -> Option<bool> {
        Some(self.number(1)? == 1)
    }

    /// Leaves some out; they must be there.
    pub fn skip(&mut self, len: usize) -> Option<()> {
        let at = self.at.checked_add(len).filter(|at| *at <= self.len())?;
        self.at = at;
        Some(())
    }

    /// A number in Fibonacci coding: it ends with two ones.
    pub fn fibonacci(&mut self) -> Option<u32> {
        let (mut number, mut weight, mut next, mut last) = (0_u32, 1_u32, 2_u32, false);
        loop {
            let bit = self.flag()?;
            if bit && last {
                return Some(number);
            }
            if bit {
                number = number.checked_add(weight)?;
            }
            (weight, next, last) = (next, weight.checked_add(next)?, bit);
        }
    }

    /// Whether nothing but padding is left. What else follows is not part of what was written.
    pub fn is_at_end(&mut self) -> bool {
        (self.at..self.len()).all(|_| self.number(1) == Some(0))
    }
}

/// The value of a base64url digit.
const fn sextet(digit: u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Writes numbers of so many bits each.
    pub fn written(fields: impl IntoIterator<Item = (u64, usize)>) -> String {
        let bits: Vec<u8> = fields
            .into_iter()
            .flat_map(|(value, len)| {
                (0..len).rev().map(move |bit| (value.unbounded_shr(u32::try_from(bit).unwrap()) & 1) as u8)
            })
            .collect();
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        bits.chunks(6)
            .map(|six| digits[(0..6).fold(0, |n, i| n << 1 | usize::from(six.get(i) == Some(&1)))] as char)
            .collect()
    }

    #[test]
    fn numbers_are_read_across_digits_and_end_with_the_text() {
        let mut bits = Bits::of("B_-").unwrap();
        assert_eq!((bits.len(), bits.number(5), bits.number(7)), (18, Some(0), Some(127)));
        assert_eq!((bits.number(7), bits.number(6), bits.flag()), (None, Some(62), None));
        assert!(Bits::of("").is_none() && Bits::of("A+").is_none() && Bits::of("A=").is_none());
    }

    #[test]
    fn fibonacci_numbers_end_with_two_ones() {
        // The specification's own table.
        for (code, len, number) in
            [(0b11, 2, 1), (0b011, 3, 2), (0b0011, 4, 3), (0b1011, 4, 4), (0b00011, 5, 5), (0b01011, 5, 7)]
        {
            assert_eq!(Bits::of(&written([(code, len)])).unwrap().fibonacci(), Some(number));
        }
        assert_eq!(Bits::of("AAAAAAAA").unwrap().fibonacci(), None);
        assert_eq!(Bits::of("AAAAAAAAAAAAAAAAAAD").unwrap().fibonacci(), None);
    }
}
