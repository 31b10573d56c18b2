//! multipart/form-data (RFC 7578): its text fields, and a filter that thins a body as it streams past.

mod scanner;

use bytes::Bytes;
use encoding_rs::Encoding;
use percent_encoding::percent_decode;

use super::body::{BodyType, Fields, MAX_FIELDS, Malformed, Text, parameter};
use scanner::{Scanner, Sink};

/// Thins a multipart body as it streams past: what file parts contain is left out. What remains decodes to the same
/// text fields as the whole.
pub struct Reducer {
    scanner: Scanner,
}

impl Reducer {
    /// `None` when the Content-Type is not multipart/form-data with a usable boundary.
    #[must_use]
    pub fn new(content_type: &str) -> Option<Self> {
        Some(Self { scanner: scanner(content_type)? })
    }

    /// Takes the next frame and pushes what is to be kept.
    pub fn push(&mut self, frame: &Bytes, keep: &mut Vec<Bytes>) {
        let delimiter = self.scanner.delimiter();
        self.scanner.push(frame, &mut Thin { delimiter, keep });
    }

    /// The body has ended. A body that ended early stays without its closing delimiter: malformed, as it came.
    #[allow(clippy::unused_self)]
    pub fn finish(&mut self, _keep: &mut Vec<Bytes>) {}
}

struct Thin<'a> {
    delimiter: Bytes,
    keep: &'a mut Vec<Bytes>,
}

impl Sink for Thin<'_> {
    fn part(&mut self, headers: Bytes) -> bool {
        let wanted = !PartHeaders::read(&headers).is_file;
        self.keep.extend([self.delimiter.clone(), Bytes::from_static(b"\r\n"), headers]);
        wanted
    }

    fn content(&mut self, piece: Bytes) {
        self.keep.push(piece);
    }

    fn close(&mut self) {
        self.keep.extend([self.delimiter.clone(), Bytes::from_static(b"--\r\n")]);
    }
}

/// The text fields of a complete body; without its closing delimiter it is malformed.
pub(super) fn decode(content_type: &str, body: &[u8], mut text: Text) -> Result<Fields, Malformed> {
    let mut scanner = scanner(content_type).ok_or(Malformed)?;
    let mut parts = Parts::default();
    scanner.push(&Bytes::copy_from_slice(body), &mut parts);
    if !parts.closed {
        return Err(Malformed);
    }
    if let Some(part) = parts.list.iter().find(|part| part.headers.name == b"_charset_") {
        text = text.with_charset_field(&part.content);
    }
    let mut fields = Fields::default();
    fields.truncated = parts.truncated;
    for part in parts.list {
        let own = Text { declared: part.headers.charset.or(text.declared), ..text };
        if !fields.push(text.decode(&part.headers.name), own.decode(&part.content)) {
            break;
        }
    }
    Ok(fields)
}

fn scanner(content_type: &str) -> Option<Scanner> {
    if BodyType::of(content_type) != Some(BodyType::Multipart) {
        return None;
    }
    Scanner::new(&parameter(content_type, "boundary")?)
}

#[derive(Default)]
struct Parts {
    list: Vec<Part>,
    truncated: bool,
    closed: bool,
}

struct Part {
    headers: PartHeaders,
    content: Vec<u8>,
}

impl Sink for Parts {
    fn part(&mut self, headers: Bytes) -> bool {
        let headers = PartHeaders::read(&headers);
        if headers.is_file || headers.name.is_empty() {
            return false;
        }
        if self.list.len() >= MAX_FIELDS {
            self.truncated = true;
            return false;
        }
        self.list.push(Part { headers, content: Vec::new() });
        true
    }

    fn content(&mut self, piece: Bytes) {
        if let Some(part) = self.list.last_mut() {
            part.content.extend_from_slice(&piece);
        }
    }

    fn close(&mut self) {
        self.closed = true;
    }
}

/// What matters of a part's headers.
#[derive(Default)]
struct PartHeaders {
    /// As bytes: its encoding is the form's.
    name: Vec<u8>,
    is_file: bool,
    charset: Option<&'static Encoding>,
}

impl PartHeaders {
    fn read(block: &[u8]) -> Self {
        let mut read = Self::default();
        for line in block.split(|byte| *byte == b'\n') {
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let (name, value) = line.split_at_checked(colon).unwrap_or_default();
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            if name.eq_ignore_ascii_case(b"content-disposition") {
                read.disposition(value);
            } else if name.eq_ignore_ascii_case(b"content-type") {
                let charset = parameters(value).find(|(key, _)| key.eq_ignore_ascii_case(b"charset"));
                read.charset = charset.and_then(|(_, label)| Encoding::for_label(&label));
            }
        }
        read
    }

    fn disposition(&mut self, value: &[u8]) {
        let mut extended = None;
        for (key, value) in parameters(value) {
            match key.to_ascii_lowercase().as_slice() {
                b"name" => self.name = unescape(value),
                b"name*" => extended = extended_value(&value),
                b"filename" | b"filename*" => self.is_file = true,
                _ => {}
            }
        }
        // RFC 6266 4.3: the extended form wins. RFC 7578 has none, but some clients send it.
        if let Some(name) = extended {
            self.name = name;
        }
    }
}

