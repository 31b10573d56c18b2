//! The submission's fingerprint and the `event_id` made of it.
