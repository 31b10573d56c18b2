//! Content codings (RFC 9110 8.4.1) undone, within a bound: a small answer must not unpack to a large one.

use std::borrow::Cow;
use std::io::Read;

/// Most bytes that are unpacked; also the most that are looked at of an answer.
pub(super) const MAX_DECODED: usize = 2 << 20;
/// More than one coding is rare, more than two is an attack.
const MAX_CODINGS: usize = 2;

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A coding that is not known, or bytes that are not what the header says.
    Coding,
    /// Larger than [`MAX_DECODED`].
    TooLarge,
}

/// Undoes `Content-Encoding`.
pub(super) fn decode<'a>(body: &'a [u8], codings: &str) -> Result<Cow<'a, [u8]>, Unreadable> {
    let mut body = Cow::Borrowed(body);
    let codings = codings.split(',').map(|coding| coding.trim().to_ascii_lowercase());
    let codings: Vec<_> = codings.filter(|coding| !coding.is_empty() && coding != "identity").collect();
    if codings.len() > MAX_CODINGS {
        return Err(Unreadable::Coding);
    }
    for coding in codings.iter().rev() {
        body = Cow::Owned(one(&body, coding)?);
    }
    if body.len() > MAX_DECODED { Err(Unreadable::TooLarge) } else { Ok(body) }
}

fn one(body: &[u8], coding: &str) -> Result<Vec<u8>, Unreadable> {
    match coding {
        "gzip" | "x-gzip" => read(flate2::read::MultiGzDecoder::new(body)),
        // RFC 9110 8.4.1.2 means zlib; some servers send the bare format.
        "deflate" => read(flate2::read::ZlibDecoder::new(body)).or_else(|error| match error {
            Unreadable::Coding => read(flate2::read::DeflateDecoder::new(body)),
            Unreadable::TooLarge => Err(error),
        }),
        "br" => read(brotli_decompressor::Decompressor::new(body, 4096)),
        "zstd" => read(ruzstd::decoding::StreamingDecoder::new(body).map_err(|_| Unreadable::Coding)?),
        _ => Err(Unreadable::Coding),
    }
}

fn read(source: impl Read) -> Result<Vec<u8>, Unreadable> {
    let mut decoded = Vec::new();
    let limit = u64::try_from(MAX_DECODED + 1).unwrap_or(u64::MAX);
    source.take(limit).read_to_end(&mut decoded).map_err(|_| Unreadable::Coding)?;
    if decoded.len() > MAX_DECODED { Err(Unreadable::TooLarge) } else { Ok(decoded) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_coding_of_the_web_is_undone() {
        let text = b"{\"status\":\"mail_sent\"}".as_slice();
        let zstd = ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest);
        // RFC 7932 9.2: window bits 16; a meta-block of 22 bytes, uncompressed; an empty last one.
        let brotli = [b"\x50\x01\x10".as_slice(), text, b"\x03"].concat();
        for (body, coding) in [
            (text.to_vec(), ""),
            (text.to_vec(), "identity"),
            (gzip(text), "gzip"),
            (gzip(text), "X-GZIP"),
            (zlib(text), "deflate"),
            (deflate(text), "deflate"),
            (zstd, "zstd"),
            (brotli, "br"),
            (gzip(&zlib(text)), "deflate, gzip"),
        ] {
            assert_eq!(decode(&body, coding).as_deref(), Ok(text), "{coding}");
        }
    }

    #[test]
    fn bombs_and_lies_are_unreadable() {
        let bomb = gzip(&vec![b'a'; MAX_DECODED + 1]);
        assert!(bomb.len() < 10_000);
        assert_eq!(decode(&bomb, "gzip"), Err(Unreadable::TooLarge));
        let whole = gzip(b"hello");
        for (body, coding) in [
            (b"hello".as_slice(), "gzip"),
            (b"hello", "br"),
            (b"hello", "zstd"),
            (b"hello", "compress"),
            (&whole[..12], "gzip"),
        ] {
            assert_eq!(decode(body, coding), Err(Unreadable::Coding), "{coding}");
        }
        assert_eq!(decode(&whole, "gzip, gzip, gzip"), Err(Unreadable::Coding));
    }
}
