//! What a page says of its forms.

/// A page with its forms.
#[derive(Clone, Debug, Default)]
pub struct Page {}

impl Page {
    /// Reads decoded HTML.
    #[must_use]
    pub fn parse(_html: &[u8]) -> Self {
        Self {}
    }
}
