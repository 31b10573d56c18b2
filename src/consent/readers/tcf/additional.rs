//! Google's additional-consent string: `1~1.35.41` or `2~<consented>~dv.<disclosed>`
//! (<https://support.google.com/admanager/answer/9681920>).

/// Meta among Google's ad technology providers.
pub const META: &str = "89";

/// Whether Meta is among the *consented* providers; ids after `dv.` were merely shown. `None`: no such string.
pub fn lists_meta(text: &str) -> Option<bool> {
    let mut parts = text.trim().split('~');
    if !matches!(parts.next()?, "1" | "2") {
        return None;
    }
    let consented = parts.next()?;
    if !consented.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    Some(consented.split('.').any(|id| id == META))
}
