use proptest::prelude::*;

use super::*;

const NOW: UnixMillis = UnixMillis(1_795_607_000_000);

fn landing<'a>(query: &'a str, cookies: &[(&'a str, &'a str)]) -> LandingRequest<'a> {
    LandingRequest {
        method: "GET",
        query,
        host: "www.shop.example",
        https: true,
        referer: None,
        cookies: cookies.to_vec(),
        sec_fetch_dest: Some("document"),
        sec_fetch_mode: Some("navigate"),
        accept: None,
        sec_purpose: None,
    }
}

fn lines(
    request: &LandingRequest<'_>,
    mint: Option<u32>,
    ids: &[&'static OtherClickId],
    now: UnixMillis,
) -> Vec<String> {
    let cookies = set_cookies(request, mint, ids, now);
    assert!(cookies.iter().all(|cookie| cookie.line.starts_with(&format!("{}=", cookie.name))));
    cookies.into_iter().map(|cookie| cookie.line).collect()
}

fn cookies_of(request: &LandingRequest<'_>) -> Vec<String> {
    let set = lines(request, None, &[], NOW);
    assert_eq!(may_matter(request, Extras::default()), !set.is_empty());
    set
}

#[test]
fn a_landing_gets_the_click_as_a_cookie_of_the_registrable_domain() {
    assert_eq!(
        cookies_of(&landing("fbclid=IwAR0-a_B", &[])),
        ["_fbc=fb.1.1795607000000.IwAR0-a_B; Domain=shop.example; Path=/; Max-Age=7776000; SameSite=Lax; Secure"]
    );
    let plain = LandingRequest { https: false, host: "localhost:8080", ..landing("fbclid=A", &[]) };
    assert_eq!(cookies_of(&plain), ["_fbc=fb.0.1795607000000.A; Path=/; Max-Age=7776000; SameSite=Lax"]);
    let british = LandingRequest { host: "www.example.co.uk", ..landing("fbclid=A", &[]) };
    assert!(cookies_of(&british)[0].starts_with("_fbc=fb.2.1795607000000.A; Domain=example.co.uk; "));
}

/// The behaviour of Meta's own libraries, less their appendix.
#[test]
fn the_same_click_is_kept_and_another_one_replaces_it() {
    let (kept, new) = (None, Some("fb.1.1795607000000.A;"));
    for (cookie, query, expected) in [
        (None, "", kept),
        (None, "fbclid=A", new),
        (Some("fb.1.1500000000000.A"), "", kept),
        (Some("fb.1.1500000000000.A"), "fbclid=A", kept),
        (Some("fb.2.1500000000.A"), "fbclid=A", kept),
        (Some("fb.1.1500000000000.A.AQYBAQMD"), "fbclid=A", kept),
        (Some("fb.1.1500000000000.A.BA"), "fbclid=A", kept),
        (Some("fb.1.1500000000000.B"), "fbclid=A", new),
        (Some("fb.1.1500000000000.a"), "fbclid=A", new),
        // The appendix is not the click, whatever it looks like.
        (Some("fb.1.1500000000000.B.AA"), "fbclid=A", new),
        (Some("fb.1.1500000000000."), "fbclid=A", new),
        (Some("fb.1.1500000000000.A.x.y"), "fbclid=A", new),
        (Some("A"), "fbclid=A", new),
        (Some("A"), "", kept),
    ] {
        let received: Vec<_> = cookie.iter().map(|cookie| ("_fbc", *cookie)).collect();
        let set = cookies_of(&landing(query, &received));
        let value = set.first().map(|line| line.split(' ').next().unwrap().trim_start_matches("_fbc="));
        assert_eq!(value, expected, "{cookie:?} {query}");
    }
    let twice = [("_fbc", "fb.1.1500000000000.B"), ("_fbc", "fb.2.1500000000000.A")];
    assert!(cookies_of(&landing("fbclid=A", &twice)).is_empty());
}

#[test]
fn a_click_lives_on_in_the_referer_of_the_same_host() {
    let from = |query, referer| LandingRequest { referer: Some(referer), ..landing(query, &[]) };
    let value = |request| cookies_of(&request).pop().map(|line| line.split([';', '.']).nth(3).unwrap().to_owned());
    assert_eq!(value(from("", "https://www.shop.example/a?fbclid=R")).as_deref(), Some("R"));
    assert_eq!(value(from("fbclid=Q", "https://www.shop.example/a?fbclid=R")).as_deref(), Some("Q"));
    assert_eq!(value(from("", "https://blog.example/?fbclid=R")), None);
    assert_eq!(value(from("", "not a url?fbclid=R")), None);
}

#[test]
fn only_document_navigations_count() {
    let base = || landing("fbclid=A", &[]);
    let old = |accept| LandingRequest { sec_fetch_dest: None, sec_fetch_mode: None, accept, ..base() };
    for (counts, request) in [
        (true, base()),
        (true, LandingRequest { sec_fetch_mode: None, ..base() }),
        (true, old(Some("text/html,application/xhtml+xml,*/*;q=0.8"))),
        (true, old(None)),
        (false, old(Some("*/*"))),
        (false, old(Some("image/avif,image/webp,*/*"))),
        (false, LandingRequest { method: "HEAD", ..base() }),
        (false, LandingRequest { method: "POST", ..base() }),
        (false, LandingRequest { sec_fetch_dest: Some("iframe"), accept: Some("text/html"), ..base() }),
        (false, LandingRequest { sec_fetch_dest: Some("empty"), ..base() }),
        (false, LandingRequest { sec_fetch_mode: Some("cors"), ..base() }),
        (false, LandingRequest { sec_purpose: Some("prefetch"), ..base() }),
        (false, LandingRequest { sec_purpose: Some("prefetch;prerender"), ..base() }),
    ] {
        assert_eq!(!cookies_of(&request).is_empty(), counts, "{:?} {:?}", request.sec_fetch_dest, request.accept);
    }
}

#[test]
fn fbp_is_minted_only_when_asked_and_missing() {
    let set = |cookies: &[(&str, &str)], mint| lines(&landing("", cookies), mint, &[], NOW);
    assert!(set(&[], None).is_empty());
    assert_eq!(
        set(&[], Some(2_147_483_647)),
        ["_fbp=fb.1.1795607000000.2147483647; Domain=shop.example; Path=/; Max-Age=7776000; SameSite=Lax; Secure"]
    );
    assert!(set(&[("_fbp", "fb.1.1500000000000.123456789012345678")], Some(1)).is_empty());
    assert!(set(&[("_fbp", "fb.1.1500000000000.1.AQYBAQMD")], Some(1)).is_empty());
    assert_eq!(set(&[("_fbp", "1")], Some(1)).len(), 1);
    assert!(may_matter(&landing("", &[]), Extras { mint_fbp: true, ..Extras::default() }));
    assert!(!may_matter(&landing("", &[]), Extras::default()));
}

#[test]
fn the_click_in_the_pages_url_beats_a_stale_cookie() {
    let page = Some("https://shop.example/contact?fbclid=A");
    for (page, cookie, expected) in [
        (None, None, None),
        (page, None, Some("fb.1.1795607000000.A")),
        (page, Some("fb.2.1500000000000.A.AQYBAQMD"), Some("fb.2.1500000000000.A.AQYBAQMD")),
        (page, Some("fb.1.1500000000000.a"), Some("fb.1.1795607000000.A")),
        (page, Some("fb.1.1500000000000."), Some("fb.1.1795607000000.A")),
        (None, Some("fb.1.1500000000000.B"), Some("fb.1.1500000000000.B")),
        (None, Some("fb.1.1500000000000."), None),
        (None, Some("fb.1.1500000000000.B.x.y"), None),
        (Some("https://other.example/?fbclid=A"), Some("fb.1.1500000000000.B"), Some("fb.1.1500000000000.B")),
        (Some("https://shop.example/?fbclid=A.B"), None, None),
    ] {
        assert_eq!(fbc_for_submission(page, "shop.example", cookie, NOW).as_deref(), expected, "{page:?} {cookie:?}");
    }
}

#[test]
fn an_invalid_fbp_is_not_sent() {
    assert_eq!(fbp_for_submission(Some("fb.1.1500000000000.12")).as_deref(), Some("fb.1.1500000000000.12"));
    assert_eq!(fbp_for_submission(Some("fb.1.1500000000000.")), None);
    assert_eq!(fbp_for_submission(None), None);
}

/// Whether it is one of the lines that can ever be made, character by character.
fn is_well_formed(line: &str) -> bool {
    let mut parts = line.split("; ");
    let cookie = parts.next().unwrap();
    let name_and_value = cookie.strip_prefix("_fbc=").or_else(|| cookie.strip_prefix("_fbp="));
    name_and_value.is_some_and(|value| payload(value).is_some() && value.split('.').count() == 4)
        && line.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        && parts.all(|part| match part.split_once('=') {
            Some(("Domain", domain)) => domain.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)),
            Some(attribute) => [("Path", "/"), ("Max-Age", "7776000"), ("SameSite", "Lax")].contains(&attribute),
            None => part == "Secure",
        })
}

