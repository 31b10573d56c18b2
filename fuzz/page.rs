//! A page as it travelled: codings, encodings, HTML. What was read must survive being stored.
#![no_main]

use capi_sidecar::exchange::UnixMillis;
use capi_sidecar::form::page::{Learned, LearnedPages, Page};
use libfuzzer_sys::fuzz_target;

const TYPES: &[&str] = &["text/html", "text/html; charset=utf-16le", "text/html; charset=\"gb18030\"", "text/html;charset=x"];
const CODINGS: &[&str] = &["", "gzip", "br", "zstd", "deflate", "gzip, br"];

fuzz_target!(|input: &[u8]| {
    let Some(([kind, coding], html)) = input.split_first_chunk::<2>() else { return };
    let kind = TYPES[usize::from(*kind) % TYPES.len()];
    let coding = CODINGS[usize::from(*coding) % CODINGS.len()];
    let Some(page) = Page::of_answer(html, kind, coding) else { return };
    let mut pages = LearnedPages::default();
    if let Learned::Changed(text) = pages.learn("k", "shop.example", page.clone(), UnixMillis(1)) {
        let mut later = LearnedPages::default();
        assert!(later.restore("k", "shop.example", &text, UnixMillis(1)));
        assert_eq!(later.learn("k", "shop.example", page, UnixMillis(1)), Learned::Same);
    }
});
