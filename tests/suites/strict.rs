//! A strict reader of requests, after RFC 9112 alone and independent of what the proxy is built on: what two servers could
//! read in two ways is an error here, and says which rule it breaks.

/// A request that can be read in one way only.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub method: String,
    pub target: String,
    /// Names in lower case; values byte by byte as characters.
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What came on one connection.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conversation {
    pub requests: Vec<Request>,
    /// It ended, so far, in the middle of a message.
    pub truncated: bool,
}

/// The rule that is broken, and where.
pub type Ambiguity = String;

/// A field and its value.
type Field = (String, String);

/// What is there so far of a message.
enum Step<'a, T> {
    Whole(T, &'a [u8]),
    Part,
}

impl Request {
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// Everything that came on one connection.
pub fn read(mut bytes: &[u8]) -> Result<Conversation, Ambiguity> {
    let mut conversation = Conversation::default();
    while !bytes.is_empty() {
        match request(bytes)? {
            Step::Whole(request, rest) => {
                conversation.requests.push(request);
                bytes = rest;
            }
            Step::Part => {
                conversation.truncated = true;
                break;
            }
        }
    }
    Ok(conversation)
}

fn request(bytes: &[u8]) -> Result<Step<'_, Request>, Ambiguity> {
    let Step::Whole(first, rest) = line(bytes)? else { return Ok(Step::Part) };
    let Step::Whole(fields, rest) = fields(rest)? else { return Ok(Step::Part) };
    let (method, target) = request_line(first)?;
    let mut request = Request { method, target, fields, body: Vec::new() };
    host(&request)?;
    let rest = match framing(&request)? {
        Framing::Length(length) => {
            let Some((body, rest)) = rest.split_at_checked(length) else { return Ok(Step::Part) };
            request.body = body.to_vec();
            rest
        }
        Framing::Chunked => {
            let Step::Whole(body, rest) = chunks(rest)? else { return Ok(Step::Part) };
            request.body = body;
            rest
        }
    };
    Ok(Step::Whole(request, rest))
}

/// RFC 9112 2.2: lines end in CRLF; a CR or LF alone, or a NUL, is read in different ways.
fn line(bytes: &[u8]) -> Result<Step<'_, &[u8]>, Ambiguity> {
    let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n' | 0)) else { return Ok(Step::Part) };
    match (bytes[end], bytes.get(end + 1)) {
        (b'\r', Some(b'\n')) => Ok(Step::Whole(&bytes[..end], &bytes[end + 2..])),
        (b'\r', None) => Ok(Step::Part),
        (0, _) => Err(format!("NUL in {:?}", text(&bytes[..end]))),
        _ => Err(format!("a CR or LF alone after {:?}", text(&bytes[..end]))),
    }
}

/// RFC 9112 3, and 3.2: origin-form, or the asterisk of OPTIONS. The version is this hop's, thus 1.1.
fn request_line(bytes: &[u8]) -> Result<(String, String), Ambiguity> {
    let words: Vec<_> = bytes.split(|byte| *byte == b' ').map(text).collect();
    let [method, target, version] = &words[..] else { return Err(format!("request line {:?}", text(bytes))) };
    if version != "HTTP/1.1" {
        return Err(format!("version {version:?}"));
    }
    if !is_token(method.as_bytes()) {
        return Err(format!("method {method:?}"));
    }
    // What is beyond ASCII is not of RFC 3986, but passes as it is: nobody takes it for the end of anything.
    let is_of_a_target = |byte: u32| (0x21..0x7f).contains(&byte) && byte != 0x23 || byte >= 0x80;
    let is_path = target.starts_with('/') && target.chars().map(u32::from).all(is_of_a_target);
    if !is_path && (method != "OPTIONS" || target != "*") {
        return Err(format!("target {target:?} of {method}"));
    }
    Ok((method.clone(), target.clone()))
}

/// Field lines up to the empty one (RFC 9112 5): no folding, no white space before the colon, no control characters.
fn fields(mut bytes: &[u8]) -> Result<Step<'_, Vec<Field>>, Ambiguity> {
    let mut fields = Vec::new();
    loop {
        let Step::Whole(line, rest) = line(bytes)? else { return Ok(Step::Part) };
        bytes = rest;
        if line.is_empty() {
            return Ok(Step::Whole(fields, bytes));
        }
        let colon = line.iter().position(|byte| *byte == b':').ok_or(format!("no colon in {:?}", text(line)))?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if !is_token(name) {
            return Err(format!("field name {:?}", text(name)));
        }
        if value.iter().any(|byte| *byte != b'\t' && (*byte < b' ' || *byte == 0x7f)) {
            return Err(format!("control characters in {:?}", text(line)));
        }
        let name = text(name).to_ascii_lowercase();
        // CGI reads both as the same variable.
        if ["content_length", "transfer_encoding"].contains(&name.as_str()) {
            return Err(format!("the underscore twin {name}"));
        }
        fields.push((name, text(value).trim_matches([' ', '\t']).to_owned()));
    }
}

