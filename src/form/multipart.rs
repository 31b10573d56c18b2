//! multipart/form-data.

use bytes::Bytes;

/// Thins a multipart body as it streams past: what file parts contain is left out.
pub struct Reducer {}

impl Reducer {
    /// `None` when the Content-Type is not multipart/form-data with a usable boundary.
    #[must_use]
    pub fn new(_content_type: &str) -> Option<Self> {
        None
    }

    /// Takes the next frame and pushes what is to be kept.
    pub fn push(&mut self, frame: &Bytes, keep: &mut Vec<Bytes>) {
        keep.push(frame.clone());
    }

    /// The body has ended.
    pub fn finish(&mut self, _keep: &mut Vec<Bytes>) {}
}
