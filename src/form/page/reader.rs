//! HTML → the forms of a page. The text of labels is looked at and forgotten: what is kept is what it means.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use lol_html::ElementContentHandlers;
use lol_html::html_content::{Element, TextChunk};

use super::{FieldKind, Meaning, Page, PageField, PageForm, markers};
use crate::form::flash;
use crate::form::html::{self, MAX_ELEMENTS, attribute, unescape};
use crate::form::names;
use crate::form::tokens::Role;
use crate::lead::contact::Key;

/// Forms kept of one page.
pub(super) const MAX_FORMS: usize = 50;
/// Scripts of a page that are looked at, and the longest address of one.
const MAX_SCRIPTS: usize = 64;
const MAX_SRC: usize = 512;
/// Fields kept of one form.
const MAX_FORM_FIELDS: usize = 300;
/// Bytes kept of a name, or looked at of a label.
const MAX_TEXT: usize = 256;
/// Open elements that are remembered; deeper ones say nothing.
const MAX_AROUND: usize = 64;
/// Text beside a field longer than this is no label but prose.
const MAX_NEARBY: usize = 60;

/// Hidden fields by which software tells its forms apart: their values name a form, never a visitor.
const IDENTITY: &[&str] = &[
    "form_id",
    "form-id",
    "formid",
    "_form",
    "webform_id",
    "_wpcf7",
    "_wpcf7_unit_tag",
    "wpforms[id]",
    "gform_submit",
    "everest_forms[id]",
    "contact-form-id",
    "_mc4wp_form_id",
    "_hf_form_id",
    "_kb_form_id",
    "_kb_adv_form_id",
    "happyforms_form_id",
];
/// Longest id of a form.
const MAX_ID: usize = 64;

/// Reads a document in UTF-8.
pub(super) fn read(html: &[u8]) -> Page {
    let reader = Rc::new(RefCell::new(Reader::default()));
    let on_element = {
        let reader = Rc::clone(&reader);
        move |element: &mut Element<'_, '_>| on_element(&reader, element)
    };
    // A label inside a form is selected by both: each text counts once.
    let on_text = |in_form: bool| {
        let reader = Rc::clone(&reader);
        move |text: &mut TextChunk<'_>| {
            let mut reader = reader.borrow_mut();
            if reader.form.is_some() == in_form {
                reader.text(text.as_str());
            }
            Ok(())
        }
    };
    let rows = [
        html::selector("*").map(|all| (all, ElementContentHandlers::default().element(on_element))),
        html::selector("form").map(|form| (form, ElementContentHandlers::default().text(on_text(true)))),
        // Outside of any form: fields that a script collects.
        html::selector("label").map(|label| (label, ElementContentHandlers::default().text(on_text(false)))),
    ];
    let is_whole = html::run(html, rows.into_iter().flatten());
    let mut reader = reader.borrow_mut();
    reader.page.is_cut = !is_whole;
    reader.label_fields();
    std::mem::take(&mut reader.page)
}

#[derive(Default)]
struct Reader {
    page: Page,
    elements: usize,
    /// The form that is open, by index.
    form: Option<usize>,
    /// The form that stands for the fields outside of all.
    orphans: Option<usize>,
    /// Labels with their text so far; fields refer to them by index.
    labels: Vec<Label>,
    label: Option<usize>,
    seen: Vec<Seen>,
    /// Open elements that say something of the fields in them, outermost first.
    around: Vec<Around>,
    /// The text since the last field or the last row.
    nearby: String,
    /// Inside a control, a script or a style: its text is no label.
    mute: bool,
}

#[derive(Default)]
struct Label {
    text: String,
    target: String,
}

/// A field, by the indices of its form and itself, and what its label will be found by.
struct Seen {
    form: usize,
    field: usize,
    id: String,
    label: Option<usize>,
    /// `aria-label` or placeholder.
    own: Option<String>,
    nearby: String,
}

/// An open element that is no control.
struct Around {
    /// Which element, by its number.
    element: usize,
    tag: String,
    conceals: bool,
    traps: bool,
    marker: Meaning,
}

/// What the end of an element undoes.
#[derive(Clone, Copy)]
enum Undo {
    Form,
    Label,
    Mute,
    Around(usize),
}

