//! The one list of decisions and reasons: the same words in the log, the metrics, the status page and `explain`.

use std::fmt;

/// Makes an enum whose variants have one fixed word each, usable as log field, metric label and JSON value.
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every code, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The fixed word. It is part of the surface: scripts and alerts are written against it.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.code()) }
        }
    };
}

codes! {
    /// What became of a POST.
    DecisionKind {
        /// A new lead: an event with match data was made.
        Lead = "lead",
        /// The same submission was seen before; the first one's `event_id` stands.
        Duplicate = "duplicate",
        /// The site accepted it, but the visitor did not consent; what happens then is `--consent-denied`.
        Denied = "denied",
        /// Not a lead: the site refused it, or it is not that kind of form.
        NoLead = "no_lead",
        /// It could not be looked at (a budget, a queue, a store): tracking gave way to traffic.
        Skipped = "skipped",
    }
}

codes! {
    /// Why.
    Reason {
        /// The site accepted the submission.
        Accepted = "accepted",
        /// The site found a field wrong.
        Validation = "validation",
        /// The site called it spam.
        Spam = "spam",
        /// A field that people cannot see was filled in.
        Honeypot = "honeypot",
        /// The site asked for a fresh token; its script repeats the POST.
        Nonce = "nonce",
        /// One step of a form with several.
        Step = "step",
        /// A saved draft or an abandoned form.
        Draft = "draft",
        /// The form handler accepted the data and could not send its mail.
        MailFailed = "mail_failed",
        /// A login, a registration, a lost password.
        Login = "login",
        /// A comment.
        Comment = "comment",
        /// A checkout or cart call.
        Checkout = "checkout",
        /// A search.
        Search = "search",
        /// The site talking to itself.
        SelfRequest = "self",
        /// A crawler.
        Bot = "bot",
        /// Somebody of the operator's own, by `internal_addresses`.
        Internal = "internal",
        /// Somebody who edits the site.
        Editor = "editor",
        /// Neither an e-mail address nor a phone number among the fields.
        NoContact = "no_contact",
        /// A password field is in the form.
        Password = "password",
        /// A payment field is in the form.
        Payment = "payment",
        /// A `[[form]]` rule says to ignore it.
        IgnoredByRule = "ignored_by_rule",
        /// Nothing in the answer says whether the site accepted it.
        UnknownOutcome = "unknown_outcome",
        /// The site answered 4xx or 5xx, or not at all.
        UpstreamError = "upstream_error",
        /// A consent signal says no.
        ConsentDenied = "consent_denied",
        /// No consent signal, and `--consent-unknown` is `deny`.
        ConsentUnknown = "consent_unknown",
        /// No choice yet, and `consent.hold` is on: it waits for the visitor's choice.
        ConsentHeld = "consent_held",
        /// The body is larger than `limits.capture_bytes`, or all captures together than `limits.capture_budget`.
        OverBudget = "over_budget",
        /// The queue between the planes was full.
        QueueFull = "queue_full",
        /// The store refuses writes, and the memory that stands in for it is full.
        StoreRefused = "store_refused",
        /// The body could not be decoded as what its Content-Type says.
        Malformed = "malformed",
        /// Not a form: no body type that carries fields.
        NotAForm = "not_a_form",
        /// The visitor or the site broke off before the answer was complete.
        Aborted = "aborted",
        /// A bug of ours, caught; the traffic was not touched.
        InternalError = "internal_error",
        /// No pixel is configured for this host.
        NoPixel = "no_pixel",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_reason_has_a_word_of_its_own() {
        let words: HashSet<_> = Reason::ALL.iter().map(|r| r.code()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
        assert!(words.iter().all(|w| w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }
}
