//! `em`: trimmed and lower case; dots and `+tags` of the local part are part of the address and stay.

use std::borrow::Cow;

use super::Unusable;
use super::text::{lower_nfc, without_invisible};

/// RFC 5321 4.5.3.1: an address of more than 254 bytes cannot be delivered to, nor a local part of more than 64.
const MAX_ADDRESS: usize = 254;
const MAX_LOCAL: usize = 64;

pub(super) fn normalize(raw: &str) -> Result<String, Unusable> {
    let address = lower_nfc(without_invisible(raw).trim());
    let (local, domain) = address.split_once('@').ok_or(Unusable::NotAnEmail)?;
    if local.chars().any(|c| !c.is_ascii() && c.is_alphanumeric()) {
        return Err(Unusable::NonAsciiLocalPart);
    }
    if local.is_empty() || local.len() > MAX_LOCAL || !local.bytes().all(is_local) {
        return Err(Unusable::NotAnEmail);
    }
    // Internationalised domains are compared by what the mail system uses: punycode (UTS 46).
    let domain = if domain.is_ascii() {
        Cow::Borrowed(domain)
    } else {
        idna::domain_to_ascii_strict(domain).map_err(|_| Unusable::NotAnEmail)?.into()
    };
    if !is_domain(&domain) || local.len() + 1 + domain.len() > MAX_ADDRESS {
        return Err(Unusable::NotAnEmail);
    }
    Ok(format!("{local}@{domain}"))
}

/// RFC 5322 atext and the dot. Dots in odd places pass: some providers hand out such addresses.
fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte)
}

fn is_domain(domain: &str) -> bool {
    let mut labels = domain.split('.');
    let label_is_fine = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = labels.next_back().unwrap_or_default();
    labels.clone().next().is_some()
        && labels.all(label_is_fine)
        && label_is_fine(top)
        && top.len() >= 2
        && !top.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_trimmed_lowered_and_otherwise_kept() {
        for (raw, expected) in [
            ("Ana.Ruiz@Example.com ", "ana.ruiz@example.com"),
            ("\u{FEFF}ana\u{200B}@example.com\u{A0}", "ana@example.com"),
            ("Ana+news@mail.example.co.uk", "ana+news@mail.example.co.uk"),
            ("a.n.a@gmail.com", "a.n.a@gmail.com"),
            ("ana@Bücher.example", "ana@xn--bcher-kva.example"),
            ("ana@bu\u{308}cher.example", "ana@xn--bcher-kva.example"),
            ("ana@xn--bcher-kva.example", "ana@xn--bcher-kva.example"),
        ] {
            assert_eq!(normalize(raw).as_deref(), Ok(expected), "{raw:?}");
        }
    }

    #[test]
    fn what_is_not_one_address_is_unusable() {
        for raw in [
            "ana",
            "@example.com",
            "ana@",
            "ana@example",
            "ana@@example.com",
            "ana@b@example.com",
            "a na@example.com",
            "ana@exa mple.com",
            "ana@example..com",
            "ana@.com",
            "ana@-example.com",
            "ana@example.com.",
            "ana@192.168.0.1",
            "ana@example.com, bob@example.com",
            "Ana <ana@example.com>",
            "ana\n@example.com",
            "ana@example.com\u{0}",
            "ana@exam_ple.com",
        ] {
            assert_eq!(normalize(raw), Err(Unusable::NotAnEmail), "{raw:?}");
        }
        assert_eq!(normalize("josé@example.com"), Err(Unusable::NonAsciiLocalPart));
        assert_eq!(normalize(&format!("{}@example.com", "a".repeat(65))), Err(Unusable::NotAnEmail));
    }
}
