//! What holds for every form builder.

use crate::exchange::Captured;
use crate::form::testing::{Case, contact};
use crate::lead::contact::Key;

/// One submission of every builder, and an answer that makes it a lead.
const BUILDERS: &[(&str, &str, &str, &str)] = &[
    ("gravity", "/", "gform_submit=3&input_1=ana%40example.com", "<div id=gform_confirmation_wrapper_3>x</div>"),
    (
        "elementor",
        "/wp-admin/admin-ajax.php",
        "action=elementor_pro_forms_send_form&form_fields%5Bemail%5D=ana%40example.com",
        r#"{"success":true,"data":{}}"#,
    ),
    (
        "forminator",
        "/",
        "action=forminator_submit_form_custom-forms&email-1=ana%40example.com",
        r#"{"success":true,"data":{"behav":"behaviour-hide"}}"#,
    ),
    (
        "everest",
        "/",
        "everest_forms%5Bform_fields%5D%5Bemail%5D=ana%40example.com",
        "<p class=everest-forms-notice--success>x</p>",
    ),
    (
        "happyforms",
        "/",
        "action=happyforms_message&24_email_2=ana%40example.com",
        r#"{"success":true,"data":{"html":"<p class='happyforms-message-notice success'>x"}}"#,
    ),
    (
        "sureforms",
        "/wp-json/sureforms/v1/submit-form",
        "srfm-email-0a-lbl-RW1haWw-email=ana%40example.com",
        r#"{"success":true,"data":{"submission_id":7}}"#,
    ),
    ("jetpack", "/", "contact-form-hash=1&g38-email=ana%40example.com", r#"{"success":true,"data":[]}"#),
    ("metform", "/?rest_route=/metform/v1/entries/insert/3", "mf-email=ana%40example.com", r#"{"status":1}"#),
    (
        "kadence",
        "/wp-admin/admin-ajax.php",
        "action=kb_process_ajax_submit&kb_field_0=ana%40example.com",
        r#"{"success":true,"html":"<p class=kadence-blocks-form-success>x"}"#,
    ),
    ("mc4wp", "/", "_mc4wp_form_id=3&EMAIL=ana%40example.com", "<p class='mc4wp-alert mc4wp-success'>x</p>"),
    (
        "divi",
        "/",
        "et_pb_contactform_submit_0=et_contact_proccess&et_pb_contact_email_0=ana%40example.com",
        "<div class=et_pb_contact_form_container><p class=et-pb-contact-message>x</p></div>",
    ),
];

#[test]
fn an_answer_of_a_builder_counts_whole_or_not_at_all() {
    for (name, target, body, answer) in BUILDERS {
        let mut case = Case::post(target, *body).html(200, answer);
        assert_eq!((case.read().handler, case.verdict()), (*name, "lead"));
        assert_eq!(contact(&case.read(), Key::Em), Some("ana@example.com"), "{name}");
        case.status = 503;
        assert_eq!(case.verdict(), "upstream_error", "{name}");
        case.status = 200;
        for (answer, marker, verdict) in [
            (Captured::OverCap, "answer_over_cap", "unknown_outcome"),
            (Captured::OverBudget, "answer_over_budget", "over_budget"),
            (Captured::Aborted, "answer_aborted", "aborted"),
        ] {
            case.answer = answer;
            assert_eq!((case.read().marker.as_str(), case.verdict()), (marker, verdict), "{name}");
        }
    }
}

#[test]
fn what_any_other_software_calls_a_success_is_none_to_a_builder() {
    for (name, target, body, _) in BUILDERS.iter().filter(|(name, ..)| *name != "elementor" && *name != "jetpack") {
        let verdict = Case::post(target, *body).json(200, r#"{"success":true,"data":{"confirmation":""}}"#).verdict();
        assert_ne!(verdict, "lead", "{name}");
        let page = Case::post(target, *body).html(200, "<h1>Thanks</h1>");
        assert_eq!(page.page("<form><input name=email></form>").verdict(), "unknown_outcome", "{name}");
    }
}

#[test]
fn every_handler_is_in_the_list_for_operators() {
    let list = include_str!("../../../docs/FORMS.md");
    for handler in super::HANDLERS.iter().chain(super::FRAMEWORKS) {
        assert!(list.contains(&format!("`{}`", handler.name())), "{} is missing in docs/FORMS.md", handler.name());
    }
}
