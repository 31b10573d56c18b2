//! The PROXY protocol, versions 1 and 2: who the visitor is, said by a balancer in front before the visitor's own bytes
//! (the specification is HAProxy's `proxy-protocol.txt`).
//!
//! Where it is on, it is mandatory: sniffing for it would let any visitor claim to be anybody. Not one byte after the
//! header is read, so that whatever comes next (TLS, HTTP) finds its stream untouched.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// What version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, its line end included.
const MAX_LINE: usize = 107;
/// Addresses of version 2 that are of interest: two IPv6 addresses and two ports.
const MAX_ADDRESSES: usize = 36;

/// Why a connection is closed before its first request.
#[derive(Debug, thiserror::Error)]
pub enum ProxyProtocolError {
    /// It broke off.
    #[error("the PROXY header did not come: {0}")]
    Io(#[from] io::Error),
    /// It is something else, or malformed.
    #[error("no valid PROXY header: {0}")]
    Malformed(&'static str),
}

/// Reads the header and says who the visitor is; `None`: the peer itself (a health check of the balancer's, or a protocol
/// whose addresses mean nothing here).
///
/// # Errors
/// What is no header ends the connection.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, ProxyProtocolError> {
    let mut line = [0; MAX_LINE];
    let (start, rest) = line.split_at_mut(SIGNATURE.len());
    // Both versions are longer than this.
    stream.read_exact(start).await?;
    if start == SIGNATURE {
        return read_binary(stream).await;
    }
    if !start.starts_with(b"PROXY ") {
        return Err(ProxyProtocolError::Malformed("the connection begins with something else"));
    }
    let mut filled = start.len();
    let mut last = start.last().copied();
    let mut unread = rest;
    loop {
        // Without the CR there are two bytes to come at least; asking for more could take what belongs to the visitor.
        let step = if last == Some(b'\r') { 1 } else { 2 };
        let Some((piece, after)) = unread.split_at_mut_checked(step) else {
            return Err(ProxyProtocolError::Malformed("a line without an end"));
        };
        stream.read_exact(piece).await?;
        filled += step;
        let ended = piece.ends_with(b"\r\n") || (last == Some(b'\r') && piece == b"\n");
        if !ended && piece.contains(&b'\n') {
            return Err(ProxyProtocolError::Malformed("a stray line end"));
        }
        last = piece.last().copied();
        unread = after;
        if ended {
            break;
        }
    }
    parse_line(line.get(..filled).unwrap_or_default()).map_err(ProxyProtocolError::Malformed)
}

async fn read_binary(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, ProxyProtocolError> {
    let mut fixed = [0; 4];
    stream.read_exact(&mut fixed).await?;
    let [command, family, high, low] = fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let mut addresses = [0; MAX_ADDRESSES];
    let wanted = addresses.get_mut(..length.min(MAX_ADDRESSES)).unwrap_or_default();
    let read = wanted.len();
    stream.read_exact(wanted).await?;
    // The rest are extensions (TLVs) and the paths of unix sockets.
    let mut left = length - read;
    let mut scratch = [0; 256];
    while left > 0 {
        let piece = scratch.get_mut(..left.min(256)).unwrap_or_default();
        stream.read_exact(piece).await?;
        left -= piece.len();
    }
    parse_binary(command, family, addresses.get(..read).unwrap_or_default()).map_err(ProxyProtocolError::Malformed)
}

/// A line of version 1 with its end: `PROXY TCP4 192.0.2.1 198.51.100.1 51000 443\r\n`.
fn parse_line(line: &[u8]) -> Result<Option<IpAddr>, &'static str> {
    let line = line.strip_suffix(b"\r\n").ok_or("a line without an end")?;
    let line = std::str::from_utf8(line).map_err(|_| "bytes outside ASCII")?;
    let mut words = line.split(' ');
    if words.next() != Some("PROXY") {
        return Err("the line begins with something else");
    }
    let family = words.next().unwrap_or_default();
    // Whatever follows it has to be ignored.
    if family == "UNKNOWN" {
        return Ok(None);
    }
    let mut address = || -> Result<IpAddr, &'static str> {
        let word = words.next().ok_or("an address is missing")?;
        let parsed = match family {
            "TCP4" => word.parse::<Ipv4Addr>().map(IpAddr::from).ok(),
            "TCP6" => word.parse::<Ipv6Addr>().map(IpAddr::from).ok(),
            _ => return Err("an unknown family"),
        };
        parsed.ok_or("not an address of its family")
    };
    let (visitor, _) = (address()?, address()?);
    let port = |word: &str| {
        let plain = word.bytes().all(|b| b.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
        plain && word.parse::<u16>().is_ok()
    };
    let ports: Vec<&str> = words.collect();
    if ports.len() != 2 || !ports.into_iter().all(port) {
        return Err("not two ports");
    }
    Ok(Some(visitor.to_canonical()))
}

/// The fields of version 2: version and command, family and protocol, the addresses.
fn parse_binary(command: u8, family: u8, addresses: &[u8]) -> Result<Option<IpAddr>, &'static str> {
    match command {
        // LOCAL: the balancer itself, whatever else it says.
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err("an unknown version or command"),
    }
    let short = "addresses cut short";
    let visitor: IpAddr = match family {
        // TCP over IPv4: two addresses, two ports.
        0x11 => {
            let own = addresses.get(..12).and_then(<[u8]>::first_chunk::<4>).ok_or(short)?;
            Ipv4Addr::from(*own).into()
        }
        // TCP over IPv6.
        0x21 => {
            let own = addresses.get(..36).and_then(<[u8]>::first_chunk::<16>).ok_or(short)?;
            Ipv6Addr::from(*own).into()
        }
        // UNSPEC, datagrams, unix sockets: nothing that is an address of a visitor.
        0x00..=0x02 | 0x10 | 0x12 | 0x20 | 0x22 | 0x30..=0x32 => return Ok(None),
        _ => return Err("an unknown family or protocol"),
    };
    Ok(Some(visitor.to_canonical()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of `bytes`, and how much is left for whoever comes next.
    fn outcome(bytes: &[u8]) -> (Result<Option<IpAddr>, String>, usize) {
        let mut stream = bytes;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let result = runtime.block_on(read(&mut stream)).map_err(|error| error.to_string());
        (result, stream.len())
    }

    fn address(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, addresses].concat()
    }

    #[test]
    fn lines_name_the_visitor_and_nothing_behind_them_is_read() {
        for (line, visitor) in [
            ("PROXY TCP4 192.0.2.7 198.51.100.1 51000 443\r\n", address("192.0.2.7")),
            ("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n", address("1.1.1.1")),
            ("PROXY TCP4 1.1.1.1 2.2.2.2 10 2\r\n", address("1.1.1.1")),
            ("PROXY TCP6 2001:db8::7 ::1 0 65535\r\n", address("2001:db8::7")),
            ("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", address("192.0.2.7")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ffff::1 whatever this is\r\n", None),
        ] {
            let (result, left) = outcome(format!("{line}GET / HTTP/1.1\r\n\r\n").as_bytes());
            assert_eq!((result, left), (Ok(visitor), 18), "{line}");
        }
    }

    #[test]
    fn lines_that_are_not_exactly_right_are_refused() {
        for line in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "PROXY  TCP4 192.0.2.7 198.51.100.1 51000 443\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 51000 443\n\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 51000 443 \r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 51000\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 51000 65536\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 051 443\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 +51 443\r\n",
            "PROXY TCP4 2001:db8::7 ::1 51000 443\r\n",
            "PROXY TCP6 192.0.2.7 198.51.100.1 51000 443\r\n",
            "PROXY UDP4 192.0.2.7 198.51.100.1 51000 443\r\n",
            "PROXY TCP4 shop.example 198.51.100.1 51000 443\r\n",
            "PROXY TCP4 192.0.2.7\r198.51.100.1 51000 443\r\n",
            "proxy TCP4 192.0.2.7 198.51.100.1 51000 443\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 51000 443",
        ] {
            assert!(outcome(line.as_bytes()).0.is_err(), "{line}");
        }
        let endless = format!("PROXY UNKNOWN {}\r\n", "x".repeat(94));
        assert!(outcome(endless.as_bytes()).0.is_err(), "108 bytes");
        let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(91));
        assert_eq!(outcome(longest.as_bytes()), (Ok(None), 0), "107 bytes");
    }

