//! What a page says of its forms: the fields' types, autocomplete tokens, labels and markers, which a submission does not
//! carry. Neither values nor texts are kept: pages come with people's data filled in.

mod learned;
mod markers;
mod reader;

use std::borrow::Cow;
use std::collections::HashSet;

use encoding_rs::{Encoding, UTF_8};
use serde::{Deserialize, Serialize};

use super::body::{Fields, parameter};
use super::content_coding;
use super::names::Meaning;
pub use learned::{KnownForm, KnownPages, Learned, LearnedPages, page_key, page_number, page_number_of_url};

/// A page with its forms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The forms in their order; the fields outside of all are one more.
    pub forms: Vec<PageForm>,
    /// Elements that are marked as wrong: `aria-invalid="true"`, a class that says error or invalid.
    pub invalid_marks: usize,
    /// It was too long or too deep to be read to its end: what is not in it may be in the rest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
    /// Messages of success in sight.
    #[serde(default)]
    pub success_messages: usize,
    /// The name of its encoding, unless that is UTF-8: forms are submitted in the encoding of their page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Where its scripts are from: what they tell is not of the forms, and not kept.
    #[serde(skip)]
    pub scripts: Vec<String>,
}

/// What a page showed before anything was submitted, to compare with what it shows after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageState {
    /// [`Page::invalid_marks`].
    pub invalid_marks: usize,
    /// [`Page::success_messages`].
    pub success_messages: usize,
    /// [`Page::asks_for_password`].
    pub asks_for_password: bool,
    /// Forms with more than a search in them.
    pub typed_forms: usize,
}

/// A form of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageForm {
    /// `id`.
    pub id: String,
    /// `name`.
    pub name: String,
    /// `class`.
    pub class: String,
    /// Hidden fields that name the form, with their values: `form_id`, `_wpcf7_unit_tag`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<(String, String)>,
    /// Its named fields.
    pub fields: Vec<PageField>,
}

/// A field of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageField {
    /// `name`.
    pub name: String,
    /// What kind of control it is.
    pub kind: FieldKind,
    /// What `autocomplete` says.
    #[serde(default, skip_serializing_if = "Meaning::is_unknown")]
    pub autocomplete: Meaning,
    /// What the form builder's classes on and around it say.
    #[serde(default, skip_serializing_if = "Meaning::is_unknown")]
    pub marker: Meaning,
    /// What its `<label>` says, else `aria-label`, else the placeholder.
    #[serde(default, skip_serializing_if = "Meaning::is_unknown")]
    pub label: Meaning,
    /// What the text before it says, where there is no label: how hand-made forms are written.
    #[serde(default, skip_serializing_if = "Meaning::is_unknown")]
    pub nearby: Meaning,
    /// The label says that it is somebody else's, or a fax.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_somebody_elses: bool,
    /// The label says more than the role: whose of several it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_qualified: bool,
    /// `autocomplete` says it is a card's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_payment: bool,
    /// It or something around it is hidden by an inline style or attribute, as honeypots are, and as parts of forms are
    /// that appear later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub concealed: bool,
    /// It stands where the form builder sets its traps: people never fill it in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trap: bool,
}

/// The kinds of controls that matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Text of any kind.
    #[default]
    Text,
    /// Several lines: prose, never one person's datum.
    Area,
    /// `type="email"`.
    Email,
    /// `type="tel"`.
    Tel,
    /// `type="password"`.
    Password,
    /// `type="hidden"`.
    Hidden,
    /// A choice: select, radio, checkbox.
    Choice,
    /// Buttons and files.
    Other,
}

impl FieldKind {
    fn of(tag: &str, kind: &str) -> Self {
        match (tag, kind.to_ascii_lowercase().as_str()) {
            ("select", _) | ("input", "radio" | "checkbox") => Self::Choice,
            ("button", _) | ("input", "submit" | "button" | "image" | "reset" | "file") => Self::Other,
            ("textarea", _) => Self::Area,
            ("input", "email") => Self::Email,
            ("input", "tel") => Self::Tel,
            ("input", "password") => Self::Password,
            ("input", "hidden") => Self::Hidden,
            _ => Self::Text,
        }
    }

