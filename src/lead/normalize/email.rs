//! E-mail addresses.

use super::Unusable;

/// RFC 5321 4.5.3.1: 64 for the local part, 255 for the domain.
const MAX_LOCAL: usize = 64;

/// Lower case; exactly one `@`, a dotted domain, nothing that white space or control could hide in. Dots and `+tags` stay:
/// Meta's own libraries keep them. A domain outside ASCII becomes punycode, as mail servers see it.
pub fn email(clean: &str) -> Result<String, Unusable> {
    let lower = clean.strip_prefix("mailto:").unwrap_or(clean).to_lowercase();
    let (local, domain) = lower.split_once('@').ok_or(Unusable::Malformed)?;
    if local.is_empty() || local.len() > MAX_LOCAL || domain.contains('@') {
        return Err(Unusable::Malformed);
    }
    if !local.is_ascii() {
        return Err(Unusable::NonAsciiLocalPart);
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    if dots || !local.chars().all(fits) {
        return Err(Unusable::Malformed);
    }
    let domain = idna::domain_to_ascii(domain).map_err(|_| Unusable::Malformed)?;
    let label = |label: &str| {
        !label.is_empty()
            && label.len() < 64
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let dotted = domain.contains('.') && domain.len() <= 255 && domain.split('.').all(label);
    // "name@192.0.2.1" is no mailbox that anybody uses.
    let numeric = domain.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if !dotted || numeric { Err(Unusable::Malformed) } else { Ok(format!("{local}@{domain}")) }
}