fn on_element(reader: &Rc<RefCell<Reader>>, element: &mut Element<'_, '_>) -> lol_html::HandlerResult {
    let mut now = reader.borrow_mut();
    now.elements += 1;
    if now.elements > MAX_ELEMENTS {
        return Err("a document with too many elements".into());
    }
    let tag = element.tag_name();
    let classes = element.get_attribute("class").unwrap_or_default();
    now.page.invalid_marks += usize::from(is_marked_invalid(element, &classes));
    now.page.success_messages += usize::from(!now.is_concealed() && flash::is_success(element, &classes));
    let undo = match tag.as_str() {
        "form" => {
            now.open_form(element, &classes);
            Some(Undo::Form)
        }
        "label" => {
            now.labels.push(Label { text: String::new(), target: short(attribute(element, "for")) });
            now.label = Some(now.labels.len() - 1);
            Some(Undo::Label)
        }
        "input" | "select" | "textarea" | "button" => {
            now.field(&tag, element, &classes);
            now.mute = matches!(tag.as_str(), "select" | "textarea" | "button");
            now.mute.then_some(Undo::Mute)
        }
        "script" | "style" | "noscript" => {
            if let Some(src) = element.get_attribute("src")
                && now.page.scripts.len() < MAX_SCRIPTS
                && src.len() <= MAX_SRC
            {
                now.page.scripts.push(src);
            }
            now.mute = true;
            Some(Undo::Mute)
        }
        _ => {
            if matches!(tag.as_str(), "tr" | "p" | "li" | "dt" | "fieldset") {
                now.nearby.clear();
            }
            now.enter(element, &tag, &classes)
        }
    };
    drop(now);
    if let Some(undo) = undo
        && let Some(handlers) = element.end_tag_handlers()
    {
        let reader = Rc::clone(reader);
        handlers.push(Box::new(move |_| {
            reader.borrow_mut().leave(undo);
            Ok(())
        }));
    }
    Ok(())
}

impl Reader {
    /// An element that is no control: what it says of those inside.
    fn enter(&mut self, element: &Element<'_, '_>, tag: &str, classes: &str) -> Option<Undo> {
        if !element.can_have_content() {
            return None;
        }
        // HTML lets authors leave these ends out: the next one ends the last one.
        let is_optional = matches!(tag, "li" | "p" | "tr" | "td" | "dt" | "dd");
        if is_optional && self.around.last().is_some_and(|last| last.tag == tag) {
            self.around.pop();
        }
        let conceals = is_concealing(element);
        let traps = markers::is_trap(classes);
        let marker = markers::of_classes(classes);
        if !(conceals || traps || marker != Meaning::Unknown) || self.around.len() >= MAX_AROUND {
            return None;
        }
        self.around.push(Around { element: self.elements, tag: tag.to_owned(), conceals, traps, marker });
        Some(Undo::Around(self.elements))
    }

    fn is_concealed(&self) -> bool {
        self.around.iter().any(|around| around.conceals)
    }

    fn leave(&mut self, undo: Undo) {
        match undo {
            Undo::Form => {
                // Elements that were left open inside do not reach beyond it.
                self.form = None;
                self.around.clear();
                self.nearby.clear();
            }
            Undo::Label => self.label = None,
            Undo::Mute => self.mute = false,
            Undo::Around(element) => self.around.retain(|around| around.element < element),
        }
    }

    fn open_form(&mut self, element: &Element<'_, '_>, classes: &str) {
        self.nearby.clear();
        self.form = self.push_form(PageForm {
            id: impersonal(attribute(element, "id")),
            name: impersonal(attribute(element, "name")),
            class: impersonal(Some(classes.to_owned())),
            ..PageForm::default()
        });
    }

    fn push_form(&mut self, form: PageForm) -> Option<usize> {
        if self.page.forms.len() >= MAX_FORMS {
            return None;
        }
        self.page.forms.push(form);
        Some(self.page.forms.len() - 1)
    }

    /// The form that a field belongs to: the one its `form` attribute names, the one it stands in, else that of the fields
    /// outside of all.
    fn home(&mut self, element: &Element<'_, '_>) -> Option<usize> {
        if let Some(id) = attribute(element, "form") {
            return self.page.forms.iter().position(|form| form.id == id);
        }
        self.form.or_else(|| {
            if self.orphans.is_none() {
                self.orphans = self.push_form(PageForm::default());
            }
            self.orphans
        })
    }

