//! A strict reader of HTTP/1.1, independent of every parser the proxy uses: it takes what RFC 9112 lets a sender write and
//! nothing else. What it cannot read, the proxy must not have written.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

/// `|` stands for a line end, and every other character for the byte of its code: rows stay readable.
pub fn bytes(text: &str) -> Vec<u8> {
    let byte = |c: char| u8::try_from(u32::from(c)).expect("one byte per character");
    text.chars().flat_map(|c| if c == '|' { vec![b'\r', b'\n'] } else { vec![byte(c)] }).collect()
}

/// The same the other way round, for messages of failures.
pub fn text(bytes: &[u8]) -> String {
    let text: String = bytes.iter().map(|b| char::from(*b)).collect();
    text.replace("\r\n", "|")
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    None,
    Length,
    Chunked,
    Close,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    pub start: String,
    pub fields: Vec<(String, String)>,
    pub framing: Framing,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
    /// The head as it was on the wire.
    pub head: String,
    /// The pieces of a chunked body.
    pub chunks: Vec<Vec<u8>>,
}

impl Message {
    pub fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    pub fn text(&self) -> String {
        text(&self.body)
    }

    /// With the site's own address, which is another in every run, as `site`.
    pub fn naming(mut self, own: &str) -> Self {
        self.fields.iter_mut().filter(|(_, value)| value == own).for_each(|(_, value)| "site".clone_into(value));
        self
    }

    pub fn drop(&mut self, name: &str) {
        self.fields.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }
}

/// Fields by name, each name's lines in order: what RFC 9110 5.3 gives a meaning to.
pub fn by_name(fields: &[(String, String)]) -> BTreeMap<String, Vec<&str>> {
    let mut map: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in fields {
        map.entry(name.to_ascii_lowercase()).or_default().push(value);
    }
    map
}

/// Why there is no message.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection ended before a first byte.
    Closed,
    /// It ended in the middle; the body so far.
    Truncated(Vec<u8>),
    /// Nobody may send this.
    Invalid(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("nothing"),
            Self::Truncated(body) => write!(f, "a message that breaks off after {:?}", text(body)),
            Self::Invalid(what) => write!(f, "what nobody may send: {what}"),
        }
    }
}

/// Reads one message. `bodiless`: the answer to a HEAD.
pub fn read(stream: &mut impl Read, bodiless: bool) -> Result<Message, Fault> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match byte(stream) {
            Some(b) => head.push(b),
            None if head.is_empty() => return Err(Fault::Closed),
            None => return Err(Fault::Truncated(Vec::new())),
        }
    }
    let mut lines = split(&head)?;
    let start = latin(lines.remove(0));
    let answer = start.starts_with("HTTP/");
    check_start(&start, answer)?;
    let fields = lines.into_iter().map(field).collect::<Result<Vec<_>, _>>()?;
    let mut message = Message {
        start,
        fields,
        framing: Framing::None,
        body: Vec::new(),
        trailers: Vec::new(),
        head: latin(&head),
        chunks: Vec::new(),
    };
    message.framing = framing(&message, answer, bodiless)?;
    match message.framing {
        Framing::None => {}
        Framing::Length => {
            let length: usize = message.header("content-length").and_then(|l| l.parse().ok()).unwrap_or_default();
            message.body = block(stream, length);
            if message.body.len() < length {
                return Err(Fault::Truncated(message.body));
            }
        }
        Framing::Close => {
            while let Some(b) = byte(stream) {
                message.body.push(b);
            }
        }
        Framing::Chunked => chunks(stream, answer, &mut message)?,
    }
    Ok(message)
}

fn chunks(stream: &mut impl Read, answer: bool, message: &mut Message) -> Result<(), Fault> {
    loop {
        let cut = |message: &Message| Fault::Truncated(message.body.clone());
        let line = line(stream).ok_or_else(|| cut(message))?;
        let text = latin(&line);
        // Extensions belong to the hop (RFC 9112 7.1.1): towards the site there are none, from it they may be.
        let size = if answer { text.split(';').next().unwrap_or_default().trim_end() } else { &text };
        if size.is_empty() || !size.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Fault::Invalid(format!("chunk size {text:?}")));
        }
        let size = usize::from_str_radix(size, 16).map_err(|error| Fault::Invalid(error.to_string()))?;
        if size == 0 {
            break;
        }
        let chunk = block(stream, size);
        if chunk.len() < size {
            message.body.extend_from_slice(&chunk);
            return Err(cut(message));
        }
        message.body.extend_from_slice(&chunk);
        message.chunks.push(chunk);
        match (byte(stream), byte(stream)) {
            (Some(b'\r'), Some(b'\n')) => {}
            (Some(_), Some(_)) => return Err(Fault::Invalid("no line end after a chunk".to_owned())),
            _ => return Err(cut(message)),
        }
    }
    loop {
        let line = line(stream).ok_or_else(|| Fault::Truncated(message.body.clone()))?;
        if line.is_empty() {
            return Ok(());
        }
        message.trailers.push(field(&line)?);
    }
}