/// The parameters of a header value after its first word: names as they stand, values unquoted. Lenient as browsers
/// and PHP are: only `\"` and `\\` are escapes, any other backslash is itself.
pub(super) fn parameters(value: &[u8]) -> impl Iterator<Item = (&[u8], Vec<u8>)> {
    let mut rest = memchr::memchr(b';', value).and_then(|at| value.get(at + 1..)).unwrap_or_default();
    std::iter::from_fn(move || {
        loop {
            let end = rest.iter().position(|byte| matches!(byte, b'=' | b';'))?;
            let key = rest.get(..end)?.trim_ascii();
            let separator = *rest.get(end)?;
            rest = rest.get(end + 1..)?;
            if separator == b';' {
                continue;
            }
            let (parameter, used) = parameter_value(rest);
            rest = rest.get(used..)?;
            return Some((key, parameter));
        }
    })
}

/// One parameter value and how many bytes it took, its semicolon included.
fn parameter_value(text: &[u8]) -> (Vec<u8>, usize) {
    let start = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let to_semicolon = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        memchr::memchr(b';', rest).map_or(text.len(), |at| from + at + 1)
    };
    if text.get(start) != Some(&b'"') {
        let end = to_semicolon(start);
        let value = text.get(start..end).unwrap_or_default();
        let value = value.strip_suffix(b";").unwrap_or(value).trim_ascii().to_vec();
        return (value, end);
    }
    let mut value = Vec::new();
    let mut at = start + 1;
    while let Some(byte) = text.get(at) {
        match (byte, text.get(at + 1)) {
            (b'"', _) => break,
            (b'\\', Some(escaped @ (b'"' | b'\\'))) => {
                value.push(*escaped);
                at += 1;
            }
            _ => value.push(*byte),
        }
        at += 1;
    }
    (value, to_semicolon((at + 1).min(text.len())))
}

/// HTML, multipart form data: in names, browsers write a quote, CR and LF as these three escapes and no others.
fn unescape(name: Vec<u8>) -> Vec<u8> {
    if memchr::memchr(b'%', &name).is_none() {
        return name;
    }
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let escaped = match rest {
            [b'%', b'2', b'2', ..] => Some(b'"'),
            [b'%', b'0', b'D' | b'd', ..] => Some(b'\r'),
            [b'%', b'0', b'A' | b'a', ..] => Some(b'\n'),
            _ => None,
        };
        plain.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { rest.get(3..).unwrap_or_default() } else { after };
    }
    plain
}