/// Text that goes for separators and line ends.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-zA-Z0-9;=.,%&?#/:@\\[\\] \r\n\t_-]{0,40}",
        "[A-Za-z0-9_-]{1,20}",
        Just("www.shop.example".to_owned()),
    ]
}

proptest! {
    #[test]
    fn hostile_values_never_reach_a_header(
        query in hostile(),
        host in hostile(),
        referer in hostile(),
        fbc in hostile(),
        fbp in hostile(),
        mint: Option<u32>,
    ) {
        let query = format!("fbclid={query}");
        let referer = format!("https://{host}/?fbclid={referer}");
        let cookies = vec![("_fbc", fbc.as_str()), ("_fbp", fbp.as_str())];
        let request = LandingRequest { host: &host, referer: Some(&referer), cookies, ..landing(&query, &[]) };
        for line in lines(&request, mint, &[], NOW) {
            prop_assert!(is_well_formed(&line), "{line:?}");
        }
    }

    #[test]
    fn a_kept_fbc_is_passed_on_byte_for_byte(cookie in "fb\\.[0-9]{1,2}\\.[0-9]{1,13}\\.[!-~]{1,40}") {
        let sent = fbc_for_submission(None, "shop.example", Some(&cookie), NOW);
        prop_assert!(sent.is_none_or(|fbc| fbc == cookie));
    }

    #[test]
    fn cache_control_never_stays_open_to_shared_caches(
        current in "[a-z ,=\"\\\\-]{0,20}(public|s-maxage=1|no-cache)?",
    ) {
        if let Some(closed) = cache_control_private(Some(&current)) {
            prop_assert!(closed.starts_with("private"));
            prop_assert_eq!(cache_control_private(Some(&closed)), None);
        }
    }
}

