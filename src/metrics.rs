//! Metric names and counters, in one place.
