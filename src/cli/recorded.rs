//! Recorded HTTP/1.1 messages → what the proxy would have copied of them.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::exchange::{Captured, RequestRecord, ResponseRecord, UnixMillis};
use crate::proxy::forwarded;

const MAX_HEADERS: usize = 256;

/// A request file.
///
/// # Errors
/// What is wrong with it.
pub fn request(bytes: &[u8], trusted_peer: bool, received: UnixMillis) -> Result<RequestRecord, String> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut fields);
    let length = complete(head.parse(bytes))?;
    let headers = header_map(head.headers)?;
    let method = head.method.unwrap_or_default().parse::<Method>().map_err(|error| error.to_string())?;
    let target = head.path.unwrap_or("/");
    // Absolute-form: the path is what the proxy would have passed on.
    let target = target
        .find("://")
        .and_then(|scheme| target.get(scheme + 3..))
        .map_or(target, |rest| rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    Ok(RequestRecord {
        method,
        target: target.to_owned(),
        https: forwarded::visitor_is_on_https(false, trusted_peer, &headers),
        host,
        body: body(bytes.get(length..).unwrap_or_default(), &headers)?,
        headers,
        client_ip: None,
        received,
    })
}

/// An answer file.
///
/// # Errors
/// What is wrong with it.
pub fn response(bytes: &[u8]) -> Result<ResponseRecord, String> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut fields);
    let length = complete(head.parse(bytes))?;
    let headers = header_map(head.headers)?;
    let status = StatusCode::from_u16(head.code.unwrap_or_default()).map_err(|error| error.to_string())?;
    Ok(ResponseRecord { status, body: body(bytes.get(length..).unwrap_or_default(), &headers)?, headers })
}

fn complete(parsed: httparse::Result<usize>) -> Result<usize, String> {
    match parsed {
        Ok(httparse::Status::Complete(length)) => Ok(length),
        Ok(httparse::Status::Partial) => Err("the head has no end: a blank line must follow the headers".to_owned()),
        Err(error) => Err(format!("not HTTP/1.1: {error}")),
    }
}

fn header_map(fields: &[httparse::Header<'_>]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for field in fields {
        let name = field.name.parse::<HeaderName>().map_err(|error| format!("header {}: {error}", field.name))?;
        let value = HeaderValue::from_bytes(field.value).map_err(|error| format!("header {}: {error}", field.name))?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn body(bytes: &[u8], headers: &HeaderMap) -> Result<Captured, String> {
    if headers.get(TRANSFER_ENCODING).is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return dechunk(bytes).map(|body| Captured::Whole(body.into()));
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    Ok(match length {
        // An editor may have added a newline at the end of the file.
        Some(length) => {
            bytes.get(..length).map_or(Captured::Aborted, |body| Captured::Whole(Bytes::copy_from_slice(body)))
        }
        None => Captured::Whole(Bytes::copy_from_slice(bytes)),
    })
}

fn dechunk(mut rest: &[u8]) -> Result<Vec<u8>, String> {
    let broken = || "the chunked body is malformed".to_owned();
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) else {
            return Err(broken());
        };
        if size == 0 {
            return Ok(body);
        }
        let size = usize::try_from(size).map_err(|_| broken())?;
        let end = start.checked_add(size).ok_or_else(broken)?;
        body.extend_from_slice(rest.get(start..end).ok_or_else(broken)?);
        rest = rest.get(end..).and_then(|rest| rest.strip_prefix(b"\r\n")).ok_or_else(broken)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_cut_by_their_length_and_chunks_are_joined() {
        let plain = b"POST /x?y HTTP/1.1\r\nHost: Shop.Example\r\nContent-Length: 3\r\n\r\na=b\n";
        let record = request(plain, false, UnixMillis(0)).unwrap();
        assert_eq!((record.host.as_str(), record.body.whole()), ("shop.example", Some(&b"a=b"[..])));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n";
        assert_eq!(response(chunked).unwrap().body.whole(), Some(&b"abc"[..]));
    }

    #[test]
    fn what_is_not_http_is_refused_with_a_reason() {
        for bad in [&b""[..], b"hello", b"POST / HTTP/1.1\r\nHost: a\r\n", b"\x16\x03\x01"] {
            assert!(request(bad, false, UnixMillis(0)).is_err());
        }
        assert!(response(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").is_err());
    }
}