#[test]
fn click_ids_of_other_networks_are_kept_where_they_were_asked_for() {
    let ids: Vec<_> = OTHER_CLICK_IDS.iter().collect();
    let kept = |query, cookies: &[(&'static str, &'static str)]| lines(&landing(query, cookies), None, &ids, NOW);
    assert_eq!(
        kept("gclid=Cj0-K_a&x=1&ttclid=E.C.P", &[]),
        [
            "_capi_gclid=Cj0-K_a; Domain=shop.example; Path=/; Max-Age=7776000; SameSite=Lax; Secure",
            "_capi_ttclid=E.C.P; Domain=shop.example; Path=/; Max-Age=7776000; SameSite=Lax; Secure",
        ]
    );
    assert!(kept("gclid=A", &[("_capi_gclid", "A")]).is_empty());
    for (referer, count) in [("https://www.shop.example/?gclid=A#x", 1), ("https://other.example/?gclid=A", 0)] {
        let next = LandingRequest { referer: Some(referer), ..landing("", &[]) };
        assert_eq!(lines(&next, None, &ids, NOW).len(), count, "{referer}");
    }
    assert_eq!(kept("gclid=B", &[("_capi_gclid", "A")]).len(), 1);
    assert!(kept("gclid=a;b", &[]).is_empty());
    assert!(lines(&landing("gclid=A", &[]), None, &[], NOW).is_empty(), "off by default");
    let extras = Extras { click_ids: &ids, ..Extras::default() };
    assert!(may_matter(&landing("gclid=A", &[]), extras) && !may_matter(&landing("gclid=A", &[]), Extras::default()));
}

proptest! {
    /// A visitor's history in any order: whatever comes in between, the time of an unchanged click never moves, and what
    /// is stored is always a valid cookie or what a stranger put there.
    #[test]
    fn the_time_of_an_unchanged_click_never_moves(
        steps in proptest::collection::vec(
            (0_u8..6, prop_oneof![Just("A"), Just("B"), Just("a"), Just("IwAR0-_x")]),
            1..30,
        ),
    ) {
        let mut jar: Option<String> = None;
        let mut known: Option<(String, String)> = None;
        for (time, (step, click)) in steps.into_iter().enumerate() {
            let now = UnixMillis(NOW.0 + time as u64);
            let query = format!("fbclid={click}");
            // 0-2: a landing with consent; 3: one without; 4: a page without a click; 5: somebody else writes the cookie.
            if step == 5 {
                jar = Some(format!("fb.1.{}.{click}.AQ", now.0));
                known = None;
            }
            let cookies: Vec<_> = jar.iter().map(|value| ("_fbc", value.as_str())).collect();
            let request = landing(if step < 4 { &query } else { "" }, &cookies);
            let set = if step == 3 { Vec::new() } else { lines(&request, None, &[], now) };
            prop_assert!(set.len() <= usize::from(step < 3));
            let stored = set.first().map(|line| line["_fbc=".len()..].split(';').next().unwrap().to_owned());
            jar = stored.or(jar);
            if let Some(value) = &jar {
                let payload = payload(value).expect("valid").to_owned();
                if step < 3 {
                    prop_assert_eq!(payload.as_str(), click);
                }
                if let Some((click, first)) = &known
                    && *click == payload
                {
                    prop_assert_eq!(first, value);
                }
                known = Some((payload, value.clone()));
            }
        }
    }
}
