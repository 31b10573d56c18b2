//! What a page says of its forms: the fields' types, autocomplete tokens and labels, which a submission does not carry.
//! No values are kept: pages come with people's data filled in.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use lol_html::ElementContentHandlers;
use lol_html::html_content::{Element, TextChunk};

use super::body::Fields;
use super::html::{self, MAX_ELEMENTS, attribute, unescape};

/// Forms kept of one page.
const MAX_FORMS: usize = 50;
/// Fields kept of one form.
const MAX_FORM_FIELDS: usize = 300;
/// Bytes kept of a name, a label or another attribute.
const MAX_TEXT: usize = 256;

/// A page with its forms.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The forms in their order.
    pub forms: Vec<PageForm>,
    /// Elements that are marked as wrong: `aria-invalid="true"`, a class that says error or invalid.
    pub invalid_marks: usize,
}

/// A form of a page.
#[derive(Clone, Debug, Default)]
pub struct PageForm {
    /// `id`.
    pub id: String,
    /// `name`.
    pub name: String,
    /// `action`, as written.
    pub action: String,
    /// `class`.
    pub class: String,
    /// Its named fields.
    pub fields: Vec<PageField>,
}

/// A field of a form.
#[derive(Clone, Debug, Default)]
pub struct PageField {
    /// `name`.
    pub name: String,
    /// What kind of control it is.
    pub kind: FieldKind,
    /// `autocomplete`.
    pub autocomplete: String,
    /// The text that people read beside it: `<label>`, else `aria-label`, else the placeholder.
    pub label: String,
    /// It or something around it is hidden by an inline style or attribute, as honeypots are, and as parts of forms are
    /// that appear later.
    pub concealed: bool,
}

/// The kinds of controls that matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldKind {
    /// Text of any kind.
    #[default]
    Text,
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

impl Page {
    /// Reads decoded HTML.
    #[must_use]
    pub fn parse(html: &[u8]) -> Self {
        let reader = Rc::new(RefCell::new(Reader::default()));
        let on_element = {
            let reader = Rc::clone(&reader);
            move |element: &mut Element<'_, '_>| on_element(&reader, element)
        };
        let on_text = {
            let reader = Rc::clone(&reader);
            move |text: &mut TextChunk<'_>| {
                reader.borrow_mut().text(text.as_str());
                Ok(())
            }
        };
        let rows = [
            html::selector("*").map(|all| (all, ElementContentHandlers::default().element(on_element))),
            html::selector("label").map(|label| (label, ElementContentHandlers::default().text(on_text))),
        ];
        html::run(html, rows.into_iter().flatten());
        let mut reader = reader.borrow_mut();
        reader.label_fields();
        std::mem::take(&mut reader.page)
    }

    /// The form that a submission came from: the one that has most of its fields.
    #[must_use]
    pub fn form_of(&self, fields: &Fields) -> Option<&PageForm> {
        let names: HashSet<_> = fields.list.iter().map(|field| field.name.as_str()).collect();
        let shared = |form: &PageForm| form.fields.iter().filter(|field| names.contains(field.name.as_str())).count();
        let best = self.forms.iter().map(|form| (shared(form), form)).rev().max_by_key(|(count, _)| *count);
        best.filter(|(count, _)| *count > 0).map(|(_, form)| form)
    }

    /// Whether a form is (still) on this page: one with at least half of the fields that people fill in.
    #[must_use]
    pub fn has_form(&self, form: &PageForm) -> bool {
        let typed: Vec<_> = form.fields.iter().filter(|field| field.kind.is_typed()).collect();
        self.forms.iter().any(|own| {
            let shared = typed.iter().filter(|field| own.fields.iter().any(|other| other.name == field.name)).count();
            shared * 2 >= typed.len()
        })
    }
}

#[derive(Default)]
struct Reader {
    page: Page,
    elements: usize,
    /// The form that is open, by index.
    form: Option<usize>,
    /// Labels with their text so far; fields refer to them by index.
    labels: Vec<Label>,
    label: Option<usize>,
    /// Form and field → the label around it and its `id`.
    wrapped: Vec<Wrapped>,
    /// Open elements that hide what is in them.
    concealing: usize,
    /// Inside a select or a textarea: their text is no label.
    in_control: bool,
}

#[derive(Default)]
struct Label {
    text: String,
    target: String,
}

struct Wrapped {
    form: usize,
    field: usize,
    id: String,
    label: Option<usize>,
}

fn on_element(reader: &Rc<RefCell<Reader>>, element: &mut Element<'_, '_>) -> lol_html::HandlerResult {
    let mut now = reader.borrow_mut();
    now.elements += 1;
    if now.elements > MAX_ELEMENTS {
        return Err("a document with too many elements".into());
    }
    let tag = element.tag_name();
    let conceals = is_concealing(element);
    now.page.invalid_marks += usize::from(is_marked_invalid(element));
    let at_end: Option<fn(&mut Reader)> = match tag.as_str() {
        "form" => {
            now.open_form(element);
            Some(|reader| {
                reader.form = None;
                reader.concealing = 0;
            })
        }
        "label" => {
            now.labels.push(Label { text: String::new(), target: short(attribute(element, "for")) });
            now.label = Some(now.labels.len() - 1);
            Some(|reader| reader.label = None)
        }
        "input" | "select" | "textarea" | "button" => {
            now.field(&tag, element, conceals);
            now.in_control = matches!(tag.as_str(), "select" | "textarea");
            now.in_control.then_some(|reader| reader.in_control = false)
        }
        _ if conceals && element.can_have_content() => {
            now.concealing += 1;
            Some(|reader| reader.concealing = reader.concealing.saturating_sub(1))
        }
        _ => None,
    };
    drop(now);
    if let Some(at_end) = at_end
        && let Some(handlers) = element.end_tag_handlers()
    {
        let reader = Rc::clone(reader);
        handlers.push(Box::new(move |_| {
            at_end(&mut reader.borrow_mut());
            Ok(())
        }));
    }
    Ok(())
}

