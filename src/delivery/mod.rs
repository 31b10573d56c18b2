//! Events → Graph: batching, error classes, retry, dead letters.
