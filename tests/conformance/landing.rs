//! What this proxy adds to an answer: cookies of a landing, behind the site's own and kept out of shared caches.

use std::io::Write;

use crate::message::{Framing, bytes, read};
use crate::stage::both_ways;
use crate::support::{Site, connect};

const YES: &str = "cookieyes-consent=consentid:x,consent:yes,action:yes,necessary:yes,advertisement:yes";

#[test]
fn a_landing_cookie_is_appended_and_nothing_else_of_the_answer_changes() {
    let site = Site::raw(|mut stream| {
        while let Ok(request) = read(&mut stream, false) {
            let framing = if request.start.contains("/chunked") {
                "Transfer-Encoding: chunked||5|hello|0||"
            } else {
                "Content-Length: 5||hello"
            };
            stream
                .write_all(&bytes(&format!(
                    "HTTP/1.1 200 OK|Content-Type: text/html|Set-Cookie: a=1; Path=/|Cache-Control: public, max-age=60|\
                     Set-Cookie: b=2|ETag: \"x\"|{framing}"
                )))
                .unwrap();
        }
    });
    both_ways(&site, &[], |proxy| {
        let ask = |target: &str, cookie: &str| {
            let mut visitor = connect(proxy.address);
            let request = format!("GET {target} HTTP/1.1|Host: www.shop.example|Accept: text/html|Cookie: {cookie}||");
            visitor.write_all(&bytes(&request)).unwrap();
            read(&mut visitor, false).unwrap()
        };
        for (target, framing) in [("/", Framing::Length), ("/chunked", Framing::Chunked)] {
            let landed = ask(&format!("{target}?fbclid=IwAR0abc_-9"), YES);
            let cookies = landed.all("set-cookie");
            assert_eq!(cookies[..2], ["a=1; Path=/", "b=2"], "{}", landed.head);
            assert!(cookies[2].starts_with("_fbc=fb.1.") && cookies[2].contains(".IwAR0abc_-9;"), "{}", landed.head);
            assert!(landed.header("cache-control").unwrap().contains("private"), "{}", landed.head);
            assert_eq!((landed.text().as_str(), landed.framing), ("hello", framing));
            assert_eq!((landed.header("etag"), landed.all("content-type")), (Some("\"x\""), vec!["text/html"]));
            // Without consent, and without a click, it is the site's answer and no more.
            for (target, cookie) in [(format!("{target}?fbclid=IwAR0abc_-9"), "x=1"), (target.to_owned(), YES)] {
                let plain = ask(&target, cookie);
                assert_eq!(plain.all("set-cookie"), ["a=1; Path=/", "b=2"]);
                assert_eq!(plain.all("cache-control"), ["public, max-age=60"]);
            }
        }
    });
}
