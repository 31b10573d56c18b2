//! The forms of the site's pages, remembered as the pages went by. A POST names its page (Referer, or a field), and its
//! opaque names get their meaning from there.
//!
//! Bounded in number and in bytes; what was learned longest ago goes first. Of an address only a hash is kept: paths may
//! hold names and tokens.

use std::borrow::Cow;
use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::LazyLock;

use encoding_rs::Encoding;
use sha2::{Digest, Sha256};

use super::{ID_WEIGHT, Page, PageForm};
use crate::exchange::UnixMillis;
use crate::form::body::Fields;
use crate::form::url::{Url, bare_host};
use crate::glob;

/// Pages remembered.
const MAX_PAGES: usize = 2000;
/// Bytes of all of them, as they are stored.
const MAX_BYTES: usize = 8 << 20;
/// Bytes of one page, as it is stored.
const MAX_PAGE_BYTES: usize = 256 << 10;

/// A page is stored again after this, so that the store knows that it is still visited: a day, in milliseconds.
const STORED_AGAIN: u64 = 24 * 3600 * 1000;

/// Query parameters that say where a visitor came from, or who it is; all others may name a page.
static NOT_OF_THE_PAGE: LazyLock<glob::Set> = LazyLock::new(|| {
    glob::Set::new(&[
        "utm_*",
        "fbclid",
        "gclid",
        "gbraid",
        "wbraid",
        "gad_*",
        "msclkid",
        "ttclid",
        "twclid",
        "li_fat_id",
        "yclid",
        "dclid",
        "igshid",
        "mc_*",
        "_ga",
        "_gl",
        "_hs*",
        "hsa_*",
        "pk_*",
        "mtm_*",
        "matomo_*",
        "ref",
        "source",
        "phpsessid",
        "sid",
        "session*",
        "token",
        "nonce",
        "_",
        "t",
        "ts",
        "cb",
        "cache*",
        "_wpnonce",
    ])
});

/// A form that is known, and the page it was learned from.
#[derive(Clone, Copy, Debug)]
pub struct KnownForm<'a> {
    /// The form.
    pub form: &'a PageForm,
    /// Its page.
    pub page: &'a Page,
}

/// Whatever knows pages.
pub trait KnownPages {
    /// The form that a submission came from.
    fn form_of(&self, page_url: &str, fields: &Fields) -> Option<KnownForm<'_>>;

    /// The encoding of a page, unless that is UTF-8.
    fn encoding_of(&self, page_url: &str) -> Option<&'static Encoding>;
}

/// One page that is known to be the right one; none at all.
impl KnownPages for Option<&Page> {
    fn form_of(&self, _page_url: &str, fields: &Fields) -> Option<KnownForm<'_>> {
        let page = (*self)?;
        Some(KnownForm { form: page.form_of(fields)?, page })
    }

    fn encoding_of(&self, _page_url: &str) -> Option<&'static Encoding> {
        Encoding::for_label((*self)?.encoding.as_deref()?.as_bytes())
    }
}

struct Entry {
    host: String,
    page: Page,
    at: UnixMillis,
    /// When it was last handed to the store.
    stored: UnixMillis,
    bytes: usize,
}

/// The memory.
#[derive(Default)]
pub struct LearnedPages {
    pages: HashMap<String, Entry>,
    bytes: usize,
}

/// What [`LearnedPages::learn`] made of a page.
#[derive(Debug, PartialEq, Eq)]
pub enum Learned {
    /// It is new, its forms have changed, or it was not stored for long: to be stored, as this text.
    Changed(String),
    /// It had forms and has none any more: to be removed from the store.
    Gone,
    /// As before, or without forms.
    Same,
}

impl LearnedPages {
    /// Takes over a page. `key` is [`page_key`]'s.
    pub fn learn(&mut self, key: &str, host: &str, page: Page, at: UnixMillis) -> Learned {
        if !page.forms.iter().any(|form| form.fields.iter().any(|field| field.kind.is_typed())) {
            return if self.remove(key) { Learned::Gone } else { Learned::Same };
        }
        if let Some(entry) = self.pages.get_mut(key)
            && entry.page == page
        {
            entry.at = at;
            if at.0.saturating_sub(entry.stored.0) < STORED_AGAIN {
                return Learned::Same;
            }
        }
        let Some(text) = serde_json::to_string(&page).ok().filter(|text| text.len() <= MAX_PAGE_BYTES) else {
            return Learned::Same;
        };
        self.put(key, host, page, at, text.len());
        Learned::Changed(text)
    }

    /// Takes back a page that was stored as [`Learned::Changed`] said; `false` when the text is none of ours.
    pub fn restore(&mut self, key: &str, host: &str, text: &str, at: UnixMillis) -> bool {
        let page = serde_json::from_str(text).ok().filter(|_| text.len() <= MAX_PAGE_BYTES);
        if let Some(page) = page {
            self.put(key, host, page, at, text.len());
            return true;
        }
        false
    }