/// RFC 8187 `ext-value`: `UTF-8'en'n%C3%A4me`, as UTF-8.
fn extended_value(value: &[u8]) -> Option<Vec<u8>> {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    let encoding = Encoding::for_label(parts.next()?)?;
    let encoded = parts.nth(1)?;
    let bytes: Vec<u8> = percent_decode(encoded).collect();
    Some(encoding.decode_without_bom_handling(&bytes).0.into_owned().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TYPE: &str = "multipart/form-data; boundary=XyZ";

    fn decoded(body: &str) -> Result<Vec<(String, String)>, Malformed> {
        let fields = decode(TYPE, body.as_bytes(), Text::default())?;
        Ok(fields.list.into_iter().map(|f| (f.name, f.value)).collect())
    }

    fn one(disposition: &str, value: &str) -> Vec<(String, String)> {
        decoded(&format!("--XyZ\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n--XyZ--\r\n"))
            .unwrap()
    }

    #[test]
    fn names_are_read_however_they_are_written() {
        for (disposition, name) in [
            ("name=\"a\"", "a"),
            ("name=a", "a"),
            ("NAME = \"a\" ; x=y", "a"),
            ("name=\"a;b=c\"", "a;b=c"),
            (r#"name="a\"b""#, "a\"b"),
            (r#"name="a\b""#, r"a\b"),
            ("name=\"a%22b%0D%0Ac%41\"", "a\"b\r\nc%41"),
            ("name=\"form_fields[email]\"", "form_fields[email]"),
            ("name=\"x\"; name*=UTF-8''n%C3%A4me", "n\u{e4}me"),
            ("name=\"n\u{e4}me\"", "n\u{e4}me"),
        ] {
            assert_eq!(one(disposition, "v"), [(name.to_owned(), "v".to_owned())], "{disposition}");
        }
    }

    #[test]
    fn parts_without_a_name_and_files_are_no_fields() {
        for disposition in ["filename=\"a.txt\"; name=\"f\"", "name=\"f\"; filename*=UTF-8''a", "x=y", "name=\"\""] {
            assert_eq!(one(disposition, "v"), [], "{disposition}");
        }
    }

    #[test]
    fn only_a_whole_delimiter_line_ends_a_part() {
        for content in ["a\r\n--XyZ1\r\nb", "a--XyZ--", "\r\n", "\r\n-\r\n--Xy", "\r\n--XyZ-\r\n", "\r\r\n--XyZ \rx"] {
            assert_eq!(one("name=a", content), [("a".to_owned(), content.to_owned())], "{content:?}");
        }
    }

    #[test]
    fn preamble_padding_and_epilogue_are_no_content() {
        let body = "hello\r\n--XyZ \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XyZ--\r\n--XyZ\r\nrest";
        assert_eq!(decoded(body), Ok(vec![("a".to_owned(), "1".to_owned())]));
        assert_eq!(decoded("--XyZ--"), Ok(vec![]));
        assert_eq!(decoded("--XyZ\r\n\r\nno headers\r\n--XyZ--"), Ok(vec![]));
    }

    #[test]
    fn a_body_that_was_cut_off_is_malformed() {
        let body = "--XyZ\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XyZ--";
        for end in 0..body.len() {
            assert_eq!(decoded(&body[..end]), Err(Malformed), "{:?}", &body[..end]);
        }
        assert!(decoded(body).is_ok());
        let endless = format!("--XyZ\r\nContent-Disposition: form-data; name=a\r\nX: {}", "x".repeat(100_000));
        assert_eq!(decoded(&format!("{endless}\r\n\r\n1\r\n--XyZ--")), Err(Malformed));
    }

    #[test]
    fn each_part_may_have_an_encoding_of_its_own() {
        let body =
            b"--XyZ\r\nContent-Disposition: form-data; name=a\r\nContent-Type: text/plain; charset=latin1\r\n\r\n\xed\
            \r\n--XyZ\r\nContent-Disposition: form-data; name=b\r\n\r\n\xe1\r\n--XyZ\r\n\
            Content-Disposition: form-data; name=_charset_\r\n\r\nwindows-1251\r\n--XyZ--";
        let fields = decode(TYPE, body, Text::default()).unwrap();
        assert_eq!((fields.get("a"), fields.get("b")), (Some("\u{ed}"), Some("\u{431}")));
    }

    #[test]
    fn boundaries_that_cannot_be_are_refused() {
        for boundary in ["", "\"\"", "\"a\nb\"", &"b".repeat(71)] {
            assert!(Reducer::new(&format!("multipart/form-data; boundary={boundary}")).is_none(), "{boundary:?}");
        }
        assert!(Reducer::new("multipart/form-data; charset=utf-8; boundary=\"a b\"").is_some());
        assert!(Reducer::new("multipart/mixed; boundary=a").is_none());
    }

    #[test]
    fn a_file_of_any_size_costs_the_copy_nothing() {
        let mut reducer = Reducer::new(TYPE).unwrap();
        let mut keep = Vec::new();
        let head = "--XyZ\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n";
        reducer.push(&Bytes::from(head), &mut keep);
        for _ in 0..1000 {
            reducer.push(&Bytes::from(vec![b'\r'; 10_000]), &mut keep);
        }
        let tail = "\r\n--XyZ\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XyZ--\r\n";
        reducer.push(&Bytes::from(tail), &mut keep);
        reducer.finish(&mut keep);
        let thin = keep.concat();
        assert!(thin.len() < 300);
        assert_eq!(decode(TYPE, &thin, Text::default()).unwrap().get("a"), Some("1"));
    }

    /// Contents that are made of what delimiters are made of.
    fn content() -> impl Strategy<Value = String> {
        "(\r|\n|\r\n|--|-|XyZ|\r\n--XyZ|\r\n--XyZ[a-z ]|[a-z]| ){0,12}"
    }

    fn part() -> impl Strategy<Value = String> {
        let names = prop_oneof![Just("name=a"), Just("name=\"b\"; filename=\"x;\""), Just("filename=y; name=\"c\"")];
        (names, content())
            .prop_map(|(name, content)| format!("\r\n--XyZ\r\nContent-Disposition: form-data; {name}\r\n\r\n{content}"))
    }

    proptest! {
        #[test]
        fn the_thinned_body_has_the_same_fields_however_it_is_cut(
            parts in proptest::collection::vec(part(), 0..6),
            preamble in prop_oneof![Just(""), Just("pre"), Just("\r\n")],
            close in prop_oneof![9 => Just("\r\n--XyZ--\r\n"), 1 => Just("")],
            cuts in proptest::collection::vec(1_usize..40, 0..60),
        ) {
            let body = format!("{preamble}{}{close}", parts.concat());
            let mut reducer = Reducer::new(TYPE).unwrap();
            let mut keep = Vec::new();
            let mut rest = Bytes::from(body.clone());
            for cut in cuts {
                let frame = rest.split_to(cut.min(rest.len()));
                reducer.push(&frame, &mut keep);
            }
            reducer.push(&rest, &mut keep);
            reducer.finish(&mut keep);
            let thin = String::from_utf8(keep.concat()).unwrap();
            prop_assert_eq!(decoded(&thin), decoded(&body));
        }
    }
}