    fn field(&mut self, tag: &str, element: &Element<'_, '_>, classes: &str) {
        let nearby = std::mem::take(&mut self.nearby);
        let name = attribute(element, "name").filter(|name| !name.is_empty() && name.len() <= MAX_TEXT);
        let Some(name) = name.filter(|name| !is_of_a_person(name) && !is_token(name)) else { return };
        let kind = FieldKind::of(tag, &attribute(element, "type").unwrap_or_default());
        let Some(index) = self.home(element) else { return };
        let around = self.around.iter().rev().map(|around| around.marker).find(|marker| *marker != Meaning::Unknown);
        let (concealed, trap) = (self.is_concealed(), self.around.iter().any(|around| around.traps));
        let Some(form) = self.page.forms.get_mut(index).filter(|form| form.fields.len() < MAX_FORM_FIELDS) else {
            return;
        };
        if kind == FieldKind::Hidden && IDENTITY.contains(&name.as_str()) {
            let is_id = |id: &String| {
                (1..=MAX_ID).contains(&id.len())
                    && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':'))
            };
            if let Some(id) = attribute(element, "value").filter(is_id) {
                form.ids.push((name.clone(), id));
            }
        }
        let autocomplete = attribute(element, "autocomplete").unwrap_or_default();
        let own_marker = markers::of_classes(classes);
        form.fields.push(PageField {
            name,
            kind,
            autocomplete: of_autocomplete(&autocomplete),
            is_payment: is_card(&autocomplete),
            marker: if own_marker == Meaning::Unknown { around.unwrap_or_default() } else { own_marker },
            label: Meaning::Unknown,
            nearby: Meaning::Unknown,
            is_somebody_elses: false,
            is_qualified: false,
            concealed: concealed || is_concealing(element),
            trap: trap || markers::is_trap(classes),
        });
        let field = form.fields.len() - 1;
        self.seen.push(Seen {
            form: index,
            field,
            id: short(attribute(element, "id")),
            label: self.label,
            own: attribute(element, "aria-label").or_else(|| attribute(element, "placeholder")),
            nearby,
        });
    }

    fn text(&mut self, text: &str) {
        if self.mute {
            return;
        }
        if let Some(label) = self.label.and_then(|index| self.labels.get_mut(index)) {
            if label.text.len() < MAX_TEXT {
                label.text.push_str(text);
            }
        } else if self.nearby.len() <= MAX_NEARBY {
            self.nearby.push_str(text);
        }
    }

    fn label_fields(&mut self) {
        let plain = |text: &str| {
            let words: Vec<_> = text.split_whitespace().collect();
            short(Some(unescape(&words.join(" "))))
        };
        let meaning = |text: &str| names::of_label(&plain(text));
        let is_text = |label: &&Label| !label.text.trim().is_empty();
        let targets = self.labels.iter().filter(|label| !label.target.is_empty()).filter(is_text);
        let by_id: HashMap<&str, &Label> = targets.map(|label| (label.target.as_str(), label)).collect();
        let behind = self.forms_labelled_behind();
        for seen in &self.seen {
            let around = seen.label.and_then(|index| self.labels.get(index)).filter(is_text);
            let label = by_id.get(seen.id.as_str()).copied().or(around).map(|label| label.text.as_str());
            let Some(field) = self.page.forms.get_mut(seen.form).and_then(|form| form.fields.get_mut(seen.field))
            else {
                continue;
            };
            let own = seen.own.as_deref().map_or(Meaning::Unknown, meaning);
            for text in label.iter().copied().chain(seen.own.as_deref()) {
                field.is_somebody_elses |= names::is_somebody_elses(&plain(text));
                field.is_qualified |= names::is_qualified(&plain(text));
            }
            field.label = match label.map_or(Meaning::Unknown, meaning) {
                Meaning::Unknown => own,
                said => said,
            };
            if label.is_none() && own == Meaning::Unknown && !behind.contains(&seen.form) {
                let nearby = Some(seen.nearby.trim()).filter(|text| !text.is_empty() && text.len() <= MAX_NEARBY);
                field.nearby = nearby.map_or(Meaning::Unknown, |text| names::of_exact_label(&plain(text)));
            }
        }
    }

    /// Forms whose texts stand behind their fields: the first field has none before it and a later one has.
    fn forms_labelled_behind(&self) -> Vec<usize> {
        let is_typed = |seen: &&Seen| {
            let form = self.page.forms.get(seen.form);
            form.and_then(|form| form.fields.get(seen.field)).is_some_and(|field| field.kind.is_typed())
        };
        let mut first: HashMap<usize, bool> = HashMap::new();
        for seen in self.seen.iter().filter(is_typed) {
            first.entry(seen.form).or_insert_with(|| seen.label.is_none() && seen.nearby.trim().is_empty());
        }
        first.into_iter().filter(|(_, bare)| *bare).map(|(form, _)| form).collect()
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

/// What is kept of a page must not name anybody: `edit_ana@example.com`.
fn is_of_a_person(text: &str) -> bool {
    text.contains('@') || text.contains("%40")
}

/// A token as a name, as Joomla has them: it means nothing and is another one every time.
fn is_token(name: &str) -> bool {
    name.len() >= 32 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

fn impersonal(text: Option<String>) -> String {
    short(text.filter(|text| !is_of_a_person(text)))
}

/// HTML, autofill field names: the last token of the attribute.
fn of_autocomplete(value: &str) -> Meaning {
    let token = value.split_ascii_whitespace().next_back().unwrap_or_default().to_ascii_lowercase();
    let key = match token.as_str() {
        "email" => Key::Em,
        "tel" | "tel-national" => Key::Ph,
        "given-name" => Key::Fn,
        "family-name" => Key::Ln,
        "address-level2" => Key::Ct,
        "address-level1" => Key::St,
        "postal-code" => Key::Zp,
        "country" | "country-name" => Key::Country,
        "bday" => Key::Db,
        "sex" => Key::Ge,
        "name" => return Meaning::Role(Role::Name),
        "organization" | "organization-title" | "street-address" | "address-line1" | "address-line2" | "nickname"
        | "honorific-prefix" | "additional-name" | "url" | "username" | "one-time-code" => return Meaning::NotContact,
        _ => return Meaning::Unknown,
    };
    Meaning::Role(Role::Match(key))
}

/// `cc-number` and its siblings.
fn is_card(autocomplete: &str) -> bool {
    autocomplete.split_ascii_whitespace().any(|token| token.get(..3).is_some_and(|cc| cc.eq_ignore_ascii_case("cc-")))
}

fn is_concealing(element: &Element<'_, '_>) -> bool {
    if element.has_attribute("hidden") {
        return true;
    }
    element.get_attribute("style").is_some_and(|style| style.split(';').any(hides))
}

/// `display: none`, and the ways in which traps are moved out of sight. A small negative margin is layout.
fn hides(declaration: &str) -> bool {
    let Some((property, value)) = declaration.split_once(':') else { return false };
    let (property, value) = (property.trim().to_ascii_lowercase(), value.trim().to_ascii_lowercase());
    let value = value.trim_end_matches("!important").trim();
    match property.as_str() {
        "display" => value == "none",
        "visibility" => value == "hidden",
        "opacity" => value.parse() == Ok(0.0),
        "left" | "top" | "right" | "bottom" | "text-indent" | "margin-left" | "margin-top" => {
            let digits: String = value.chars().skip(1).take_while(char::is_ascii_digit).collect();
            value.starts_with('-') && digits.parse::<u32>().is_ok_and(|distance| distance >= FAR)
        }
        _ => false,
    }
}

/// Out of sight, in whatever unit.
const FAR: u32 = 500;

/// Words that class names of refused fields and their messages contain in every framework seen.
const INVALID_WORDS: &[&str] = &["error", "errors", "invalid", "danger", "fehler", "erreur", "haserror"];

fn is_marked_invalid(element: &Element<'_, '_>, classes: &str) -> bool {
    if element.get_attribute("aria-invalid").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return true;
    }
    classes
        .split_ascii_whitespace()
        .any(|class| class.split(['-', '_']).any(|word| INVALID_WORDS.iter().any(|bad| word.eq_ignore_ascii_case(bad))))
}
