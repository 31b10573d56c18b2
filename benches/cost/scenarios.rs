//! What is asked of the contestants.

/// What a cost is counted by.
#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    Request,
    MiB,
}

/// One kind of load.
pub struct Scenario {
    pub name: &'static str,
    pub title: &'static str,
    pub path: &'static str,
    /// Header lines besides Host.
    pub headers: &'static [&'static str],
    /// Keep-alive connections to each contestant, unless `headers` close them.
    pub connections: u32,
    pub unit: Unit,
    /// Posts a form, another one each time, which becomes a lead.
    pub is_form: bool,
    /// The status line of the origin's answer begins with it, and every contestant's.
    pub status: &'static str,
    /// What the sidecar's answer has and the others' have not.
    pub adds: Option<&'static str>,
}

pub const HOST: &str = "Host: shop.example";

/// What the banner of the demo's site writes when a visitor agrees.
pub const GRANTED: &str =
    "Cookie: cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes";

pub const SMALL_GET: Scenario = Scenario {
    name: "small-get",
    title: "Small GET",
    path: "/",
    headers: &[],
    connections: 32,
    unit: Unit::Request,
    is_form: false,
    status: "200",
    adds: None,
};

pub const SCENARIOS: &[Scenario] = &[
    SMALL_GET,
    Scenario {
        name: "browser-headers",
        title: "Browser-sized headers",
        path: "/browser",
        headers: BROWSER,
        ..SMALL_GET
    },
    Scenario {
        name: "html-form",
        title: "16 KiB HTML with a form",
        path: "/contact.html",
        headers: &[ACCEPT, AGENT],
        ..SMALL_GET
    },
    Scenario {
        name: "landing",
        title: "Landing with fbclid, cookie added",
        path: "/landing?utm_source=example&fbclid=IwAR0abcdEFGH_ijklMNOP-qrst1234567890",
        headers: &[ACCEPT, AGENT, "Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate", GRANTED],
        adds: Some("set-cookie: _fbc=fb."),
        ..SMALL_GET
    },
    Scenario {
        name: "form-post",
        title: "Form POST: captured, committed, delivered",
        path: "/quote",
        headers: &[
            ACCEPT,
            AGENT,
            "Content-Type: application/x-www-form-urlencoded",
            "Referer: http://shop.example/quote",
            GRANTED,
        ],
        is_form: true,
        status: "303",
        ..SMALL_GET
    },
    Scenario {
        name: "download",
        title: "8 MiB download",
        path: "/download.bin",
        connections: 4,
        unit: Unit::MiB,
        ..SMALL_GET
    },
    Scenario {
        name: "new-connection",
        title: "New connection per request",
        headers: &["Connection: close"],
        ..SMALL_GET
    },
];

const ACCEPT: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const AGENT: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Example/1.0";

/// A request of a browser that has been to the site before: some 1.2 KiB.
const BROWSER: &[&str] = &[
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
    AGENT,
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8,fr;q=0.7",
    "Cache-Control: max-age=0",
    "Referer: http://shop.example/catalogue/chairs/oak?colour=natural&sort=price",
    "Upgrade-Insecure-Requests: 1",
    "Sec-CH-UA: \"Chromium\";v=\"150\", \"Example\";v=\"150\", \"Not.A/Brand\";v=\"99\"",
    "Sec-CH-UA-Mobile: ?0",
    "Sec-CH-UA-Platform: \"Linux\"",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: same-origin",
    "Sec-Fetch-User: ?1",
    "If-Modified-Since: Mon, 23 Nov 2026 08:00:00 GMT",
    "Priority: u=0, i",
    "Cookie: PHPSESSID=0123456789abcdef0123456789abcdef; _ga=GA1.1.1234567890.1795600000; \
     _ga_EXAMPLE123=GS2.1.s1795600000$o3$g1$t1795600900$j60$l0$h0; _fbp=fb.1.1795600000000.1234567890; \
     cart=eyJpdGVtcyI6W3sic2t1IjoiQ0hBSVItMSIsIm4iOjJ9XX0; theme=light; seen=welcome%2Cnewsletter; \
     _gcl_au=1.1.1234567890.1795600000; pll_language=en; wordpress_test_cookie=WP%20Cookie%20check; \
     sbjs_current=typ%3Dreferral%7C%7C%7Csrc%3Dexample.com%7C%7C%7Cmdm%3Dreferral; \
     cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,functional:yes,analytics:yes,advertisement:yes",
];
