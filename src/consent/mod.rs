//! Reading marketing consent from cookies and headers. Pure.