impl Reader {
    fn open_form(&mut self, element: &Element<'_, '_>) {
        if self.page.forms.len() >= MAX_FORMS {
            self.form = None;
            return;
        }
        self.page.forms.push(PageForm {
            id: short(attribute(element, "id")),
            name: short(attribute(element, "name")),
            action: short(attribute(element, "action")),
            class: short(attribute(element, "class")),
            fields: Vec::new(),
        });
        self.form = Some(self.page.forms.len() - 1);
    }

    fn field(&mut self, tag: &str, element: &Element<'_, '_>, concealed: bool) {
        let name = attribute(element, "name").filter(|name| !name.is_empty() && name.len() <= MAX_TEXT);
        // `form="id"` puts a field into a form that stands elsewhere.
        let form = match attribute(element, "form") {
            Some(id) => self.page.forms.iter().position(|form| form.id == id),
            None => self.form,
        };
        let Some((name, index)) = name.zip(form) else { return };
        let concealed = concealed || self.concealing > 0;
        let Some(form) = self.page.forms.get_mut(index).filter(|form| form.fields.len() < MAX_FORM_FIELDS) else {
            return;
        };
        let label = attribute(element, "aria-label").or_else(|| attribute(element, "placeholder"));
        form.fields.push(PageField {
            name,
            kind: FieldKind::of(tag, &attribute(element, "type").unwrap_or_default()),
            autocomplete: short(attribute(element, "autocomplete")),
            label: short(label),
            concealed,
        });
        let field = form.fields.len() - 1;
        self.wrapped.push(Wrapped { form: index, field, id: short(attribute(element, "id")), label: self.label });
    }

    fn text(&mut self, text: &str) {
        let label = self.label.and_then(|index| self.labels.get_mut(index)).filter(|_| !self.in_control);
        if let Some(label) = label.filter(|label| label.text.len() < MAX_TEXT) {
            label.text.push_str(text);
        }
    }

    fn label_fields(&mut self) {
        let text = |label: &Label| {
            let words: Vec<_> = label.text.split_whitespace().collect();
            short(Some(unescape(&words.join(" "))))
        };
        let targets = self.labels.iter().filter(|label| !label.target.is_empty());
        let by_id: HashMap<&str, String> = targets.map(|label| (label.target.as_str(), text(label))).collect();
        for wrapped in &self.wrapped {
            let around = wrapped.label.and_then(|index| self.labels.get(index)).map(text);
            let label = by_id.get(wrapped.id.as_str()).cloned().or(around).filter(|label| !label.is_empty());
            let field = self.page.forms.get_mut(wrapped.form).and_then(|form| form.fields.get_mut(wrapped.field));
            if let (Some(field), Some(label)) = (field, label) {
                field.label = label;
            }
        }
    }
}

fn short(text: Option<String>) -> String {
    let mut text = text.unwrap_or_default();
    if text.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

fn is_concealing(element: &Element<'_, '_>) -> bool {
    if element.has_attribute("hidden") {
        return true;
    }
    let Some(style) = element.get_attribute("style") else { return false };
    let style: String = style.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect();
    ["display:none", "visibility:hidden", "left:-", "top:-", "opacity:0;", "text-indent:-"]
        .iter()
        .any(|hiding| style.contains(hiding))
        || style.ends_with("opacity:0")
}

/// Words that class names of refused fields and their messages contain in every framework seen.
const INVALID_WORDS: &[&str] = &["error", "errors", "invalid", "danger", "fehler", "erreur", "haserror"];

fn is_marked_invalid(element: &Element<'_, '_>) -> bool {
    if element.get_attribute("aria-invalid").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return true;
    }
    let Some(class) = element.get_attribute("class") else { return false };
    class
        .split_ascii_whitespace()
        .any(|class| class.split(['-', '_']).any(|word| INVALID_WORDS.iter().any(|bad| word.eq_ignore_ascii_case(bad))))
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
        assert_eq!((form.action.as_str(), form.class.as_str()), ("/send?x=1&y=2", "a b"));
        let fields: Vec<_> =
            form.fields.iter().map(|f| (f.name.as_str(), f.kind, f.label.as_str(), f.concealed)).collect();
        assert_eq!(
            fields,
            [
                ("to", FieldKind::Hidden, "", false),
                ("feld_1", FieldKind::Text, "Ihr Name *", false),
                ("feld_2", FieldKind::Email, "E-Mail", false),
                ("feld_3", FieldKind::Choice, "Land", false),
                ("website", FieldKind::Text, "", true),
                ("feld_4", FieldKind::Text, "Nachricht", false),
                ("pw", FieldKind::Password, "", false),
                ("go", FieldKind::Other, "", false),
                ("late", FieldKind::Tel, "", false),
            ]
        );
        assert_eq!(form.fields[1].autocomplete, "section-a billing name");
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
    fn a_form_is_gone_when_most_of_its_fields_are() {
        let page = Page::parse(PAGE.as_bytes());
        let form = &page.forms[1];
        assert!(page.has_form(form));
        assert!(!Page::parse(b"<form><input name=s></form><form><input name=feld_2></form>").has_form(form));
        assert!(!Page::parse(b"<p>Danke!").has_form(form));
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
        assert_eq!(Page::parse(many.as_bytes()).forms.len(), MAX_FORMS);
        let cut = Page::parse(b"<form><input name=a><input name='b");
        assert_eq!(cut.forms[0].fields.len(), 1);
    }
}