    /// Pages known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    fn put(&mut self, key: &str, host: &str, page: Page, at: UnixMillis, bytes: usize) {
        self.remove(key);
        while self.pages.len() >= MAX_PAGES || self.bytes + bytes > MAX_BYTES {
            let oldest = self.pages.iter().min_by_key(|(_, entry)| entry.at).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            self.remove(&oldest);
        }
        self.bytes += bytes;
        self.pages.insert(key.to_owned(), Entry { host: bare_host(host).to_owned(), page, at, stored: at, bytes });
    }

    fn remove(&mut self, key: &str) -> bool {
        let gone = self.pages.remove(key);
        self.bytes -= gone.as_ref().map_or(0, |entry| entry.bytes);
        gone.is_some()
    }

    fn at(&self, page_url: &str) -> Option<&Entry> {
        let url = Url::absolute(page_url)?;
        self.pages.get(&key_of(&url))
    }

    /// A form on any page of the host that can only be this one: by its own id, or by nearly all of its names. Browsers may
    /// tell the site and not the page (Referrer-Policy), and forms in pop-ups stand on every page.
    fn anywhere(&self, host: &str, fields: &Fields) -> Option<KnownForm<'_>> {
        let names: HashSet<_> = fields.list.iter().map(|field| field.name.as_str()).collect();
        let entries = self.pages.values().filter(|entry| entry.host == host);
        let forms = entries.flat_map(|entry| entry.page.forms.iter().map(move |form| (entry, form)));
        let scored = forms.map(|(entry, form)| (form.score(&names, fields), entry.at, entry, form));
        let (score, _, entry, form) = scored.max_by_key(|(score, at, ..)| (*score, *at))?;
        let sure = score >= ID_WEIGHT || (score >= 3 && score * 5 >= names.len() * 3);
        sure.then_some(KnownForm { form, page: &entry.page })
    }
}

impl KnownPages for LearnedPages {
    fn form_of(&self, page_url: &str, fields: &Fields) -> Option<KnownForm<'_>> {
        let on_page = self
            .at(page_url)
            .and_then(|entry| Some(KnownForm { form: entry.page.form_of(fields)?, page: &entry.page }));
        on_page.or_else(|| self.anywhere(bare_host(&Url::absolute(page_url)?.host), fields))
    }

    fn encoding_of(&self, page_url: &str) -> Option<&'static Encoding> {
        Encoding::for_label(self.at(page_url)?.page.encoding.as_deref()?.as_bytes())
    }
}

/// What a page is remembered under: a hash of its host, its path and the parameters that may name a page.
#[must_use]
pub fn page_key(host: &str, target: &str) -> Option<String> {
    Url::absolute(&format!("http://{host}{target}")).map(|url| key_of(&url))
}

/// A number for the same page, cheap enough for every page view; another one in every process.
#[must_use]
pub fn page_number(host: &str, target: &str) -> u64 {
    let is_plain =
        !target.contains(['?', '#']) && !target.contains("/.") && !host.bytes().any(|b| b.is_ascii_uppercase());
    if is_plain {
        return number_of(bare_host(host), target, &[]);
    }
    page_number_of_url(&format!("http://{host}{target}"))
}

/// The same for a page by its absolute URL.
#[must_use]
pub fn page_number_of_url(url: &str) -> u64 {
    let Some(url) = Url::absolute(url) else { return 0 };
    number_of(bare_host(&url.host), &url.path, &page_parameters(&url))
}

fn number_of(host: &str, path: &str, query: &[(Cow<'_, str>, Cow<'_, str>)]) -> u64 {
    let mut hash = DefaultHasher::new();
    (host, path.trim_end_matches('/'), query).hash(&mut hash);
    hash.finish()
}

fn page_parameters<'a>(url: &Url<'a>) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let mut query: Vec<_> = form_urlencoded::parse(url.query.as_bytes())
        .filter(|(name, _)| !NOT_OF_THE_PAGE.matches(&name.to_ascii_lowercase()))
        .collect();
    query.sort_unstable();
    query
}

