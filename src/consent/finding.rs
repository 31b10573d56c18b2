//! What one signal says, and how several sayings become one.

/// The visitor's choice, ordered by how much it restricts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Choice {
    /// Yes.
    Granted,
    /// The signal is there, but nobody has chosen yet, or it cannot be read.
    None,
    /// No.
    Denied,
}

/// A choice with its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The choice.
    pub choice: Choice,
    /// The key that decided; never the content of a cookie.
    pub reason: String,
}

impl Finding {
    /// Yes.
    pub fn granted(reason: impl Into<String>) -> Self {
        Self { choice: Choice::Granted, reason: reason.into() }
    }

    /// No.
    pub fn denied(reason: impl Into<String>) -> Self {
        Self { choice: Choice::Denied, reason: reason.into() }
    }

    /// Written before the visitor chose; `evidence` says what shows it.
    pub fn no_choice(evidence: &str) -> Self {
        Self { choice: Choice::None, reason: format!("no choice yet ({evidence})") }
    }

    /// There, and not readable.
    pub fn undecodable(name: &str) -> Self {
        Self { choice: Choice::None, reason: format!("{name} cannot be decoded") }
    }

    /// The usual shape: a category with one word for yes and one for no. Anything else is no choice.
    pub fn of_category(category: &str, value: Option<&str>, yes: &str, no: &str) -> Self {
        match value {
            Some(value) if value == yes => Self::granted(format!("{category}:{yes}")),
            Some(value) if value == no => Self::denied(format!("{category}:{no}")),
            Some(_) => Self::undecodable(category),
            None => Self { choice: Choice::None, reason: format!("category {category} is missing") },
        }
    }
}

/// The first of the most restrictive ones.
pub fn strictest(findings: impl IntoIterator<Item = Finding>) -> Option<Finding> {
    findings.into_iter().reduce(|kept, next| if next.choice > kept.choice { next } else { kept })
}

/// Copies of one cookie (host-only and for the domain): which one the banner's script goes by cannot be seen from here,
/// so copies that disagree are a no.
pub fn agreed(copies: impl IntoIterator<Item = Finding>) -> Option<Finding> {
    copies.into_iter().reduce(|kept, next| {
        if next.choice == kept.choice { kept } else { Finding::denied("copies of the cookie disagree") }
    })
}
