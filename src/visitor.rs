//! Visitors who are no visitors: crawlers, previews, monitors, by what they call themselves.

use std::net::IpAddr;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use ipnet::IpNet;

use crate::reason::Reason;

/// Parts of the user agents of known programs, lower case. A browser's user agent has none of them.
const CRAWLERS: &[&str] = &[
    // What most of them call themselves, in some form: `Googlebot/2.1`, `AhrefsBot`, `Baiduspider`.
    "bot/",
    "bot;",
    "bot)",
    "-bot",
    "crawler",
    "spider",
    "+http://",
    "+https://",
    // Meta's and other networks' previews, which fetch what people share.
    "facebookexternalhit",
    "facebookcatalog",
    "meta-externalagent",
    "meta-externalfetcher",
    "facebot",
    "whatsapp/",
    "slackbot",
    "skypeuripreview",
    "telegrambot",
    "pinterest/0.",
    "pinterestbot",
    "embedly",
    "vkshare",
    // Monitors and audits.
    "uptimerobot",
    "pingdom",
    "statuscake",
    "site24x7",
    "gtmetrix",
    "chrome-lighthouse",
    "google-pagespeed",
    "google page speed",
    "lighthouse",
    "ptst/",
    "mediapartners-google",
    "apis-google",
    "google-inspectiontool",
    "google-read-aloud",
    "storebot-google",
    "feedfetcher",
    "yandex.com/bots",
    "ia_archiver",
    "archive.org",
];

/// Why a request is not a visitor's: by what it calls itself, or because it comes from one of the operator's own addresses.
#[must_use]
pub fn not_a_visitor(user_agent: Option<&str>, address: Option<IpAddr>, internal: &[IpNet]) -> Option<Reason> {
    if user_agent.is_some_and(is_crawler) {
        return Some(Reason::Bot);
    }
    let address = address.map(|ip| ip.to_canonical());
    address.is_some_and(|address| internal.iter().any(|net| net.contains(&address))).then_some(Reason::Internal)
}

/// Whether a user agent is a known crawler's, preview's or monitor's. Programs that people write (`curl`, `python-requests`)
/// are not judged: forms are posted by them, too.
#[must_use]
pub fn is_crawler(user_agent: &str) -> bool {
    let agent = user_agent.trim().as_bytes();
    // Cubot makes phones.
    let is_phone =
        |at: usize| agent.get(at.saturating_sub(2)..at).is_some_and(|maker| maker.eq_ignore_ascii_case(b"cu"));
    let name_at = agent.len().saturating_sub(3);
    // A name at the very end: `DuckDuckBot`.
    let is_named = agent.get(name_at..).is_some_and(|end| end.eq_ignore_ascii_case(b"bot")) && !is_phone(name_at);
    is_named
        || PARTS.as_ref().is_some_and(|parts| {
            let mut found = parts.find_overlapping_iter(agent);
            found.any(|part| {
                CRAWLERS.get(part.pattern().as_usize()).is_some_and(|p| !p.starts_with("bot"))
                    || !is_phone(part.start())
            })
        })
}

/// All of them at once: a landing is looked at on the data path. `None` only if they were too many for the automaton's limits.
static PARTS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(CRAWLERS).ok());

#[cfg(test)]
mod tests {
    use super::is_crawler;

    #[test]
    fn crawlers_call_themselves_so_and_browsers_do_not() {
        assert!(super::PARTS.is_some());
        for agent in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36 (compatible; Googlebot/2.1)",
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "meta-externalagent/1.1",
            "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
            "Mozilla/5.0 (compatible; Baiduspider/2.0)",
            "DuckDuckBot",
            "WhatsApp/2.23.20.0",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/119.0 Safari/537.36 Chrome-Lighthouse",
            "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
        ] {
            assert!(is_crawler(agent), "{agent}");
        }
        for agent in [
            "Mozilla/5.0 (X11; Linux x86_64) Example/1.0",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 [FBAN/FBIOS;FBAV/480.0;FBDV/iPhone16,2]",
            "Mozilla/5.0 (Linux; Android 14; Cubot X70) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/156.0.0.0 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [Pinterest/iOS]",
            "Mozilla/5.0 (Linux; Android 10; CUBOT) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36",
            "curl/8.5.0",
            "",
        ] {
            assert!(!is_crawler(agent), "{agent}");
        }
    }
}