    /// Whether a visitor fills it in. What a page hides is its own data: a recipient's address, for one.
    pub(super) const fn is_typed(self) -> bool {
        !matches!(self, Self::Hidden | Self::Other | Self::Password)
    }
}

/// How much a form's own id counts against names that it shares with others.
const ID_WEIGHT: usize = 1000;

impl Page {
    /// Reads decoded HTML in UTF-8.
    #[must_use]
    pub fn parse(html: &[u8]) -> Self {
        reader::read(html)
    }

    /// Reads a page as it travelled; `None` when its coding is unknown, its bytes are not what they say, or it is too
    /// large. `content_type` is the answer's.
    #[must_use]
    pub fn of_answer(body: &[u8], content_type: &str, content_encoding: &str) -> Option<Self> {
        let body = content_coding::decode(body, content_encoding).ok()?;
        let encoding = parameter(content_type, "charset")
            .and_then(|label| Encoding::for_label(label.as_bytes()))
            .or_else(|| declared_inside(&body))
            .unwrap_or(UTF_8);
        if encoding == UTF_8 {
            return Some(Self::parse(&body));
        }
        let text: Cow<'_, str> = encoding.decode(&body).0;
        let mut page = Self::parse(text.as_bytes());
        page.encoding = Some(encoding.name().to_owned());
        Some(page)
    }

    /// What it shows.
    #[must_use]
    pub fn state(&self) -> PageState {
        PageState {
            invalid_marks: self.invalid_marks,
            success_messages: self.success_messages,
            asks_for_password: self.asks_for_password(),
            typed_forms: self.forms.iter().filter(|form| form.is_typed()).count(),
        }
    }

    /// Whether it asks for a password.
    #[must_use]
    pub fn asks_for_password(&self) -> bool {
        self.forms.iter().flat_map(|form| &form.fields).any(|field| field.kind == FieldKind::Password)
    }

    /// The form that a submission came from: the one whose own id came with it, else the one that has most of its fields.
    #[must_use]
    pub fn form_of(&self, fields: &Fields) -> Option<&PageForm> {
        let names: HashSet<_> = fields.list.iter().map(|field| field.name.as_str()).collect();
        let best =
            self.forms.iter().map(|form| (form.score(&names, fields), form)).rev().max_by_key(|(score, _)| *score);
        best.filter(|(score, _)| *score > 0).map(|(_, form)| form)
    }

    /// Whether a form is (still) on this page: one with most of the fields that people fill in; a newsletter's
    /// e-mail field is no contact form. Of a page that was cut it cannot be said that it is not.
    #[must_use]
    pub fn has_form(&self, form: &PageForm) -> bool {
        let typed: Vec<_> = form.fields.iter().filter(|field| field.kind.is_typed()).collect();
        self.is_cut
            || self.forms.iter().any(|own| {
                let shared =
                    typed.iter().filter(|field| own.fields.iter().any(|other| other.name == field.name)).count();
                typed.is_empty() || shared * 2 > typed.len()
            })
    }
}

impl PageForm {
    /// How well a submission fits: 0 for not at all.
    fn score(&self, names: &HashSet<&str>, fields: &Fields) -> usize {
        let shared = self.fields.iter().filter(|field| names.contains(field.name.as_str())).count();
        let mut same_id = false;
        for (name, id) in &self.ids {
            match fields.get(name) {
                // Its sibling on the same page, made by the same software.
                Some(other) if other != id => return 0,
                Some(_) => same_id = true,
                None => {}
            }
        }
        if shared == 0 { 0 } else { shared + usize::from(same_id) * ID_WEIGHT }
    }

    /// Whether people type more into it than what they search for.
    fn is_typed(&self) -> bool {
        let is_search = |name: &str| matches!(name, "s" | "q" | "query" | "search" | "keys");
        self.fields.iter().any(|field| field.kind.is_typed() && !is_search(&field.name))
    }

