//! A small but realistic site, as the sidecar would find it: a landing page with a cookie banner, a form that is checked
//! on the server and redirects to a thank-you page, and a callback form that posts by script and gets JSON.

use std::net::{SocketAddr, TcpListener};

use crate::graph::http::{self, Request, answer};

/// Starts the site on a port of its own.
pub fn start() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    http::serve(listener, |request| Some(route(request)));
    Ok(address)
}

fn route(request: &Request) -> Vec<u8> {
    match (request.method.as_str(), request.target.split('?').next().unwrap_or_default()) {
        ("GET", "/") => html(&home(&Form::default())),
        ("POST", "/") => {
            let form = Form::read(&request.body);
            if form.problems().is_empty() {
                return answer(303, &["Location: /thank-you"], "");
            }
            html(&home(&Form { checked: true, ..form }))
        }
        ("POST", "/callback") => {
            let form = Form::read(&request.body);
            let body = if form.phone.chars().filter(char::is_ascii_digit).count() >= 6 {
                r#"{"success":true,"message":"We will call you back."}"#
            } else {
                r#"{"success":false,"errors":{"phone":"Please enter your phone number."}}"#
            };
            answer(200, &["Content-Type: application/json"], body)
        }
        ("GET", "/thank-you") => html(&page(
            "Thank you",
            "<main><h1>Thank you</h1><p>We have your request and will be in touch within a day.</p><p><a href=\"/\">Back to the start</a></p></main>",
        )),
        _ => answer(404, &["Content-Type: text/plain"], "nothing here\n"),
    }
}

fn html(body: &str) -> Vec<u8> {
    answer(200, &["Content-Type: text/html; charset=utf-8"], body)
}

#[derive(Default)]
struct Form {
    first_name: String,
    last_name: String,
    email: String,
    phone: String,
    checked: bool,
}

impl Form {
    fn read(body: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let value = value.trim().to_owned();
            match &*name {
                "first_name" => form.first_name = value,
                "last_name" => form.last_name = value,
                "email" => form.email = value,
                "phone" => form.phone = value,
                _ => {}
            }
        }
        form
    }

    fn problems(&self) -> Vec<&'static str> {
        let mut problems = Vec::new();
        if self.last_name.is_empty() {
            problems.push("last_name");
        }
        if !self.email.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.')) {
            problems.push("email");
        }
        problems
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn field(form: &Form, name: &str, label: &str, kind: &str, autocomplete: &str, value: &str) -> String {
    let wrong = form.checked && form.problems().contains(&name);
    let (mark, note) = if wrong {
        (" aria-invalid=\"true\" class=\"error\"", "<small>Please check this field.</small>")
    } else {
        ("", "")
    };
    format!(
        "<label>{label}<input name=\"{name}\" type=\"{kind}\" autocomplete=\"{autocomplete}\" value=\"{}\"{mark}>{note}</label>",
        escape(value)
    )
}

fn home(form: &Form) -> String {
    let fields = [
        field(form, "first_name", "First name", "text", "given-name", &form.first_name),
        field(form, "last_name", "Last name", "text", "family-name", &form.last_name),
        field(form, "email", "E-mail", "email", "email", &form.email),
        field(form, "phone", "Phone", "tel", "tel", &form.phone),
    ];
    page(
        "Example Solar",
        &format!(
            "<aside><b>This is a demonstration.</b> <a href=\"/?fbclid=IwAR0demo_Click-1\">Arrive from an ad</a>, answer the banner, \
             submit a form (for example ana@example.com, 0171 555 01234) and watch the terminal.</aside>\
             <main><h1>Solar panels for your roof</h1><p>A fictitious company with a real form. Tell us where to send your quote.</p>\
             <form method=post action=/ id=quote novalidate>{}<button>Ask for a quote</button></form>\
             <h2>Or let us call you</h2><form id=callback><label>Phone<input name=phone type=tel autocomplete=tel></label>\
             <button>Call me back</button> <output></output></form></main>",
            fields.concat()
        ),
    )
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style>{body}{BANNER}</html>"
    )
}

const STYLE: &str = "body{font:17px/1.5 system-ui,sans-serif;margin:0;color:#1c2733;background:#f5f7f9}main{max-width:34rem;\
margin:2rem auto;padding:1.5rem 2rem 2rem;background:#fff;border-radius:.6rem;box-shadow:0 1px 4px #0002}h1{margin-top:0;line-height:1.2}\
form{display:grid;gap:.8rem}label{display:grid;gap:.2rem;font-weight:600}input{font:inherit;padding:.5rem;border:1px solid #9fb0c0;\
border-radius:.3rem}input.error{border-color:#c0392b;background:#fdf1f0}small{color:#c0392b;font-weight:400}button{font:inherit;\
padding:.55rem 1.1rem;border:0;border-radius:.3rem;background:#0b6e4f;color:#fff;cursor:pointer;justify-self:start}\
main{margin-bottom:7rem}aside{max-width:34rem;margin:1.5rem auto 0;padding:0 2rem;color:#51606e;font-size:.9rem}#banner{position:fixed;inset:auto 0 0;\
padding:1rem 1.5rem;background:#1c2733;color:#fff;display:flex;flex-wrap:wrap;gap:.8rem;align-items:center}#banner[hidden]{display:none}\
#banner span{flex:1 1 16rem}#banner button.no{background:#51606e}";

/// Writes what CookieYes writes: a cookie before any choice, and the choice when there is one.
const BANNER: &str = r"<div id=banner hidden><span>We would like to use cookies for advertising.</span><button id=accept>Accept</button>
<button id=reject class=no>Reject</button></div><script>
const banner = document.getElementById('banner');
const choose = (action, ads) => {
  document.cookie = `cookieyes-consent=consentid:ZGVtbw,consent:${ads},action:${action},necessary:yes,functional:${ads},analytics:${ads},advertisement:${ads};path=/;samesite=strict`;
  banner.hidden = action === 'yes';
};
if (document.cookie.includes('action:yes')) banner.hidden = true; else choose('', 'no');
accept.onclick = () => choose('yes', 'yes');
reject.onclick = () => choose('yes', 'no');
const callback = document.getElementById('callback');
if (callback) callback.onsubmit = async event => {
  event.preventDefault();
  const answer = await fetch('/callback', {method: 'POST', headers: {Accept: 'application/json'}, body: new URLSearchParams(new FormData(callback))});
  const json = await answer.json();
  callback.querySelector('output').textContent = json.success ? json.message : Object.values(json.errors).join(' ');
};
</script>";
