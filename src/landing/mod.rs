//! Click ids on landing requests → cookies on the response. Pure.
