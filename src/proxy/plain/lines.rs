//! Header lines as httparse finds them in a buffer.

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue};
use httparse::Header;

use crate::proxy::fields::Fields;

/// The lines of one head.
#[derive(Clone, Copy)]
pub struct Lines<'l, 'b>(pub &'l [Header<'b>]);

impl Fields for Lines<'_, '_> {
    fn first(&self, name: &HeaderName) -> Option<&[u8]> {
        self.0.iter().find(|line| line.name.eq_ignore_ascii_case(name.as_str())).map(|line| line.value)
    }

    fn all<'f>(&'f self, name: &HeaderName) -> Vec<&'f [u8]> {
        let of_that_name = |line: &&Header<'_>| line.name.eq_ignore_ascii_case(name.as_str());
        self.0.iter().filter(of_that_name).map(|line| line.value).collect()
    }

    fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.0.len());
        // The values are parts of one buffer, as they were.
        let mut values = BytesMut::with_capacity(self.0.iter().map(|line| line.value.len()).sum());
        for line in self.0 {
            values.extend_from_slice(line.value);
            let value = HeaderValue::from_maybe_shared(values.split().freeze());
            // httparse has accepted both already.
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(line.name.as_bytes()), value) {
                map.append(name, value);
            }
        }
        map
    }
}

/// Where a part of a buffer begins in it. Both must be of the same buffer.
#[must_use]
pub fn offset(buffer: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr().wrapping_sub(buffer.as_ptr().addr())
}

/// Appends a line as it came, its inner white space included; where it came in pieces (folded, or with space before the colon,
/// RFC 9112 5.1 and 5.2), as one.
pub fn write_line(out: &mut Vec<u8>, buffer: &[u8], line: &Header<'_>) {
    let name_at = offset(buffer, line.name.as_bytes());
    let value_end = if line.value.is_empty() {
        // httparse points an empty value wherever it likes.
        name_at + line.name.len() + 1
    } else {
        offset(buffer, line.value) + line.value.len()
    };
    match buffer.get(name_at..value_end) {
        Some(raw) if raw.get(line.name.len()) == Some(&b':') && !raw.contains(&b'\n') => out.extend_from_slice(raw),
        _ => {
            out.extend_from_slice(line.name.as_bytes());
            out.extend_from_slice(b": ");
            write_unfolded(out, line.value);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// A fold is a line end and the white space after it; it means one space (RFC 9112 5.2).
fn write_unfolded(out: &mut Vec<u8>, value: &[u8]) {
    for (number, piece) in value.split(|byte| *byte == b'\n').enumerate() {
        if number > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(piece.trim_ascii());
    }
}

/// Appends a line of our own.
pub fn write_own(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}
