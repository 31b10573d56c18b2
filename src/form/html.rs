//! HTML as lol_html reads it: bounded, forgiving, never a panic.

use std::borrow::Cow;
use std::cell::RefCell;

use lol_html::html_content::{Element, TextChunk};
use lol_html::{ElementContentHandlers, HtmlRewriter, MemorySettings, Selector, Settings};

/// Bytes that are looked at. The longest WordPress pages seen are a tenth of it.
pub(super) const MAX_HTML: usize = 2 << 20;
/// What the parser may hold: deep nesting is what costs.
const MAX_PARSER_MEMORY: usize = 4 << 20;
/// Elements that are looked at in one document.
pub(super) const MAX_ELEMENTS: usize = 20_000;

/// Bytes of text that are collected.
const MAX_SELECTED_TEXT: usize = 16 << 10;

/// One row of handlers: a selector and what is done with what it selects.
pub(super) type Row<'h> = (Cow<'static, Selector>, ElementContentHandlers<'h>);

/// A selector; `None` when it cannot be read, which for constants a test would show.
pub(super) fn selector(text: &str) -> Option<Cow<'static, Selector>> {
    text.parse().ok().map(Cow::Owned)
}

/// Runs the handlers over a document. They end it by an error; what came before is kept. Says whether all of it was looked
/// at.
pub(super) fn run<'h>(html: &[u8], rows: impl IntoIterator<Item = Row<'h>>) -> bool {
    let memory = MemorySettings::new().with_max_allowed_memory_usage(MAX_PARSER_MEMORY);
    let mut settings = Settings::new().with_strict(false).with_memory_settings(memory);
    for row in rows {
        settings = settings.append_element_content_handler(row);
    }
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    rewriter.write(html.get(..MAX_HTML).unwrap_or(html)).is_ok() && rewriter.end().is_ok() && html.len() <= MAX_HTML
}

/// The first element a selector selects, as `read` sees it.
pub(super) fn first<T>(html: &[u8], query: &str, mut read: impl FnMut(&Element<'_, '_>) -> Option<T>) -> Option<T> {
    let mut found = None;
    let selector = selector(query)?;
    let handlers = ElementContentHandlers::default().element(|element: &mut Element<'_, '_>| {
        found = read(element);
        if found.is_some() { Err("found".into()) } else { Ok(()) }
    });
    run(html, [(selector, handlers)]);
    found
}

/// Whether a selector selects anything.
pub(super) fn has(html: &[u8], query: &str) -> bool {
    first(html, query, |_| Some(())).is_some()
}

/// The text inside of what a selector selects, white space at its ends cut; `None` when it selects nothing.
pub(super) fn text(html: &[u8], query: &str) -> Option<String> {
    let mut found = false;
    let text = RefCell::new(String::new());
    let selector = selector(query)?;
    let handlers = ElementContentHandlers::default()
        .element(|_: &mut Element<'_, '_>| {
            found = true;
            Ok(())
        })
        .text(|chunk: &mut TextChunk<'_>| {
            let mut text = text.borrow_mut();
            text.push_str(chunk.as_str());
            if text.len() > MAX_SELECTED_TEXT { Err("enough".into()) } else { Ok(()) }
        });
    run(html, [(selector, handlers)]);
    found.then(|| unescape(text.into_inner().trim()))
}

/// An attribute, its character references resolved.
pub(super) fn attribute(element: &Element<'_, '_>, name: &str) -> Option<String> {
    element.get_attribute(name).map(|raw| unescape(&raw))
}

/// Whether an attribute has one of these tokens.
pub(super) fn has_class(element: &Element<'_, '_>, class: &str) -> bool {
    element.get_attribute("class").is_some_and(|all| all.split_ascii_whitespace().any(|one| one == class))
}

/// Character references: numbers, the five of XML, and letters with diacritics, which is what names and labels hold.
pub(super) fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let end = after.bytes().take(9).position(|byte| byte == b';');
        let reference = end.and_then(|end| Some((character(after.get(..end)?)?, after.get(end + 1..)?)));
        let (char, after) = reference.unwrap_or(('&', after));
        plain.push(char);
        rest = after;
    }
    plain.push_str(rest);
    plain
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        return char::from_u32(code.ok()?);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "szlig" => '\u{df}',
        _ => {
            let mut chars = name.chars();
            let letter = chars.next().filter(char::is_ascii_alphabetic)?;
            let mark = match chars.as_str() {
                "acute" => '\u{301}',
                "grave" => '\u{300}',
                "circ" => '\u{302}',
                "uml" => '\u{308}',
                "tilde" => '\u{303}',
                "ring" => '\u{30a}',
                "cedil" => '\u{327}',
                "caron" => '\u{30c}',
                _ => return None,
            };
            unicode_normalization::char::compose(letter, mark)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_and_what_is_none_stays() {
        for (text, plain) in [
            ("form&#91;a&#x5D;", "form[a]"),
            ("Pr&eacute;nom &amp; Nom", "Pr\u{e9}nom & Nom"),
            ("Stra&szlig;e&nbsp;*", "Stra\u{df}e\u{a0}*"),
            ("a & b &unknown; &#xFFFFFFFF; &", "a & b &unknown; &#xFFFFFFFF; &"),
        ] {
            assert_eq!(unescape(text), plain);
        }
    }

    #[test]
    fn the_first_match_ends_the_reading() {
        let html =
            b"<div id=a><p class='x y' data-n=1></p></div><div id=b><p class=x data-n=2></p><p data-n=3></p></div>";
        let number = |query| first(html, query, |element| attribute(element, "data-n"));
        assert_eq!(number("#b p").as_deref(), Some("2"));
        assert_eq!(number("p.y").as_deref(), Some("1"));
        assert_eq!(number("#c p"), None);
        assert_eq!(number("p[["), None);
    }

    #[test]
    fn texts_are_collected_and_an_empty_element_is_still_there() {
        let html = b"<div class=m>  <p>Merci,&nbsp;<b>Ana</b></p> </div><div class=n></div>";
        assert_eq!(text(html, ".m").as_deref(), Some("Merci,\u{a0}Ana"));
        assert_eq!(text(html, ".n").as_deref(), Some(""));
        assert_eq!(text(html, ".o"), None);
        assert!(has(html, ".m b") && !has(html, ".n b"));
    }
}
