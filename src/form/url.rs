//! As much of URLs as it takes to say which page a form was on and whether a redirect leads away from it.

use std::borrow::Cow;

use crate::exchange::{RequestRecord, host_name};

/// Longest URL that is looked at; servers refuse longer ones.
const MAX_URL: usize = 8 * 1024;

/// An http URL in its parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url<'a> {
    /// Host and port, lower case.
    pub host: Cow<'a, str>,
    /// Begins with `/`; without `.` and `..`.
    pub path: Cow<'a, str>,
    /// Without `?`.
    pub query: &'a str,
    /// Without `#`.
    pub fragment: &'a str,
}

impl<'a> Url<'a> {
    /// `http://…` or `https://…`.
    pub(super) fn absolute(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://").filter(|_| text.len() <= MAX_URL)?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end)?;
        // What stands before an `@` is a name and a password: no page of ours has them.
        if authority.is_empty() || authority.contains('@') {
            return None;
        }
        Some(Self::on(authority.to_ascii_lowercase().into(), "/", rest))
    }

    /// A reference such as a Location, seen from a page (RFC 3986 5.2); `None` when it is no http URL.
    pub(super) fn resolve(reference: &'a str, page: &Url<'a>) -> Option<Self> {
        let reference = reference.trim();
        if reference.len() > MAX_URL {
            return None;
        }
        if let Some(rest) = reference.strip_prefix("//") {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at_checked(end)?;
            return Some(Self::on(authority.to_ascii_lowercase().into(), "/", rest));
        }
        let scheme_end = reference.find([':', '/', '?', '#']);
        if scheme_end.is_some_and(|at| reference.as_bytes().get(at) == Some(&b':')) {
            return Self::absolute(reference);
        }
        let mut url = Self::on(page.host.clone(), &page.path, reference);
        if reference.starts_with('#') || reference.is_empty() {
            url.query = page.query;
        }
        Some(url)
    }

    fn on(host: Cow<'a, str>, base: &str, rest: &'a str) -> Self {
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = match path {
            "" => base.to_owned(),
            path if path.starts_with('/') => path.to_owned(),
            path => format!("{}/{path}", base.rsplit_once('/').map_or("", |(folder, _)| folder)),
        };
        Self { host, path: without_dots(&path).into(), query, fragment }
    }

    /// Whether both are the same page: host names and paths, whatever the scheme, the port, a `www.` or a slash at the
    /// end.
    pub(super) fn is_same_page(&self, other: &Self) -> bool {
        bare_host(&self.host) == bare_host(&other.host)
            && self.path.trim_end_matches('/') == other.path.trim_end_matches('/')
    }
}

/// A host without its port and its `www.`.
pub(super) fn bare_host(host: &str) -> &str {
    let name = host_name(host);
    name.strip_prefix("www.").unwrap_or(name)
}

/// RFC 3986 5.2.4.
fn without_dots(path: &str) -> String {
    if !path.contains("/.") {
        return path.to_owned();
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

/// The absolute URL of what was asked for.
pub(super) fn own(request: &RequestRecord) -> String {
    // A target in absolute form (RFC 9112 3.2.2) is one already.
    if Url::absolute(&request.target).is_some() {
        return request.target.clone();
    }
    format!("{}://{}{}", request.scheme(), request.host, request.target)
}

/// A URL that a page or a browser names as the form's own, if it is on this site: without its fragment.
pub(super) fn on_this_site(text: &str, request: &RequestRecord) -> Option<String> {
    let url = Url::absolute(text)?;
    let plain = !text.bytes().any(|byte| byte <= b' ' || byte == 0x7f);
    let own = host_name(&url.host) == request.host_name();
    (own && plain).then(|| text.split('#').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_against_the_page() {
        let page = Url::absolute("https://Shop.example/a/b?x=1#top").unwrap();
        for (reference, host, path, query) in [
            ("/thanks", "shop.example", "/thanks", ""),
            ("thanks.php?ok=1", "shop.example", "/a/thanks.php", "ok=1"),
            ("../thanks", "shop.example", "/thanks", ""),
            ("./", "shop.example", "/a/", ""),
            ("?sent=1", "shop.example", "/a/b", "sent=1"),
            ("#done", "shop.example", "/a/b", "x=1"),
            ("", "shop.example", "/a/b", "x=1"),
            ("//other.example", "other.example", "/", ""),
            ("http://other.example:81?q", "other.example:81", "/", "q"),
            ("/a/b:c", "shop.example", "/a/b:c", ""),
        ] {
            let url = Url::resolve(reference, &page).unwrap();
            assert_eq!((&*url.host, &*url.path, url.query), (host, path, query), "{reference}");
        }
        for reference in ["javascript:alert(1)", "mailto:a@example.com", "https://user:pw@shop.example/"] {
            assert_eq!(Url::resolve(reference, &page), None, "{reference}");
        }
    }

    #[test]
    fn a_slash_a_scheme_or_a_port_make_no_other_page() {
        let page = Url::absolute("http://shop.example/contact").unwrap();
        assert!(Url::absolute("https://shop.example:443/contact/?a").unwrap().is_same_page(&page));
        assert!(!Url::absolute("https://shop.example/contact/thanks").unwrap().is_same_page(&page));
        assert!(Url::absolute("https://www.shop.example/contact").unwrap().is_same_page(&page));
        assert!(!Url::absolute("https://other.example/contact").unwrap().is_same_page(&page));
    }
}
