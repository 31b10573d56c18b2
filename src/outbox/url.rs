//! Which store.

use std::fmt;
use std::path::PathBuf;

/// The store's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file of this machine.
    Sqlite(PathBuf),
}

/// As it is shown.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

/// Of a configuration that is refused anyway.
impl Default for StoreUrl {
    fn default() -> Self {
        Self::Sqlite(PathBuf::new())
    }
}
