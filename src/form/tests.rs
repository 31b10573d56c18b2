//! Whole exchanges through [`read`]: what each rule makes of a request and its answer.

use super::testing::{ANA, Case, FORM, contact, whole};
use super::*;
use crate::config::SuccessRule;
use crate::lead::contact::Key;

const CF7_FIELDS: &str = "_wpcf7=5&_wpcf7_version=6.1.6&_wpcf7_unit_tag=wpcf7-f5-p7-o1&_wpcf7_container_post=7&\
    your-name=Ana+Ru%C3%ADz&your-email=ana.ruiz%40example.com&tel-123=0171+555+01234&your-subject=Hello&\
    your-message=Hi&quiz-1=7";
const CF7_REST: &str = "/wp-json/contact-form-7/v1/contact-forms/5/feedback";

#[test]
fn contact_form_7_says_by_one_word_how_it_went() {
    for (status, verdict, outcome) in [
        ("mail_sent", "lead", "accepted"),
        ("validation_failed", "validation", "refused"),
        ("acceptance_missing", "validation", "refused"),
        ("aborted", "validation", "refused"),
        ("spam", "spam", "refused"),
        ("mail_failed", "mail_failed", "refused"),
        ("payment_required", "unknown_outcome", "unknown"),
        ("Thank you, Ana", "unknown_outcome", "unknown"),
    ] {
        let answer =
            format!(r#"{{"contact_form_id":5,"status":"{status}","posted_data_hash":"0a","invalid_fields":[]}}"#);
        let reading = Case::post(CF7_REST, CF7_FIELDS).json(200, &answer).read();
        assert_eq!(reading.outcome, outcome, "{status}");
        assert!(!reading.marker.contains("Ana"));
        assert_eq!((reading.handler, reading.form.as_str()), ("cf7", "cf7:5"));
        assert_eq!(Case::post(CF7_REST, CF7_FIELDS).json(200, &answer).verdict(), verdict, "{status}");
    }
    assert_eq!(
        Case::post(CF7_REST, CF7_FIELDS).json(415, r#"{"code":"wpcf7_x","data":{"status":415}}"#).verdict(),
        "upstream_error"
    );
}

#[test]
fn contact_form_7_is_found_under_every_address_of_its_api() {
    let sent = r#"{"status":"mail_sent"}"#;
    for target in [
        CF7_REST,
        "/blog/api/contact-form-7/v1/contact-forms/5/feedback/",
        "/?rest_route=/contact-form-7/v1/contact-forms/5/feedback",
        "/index.php?rest_route=%2Fcontact-form-7%2Fv1%2Fcontact-forms%2F5%2Ffeedback&_locale=user",
    ] {
        let reading = Case::post(target, CF7_FIELDS).json(200, sent).read();
        assert_eq!((reading.verdict, reading.form.as_str()), (Verdict::Lead, "cf7:5"), "{target}");
    }
    assert_eq!(
        Case::post("/wp-json/contact-form-7/v1/contact-forms/5/refill", CF7_FIELDS).json(200, sent).verdict(),
        "not_a_form"
    );
}

#[test]
fn without_scripts_the_posted_form_carries_the_status() {
    let page = |own: &str, other: &str| {
        format!(
            r#"<div class="wpcf7" id="wpcf7-f9-p7-o2"><form class="wpcf7-form {other}" data-status="{other}"></form></div>
            <div class="wpcf7 no-js" id="wpcf7-f5-p7-o1"><div></div><form class="wpcf7-form {own}" data-status="{own}"></form></div>"#
        )
    };
    for (own, verdict) in [
        ("sent", "lead"),
        ("invalid", "validation"),
        ("unaccepted", "validation"),
        ("failed", "mail_failed"),
        ("spam", "spam"),
        ("init", "unknown_outcome"),
        ("custom-payment_required", "unknown_outcome"),
    ] {
        let other = if own == "sent" { "init" } else { "sent" };
        assert_eq!(Case::post("/contact/", CF7_FIELDS).html(200, &page(own, other)).verdict(), verdict, "{own}");
    }
    let by_class = r#"<div id="wpcf7-f5-p7-o1"><form class="wpcf7-form sent"></form></div>"#;
    assert_eq!(Case::post("/contact/", CF7_FIELDS).html(200, by_class).verdict(), "lead");
    let elsewhere = r#"<form class="wpcf7-form sent" data-status="sent"></form>"#;
    assert_eq!(Case::post("/contact/", CF7_FIELDS).html(200, elsewhere).verdict(), "unknown_outcome");
    let odd_tag = CF7_FIELDS.replace("wpcf7-f5-p7-o1", "wpcf7-f5%5D,*");
    assert_ne!(Case::post("/contact/", odd_tag).html(200, by_class).verdict(), "lead");
}

#[test]
fn contact_form_7_fields_become_contact_data_and_its_own_do_not() {
    let reading = Case::post(CF7_REST, CF7_FIELDS).json(200, r#"{"status":"mail_sent"}"#).read();
    assert_eq!(contact(&reading, Key::Em), Some("ana.ruiz@example.com"));
    assert_eq!(contact(&reading, Key::Ph), Some("0171 555 01234"));
    assert_eq!(contact(&reading, Key::Fn), Some("Ana"));
    assert_eq!(contact(&reading, Key::Ln), Some("Ru\u{ed}z"));
    let names: Vec<_> = reading.canonical_fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["your-name", "your-email", "tel-123", "your-subject", "your-message"]);
    assert_eq!(reading.page_url.as_deref(), Some("https://shop.example/contact"));
    assert_eq!(reading.supplied_event_id, None, "the hash of the data is a key for repeats, not an id");
}

#[test]
fn the_id_of_an_event_comes_from_the_page_before_the_plugin() {
    let with_code = r#"{"status":"mail_sent","fb_pxl_code":"fbq('track','Lead',{},{\"eventID\":\"aaaa-bbbb\"})"}"#;
    let id = |case: Case| case.read().supplied_event_id.map(|id| (id.id, id.source));
    let case = || Case::post(CF7_REST, CF7_FIELDS).json(200, with_code);
    assert_eq!(id(case()), Some(("aaaa-bbbb".into(), "handler")));
    assert_eq!(id(case().header("x-event-id", "from-header")), Some(("from-header".into(), "header")));
    let mut with_field = case().header("x-event-id", "from-header");
    with_field.body.push_str("&eventID=from-field");
    let reading = with_field.read();
    assert!(!reading.canonical_fields.iter().any(|(name, _)| name == "eventID"));
    assert_eq!(id(with_field), Some(("from-field".into(), "field")));
}

#[test]
fn wordpress_itself_never_makes_a_lead() {
    for (target, body, reason) in [
        ("/wp-login.php", "log=admin&pwd=secret", "login"),
        ("/wp-login.php?action=lostpassword", "user_login=ana%40example.com", "login"),
        ("/blog/wp-comments-post.php", "comment=Hi&author=Ana&email=ana%40example.com", "comment"),
        ("/?wc-ajax=checkout", "billing_email=ana%40example.com", "checkout"),
        ("/wp-json/wc/store/v1/checkout", "billing_email=ana%40example.com", "checkout"),
        ("/my-account/", "email=ana%40example.com&woocommerce-register-nonce=1", "login"),
        ("/wp-admin/admin-ajax.php", "action=heartbeat&email=ana%40example.com", "not_a_form"),
        ("/wp-admin/admin-ajax.php?action=as_async_request_queue_runner", "a=1", "self"),
        ("/wp-admin/admin-post.php", "action=wp_async_send_server_events&event_data=eA", "self"),
        ("/?ob=open-bridge", "email=ana%40example.com", "self"),
        ("/wp-json/pys-facebook/v1/event", "email=ana%40example.com", "self"),
        ("/wp-json/wp/v2/comments", "email=ana%40example.com", "not_a_form"),
        ("/?rest_route=/wp/v2/users", "email=ana%40example.com", "not_a_form"),
        ("/wp-admin/options.php", "email=ana%40example.com", "not_a_form"),
        ("/xmlrpc.php", "email=ana%40example.com", "not_a_form"),
    ] {
        assert_eq!(Case::post(target, body).json(200, r#"{"success":true}"#).verdict(), reason, "{target}");
    }
}

#[test]
fn the_site_is_known_by_its_own_name_in_the_user_agent() {
    let case =
        |agent: &str| Case::post("/hook", ANA).json(200, r#"{"success":true}"#).header("user-agent", agent).verdict();
    assert_eq!(case("WordPress/6.7; https://shop.example"), "self");
    assert_eq!(case("WordPress/6.7; https://www.shop.example/blog"), "self");
    assert_eq!(case("WordPress/6.7; https://partner.example"), "lead");
    assert_eq!(case("Mozilla/5.0"), "lead");
}

#[test]
fn software_that_is_known_never_passes_for_generic() {
    for (target, body, name) in [
        ("/wp-admin/admin-ajax.php", "action=wpforms_submit&wpforms%5Bfields%5D%5B2%5D=ana%40example.com", "wpforms"),
        ("/contact/", "wpforms%5Bid%5D=10&wpforms%5Bfields%5D%5B2%5D=ana%40example.com", "wpforms"),
        ("/wp-admin/admin-ajax.php", "action=nf_ajax_submit&formData=x&email=ana%40example.com", "ninja"),
        ("/wp-admin/admin-ajax.php?t=1", "action=fluentform_submit&email=ana%40example.com", "fluent"),
        ("/x/", "frm_action=create&item_meta%5B7%5D=ana%40example.com", "formidable"),
    ] {
        let reading = Case::post(target, body).json(200, r#"{"success":true,"data":{"confirmation":""}}"#).read();
        assert_ne!(reading.verdict, Verdict::Lead, "{target} {body}: the generic rule would believe `success:true`");
        assert_eq!(reading.handler, name);
    }
    let ajax = Case::post("/wp-admin/admin-ajax.php", format!("action=theme_contact&{ANA}"));
    let ajax = ajax.json(200, r#"{"success":true}"#);
    assert_eq!((ajax.verdict(), ajax.read().marker.as_str()), ("unknown_outcome", "action:theme_contact"));
    let post = Case::post("/wp-admin/admin-post.php", format!("action=theme_contact&{ANA}")).redirect(302, "/thanks");
    assert_eq!(post.verdict(), "lead");
}

#[test]
fn a_redirect_counts_when_it_leads_to_another_page() {
    for (status, location, verdict) in [
        (303, "/thanks", "lead"),
        (302, "https://shop.example/danke.html", "lead"),
        (302, "thanks.php", "lead"),
        (302, "/contact?sent=1", "lead"),
        (302, "/contact?status=success", "lead"),
        (302, "/contact#thank-you", "lead"),
        (302, "/thanks?error=0", "lead"),
        (302, "/contact", "later"),
        (302, "http://shop.example:80/contact/", "later"),
        (302, "/contact?sid=1", "later"),
        (302, "/send.php", "later"),
        (302, "?x=1", "later"),
        (302, "/error", "validation"),
        (302, "/contact?error=mail", "validation"),
        (302, "/contact?status=failed", "validation"),
        (302, "/form-error.html", "validation"),
        (302, "/login", "login"),
        (302, "/sign-in?next=%2Fcontact", "login"),
        (302, "/wp-login.php?redirect_to=x", "login"),
        (302, "javascript:void(0)", "unknown_outcome"),
        (301, "https://www.shop.example/thanks", "unknown_outcome"),
        (307, "/thanks", "unknown_outcome"),
    ] {
        assert_eq!(Case::post("/send.php", ANA).redirect(status, location).verdict(), verdict, "{status} {location}");
    }
    assert_eq!(Case::post("/send.php", ANA).html(302, "").verdict(), "unknown_outcome");
}

#[test]
fn a_json_answer_must_say_so() {
    let case = |status, answer: &str| Case::post("/api/contact", ANA).json(status, answer).verdict();
    for (status, answer, verdict) in [
        (200, r#"{"success":true}"#, "lead"),
        (200, r#"{"success":false}"#, "validation"),
        (200, r#"{"id":7}"#, "unknown_outcome"),
        (200, "\"ok\"", "unknown_outcome"),
        (200, "", "unknown_outcome"),
        (201, r#"{"id":7}"#, "lead"),
        (201, r#"{"errors":["x"]}"#, "validation"),
        (422, r#"{"success":true}"#, "validation"),
        (400, r#"{"success":true}"#, "upstream_error"),
        (500, "", "upstream_error"),
    ] {
        assert_eq!(case(status, answer), verdict, "{status} {answer}");
    }
    let bodiless = |accept: &str| Case::post("/api/contact", ANA).html(204, "").header("accept", accept).verdict();
    assert_eq!(bodiless("application/json"), "lead");
    assert_eq!(bodiless("text/html"), "unknown_outcome");
    let rehearsal = Case::post("/contact", ANA).html(204, "").header("accept", "application/json");
    assert_eq!(rehearsal.header("precognition", "true").verdict(), "step");
}

const LEARNED: &str = r#"<form action="/contact" method="post"><label>Name <input name="name"></label>
    <input name="email" type="email"><textarea name="text"></textarea></form><p class="hint error">x</p>"#;

#[test]
fn a_thank_you_page_counts_when_the_learned_form_is_gone() {
    let case = |answer: &str| Case::post("/contact", format!("{ANA}&text=Hi")).html(200, answer);
    assert_eq!(case("<h1>Danke!</h1>").verdict(), "unknown_outcome", "the page was not learned");
    for (answer, verdict) in [
        ("<h1>Danke!</h1>", "lead"),
        ("<p class='hint error'>x</p><h1>Danke!</h1>", "lead"),
        ("<form><input name=s></form>Danke", "lead"),
        (LEARNED, "unknown_outcome"),
        ("<form><input name=name><input name=email aria-invalid=true></form>", "unknown_outcome"),
        ("<p class=error>x</p><p class=error>Bitte zur\u{fc}ck</p>", "validation"),
        ("<b>Fatal error</b>: Uncaught", "upstream_error"),
        ("", "unknown_outcome"),
    ] {
        assert_eq!(case(answer).page(LEARNED).verdict(), verdict, "{answer}");
    }
}

#[test]
fn what_could_not_be_seen_whole_is_never_a_success() {
    let mut case = Case::post("/api/contact", ANA).json(200, r#"{"success":true}"#);
    assert_eq!(case.verdict(), "lead");
    for (answer, verdict) in
        [(Captured::OverCap, "unknown_outcome"), (Captured::OverBudget, "over_budget"), (Captured::Aborted, "aborted")]
    {
        case.answer = answer;
        assert_eq!(case.verdict(), verdict);
    }
    case.answer = whole(r#"{"success":true}"#);
    case.answer_headers.push(("content-encoding", "gzip"));
    assert_eq!(case.read().marker, "answer_not_decodable");
    let mut exchange = case.exchange();
    exchange.response = None;
    assert_eq!(read(&exchange, &[], &None).verdict, Verdict::NoLead(Reason::UpstreamError));
    for (body, reason) in [
        (Captured::OverCap, Reason::OverBudget),
        (Captured::OverBudget, Reason::OverBudget),
        (Captured::Aborted, Reason::Aborted),
    ] {
        exchange.request.body = body;
        assert_eq!(read(&exchange, &[], &None).verdict, Verdict::NoLead(reason));
    }
}

#[test]
fn some_fields_make_a_lead_impossible() {
    for (fields, verdict) in [
        ("", "lead"),
        ("&my-honeypot=", "lead"),
        ("&my-honeypot=x", "honeypot"),
        ("&_gotcha=1", "honeypot"),
        ("&website=https%3A%2F%2Fexample.com", "lead"),
        ("&password=", "password"),
        ("&card_number=1", "payment"),
    ] {
        assert_eq!(
            Case::post("/send", format!("{ANA}{fields}")).redirect(303, "/thanks").verdict(),
            verdict,
            "{fields}"
        );
    }
    let hidden = r#"<form><input name=email><p style="display:none"><input name=website></p></form>"#;
    let case = |value| Case::post("/send", format!("{ANA}&website={value}")).redirect(303, "/thanks").page(hidden);
    assert_eq!(case("x").verdict(), "honeypot");
    assert_eq!(case("").verdict(), "lead");
    assert_eq!(Case::post("/", "s=shoes&submit=Go").redirect(303, "/found").verdict(), "search");
    assert_eq!(Case::post("/", "q=ana%40example.com").redirect(303, "/found").verdict(), "search");
    assert_eq!(Case::post("/", "text=Hi").redirect(303, "/thanks").verdict(), "no_contact");
    let cookie = Case::post("/send", ANA).redirect(303, "/thanks").header("cookie", "wordpress_logged_in_0a=editor");
    assert_eq!(cookie.verdict(), "editor");
    let login = Case::post("/account/login", "email=ana%40example.com&password=x").redirect(302, "/account");
    assert_eq!(login.verdict(), "login");
    assert!(login.read().canonical_fields.iter().all(|(name, _)| name != "password"));
}

fn rule(path: &str) -> FormRule {
    FormRule { path: Some(path.into()), ..FormRule::default() }
}

fn success(status: &[u16], contains: Option<&str>, location: Option<&str>) -> SuccessRule {
    let text = |text: Option<&str>| text.map(str::to_owned);
    SuccessRule {
        status: status.to_vec(),
        contains: text(contains),
        location: text(location),
        ..SuccessRule::default()
    }
}

#[test]
fn a_success_rule_alone_decides() {
    let case = |success| Case::post("/send.php", ANA).rule(FormRule { success: Some(success), ..rule("/send*") });
    let done = r#"<p id="danke">"#;
    for (success, status, answer, verdict) in [
        (success(&[200], Some("id=\"danke\""), None), 200, done, "lead"),
        (success(&[200], Some("id=\"danke\""), None), 200, "<p>", "unknown_outcome"),
        (success(&[200], None, None), 303, done, "unknown_outcome"),
        (success(&[], Some("danke"), None), 200, done, "lead"),
        (success(&[], Some("danke"), None), 500, done, "upstream_error"),
        (success(&[418], None, None), 418, "", "lead"),
        (success(&[], None, None), 200, done, "unknown_outcome"),
    ] {
        assert_eq!(case(success.clone()).html(status, answer).verdict(), verdict, "{success:?} {status} {answer}");
    }
    let to = |pattern| case(success(&[302], None, Some(pattern))).redirect(302, "/contact?ok=1").verdict();
    assert_eq!([to("/contact"), to("/cont*"), to("/contact?ok=*")], ["lead"; 3]);
    assert_eq!(to("/thanks*"), "unknown_outcome");
    assert_eq!(case(success(&[200], None, None)).json(200, r#"{"success":false}"#).read().handler, "rule");
    let veto = Case::post("/send.php", format!("{ANA}&pwd=x"))
        .rule(FormRule { success: Some(success(&[200], None, None)), ..rule("*") });
    assert_eq!(veto.verdict(), "password");
    let nobody =
        Case::post("/send.php", "a=b").rule(FormRule { success: Some(success(&[200], None, None)), ..rule("*") });
    assert_eq!(nobody.verdict(), "no_contact");
}

#[test]
fn the_first_rule_that_fits_is_the_one() {
    let elsewhere = FormRule { host: Some("other.example".into()), ignore: true, ..FormRule::default() };
    let by_page = FormRule { ignore: true, ..rule("/contact") };
    let case = Case::post("/send", ANA).redirect(303, "/thanks").rule(elsewhere).rule(rule("/nowhere")).rule(by_page);
    let reading = case.read();
    assert_eq!((reading.rule, reading.verdict), (Some(2), Verdict::NoLead(Reason::IgnoredByRule)));
}

#[test]
fn a_rule_maps_fields_that_nothing_else_tells() {
    let fields = [("feld_7", "ph"), ("feld_8", "name"), ("email", "ignore"), ("other_mail", "em")];
    let fields = fields.map(|(name, role)| (name.to_owned(), role.to_owned())).to_vec();
    let body = "feld.7=555&feld_8=Ana+Ruiz&email=a%40example.com&other.mail=b%40example.com";
    let reading = Case::post("/send", body).redirect(303, "/thanks").rule(FormRule { fields, ..rule("/send") }).read();
    assert_eq!(contact(&reading, Key::Ph), Some("555"));
    assert_eq!(contact(&reading, Key::Fn), Some("Ana"));
    assert_eq!(reading.roles.contact.get(Key::Em).collect::<Vec<_>>(), ["b@example.com"]);
    assert!(reading.roles.sources.iter().all(|source| source.source == "rule"));
}

/// Field names and values → what is read, in the order of keys.
fn roles_of(body: &str, page: Option<&'static str>) -> String {
    let mut case = Case::post("/send", body);
    case.page = page;
    let roles = case.read().roles;
    let values: Vec<_> = roles.contact.iter().map(|(key, value)| format!("{}={value}", key.name())).collect();
    values.join(" ")
}

#[test]
fn a_name_is_what_its_siblings_leave() {
    for (body, expected) in [
        ("name=Ana+Ruiz", "fn=Ana ln=Ruiz"),
        ("name=Ana", "fn=Ana"),
        ("name=Ana&last_name=Ruiz", "ln=Ruiz fn=Ana"),
        ("nom=Dupont&prenom=Marie", "fn=Marie ln=Dupont"),
        ("Name=Muster&Vorname=Erika", "fn=Erika ln=Muster"),
        ("nombre=Ana&apellidos=Ruiz+Gil", "ln=Ruiz Gil fn=Ana"),
        ("nome=Ana&cognome=Rossi", "ln=Rossi fn=Ana"),
        ("name=Ana+Ruiz&first_name=Ana", "fn=Ana ln=Ruiz"),
        ("name=x&fname=Ana&lname=Ruiz", "fn=Ana ln=Ruiz"),
        ("company=Acme&firma=Acme&username=ana&project_name=Foo", ""),
        ("name=ana%40example.com", ""),
        ("name=Ru%FFz", ""),
    ] {
        assert_eq!(roles_of(body, None), expected, "{body}");
    }
}

#[test]
fn a_doubtful_value_is_left_out() {
    for (body, expected) in [
        ("x=ana%40example.com", "em=ana@example.com"),
        ("x=ana%40example.com&y=bob%40example.com", ""),
        ("email=ana%40example.com&y=bob%40example.com", "em=ana@example.com"),
        ("email=ana%40example.com&email2=ana%40example.com", "em=ana@example.com"),
        ("email=ana%40example.com&email_confirm=bob%40example.com", "em=ana@example.com"),
        ("email=&x=ana%40example.com", "em=ana@example.com"),
        ("recipient=info%40shop.example", ""),
        ("friend_email=bob%40example.com", ""),
        ("message=ana%40example.com", ""),
        ("x=0171+555+01234", ""),
        ("x=%2B49+171+555+01234", "ph=+49 171 555 01234"),
        ("tel=0171+555+01234", "ph=0171 555 01234"),
        ("tel=soon", ""),
        ("fax=0171+555+01234", ""),
        ("phone=0171+555+01234&phone_country=DE", "ph=0171 555 01234"),
        ("email=+Ana%40Example.com+", "em= Ana@Example.com "),
        ("email=no", ""),
        ("a%5Bb%5D=1&email=x%40example.com&email=y%40example.com", "em=y@example.com"),
    ] {
        assert_eq!(roles_of(body, None), expected, "{body}");
    }
}

#[test]
fn the_page_tells_what_names_do_not() {
    const PAGE: &str = r#"<form>
        <input name=f1 type=email><input name=f2 type=tel><label>Vorname <input name=f3></label>
        <input name=f4 autocomplete="billing family-name"><label for=c>Ort</label><input id=c name=f5>
        <label>Firma <input name=name></label><input type=hidden name=mail value=x>
        <label>Name <input name=last_name></label></form>"#;
    let body =
        "f1=ana%40example.com&f2=555-0123&f3=Ana&f4=Ruiz&f5=Bonn&name=Acme&mail=info%40shop.example&last_name=Gil";
    assert_eq!(roles_of(body, Some(PAGE)), "ln=Ruiz em=ana@example.com ph=555-0123 fn=Ana ct=Bonn");
    assert_eq!(roles_of("mail=info%40shop.example", Some(PAGE)), "");
}

#[test]
fn forms_are_named_by_page_and_never_by_what_was_typed() {
    let form = |body: &str| Case::post("/send?ref=ana%40example.com", body).redirect(303, "/thanks").read().form;
    assert_eq!(form(&format!("{ANA}&form_id=quote_form")), "/contact#quote_form");
    let hashed = form(ANA);
    assert!(hashed.starts_with("/contact#") && hashed.len() == "/contact#".len() + 8, "{hashed}");
    assert_eq!(hashed, form("email=b%40example.com&name=Bob"), "neither values nor order matter");
    assert_ne!(hashed, form("email=b%40example.com&phone=1"));
    assert!(form(&format!("{ANA}&form_id=ana%40example.com")).len() == "/contact#".len() + 8);
}

#[test]
fn the_page_is_the_referer_only_on_this_site() {
    for (referer, page) in [
        ("https://shop.example/contact?fbclid=abc#x", "https://shop.example/contact?fbclid=abc"),
        ("http://shop.example:8080/", "http://shop.example:8080/"),
        ("https://evil.example/contact", "https://shop.example/send?a=1"),
        ("about:blank", "https://shop.example/send?a=1"),
        ("", "https://shop.example/send?a=1"),
    ] {
        let reading = Case::post("/send?a=1", ANA).header("referer", referer).read();
        assert_eq!(reading.page_url.as_deref(), Some(page), "{referer}");
    }
}

#[test]
fn the_head_alone_tells_what_may_be_a_form() {
    let post = |target, kind| is_form_post(&Method::POST, target, Some(kind));
    for target in ["/", "/contact?x", "/wp-admin/admin-ajax.php", "/wp-login.php", "/wp-json/acme/v1/lead"] {
        assert!(post(target, FORM), "{target}");
    }
    for target in
        ["/xmlrpc.php", "/wp-cron.php?doing_wp_cron=1", "/wp-json/wp/v2/posts/1", "/wp-admin/async-upload.php"]
    {
        assert!(!post(target, FORM), "{target}");
    }
    assert!(!is_form_post(&Method::PUT, "/", Some(FORM)) && !is_form_post(&Method::POST, "/", None));
    assert!(!post("/", "application/octet-stream"));
}

#[test]
fn debug_output_shows_no_contact_data() {
    let reading = Case::post(CF7_REST, CF7_FIELDS).json(200, r#"{"status":"mail_sent"}"#).read();
    let debug = format!("{reading:?}");
    assert!(!debug.contains("Ana") && !debug.contains("example.com") && !debug.contains("555"), "{debug}");
}

#[test]
fn a_declared_role_that_the_value_cannot_be_leaves_the_word_to_others() {
    let body = "action=fluentform_submit&form_id=1&data=x%5Bfirst_name%5D%3Dana%2540example.com%26email%3D%26phone%3Dcall%2Bme";
    let answer = r#"{"success":true,"data":{"insert_id":1,"result":{"message":"x"}}}"#;
    let reading = Case::post("/wp-admin/admin-ajax.php", body).json(200, answer).read();
    assert_eq!((contact(&reading, Key::Fn), contact(&reading, Key::Ph)), (None, None));
}

#[test]
fn a_page_without_the_form_can_be_many_things_besides_thanks() {
    const PAGE: &str = "<form><input name=name><input name=email></form>";
    let verdict = |html: &str| Case::post("/send.php", ANA).page(PAGE).html(200, html).verdict();
    assert_eq!(verdict("<p>Danke!</p>"), "lead");
    for (html, reason) in [
        ("<script>alert('x');history.back();</script>", "validation"),
        ("<p>x <a href='javascript:history.go(-1)'>back</a></p>", "unknown_outcome"),
        ("<form><input name=log><input type=password name=pwd></form>", "login"),
        ("<b>Warning</b>: mail(): Failed to connect", "unknown_outcome"),
        ("<meta http-equiv=refresh content=\"0;url=/contact?error=1\">", "validation"),
        ("<meta http-equiv=Refresh content=\"0; URL='/contact'\">", "unknown_outcome"),
    ] {
        assert_eq!(verdict(html), reason, "{html}");
    }
    let margin = Case::post("/send.php", ANA)
        .page("<form><input type=password name=pw></form><form><input name=name><input name=email></form>")
        .html(200, "<form><input type=password name=pw></form><p>Danke!</p>");
    assert_eq!(margin.verdict(), "lead", "a login in the margin of every page");
    let endless = format!("{}<input name=name><input name=email>", "<i></i>".repeat(20_100));
    assert_eq!(verdict(&endless), "unknown_outcome", "what was not looked at may hold the form");
    let redirected = "<meta http-equiv=refresh content=\"0;url=/thanks\"><p>Danke!</p>";
    assert_eq!(verdict(redirected), "lead");
}

#[test]
fn a_datum_of_somebody_else_is_not_the_visitors_whatever_the_control() {
    for (page, body, roles) in [
        (
            "<form><label>Fax<input type=tel name=f4></label><label>Telefon<input name=f5></label></form>",
            "f4=555-0199&f5=555-0123",
            "ph=555-0123",
        ),
        (
            "<form><label>E-mail of your friend<input type=email name=f1></label><label>Your e-mail<input type=email name=f2></label></form>",
            "f1=bo%40example.com&f2=ana%40example.com",
            "em=ana@example.com",
        ),
        (
            "<form><input name=email><input type=email name=supervisor_email><input type=email name=work_contact_email></form>",
            "email=ana%40example.com&supervisor_email=bo%40example.com&work_contact_email=c%40example.com",
            "em=ana@example.com",
        ),
        (
            "<form><label>E-mail of the manager<input type=email name=f1></label><label>E-mail<input type=email name=f2></label></form>",
            "f1=bo%40example.com&f2=ana%40example.com",
            "em=ana@example.com",
        ),
        ("<form><label>Name des Kindes<input name=name></label></form>", "name=Bo+Ruiz", ""),
        (
            "<form><div class=wpforms-field-name><label>Company name<input name=f1></label></div><input name=mail></form>",
            "f1=ACME&mail=ana%40example.com",
            "em=ana@example.com",
        ),
        (
            "<form><ul><li class=gfield--type-phone><input name=input_1><li class=gfield--type-text><label>Kundennummer<input name=input_2></label></ul></form>",
            "input_2=0171555012",
            "",
        ),
    ] {
        assert_eq!(roles_of(body, Some(page)), roles, "{page}");
    }
}

#[test]
fn what_is_moved_a_little_or_shown_later_is_no_trap() {
    let verdict = |page: &'static str| {
        Case::post("/send.php", "email=ana%40example.com&website=example.com")
            .page(page)
            .redirect(302, "/thanks")
            .verdict()
    };
    assert_eq!(
        verdict("<form><input name=email><p style='position:absolute; left:-5000px'><input name=website></form>"),
        "honeypot"
    );
    assert_eq!(verdict("<form><input name=email><p style='margin-left:-15px'><input name=website></form>"), "lead");
    let later = "<form><input name=email><div style='display:none'><input name=a><input name=b><input name=website></div></form>";
    assert_eq!(verdict(later), "lead");
    for (name, reason) in
        [("season_pass", "lead"), ("gift_card", "lead"), ("user_pass", "password"), ("credit_card", "payment")]
    {
        let case = Case::post("/send.php", format!("email=ana%40example.com&{name}=x")).redirect(302, "/thanks");
        assert_eq!(case.verdict(), reason, "{name}");
    }
}

#[test]
fn a_form_that_a_script_packs_into_one_field_is_read() {
    let packed = "data=name%3DAna%2BRuiz%26email%3Dana%2540example.com%26tel%3D0171%2B555%2B01234";
    let case =
        Case::post("/send.php", packed).header("x-requested-with", "XMLHttpRequest").json(200, r#"{"success":true}"#);
    let reading = case.read();
    assert_eq!(reading.verdict, Verdict::Lead);
    assert_eq!(contact(&reading, Key::Em), Some("ana@example.com"));
    assert_eq!(contact(&reading, Key::Ph), Some("0171 555 01234"));
    let password = Case::post("/send.php", "data=email%3Da%2540example.com%26password%3Dx").redirect(302, "/thanks");
    assert_eq!(password.verdict(), "password");
}

#[test]
fn a_name_is_known_by_the_company_it_keeps() {
    assert_eq!(roles_of("user_name=Ana+Ruiz&user_email=ana%40example.com", None), "em=ana@example.com fn=Ana ln=Ruiz");
    assert_eq!(roles_of("user_name=ana77&email=ana%40example.com", None), "em=ana@example.com");
    assert_eq!(roles_of("company_name=Acme&company_email=info%40example.com", None), "em=info@example.com");
    assert_eq!(roles_of("nom=Ruiz+Ana&email=ana%40example.com", None), "em=ana@example.com fn=Ruiz ln=Ana");
    let french = "<form><label>Nom et pr\u{e9}nom <input name=x></label><input name=email></form>";
    assert_eq!(roles_of("x=Ruiz+Ana&email=ana%40example.com", Some(french)), "em=ana@example.com");
    assert_eq!(roles_of("x=RUIZ+Ana&email=ana%40example.com", Some(french)), "em=ana@example.com fn=Ana ln=RUIZ");
}

#[test]
fn pages_of_failure_show_themselves_without_their_texts_being_read() {
    const PAGE: &str = "<form><input name=name><input name=email></form><form><input name=q></form>";
    let verdict = |html: &str| Case::post("/send.php", ANA).page(PAGE).html(200, html).verdict();
    for (html, reason) in [
        ("<title>Thank you</title><p>x</p><form><input name=q></form>", "lead"),
        ("<title>Error</title><p>x</p>", "unknown_outcome"),
        ("<h1>Fehler</h1><a href=/contact>x</a>", "unknown_outcome"),
        ("wrong code", "unknown_outcome"),
        ("<script>window._cf_chl_opt={}</script>", "spam"),
        ("<form><input name=card_holder><input name=size></form>", "unknown_outcome"),
        ("<script>alert('x');location.href='/contact'</script>", "unknown_outcome"),
        ("<script>alert('x');window.location='/contact?error=1'</script>", "validation"),
        ("<script>location.replace('/thanks')</script>", "lead"),
    ] {
        assert_eq!(verdict(html), reason, "{html}");
    }
}

#[test]
fn a_new_message_of_success_counts_beside_a_form_that_is_still_there() {
    const FORM: &str = "<form><input name=name><input name=email></form>";
    const STANDING: &str = "<p class='alert alert-success'>x</p><form><input name=name><input name=email></form>";
    let said = |page: &'static str, html: &str| {
        let reading = Case::post("/send.php", ANA).page(page).html(200, html).read();
        (reading.outcome, reading.marker)
    };
    assert_eq!(said(FORM, STANDING), ("accepted", "message_of_success".to_owned()));
    assert_eq!(said(STANDING, STANDING), ("unknown", "form_still_there".to_owned()), "it is always there");
    let marked = STANDING.replace("name=email", "name=email class=is-invalid");
    assert_eq!(said(FORM, &marked), ("refused", "marked_invalid".to_owned()));
}
