//! What one signal says, and how several sayings become one.

/// The visitor's choice, ordered by how much it restricts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Choice {
    /// Yes.
    Granted,
    /// The banner is there, but where it keeps the answer a server cannot read it. As good as no choice, unless the
    /// operator named another place where the answer is.
    Unreadable,
    /// The signal is there, but nobody has chosen yet, or it cannot be decoded.
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
    /// The US state under whose law an opt-out was made, where the signal says so.
    pub us_state: Option<UsState>,
}

impl Finding {
    fn new(choice: Choice, reason: impl Into<String>) -> Self {
        Self { choice, reason: reason.into(), us_state: None }
    }

    /// Yes.
    pub fn granted(reason: impl Into<String>) -> Self {
        Self::new(Choice::Granted, reason)
    }

    /// No.
    pub fn denied(reason: impl Into<String>) -> Self {
        Self::new(Choice::Denied, reason)
    }

    /// Written before the visitor chose; `evidence` says what shows it.
    pub fn no_choice(evidence: &str) -> Self {
        Self::new(Choice::None, format!("no choice yet ({evidence})"))
    }

    /// There, and not readable.
    pub fn undecodable(name: &str) -> Self {
        Self::new(Choice::None, format!("{name} cannot be decoded"))
    }

    /// A choice was made; which of its parts means advertising, only the operator can say.
    pub fn unassigned(what: &str) -> Self {
        Self::new(Choice::None, format!("{what}; name the one that means advertising in a [[consent.rule]]"))
    }

    /// The banner keeps the answer where no server can read it.
    pub fn unreadable(place: &str) -> Self {
        Self::new(Choice::Unreadable, format!("{place}; set the bridge cookie from the banner (docs/CONSENT.md)"))
    }

    /// The usual shape: a category with one word for yes and one for no. Anything else is no choice.
    pub fn of_category(category: &str, value: Option<&str>, yes: &str, no: &str) -> Self {
        match value {
            Some(value) if value == yes => Self::granted(format!("{category}:{yes}")),
            Some(value) if value == no => Self::denied(format!("{category}:{no}")),
            Some(_) => Self::undecodable(category),
            None => Self::new(Choice::None, format!("category {category} is missing")),
        }
    }

    /// The same with true and false.
    pub fn of_bool(category: &str, value: Option<bool>) -> Self {
        let word = value.map(|value| if value { "true" } else { "false" });
        Self::of_category(category, word, "true", "false")
    }

    /// Under which state's law.
    pub fn in_state(self, state: UsState) -> Self {
        Self { us_state: Some(state), ..self }
    }
}

/// A US state as Meta's `data_processing_options_state` numbers it.
/// <https://developers.facebook.com/docs/marketing-apis/data-processing-options>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsState(pub u16);

impl UsState {
    /// Left to Meta to find out, by the address.
    pub const UNKNOWN: Self = Self(0);

    /// By its postal code; `None` where Meta has no number for it (yet): the state is then left to Meta to find out.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        const NUMBERED: [&str; 14] =
            ["CA", "CO", "CT", "FL", "OR", "TX", "MT", "DE", "NE", "NH", "NJ", "MN", "MD", "RI"];
        let at = NUMBERED.iter().position(|known| code.eq_ignore_ascii_case(known))?;
        u16::try_from(at).ok().map(|at| Self(1000 + at))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_metas_numbers() {
        for (code, number) in [("CA", Some(1000)), ("ct", Some(1002)), ("RI", Some(1013)), ("VA", None), ("", None)] {
            assert_eq!(UsState::of_code(code).map(|state| state.0), number, "{code}");
        }
    }
}
