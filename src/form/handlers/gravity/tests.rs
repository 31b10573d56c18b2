use crate::form::testing::{Case, contact};
use crate::form::{Reading, SuppliedEventId};
use crate::lead::contact::Key;

const PERSON: &str = "input_1.3=Ana&input_1.6=Ruiz&input_2=ana.ruiz%40example.com&input_3=%2B49+171+555+01234";
const OWN: &str = "gform_submit=5&is_submit_5=1&gform_unique_id=0a&state_5=WyJ&gform_target_page_number_5=0&\
    gform_source_page_number_5=1&gform_field_values=&_gform_submit_nonce_5=0b&version_hash=0c";

fn page(more: &str) -> Case {
    Case::post("/quote/", format!("{PERSON}&{OWN}{more}"))
}

fn ajax(action: &str, answer: &str) -> Case {
    let body = format!(
        "{PERSON}&{OWN}&action=gform_{action}&form_id=5&gform_ajax_nonce=0d&\
        current_page_url=https%3A%2F%2Fshop.example%2Fquote%2F%3Fa%3D1&gform_submission_method=ajax"
    );
    Case::post("/wp-admin/admin-ajax.php", body).json(200, answer)
}

#[test]
fn validity_decides_and_not_the_outer_success() {
    for (data, verdict) in [
        (r#"{"is_valid":true,"page_number":0,"confirmation_type":"message","entry_id":9}"#, "lead"),
        (r#"{"is_valid":true,"confirmation_redirect":"https://shop.example/x","is_spam":false}"#, "lead"),
        (r#"{"is_valid":true,"is_spam":true,"confirmation_markup":"<p>x</p>"}"#, "spam"),
        (r#"{"is_valid":true,"page_number":2}"#, "step"),
        (r#"{"is_valid":true,"page_number":"2"}"#, "step"),
        (r#"{"is_valid":false,"page_number":0,"validation_messages":{"2":"x"}}"#, "validation"),
        (r#"{"is_valid":true,"confirmation_markup":"<b class='gform_cleantalk_error'>x</b>"}"#, "spam"),
        ("{}", "unknown_outcome"),
        (r#"{"is_valid":"yes"}"#, "unknown_outcome"),
    ] {
        let answer = format!(r#"{{"success":true,"data":{data}}}"#);
        assert_eq!(ajax("submit_form", &answer).verdict(), verdict, "{answer}");
    }
    assert_eq!(ajax("submit_form", r#"{"success":false,"data":"x"}"#).verdict(), "nonce");
    let valid = r#"{"success":true,"data":{"is_valid":true}}"#;
    assert_eq!(ajax("submit_form", valid).json(500, valid).verdict(), "upstream_error");
}

#[test]
fn json_is_read_between_the_comments_that_mark_it() {
    let marked = |data: &str| format!(r#"<!-- begin -->{{"success":true,"data":{data}}}<!-- end -->"#);
    let form = "<script>gformRedirect();</script><div class='gform_validation_error'>x</div>";
    for (answer, verdict) in [
        (marked(r#"{"is_valid":true,"page_number":0,"entry_id":9}"#), "lead"),
        (marked(r#"{"is_valid":true,"is_spam":true}"#), "spam"),
        (marked(&format!(r#"{{"is_valid":false,"form_markup":"{form}"}}"#)), "validation"),
        (r#"<!-- begin -->{"success":false,"data":"x"}<!-- end -->"#.to_owned(), "nonce"),
        // Not HTML and not JSON: nothing in it counts.
        (format!(r#"Notice: x <!-- begin -->{{"is_valid":false,"form_markup":"{form}"}}"#), "unknown_outcome"),
    ] {
        assert_eq!(ajax("submit_form", &answer).verdict(), verdict, "{answer}");
    }
}

const SUBMIT: &str = "/wp-json/gf/v2/forms/5/submissions";

#[test]
fn the_rest_api_says_the_same_without_a_wrapping() {
    let case = |target, status, answer: &str| {
        let mut case = Case::post(target, r#"{"input_1_3":"Ana","input_1_6":"Ruiz","input_2":"ana.ruiz@example.com"}"#);
        case.content_type = "application/json";
        case.json(status, answer)
    };
    let valid = r#"{"is_valid":true,"page_number":0,"confirmation_message":"x","entry_id":"91"}"#;
    for (target, status, answer, verdict) in [
        (SUBMIT, 200, valid, "lead"),
        ("/?rest_route=/gf/v2/forms/5/submissions", 200, valid, "lead"),
        (SUBMIT, 400, r#"{"is_valid":false,"validation_messages":{"2":"x"}}"#, "validation"),
        (SUBMIT, 401, r#"{"code":"rest_forbidden","data":{"status":401}}"#, "upstream_error"),
        ("/wp-json/gf/v2/forms/5/submissions/validation", 200, valid, "step"),
        ("/wp-json/gf/v2/forms/5/submissions?_validate_only=1", 200, valid, "step"),
        ("/wp-json/gf/v2/forms/5/submissions?_validate_only=0", 200, valid, "lead"),
        ("/wp-json/gf/v2/entries", 201, valid, "not_a_form"),
    ] {
        assert_eq!(case(target, status, answer).verdict(), verdict, "{target} {status} {answer}");
    }
    let reading = case(SUBMIT, 200, valid).read();
    assert_eq!((reading.handler, reading.form.as_str()), ("gravity", "gravity:5"));
    assert_eq!(id(&reading), Some("gravity:shop.example:gravity:5:91"));
    assert_eq!(contact(&reading, Key::Ln), Some("Ruiz"));
}

fn id(reading: &Reading) -> Option<&str> {
    reading.supplied_event_id.as_ref().map(|SuppliedEventId { id, .. }| id.as_str())
}

/// What a form that awaits a submission looks like: its script names every mark of success.
const FORM: &str = "<a id='gf_5' class='gform_anchor'></a><div class='gform_wrapper' id='gform_wrapper_5'>\
    <form id='gform_5'><input name='input_2'><input type=hidden name='is_submit_5' value='1'>\
    <input type=hidden name='gform_submit' value='5'></form></div><script>\
    if ($('#gform_confirmation_wrapper_5').length || text.indexOf('gformRedirect(){')) gformRedirect();</script>";

#[test]
fn a_page_or_a_frame_shows_the_confirmation_of_the_form_that_was_posted() {
    let other = FORM.replace("_5", "_8").replace("value='5'", "value='8'");
    let confirmed = "<div id='gform_confirmation_wrapper_5' class='gform_confirmation_wrapper'>x</div>";
    let redirect = "<script>function gformRedirect(){document.location.href='/x';} gformRedirect();</script>";
    for (answer, verdict) in [
        (confirmed.to_owned(), "lead"),
        ("<div class='gform_confirmation_message_5 gform_confirmation_message'>x</div>".to_owned(), "lead"),
        (other.clone() + confirmed, "lead"),
        (confirmed.replace("_5", "_8") + FORM, "unknown_outcome"),
        (FORM.to_owned(), "unknown_outcome"),
        (FORM.replace("class='gform_wrapper'", "class='gform_wrapper gform_validation_error'"), "validation"),
        (FORM.to_owned() + "<div class='validation_error'>x</div>", "validation"),
        (FORM.to_owned() + "<li class='gfield gfield_error'></li>", "validation"),
        (FORM.to_owned() + "<h2 class='gform_validation_errors'></h2>" + confirmed, "validation"),
        (confirmed.replace('x', "<b class='gform_cleantalk_error'>x</b>"), "spam"),
        (redirect.to_owned(), "lead"),
        (other.clone() + redirect, "unknown_outcome"),
        ("<a id='gf_5' class='gform_anchor'></a>".to_owned(), "lead"),
        ("<div id='gf_5' class='gform_anchor' tabindex='-1'></div>".to_owned(), "lead"),
        (other + "<a id='gf_5' class='gform_anchor'></a>", "lead"),
        ("<a id='gf_8' class='gform_anchor'></a>".to_owned(), "unknown_outcome"),
        (String::new(), "unknown_outcome"),
    ] {
        assert_eq!(page("").html(200, &answer).verdict(), verdict, "{answer}");
        let frame = format!("<html><body class='GF_AJAX_POSTBACK'>{answer}</body></html>");
        let framed = page("&gform_ajax=form_id%3D5%26title%3D").html(200, &frame);
        assert_eq!(framed.verdict(), verdict, "{frame}");
    }
    assert_eq!(page("").html(500, confirmed).verdict(), "upstream_error");
}

#[test]
fn an_empty_confirmation_leaves_a_page_without_the_form() {
    let case = || page("").page(FORM);
    assert_eq!(case().html(200, "<main><h1>Quote</h1></main>").verdict(), "lead");
    assert_eq!(case().html(200, FORM).verdict(), "unknown_outcome");
    assert_eq!(page("").html(200, "<main><h1>Quote</h1></main>").verdict(), "unknown_outcome");
}

#[test]
fn a_form_with_a_trap_takes_what_its_script_did_not_sign_for_spam() {
    const TRAP: &str = "<form id='gform_5'><input name='input_2'><input type=hidden name='is_submit_5' value='1'>\
        <input type=hidden name='gform_submit' value='5'>\
        <div class='gfield gform_validation_container'><input name='input_9'></div></form>";
    let confirmed = "<div id='gform_confirmation_wrapper_5'>x</div>";
    let unsigned = OWN.replace("&version_hash=0c", "");
    for (own, shown, verdict) in [
        (format!("{OWN}&input_9=&gform_theme=orbital"), TRAP, "lead"),
        (format!("{unsigned}&input_9=&gform_theme=orbital"), TRAP, "honeypot"),
        (format!("{unsigned}&input_9=&gform_theme=orbital&version_hash="), TRAP, "honeypot"),
        (format!("{unsigned}&gform_theme=orbital"), FORM, "lead"),
        // Before 2.7 nothing was signed.
        (format!("{unsigned}&input_9="), TRAP, "lead"),
    ] {
        let case = Case::post("/quote/", format!("{PERSON}&{own}")).page(shown);
        assert_eq!(case.html(200, confirmed).verdict(), verdict, "{own}");
    }
}

#[test]
fn a_redirect_counts_unless_it_leads_to_an_error_or_a_login() {
    for (location, verdict) in [
        ("/thanks", "lead"),
        ("https://pay.example/next", "lead"),
        ("/quote/", "lead"),
        ("/wp-login.php?redirect_to=%2Fquote", "login"),
        ("/quote/?error=1", "validation"),
    ] {
        assert_eq!(page("").redirect(302, location).verdict(), verdict, "{location}");
    }
}

#[test]
fn buttons_that_submit_nothing_are_no_submissions() {
    let valid = r#"{"success":true,"data":{"is_valid":true}}"#;
    for (more, reason) in [
        ("&gform_save=1", "draft"),
        ("&gform_save=", "lead"),
        ("&gform_send_resume_link=Send", "draft"),
        ("&gform_resume_token=0a", "lead"),
        ("&gform_target_page_number_5=2", "step"),
    ] {
        let body = format!("{PERSON}&{}{more}", OWN.replace("&gform_target_page_number_5=0", ""));
        let confirmed = "<div id='gform_confirmation_wrapper_5'></div>";
        assert_eq!(Case::post("/quote/", body).html(200, confirmed).verdict(), reason, "{more}");
    }
    assert_eq!(ajax("validate_form", valid).verdict(), "step");
    assert_eq!(ajax("get_config", valid).verdict(), "not_a_form");
}

#[test]
fn the_entry_the_page_and_the_form_are_read_and_hostile_ones_are_not() {
    let answer = r#"{"success":true,"data":{"is_valid":true,"entry_id":91}}"#;
    let reading = ajax("submit_form", answer).read();
    assert_eq!((reading.handler, reading.form.as_str()), ("gravity", "gravity:5"));
    assert_eq!(id(&reading), Some("gravity:shop.example:gravity:5:91"));
    assert_eq!(reading.page_url.as_deref(), Some("https://shop.example/quote/?a=1"));
    assert!(reading.canonical_fields.iter().all(|(name, _)| name.starts_with("input_")));
    let hostile = format!("{PERSON}&gform_submit=5%5D%2C*&is_submit_5=1");
    let case = Case::post("/quote/", hostile).html(200, "<div id='gform_confirmation_wrapper_5'></div>");
    assert_eq!((case.verdict(), case.read().handler), ("unknown_outcome", "gravity"));
    assert!(case.read().form.starts_with("/contact#"));
}

fn roles(fields: &str, html: Option<&'static str>) -> String {
    let mut case = Case::post("/quote/", format!("{fields}&gform_submit=5"));
    case.page = html;
    let contact = case.read().roles.contact;
    contact.iter().map(|(key, value)| format!("{}={value}", key.name())).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_set_of_parts_tells_a_name_from_an_address() {
    for (fields, expected) in [
        ("input_1.3=Ana&input_1.6=Ruiz", "fn=Ana ln=Ruiz"),
        ("input_1_3=Ana&input_1_6=Ruiz", "fn=Ana ln=Ruiz"),
        ("input_1.2=Ms.&input_1.3=Ana&input_1.4=&input_1.6=Ruiz+Gil&input_1.8=", "fn=Ana ln=Ruiz Gil"),
        ("input_1.3=Ana&input_1.6=", "fn=Ana"),
        // A list of choices, a place, or nobody knows what.
        ("input_1.3=Ana", ""),
        ("input_1.3=City&input_1.4=State&input_1.6=Land", ""),
        ("input_1.3=Bonn&input_1.6=Germany", ""),
        ("input_1.3=Web+1&input_1.6=Shop", ""),
        ("input_1.3=Web&input_1.6=Shop&input_4.3=Ana&input_4.6=Ruiz", ""),
        ("input_1.1=a&input_1.3=Ana&input_1.6=Ruiz", ""),
        ("input_1.3=Ana&input_1.6=Ruiz&input_1.11=x", ""),
        ("input_1.3=Ana&input_1.6=Ruiz&input_1.2_month=1", ""),
        (
            "input_2.1=Example+Street+1&input_2.2=&input_2.3=Bonn&input_2.4=NRW&input_2.5=53111&input_2.6=Germany",
            "ct=Bonn st=NRW zp=53111 country=Germany",
        ),
        ("input_2.1=Example+Street+1&input_2.3=Bonn&input_2.5=53111", "ct=Bonn zp=53111"),
        ("input_2.1=18-24&input_2.3=35-44&input_2.5=55-64", ""),
        ("input_2.1=a&input_2.3=b&input_2.5=c", ""),
        ("input_2.3=Bonn&input_2.5=53111", ""),
        // Product, consent.
        ("input_2.1=Box&input_2.2=5&input_2.3=1&input_3.1=1&input_3.2=I+agree&input_3.3=4", ""),
        (
            "input_2.1=A+1&input_2.3=Bonn&input_2.5=53111&input_3.1=B+1&input_3.3=Mainz&input_3.4=RLP&input_3.5=55116",
            "ct=Bonn zp=53111",
        ),
    ] {
        assert_eq!(roles(fields, None), expected, "{fields}");
    }
}

#[test]
fn an_address_typed_twice_is_one() {
    assert_eq!(roles("input_3=ana%40example.com&input_3_2=ana%40example.com", None), "em=ana@example.com");
    assert_eq!(roles("input_3=ana%40example.com&input_3_2=bob%40example.com", None), "");
}

#[test]
fn the_page_makes_it_certain() {
    const NAME: &str = "<form><label>First <input name=input_1.3></label><input name=input_1.6></form>";
    const CHOICES: &str = "<form><input type=checkbox name=input_1.3><input type=checkbox name=input_1.6></form>";
    const SHOWN_CHOICES: &str = "<form><input type=checkbox name=input_1.1><input type=checkbox name=input_1.3>\
        <input name=input_1.6></form>";
    const PLACE: &str = "<form><input name=input_1.3><select name=input_1.6></select></form>";
    const ADDRESS: &str = "<form><input name=input_1.3><input name=input_1.5><select name=input_1.6></select></form>";
    const MARKED: &str = "<form><span class=name_first><input name=input_1.3></span>\
        <span class=name_last><input name=input_1.6></span></form>";
    const MARKED_PLACE: &str =
        "<form><span class=address_city><input name=input_1.3></span><input name=input_1.6></form>";
    for (fields, page, expected) in [
        ("input_1.3=Web+1&input_1.6=Shop", NAME, "fn=Web 1 ln=Shop"),
        ("input_1.3=Ana&input_1.6=Ruiz", CHOICES, ""),
        ("input_1.3=Ana&input_1.6=Ruiz", SHOWN_CHOICES, ""),
        ("input_1.3=Ana&input_1.6=Ruiz", PLACE, ""),
        ("input_1.3=Ana&input_1.6=Ruiz", MARKED, "fn=Ana ln=Ruiz"),
        ("input_1.3=Bonn&input_1.6=Ruiz", MARKED_PLACE, "ct=Bonn"),
        ("input_1.3=Bonn&input_1.5=53111&input_1.6=Germany", ADDRESS, "ct=Bonn zp=53111 country=Germany"),
    ] {
        assert_eq!(roles(fields, Some(page)), expected, "{fields} {page}");
    }
}