    /// A field by its name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&PageField> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// `<meta charset>` within the first kilobyte, where HTML wants it.
fn declared_inside(html: &[u8]) -> Option<&'static Encoding> {
    let start = html.get(..1024).unwrap_or(html).to_ascii_lowercase();
    let at = memchr::memmem::find(&start, b"charset=")? + b"charset=".len();
    let rest = start.get(at..)?.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"").or_else(|| rest.strip_prefix(b"'")).unwrap_or(rest);
    let end = rest.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))).unwrap_or(rest.len());
    Encoding::for_label(rest.get(..end)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::body::decode;

    const PAGE: &str = r#"<!doctype html><body>
        <form id="search" action="/"><input name="s" aria-label="Search"></form>
        <form id=f name=quote action="/send?x=1&amp;y=2" class="a b" method=post>
          <input type=hidden name="to" value="info@shop.example">
          <label> Ihr Name <span>*</span><br><input name="feld&#95;1" autocomplete="section-a billing name"></label>
          <label for="m">E&#45;Mail</label> <input id=m type=EMAIL name=feld_2 placeholder="you@example.com">
          <label>Land <select name=feld_3><option>Deutschland</select></label>
          <div style="position: absolute; left: -5000px"><input name=website></div>
          <textarea name=feld_4 placeholder="Nachricht">hello</textarea>
          <input type=password name=pw><button name=go>Go</button>
        </form>
        <input name=late form=f type=tel></body>"#;

    #[test]
    fn types_labels_and_autocomplete_are_found_wherever_they_stand() {
        let page = Page::parse(PAGE.as_bytes());
        let form = &page.forms[1];
        assert_eq!((form.id.as_str(), form.name.as_str()), ("f", "quote"));
        assert_eq!(form.class, "a b");
        let fields: Vec<_> =
            form.fields.iter().map(|f| (f.name.as_str(), f.kind, f.label.word(), f.concealed)).collect();
        assert_eq!(
            fields,
            [
                ("to", FieldKind::Hidden, "", false),
                ("feld_1", FieldKind::Text, "name", false),
                ("feld_2", FieldKind::Email, "em", false),
                ("feld_3", FieldKind::Choice, "country", false),
                ("website", FieldKind::Text, "", true),
                ("feld_4", FieldKind::Area, "ignore", false),
                ("pw", FieldKind::Password, "", false),
                ("go", FieldKind::Other, "", false),
                ("late", FieldKind::Tel, "", false),
            ]
        );
        assert_eq!(form.fields[1].autocomplete.word(), "name");
        assert_eq!(page.invalid_marks, 0);
    }

    #[test]
    fn the_form_of_a_submission_is_the_one_that_shares_most_fields() {
        let page = Page::parse(PAGE.as_bytes());
        let fields = |body: &str| decode("application/x-www-form-urlencoded", body.as_bytes(), None).unwrap();
        assert_eq!(page.form_of(&fields("feld_2=a&feld_4=b&s=")).unwrap().id, "f");
        assert_eq!(page.form_of(&fields("s=shoes")).unwrap().id, "search");
        assert!(page.form_of(&fields("other=1")).is_none());
    }

    #[test]
    fn forms_of_one_software_are_told_apart_by_their_ids() {
        let form = |id: u8| {
            format!(
                "<form id=f{id}><input type=hidden name='wpforms[id]' value={id}><input name='wpforms[fields][1]'></form>"
            )
        };
        let page = Page::parse([form(4), form(5)].concat().as_bytes());
        let fields = |body: &str| decode("application/x-www-form-urlencoded", body.as_bytes(), None).unwrap();
        assert_eq!(page.form_of(&fields("wpforms[id]=5&wpforms[fields][1]=a")).unwrap().id, "f5");
        assert!(page.form_of(&fields("wpforms[id]=6&wpforms[fields][1]=a")).is_none(), "a form of another page");
    }

    #[test]
    fn hand_made_forms_are_labelled_by_the_text_before_their_fields() {
        let told = |html: &str| -> Vec<&'static str> {
            Page::parse(html.as_bytes()).forms[0].fields.iter().map(|field| field.nearby.word()).collect()
        };
        assert_eq!(
            told(
                "<form><table><tr><td>Ihr Name:</td><td><input name=a></td></tr><tr><td>Telefon</td><td><input name=b></td></tr></table>"
            ),
            ["name", "ph"]
        );
        assert_eq!(told("<form>Vorname <input name=a><br>Nachname <input name=b>"), ["fn", "ln"]);
        // Prose is no label, and a text behind a field is not the next one's.
        assert_eq!(told("<form><p>Write us an email, we answer within a day.</p><input name=a>"), [""]);
        assert_eq!(told("<form><div><input name=a> Name</div><div><input name=b> Telefon</div>"), ["", ""]);
        // A label beats the text around.
        assert_eq!(told("<form>Name <label>Telefon <input name=a></label>"), [""]);
    }

    #[test]
    fn pages_are_decoded_before_they_are_read() {
        let latin = b"<meta charset=iso-8859-1><form><label>Pr\xe9nom <input name=a></label></form>";
        let page = Page::of_answer(latin, "text/html", "").unwrap();
        assert_eq!((page.forms[0].fields[0].label.word(), page.encoding.as_deref()), ("fn", Some("windows-1252")));
        let page = Page::of_answer(latin, "text/html; charset=ISO-8859-15", "").unwrap();
        assert_eq!(page.encoding.as_deref(), Some("ISO-8859-15"));
        assert_eq!(Page::of_answer(b"<form>", "text/html", "gzip"), None);
    }

    #[test]
    fn what_is_kept_of_a_page_names_fields_and_no_values() {
        let more = "<input name=mail type=text value=ana@example.com placeholder=ana@example.com>\
                    <input name='users[ana@example.com]'><input name=0123456789abcdef0123456789abcdef value=1><textarea";
        let html = PAGE.replace("<textarea", more).replace("id=f ", "id='edit_ana@example.com' ");
        let kept = serde_json::to_string(&Page::parse(html.as_bytes())).unwrap();
        for text in ["ana@", "info@", "hello", "Ihr Name", "you@", "Deutschland", "0123456789abcdef"] {
            assert!(!kept.contains(text), "{text} is kept: {kept}");
        }
        assert_eq!(serde_json::from_str::<Page>(&kept).unwrap(), Page::parse(html.as_bytes()));
    }

    #[test]
    fn a_form_is_gone_when_most_of_its_fields_are() {
        let page = Page::parse(PAGE.as_bytes());
        let form = &page.forms[1];
        assert!(page.has_form(form));
        assert!(!Page::parse(b"<form><input name=s></form><form><input name=feld_2></form>").has_form(form));
        assert!(!Page::parse(b"<p>Danke!").has_form(form));
        let small = Page::parse(b"<form><input name=name><input name=email></form>");
        assert!(!Page::parse(b"<p>Danke!<form><input name=email></form>").has_form(&small.forms[0]));
    }

    #[test]
    fn what_is_marked_wrong_is_counted() {
        for (html, marks) in [
            ("<input aria-invalid=true>", 1),
            ("<input aria-invalid=false class='wpcf7-not-valid-tip'>", 0),
            ("<div class='form-group has-error'><span class='error_message'></span></div>", 2),
            ("<p class='terror mirrors errorless'>", 0),
        ] {
            assert_eq!(Page::parse(html.as_bytes()).invalid_marks, marks, "{html}");
        }
    }

    #[test]
    fn broken_and_boundless_pages_are_read_as_far_as_they_go() {
        let nested = "<div style='display:none'>".repeat(100_000);
        assert!(Page::parse(nested.as_bytes()).forms.is_empty());
        let many = "<form><input name=a>".repeat(5000);
        assert_eq!(Page::parse(many.as_bytes()).forms.len(), reader::MAX_FORMS);
        let cut = Page::parse(b"<form><input name=a><input name='b");
        assert_eq!(cut.forms[0].fields.len(), 1);
    }
}