/// RFC 9112 3.2: one, and nothing in it that could be read as the end of it. That there is one is not asked here: HTTP/1.0
/// needs none, and what is not there is not read in two ways.
fn host(request: &Request) -> Result<(), Ambiguity> {
    let hosts = request.all("host");
    let host = match hosts[..] {
        [] => return Ok(()),
        [host] => host,
        _ => return Err(format!("{} Hosts", hosts.len())),
    };
    // RFC 3986 3.2.2: reg-name, IP-literal, port. Without userinfo.
    let is_of_a_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&byte);
    if !host.bytes().all(is_of_a_host) {
        return Err(format!("Host {host:?}"));
    }
    Ok(())
}

enum Framing {
    Length(usize),
    Chunked,
}

/// RFC 9112 6: one length or one `chunked`, never both, never a list.
fn framing(request: &Request) -> Result<Framing, Ambiguity> {
    match (&request.all("content-length")[..], &request.all("transfer-encoding")[..]) {
        ([], []) => Ok(Framing::Length(0)),
        ([length], []) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
            length.parse().map(Framing::Length).map_err(|error| format!("Content-Length {length}: {error}"))
        }
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        (lengths, codings) => Err(format!("Content-Length {lengths:?} with Transfer-Encoding {codings:?}")),
    }
}

/// RFC 9112 7.1. Extensions are legal, but nobody who chunks anew has a reason to send them.
fn chunks(mut bytes: &[u8]) -> Result<Step<'_, Vec<u8>>, Ambiguity> {
    let mut body = Vec::new();
    loop {
        let Step::Whole(size, rest) = line(bytes)? else { return Ok(Step::Part) };
        if size.is_empty() || size.len() > 8 || !size.iter().all(u8::is_ascii_hexdigit) {
            return Err(format!("chunk size {:?}", text(size)));
        }
        let size = usize::from_str_radix(&text(size), 16).map_err(|error| error.to_string())?;
        if size == 0 {
            let Step::Whole(trailers, rest) = fields(rest)? else { return Ok(Step::Part) };
            // RFC 9110 6.5.1: what frames or routes a message is never read from its end.
            let forbidden = ["content-length", "transfer-encoding", "host", "authorization", "cookie"];
            if let Some((name, _)) = trailers.iter().find(|(name, _)| forbidden.contains(&name.as_str())) {
                return Err(format!("{name} among the trailers"));
            }
            return Ok(Step::Whole(body, rest));
        }
        let Some((chunk, rest)) = rest.split_at_checked(size) else { return Ok(Step::Part) };
        body.extend_from_slice(chunk);
        bytes = match rest {
            [b'\r', b'\n', rest @ ..] => rest,
            [] | [b'\r'] => return Ok(Step::Part),
            _ => return Err("a chunk that is longer than its size".to_owned()),
        };
    }
}

/// RFC 9110 5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    let is_of_a_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_of_a_token)
}

/// Byte by byte: nothing is lost, nothing is judged.
pub fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

#[test]
fn the_strict_reader_refuses_what_two_servers_could_read_in_two_ways() {
    for (bytes, rule) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "2 Hosts"),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "Host"),
        ("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", "Host"),
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "version"),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "request line"),
        ("GET a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "target"),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "target"),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", "target"),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", "a CR or LF alone"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", "a CR or LF alone"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", "NUL"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", "field name"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", "no colon"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \x07\r\n\r\n", "control characters"),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", "Content-Length"),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", "Content-Length"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "Content-Length",
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "Content-Length"),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: x\r\n\r\n", "the underscore twin"),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1_0\r\n", "chunk size"),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\n", "chunk size"),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "a chunk that is longer"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\n\r\n",
            "host among the trailers",
        ),
    ] {
        let broken = read(bytes.as_bytes()).expect_err(bytes);
        assert!(broken.starts_with(rule), "{bytes:?} is {broken}");
    }
    let good = b"POST /a HTTP/1.1\r\nHost: a:1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\nGET";
    let read = read(good).unwrap();
    assert_eq!((read.requests[0].body.as_slice(), read.requests.len(), read.truncated), (&b"ab"[..], 1, true));
}