/// RFC 9112 3 and 4.
fn check_start(start: &str, answer: bool) -> Result<(), Fault> {
    let fine = if answer {
        let code = |s: &str| s.len() == 3 && s.bytes().all(|b| b.is_ascii_digit());
        let (version, rest) = start.split_once(' ').unwrap_or_default();
        matches!(version, "HTTP/1.1" | "HTTP/1.0") && rest.split_once(' ').is_some_and(|(c, _)| code(c))
    } else {
        let parts: Vec<_> = start.split(' ').collect();
        matches!(parts[..], [method, target, "HTTP/1.1"] if is_token(method) && !target.is_empty()
            && !target.bytes().any(|b| b <= b' ' || b == 0x7f || b == b'#'))
    };
    if fine { Ok(()) } else { Err(Fault::Invalid(format!("start line {start:?}"))) }
}

/// RFC 9112 6: exactly one way of telling the end.
fn framing(message: &Message, answer: bool, bodiless: bool) -> Result<Framing, Fault> {
    let invalid = |what: &str| Err(Fault::Invalid(format!("{what} in {}", message.head)));
    let (lengths, codings) = (message.all("content-length"), message.all("transfer-encoding"));
    if !answer && message.all("host").len() > 1 {
        return invalid("two Hosts");
    }
    if lengths.len() > 1 || lengths.iter().any(|l| l.is_empty() || !l.bytes().all(|b| b.is_ascii_digit())) {
        return invalid("Content-Length");
    }
    if codings.len() > 1 || codings.iter().any(|c| !c.eq_ignore_ascii_case("chunked")) {
        return invalid("Transfer-Encoding");
    }
    let status = message.status();
    if answer && (bodiless || status < 200 || status == 204 || status == 304) {
        return Ok(Framing::None);
    }
    match (lengths.is_empty(), codings.is_empty()) {
        (false, false) => invalid("two framings"),
        (false, true) => Ok(Framing::Length),
        (true, false) => Ok(Framing::Chunked),
        (true, true) if answer => Ok(Framing::Close),
        (true, true) => Ok(Framing::None),
    }
}

fn split(head: &[u8]) -> Result<Vec<&[u8]>, Fault> {
    let body = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
    let mut lines = Vec::new();
    let mut rest = body;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    match lines.iter().find(|line| line.iter().any(|b| matches!(b, b'\r' | b'\n' | 0))) {
        Some(line) => Err(Fault::Invalid(format!("a bare line end or NUL in {:?}", latin(line)))),
        None => Ok(lines),
    }
}

/// RFC 9112 5: no space before the colon, no folding, no control characters.
fn field(line: impl AsRef<[u8]>) -> Result<(String, String), Fault> {
    let line = latin(line.as_ref());
    let invalid = || Fault::Invalid(format!("field line {line:?}"));
    let (name, value) = line.split_once(':').ok_or_else(invalid)?;
    if !is_token(name) || value.chars().any(|c| (c < ' ' && c != '\t') || c == '\u{7f}') {
        return Err(invalid());
    }
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn line(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(byte(stream)?);
    }
    line.truncate(line.len() - 2);
    Some(line)
}

/// So many bytes, or as many as there are.
fn block(stream: &mut impl Read, size: usize) -> Vec<u8> {
    let mut block = Vec::new();
    // A reset ends it like a close.
    let _ = stream.take(size as u64).read_to_end(&mut block);
    block
}

fn byte(stream: &mut impl Read) -> Option<u8> {
    let mut byte = [0];
    match stream.read(&mut byte) {
        Ok(1) => Some(byte[0]),
        _ => None,
    }
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}
