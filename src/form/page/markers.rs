//! Class names by which form builders mark their fields: on the control itself or on an element around it.

use super::Meaning;
use crate::form::tokens::Role;
use crate::lead::contact::Key;

const EM: Meaning = Meaning::Role(Role::Match(Key::Em));
const PH: Meaning = Meaning::Role(Role::Match(Key::Ph));
const FN: Meaning = Meaning::Role(Role::Match(Key::Fn));
const LN: Meaning = Meaning::Role(Role::Match(Key::Ln));
const NAME: Meaning = Meaning::Role(Role::Name);
const CT: Meaning = Meaning::Role(Role::Match(Key::Ct));
const ST: Meaning = Meaning::Role(Role::Match(Key::St));
const ZP: Meaning = Meaning::Role(Role::Match(Key::Zp));
const COUNTRY: Meaning = Meaning::Role(Role::Match(Key::Country));
const NOT: Meaning = Meaning::NotContact;

/// What a class says of the field that it is on or around.
const MARKERS: &[(&str, Meaning)] = &[
    // WPForms
    ("wpforms-field-email", EM),
    ("wpforms-field-phone", PH),
    ("wpforms-field-name", NAME),
    ("wpforms-field-name-first", FN),
    ("wpforms-field-name-last", LN),
    ("wpforms-field-name-middle", NOT),
    ("wpforms-field-address-city", CT),
    ("wpforms-field-address-state", ST),
    ("wpforms-field-address-postal", ZP),
    ("wpforms-field-address-country", COUNTRY),
    ("wpforms-field-address", NOT),
    ("wpforms-field-textarea", NOT),
    ("wpforms-field-gdpr-checkbox", NOT),
    ("wpforms-field-url", NOT),
    // Gravity Forms
    ("gfield--type-email", EM),
    ("ginput_container_email", EM),
    ("gfield--type-phone", PH),
    ("ginput_container_phone", PH),
    ("name_first", FN),
    ("name_last", LN),
    ("name_prefix", NOT),
    ("name_middle", NOT),
    ("name_suffix", NOT),
    ("address_city", CT),
    ("address_state", ST),
    ("address_zip", ZP),
    ("address_country", COUNTRY),
    ("ginput_container_address", NOT),
    ("ginput_container_textarea", NOT),
    ("ginput_container_consent", NOT),
    // Elementor
    ("elementor-field-type-email", EM),
    ("elementor-field-type-tel", PH),
    ("elementor-field-type-textarea", NOT),
    ("elementor-field-type-acceptance", NOT),
];

/// Containers of fields that people cannot see: whoever fills them in is a robot.
const TRAPS: &[&str] =
    &["gform_validation_container", "wpforms-field-hp", "elementor-field-type-honeypot", "frm_verify"];

/// What a `class` attribute says; the last telling class of it.
pub(super) fn of_classes(classes: &str) -> Meaning {
    let tell = |class: &str| MARKERS.iter().find(|(marker, _)| *marker == class).map(|(_, meaning)| *meaning);
    classes.split_ascii_whitespace().filter_map(tell).next_back().unwrap_or(Meaning::Unknown)
}

/// Whether a `class` attribute marks a honeypot.
pub(super) fn is_trap(classes: &str) -> bool {
    classes.split_ascii_whitespace().any(|class| {
        TRAPS.contains(&class) || memchr::memmem::find(class.to_ascii_lowercase().as_bytes(), b"honeypot").is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builders_mark_their_fields_and_their_traps() {
        assert_eq!(of_classes("wpforms-field wpforms-field-email"), EM);
        assert_eq!(of_classes("ginput_left name_first"), FN);
        assert_eq!(of_classes("field email"), Meaning::Unknown);
        assert!(is_trap("elementor-field-group elementor-field-type-honeypot"));
        assert!(is_trap("form-Honeypot-2"));
        assert!(!is_trap("honey pot field"));
    }
}
