//! The `event_id` that came with a submission, so that the browser's own event and ours are one to Meta.

use super::SuppliedEventId;
use super::answer::Answer;
use super::body::Fields;
use super::volatile;
use crate::exchange::RequestRecord;

/// Longest id that is taken over; UUIDs have 36 characters.
const MAX_ID: usize = 128;
/// A bare number shorter than this is somebody's row or concert, not an event.
const MIN_DIGITS: usize = 7;

/// Headers that scripts send it in.
const HEADERS: &[&str] = &["x-event-id", "x-capi-event-id", "x-fb-event-id", "x-meta-event-id"];

/// What the page itself supplies: a field, a header, or the code by which Meta's own WordPress plugin hands its id to
/// the page.
pub(super) fn of_page(
    request: &RequestRecord,
    fields: &Fields,
    answer: Option<&Answer<'_>>,
) -> Option<SuppliedEventId> {
    let field =
        fields.list.iter().filter(|field| volatile::is_event_id(&field.name)).find_map(|field| usable(&field.value));
    if let Some(id) = field {
        return Some(SuppliedEventId { id, source: "field" });
    }
    if let Some(id) = HEADERS.iter().find_map(|name| usable(request.header(name)?)) {
        return Some(SuppliedEventId { id, source: "header" });
    }
    let json = answer?.json()?;
    let code =
        [Some(json), json.get("data")].into_iter().flatten().find_map(|level| level.get("fb_pxl_code")?.as_str());
    Some(SuppliedEventId { id: of_pixel_code(code?)?, source: "handler" })
}

/// The handler's own id. A bare number is unique within one form of one site only, so those are part of it.
pub(super) fn of_handler(handler: &str, host: &str, form: &str, id: &str) -> Option<SuppliedEventId> {
    let id = id.trim();
    let own = !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic());
    let full = format!("{handler}:{host}:{form}:{id}");
    (own && is_printable(&full)).then_some(SuppliedEventId { id: full, source: "handler" })
}

/// `fbq('track','Lead',{…},{"eventID":"…"})` in the script text of `facebookincubator/Facebook-Pixel-for-Wordpress`.
fn of_pixel_code(code: &str) -> Option<String> {
    let (_, rest) = code.split_once("eventID")?;
    let rest = rest.trim_start_matches(['"', '\'', '\\', ' ']).strip_prefix(':')?.trim_start();
    let rest = rest.trim_start_matches('\\');
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let id = rest.get(1..)?.split([quote, '\\']).next()?;
    usable(id)
}

fn usable(id: &str) -> Option<String> {
    let id = id.trim();
    let bare_number = id.len() < MIN_DIGITS && id.bytes().all(|b| b.is_ascii_digit());
    // Some sites make ids of addresses. An id is logged and sent as it is, so such a one is none.
    let contact = id.contains('@') || id.contains("%40") || id.starts_with('+');
    (is_printable(id) && !bare_number && !contact).then(|| id.to_owned())
}

fn is_printable(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_ID && id.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_bounded_printable_and_more_than_a_row_number() {
        for (id, taken) in [
            ("9e1b6b8a-6c0e-4f8d-bce1-c4a3a6f4d2b1", true),
            (" evt.1 ", true),
            ("1795607000000", true),
            ("42", false),
            ("", false),
            ("a b", false),
            ("\u{e9}v\u{e9}nement", false),
            (&"x".repeat(129), false),
        ] {
            assert_eq!(usable(id).is_some(), taken, "{id}");
        }
    }

    #[test]
    fn the_pixel_code_of_metas_plugin_is_read_and_not_run() {
        for (code, id) in [
            (r#"fbq('track','Lead',{"a":1},{"eventID":"0f0e-1"});"#, Some("0f0e-1")),
            (r"fbq('trackSingle', '1', 'Lead', {}, { eventID: 'ab-c' })", Some("ab-c")),
            (r#"{\"eventID\":\"x-y\"}"#, Some("x-y")),
            ("fbq('track','Lead')", None),
            ("eventID", None),
            ("eventID:", None),
            ("eventID: 17", None),
        ] {
            assert_eq!(of_pixel_code(code).as_deref(), id, "{code}");
        }
    }

    #[test]
    fn a_handlers_number_is_named_after_its_site_and_form() {
        let id = of_handler("fluent", "shop.example", "fluent:3", "17").unwrap();
        assert_eq!((id.id.as_str(), id.source), ("fluent:shop.example:fluent:3:17", "handler"));
        assert_eq!(of_handler("fluent", "shop.example", "fluent:3", " "), None);
    }
}
