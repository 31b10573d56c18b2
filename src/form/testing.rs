//! Exchanges for tests: one POST on `shop.example`, its answer, and what is made of them.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::page::Page;
use super::*;
use crate::exchange::{RequestRecord, ResponseRecord, UnixMillis};
use crate::lead::contact::Key;

pub const FORM: &str = "application/x-www-form-urlencoded";
/// A visitor's name and address.
pub const ANA: &str = "name=Ana+Ru%C3%ADz&email=ana.ruiz%40example.com";

/// An exchange on `shop.example`; parts that a test is about are set on top.
pub struct Case {
    pub target: &'static str,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    pub status: u16,
    pub answer_headers: Vec<(&'static str, &'static str)>,
    pub answer: Captured,
    pub page: Option<&'static str>,
    rules: Vec<FormRule>,
}

impl Case {
    pub fn post(target: &'static str, body: impl Into<String>) -> Self {
        Self {
            target,
            content_type: FORM,
            headers: vec![("referer", "https://shop.example/contact".into())],
            body: body.into(),
            status: 200,
            answer_headers: vec![("content-type", "text/html; charset=UTF-8")],
            answer: whole(""),
            page: None,
            rules: Vec::new(),
        }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(own, _)| *own != name);
        self.headers.push((name, value.into()));
        self
    }

    pub fn json(mut self, status: u16, answer: &str) -> Self {
        self.answer_headers = vec![("content-type", "application/json")];
        self.html(status, answer)
    }

    pub fn html(mut self, status: u16, answer: &str) -> Self {
        self.status = status;
        self.answer = whole(answer);
        self
    }

    pub fn redirect(mut self, status: u16, location: &'static str) -> Self {
        self.status = status;
        self.answer_headers.push(("location", location));
        self
    }

    pub fn page(mut self, html: &'static str) -> Self {
        self.page = Some(html);
        self
    }

    pub fn rule(mut self, rule: FormRule) -> Self {
        self.rules.push(rule);
        self
    }

    pub fn exchange(&self) -> Exchange {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(self.content_type));
        for (name, value) in &self.headers {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let mut answer_headers = HeaderMap::new();
        for (name, value) in &self.answer_headers {
            answer_headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Exchange {
            request: RequestRecord {
                method: Method::POST,
                target: self.target.into(),
                https: true,
                host: "shop.example".into(),
                headers,
                body: whole(&self.body),
                client_ip: None,
                received: UnixMillis(1_795_608_000_000),
            },
            response: Some(ResponseRecord {
                status: StatusCode::from_u16(self.status).unwrap(),
                headers: answer_headers,
                body: self.answer.clone(),
            }),
        }
    }

    pub fn read(&self) -> Reading {
        let page = self.page.map(|html| Page::parse(html.as_bytes()));
        read(&self.exchange(), &self.rules, &page.as_ref())
    }

    /// `lead`, or the reason.
    pub fn verdict(&self) -> &'static str {
        reason(&self.read())
    }
}

pub fn whole(text: &str) -> Captured {
    Captured::Whole(Bytes::copy_from_slice(text.as_bytes()))
}

pub fn contact(reading: &Reading, key: Key) -> Option<&str> {
    reading.roles.contact.first(key)
}

/// What is kept of a submission from `/contact` whose next page will tell.
pub fn expected(handler: &'static str, page: Option<&str>) -> handlers::Expected {
    let page = page.map(|html| Page::parse(html.as_bytes()));
    handlers::Expected {
        handler,
        form: page.as_ref().and_then(|page| page.forms.first().cloned()),
        before: page.map(|page| page.state()).unwrap_or_default(),
        url: "https://shop.example/contact".into(),
    }
}

/// The kind of an outcome.
pub fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted(_) => "accepted",
        Outcome::Refused(..) => "refused",
        Outcome::Later(_) => "later",
        Outcome::Unknown(_) | Outcome::Unseen(..) => "unknown",
    }
}

/// `lead`, or the reason.
pub fn reason(reading: &Reading) -> &'static str {
    match reading.verdict {
        Verdict::Lead => "lead",
        Verdict::Later => "later",
        Verdict::NoLead(reason) => reason.code(),
    }
}
