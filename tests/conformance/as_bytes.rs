//! Fields are bytes: their number, size, case and content are the site's business.

use std::io::Write;

use crate::message::read;
use crate::stage::{both_ways, passes, returns, table};
use crate::support::{Site, answer, connect};

#[test]
fn values_pass_whatever_they_are_made_of() {
    table(&[
        passes("bytes above ASCII", "GET / HTTP/1.1|Host: a|X-A: \u{80}\u{ff}\u{fe}|Cookie: n=J\u{fc}rgen||"),
        passes("tabs and spaces inside", "GET / HTTP/1.1|Host: a|X-A: a \t  b||"),
        passes("quotes and commas", "GET / HTTP/1.1|Host: a|Cookie: a={\"x\":[1,2]}; b=\"c,d\"||"),
        passes("names with every token character", "GET / HTTP/1.1|Host: a|!#$%&'*+-.^_`~09aZ: x||"),
        passes("repeated fields", "GET / HTTP/1.1|Host: a|X-A: 1|X-A: 2|X-A: 1|Cookie: a=1|Cookie: b=2||"),
        passes("nothing is added", "POST / HTTP/1.1|Host: a|Content-Length: 1||x"),
        passes(
            "codings",
            "GET / HTTP/1.1|Host: a|Accept-Encoding: gzip, br, zstd|Range: bytes=0-1|If-None-Match: \"x\"||",
        ),
        returns(
            "cookies",
            "HTTP/1.1 200 OK|Set-Cookie: a=1; Path=/|Set-Cookie: a=1; Path=/|set-cookie: b=2|Content-Length: 0||",
        ),
        returns("bytes above ASCII", "HTTP/1.1 200 OK|X-A: \u{80}\u{ff}|Content-Length: 0||"),
        returns("codings", "HTTP/1.1 200 OK|Content-Encoding: gzip|Vary: *|Content-Length: 3||\u{1f}\u{8b}\u{8}"),
        returns("what looks like ours", "HTTP/1.1 200 OK|X-Forwarded-For: 1|Proxy: x|Forwarded: y|Content-Length: 0||"),
    ]);
}

#[test]
fn names_keep_their_case_unless_lower_case_is_asked_for() {
    let (site, received) = Site::new(|_| answer("200 OK", &["X-CamelCase: 1", "ETAG: \"x\""], "ok"));
    let get = b"GET / HTTP/1.1\r\nHost: a\r\nX-CaMeL: 1\r\nACCEPT: */*\r\nx-camel: 2\r\n\r\n";
    let post = b"POST / HTTP/1.1\r\nHost: a\r\nX-CaMeL: 1\r\nACCEPT: */*\r\n\r\n";
    let ask = |address, request: &[u8]| {
        let mut visitor = connect(address);
        visitor.write_all(request).unwrap();
        (read(&mut visitor, false).unwrap().head, received.next().head)
    };
    both_ways(&site, &[], |proxy| {
        let (reply, seen) = ask(proxy.address, get);
        assert!(reply.contains("\r\nX-CamelCase: 1\r\n") && reply.contains("\r\nETAG: \"x\"\r\n"), "{reply}");
        for line in ["X-CaMeL: 1", "ACCEPT: */*", "x-camel: 2"] {
            assert!(seen.contains(&format!("\r\n{line}\r\n")), "{seen}");
        }
    });
    // What costs nothing to keep is kept on the plain way, so this takes a request for the full one.
    both_ways(&site, &[("header-case", "lower")], |proxy| {
        let (reply, seen) = ask(proxy.address, post);
        assert!(reply.contains("\r\nx-camelcase: 1\r\n") && reply.contains("\r\netag: \"x\"\r\n"), "{reply}");
        assert!(seen.contains("\r\nx-camel: 1\r\n") && seen.contains("\r\naccept: */*\r\n"), "{seen}");
    });
}

#[test]
fn heads_are_bounded_in_number_and_size_both_ways_and_the_bounds_can_be_set() {
    let many = |count: usize| (0..count).map(|i| format!("X-{i}: {i}\r\n")).collect::<String>();
    let (site, received) = Site::new(move |request| {
        let wanted = request.header("x-wanted").unwrap_or("0").to_owned();
        if let Some(size) = wanted.strip_prefix('x') {
            let line = format!("X-Big: {}", "y".repeat(size.parse().unwrap()));
            return answer("200 OK", &[&line], "ok");
        }
        let lines = many(wanted.parse().unwrap());
        answer("200 OK", &lines.lines().collect::<Vec<_>>(), "ok")
    });
    let ask = |address, fields: &str| {
        let mut visitor = connect(address);
        let _ = visitor.write_all(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes());
        read(&mut visitor, false).unwrap()
    };
    both_ways(&site, &[], |proxy| {
        assert_eq!(ask(proxy.address, &many(200)).status(), 200);
        assert_eq!(received.next().all("x-199"), ["199"]);
        assert_eq!(ask(proxy.address, &many(300)).status(), 431);
        assert_eq!(ask(proxy.address, &format!("X-Big: {}\r\n", "y".repeat(400_000))).status(), 200);
        assert_eq!(received.next().header("x-big").map(str::len), Some(400_000));
        assert_eq!(ask(proxy.address, &format!("X-Big: {}\r\n", "y".repeat(1_200_000))).status(), 431);
        assert!(received.is_empty());
        let reply = ask(proxy.address, "X-Wanted: 200\r\n");
        assert_eq!((reply.status(), reply.header("x-199")), (200, Some("199")));
        let reply = ask(proxy.address, "X-Wanted: 300\r\n");
        assert_eq!((reply.status(), reply.all("proxy-status").len()), (502, 1));
        let reply = ask(proxy.address, "X-Wanted: x400000\r\n");
        assert_eq!((reply.status(), reply.header("x-big").map(str::len)), (200, Some(400_000)));
        assert_eq!(ask(proxy.address, "X-Wanted: x1200000\r\n").status(), 502);
        while !received.is_empty() {}
    });
    both_ways(&site, &[("limits-max-headers", "20"), ("limits-max-head-bytes", "16KiB")], |proxy| {
        assert_eq!(ask(proxy.address, &many(30)).status(), 431);
        assert_eq!(ask(proxy.address, &format!("X-Big: {}\r\n", "y".repeat(60_000))).status(), 431);
        assert!(received.is_empty());
        assert_eq!(ask(proxy.address, "X-Wanted: 30\r\n").status(), 502);
        assert_eq!(ask(proxy.address, "X-Wanted: x60000\r\n").status(), 502);
        assert_eq!(ask(proxy.address, &format!("X-Big: {}\r\n", "y".repeat(10_000))).status(), 200);
        while !received.is_empty() {}
    });
}
