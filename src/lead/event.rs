//! Meta's wire format of one event.
