//! Form software that is recognised and not yet understood.
//!
//! Its answers lie to a general rule (`success:true` for spam and for tokens), so its posts must not reach one. A
//! handler that learns to read them takes its row out of this table. A `[[form]]` success rule works already.

use super::{Handler, Outcome, Post, Recognised};
use crate::form::answer::Answer;

/// By what a post is known; one of the signs is enough.
enum Sign {
    /// WordPress's `action`; ends with `*`: begins like this.
    Action(&'static str),
    /// A field; ends with `*`: begins like this.
    Field(&'static str),
    /// A REST namespace.
    Route(&'static str),
}

pub(super) struct Unsupported {
    name: &'static str,
    signs: &'static [Sign],
}

use Sign::{Action, Field, Route};

pub(super) static ALL: &[Unsupported] = &[
    Unsupported {
        name: "gravity",
        signs: &[Action("gform_*"), Field("gform_submit"), Field("is_submit_*"), Route("/gf/v2/")],
    },
    Unsupported { name: "elementor", signs: &[Action("elementor_pro_forms_send_form")] },
    Unsupported { name: "forminator", signs: &[Action("forminator_*"), Field("forminator_nonce")] },
    Unsupported { name: "everest", signs: &[Action("everest_forms_*"), Field("everest_forms[*")] },
    Unsupported { name: "happyforms", signs: &[Action("happyforms_*")] },
    Unsupported { name: "sureforms", signs: &[Route("/sureforms/v1/"), Field("srfm-*")] },
    Unsupported { name: "jetpack", signs: &[Action("grunion-contact-form"), Field("contact-form-hash")] },
    Unsupported { name: "metform", signs: &[Route("/metform/v1/")] },
    Unsupported { name: "kadence", signs: &[Action("kb_process_*"), Field("_kb_form_id"), Field("_kb_adv_form_id")] },
    Unsupported { name: "mc4wp", signs: &[Field("_mc4wp_form_id")] },
    Unsupported { name: "divi", signs: &[Field("et_pb_contactform_submit_*")] },
    Unsupported { name: "spectra", signs: &[Action("uagb_process_forms")] },
    Unsupported { name: "coblocks", signs: &[Action("coblocks-form-submit")] },
    Unsupported { name: "html-forms", signs: &[Field("_hf_form_id")] },
];

impl Sign {
    fn is_of(&self, post: &Post<'_>) -> bool {
        match self {
            Self::Action(pattern) => post.action().is_some_and(|action| match pattern.strip_suffix('*') {
                Some(beginning) => action.starts_with(beginning),
                None => action == *pattern,
            }),
            Self::Field(pattern) => match pattern.strip_suffix('*') {
                Some(beginning) => post.fields.has_prefix(beginning),
                None => post.fields.get(pattern).is_some(),
            },
            Self::Route(namespace) => post.rest_route(namespace).is_some(),
        }
    }
}

impl Handler for Unsupported {
    fn name(&self) -> &'static str {
        self.name
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        self.signs.iter().any(|sign| sign.is_of(post)).then_some(Recognised::Form(None))
    }

    fn outcome(&self, _post: &Post<'_>, _answer: &Answer<'_>) -> Outcome {
        Outcome::unknown(format!("handler_not_supported:{}", self.name))
    }
}