    #[test]
    fn binary_headers_name_the_visitor_and_extensions_are_skipped() {
        let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 0xc7, 0x38, 1, 0xbb];
        let mut v6 = [0; 36];
        v6[..2].copy_from_slice(&[0x20, 0x01]);
        v6[15] = 9;
        let extended = [&v4[..], &[0x04, 0x03, 0xe8], &[0; 1000]].concat();
        for (header, visitor) in [
            (v2(0x21, 0x11, &v4), address("192.0.2.7")),
            (v2(0x21, 0x11, &extended), address("192.0.2.7")),
            (v2(0x21, 0x21, &v6), address("2001::9")),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x20, 0x11, &v4), None),
            (v2(0x21, 0x00, &[1, 2, 3]), None),
            (v2(0x21, 0x31, &[7; 216]), None),
            (v2(0x21, 0x12, &v4), None),
        ] {
            let (result, left) = outcome(&[&header[..], b"next"].concat());
            assert_eq!((result, left), (Ok(visitor), 4), "{header:?}");
        }
    }

    #[test]
    fn binary_headers_that_are_not_right_are_refused() {
        let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 0, 1, 0, 1];
        for header in [
            v2(0x11, 0x11, &v4),
            v2(0x22, 0x11, &v4),
            v2(0x21, 0x13, &v4),
            v2(0x21, 0x41, &v4),
            v2(0x21, 0x11, &v4[..11]),
            v2(0x21, 0x21, &[0; 35]),
            v2(0x21, 0x11, &v4)[..20].to_vec(),
        ] {
            assert!(outcome(&header).0.is_err(), "{header:?}");
        }
    }
}