fn key_of(url: &Url<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(bare_host(&url.host));
    hash.update(url.path.trim_end_matches('/'));
    for (name, value) in page_parameters(url) {
        hash.update(format!("&{name}={value}"));
    }
    hex::encode(hash.finalize().get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::body::decode;

    fn fields(body: &str) -> Fields {
        decode("application/x-www-form-urlencoded", body.as_bytes(), None).unwrap()
    }

    fn learn(pages: &mut LearnedPages, target: &str, html: &str) -> Learned {
        let key = page_key("shop.example", target).unwrap();
        pages.learn(&key, "shop.example", Page::parse(html.as_bytes()), UnixMillis(1))
    }

    const FORM: &str = "<form id=f><input name=a><input name=b><input name=c></form>";

    #[test]
    fn a_page_is_found_by_its_address_whatever_campaign_led_to_it() {
        let mut pages = LearnedPages::default();
        learn(&mut pages, "/contact/?utm_source=x&fbclid=1", FORM);
        learn(&mut pages, "/?page_id=7", "<form id=g><input name=a></form>");
        learn(&mut pages, "/index.php?site=kontakt", "<form id=k><input name=a></form>");
        learn(&mut pages, "/index.php?site=home", "<form id=h><input name=a></form>");
        for (url, id) in [
            ("https://shop.example/contact", "f"),
            ("https://www.shop.example:443/contact/?fbclid=2", "f"),
            ("https://shop.example/?page_id=7&utm_medium=y", "g"),
            ("https://shop.example/index.php?site=kontakt&gclid=x", "k"),
        ] {
            assert_eq!(pages.form_of(url, &fields("a=1")).unwrap().form.id, id, "{url}");
        }
        assert!(pages.form_of("https://shop.example/?page_id=8", &fields("a=1")).is_none());
        assert!(pages.form_of("https://other.example/contact", &fields("a=1&b=2&c=3")).is_none());
    }

    #[test]
    fn a_page_has_one_number_however_it_is_asked_for() {
        let number = page_number("shop.example", "/contact");
        for (host, target) in [
            ("shop.example", "/contact/"),
            ("www.shop.example:8080", "/contact?utm_source=x"),
            ("Shop.Example", "/contact"),
            ("shop.example", "/a/../contact"),
        ] {
            assert_eq!(page_number(host, target), number, "{host}{target}");
        }
        assert_eq!(page_number_of_url("https://www.shop.example/contact/?fbclid=1#top"), number);
        for target in ["/contact?page=2", "/contacts", "/"] {
            assert_ne!(page_number("shop.example", target), number, "{target}");
        }
        assert_eq!(
            page_key("www.Shop.example:80", "/contact/?gclid=x"),
            Url::absolute("https://shop.example/contact").map(|url| key_of(&url))
        );
    }

    #[test]
    fn without_the_page_only_a_form_that_fits_well_is_taken() {
        let mut pages = LearnedPages::default();
        learn(&mut pages, "/contact", FORM);
        let home = "https://shop.example/";
        assert!(pages.form_of(home, &fields("a=1&b=2&c=3&d=4")).is_some());
        assert!(pages.form_of(home, &fields("a=1&b=2")).is_none(), "too little to be sure");
        assert!(pages.form_of(home, &fields("a=1&b=2&c=3&d=4&e=5&f=6")).is_none(), "too much else");
        learn(&mut pages, "/pop", "<form><input type=hidden name=form_id value=9><input name=x></form>");
        assert!(pages.form_of(home, &fields("form_id=9&x=1")).is_some(), "its own id is enough");
    }

    #[test]
    fn only_what_changed_is_stored_again_and_it_comes_back_as_it_was() {
        let mut pages = LearnedPages::default();
        let Learned::Changed(text) = learn(&mut pages, "/contact", FORM) else { panic!("new") };
        assert_eq!(learn(&mut pages, "/contact", FORM), Learned::Same);
        assert_eq!(learn(&mut pages, "/about", "<p>no form"), Learned::Same);
        let again = pages.learn(
            &page_key("shop.example", "/contact").unwrap(),
            "shop.example",
            Page::parse(FORM.as_bytes()),
            UnixMillis(1 + STORED_AGAIN),
        );
        assert!(matches!(again, Learned::Changed(_)), "the store learns that it is still there");
        let mut later = LearnedPages::default();
        assert!(later.restore(&page_key("shop.example", "/contact").unwrap(), "shop.example", &text, UnixMillis(1)));
        assert!(!later.restore("x", "shop.example", "{", UnixMillis(1)));
        assert_eq!(learn(&mut later, "/contact", FORM), Learned::Same);
        assert_eq!(learn(&mut later, "/contact", "<p>closed"), Learned::Gone);
        assert!(later.is_empty());
    }

    #[test]
    fn the_memory_is_bounded_in_number_and_in_bytes() {
        let mut pages = LearnedPages::default();
        for at in 0..MAX_PAGES + 10 {
            let key = format!("k{at}");
            pages.learn(&key, "shop.example", Page::parse(FORM.as_bytes()), UnixMillis(at as u64));
        }
        assert_eq!(pages.len(), MAX_PAGES);
        assert!(!pages.pages.contains_key("k9") && pages.pages.contains_key("k10"), "the oldest went");
        let large: String = (0..300).map(|n| format!("<input name={n:0>200}>")).collect();
        for at in 0..200 {
            let page = Page::parse(format!("<form id={at}>{large}").as_bytes());
            pages.learn(&format!("l{at}"), "shop.example", page, UnixMillis(10_000 + at));
        }
        assert!(pages.bytes <= MAX_BYTES);
        assert_eq!(pages.bytes, pages.pages.values().map(|entry| entry.bytes).sum::<usize>());
        let huge = (0..50).map(|form| format!("<form id=f{form}>{large}</form>")).collect::<String>();
        assert_eq!(pages.learn("h", "shop.example", Page::parse(huge.as_bytes()), UnixMillis(1)), Learned::Same);
    }
}
