//! Which store.

use std::fmt;
use std::path::PathBuf;

use super::RedisUrl;

/// The store's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file of this machine.
    Sqlite(PathBuf),
    /// A server that replicas share.
    Redis(Box<RedisUrl>),
}

impl StoreUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it, without any of it: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(redis) = RedisUrl::parse(text) {
            return redis.map(|url| Self::Redis(Box::new(url)));
        }
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(path.strip_prefix("//").unwrap_or(path).into())),
            _ => Err("not a store; write \"sqlite:/path/capi-sidecar.db\" or \"redis://host:6379/0\"".to_owned()),
        }
    }
}

/// As it is shown, without a password.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Redis(url) => url.fmt(f),
        }
    }
}

/// Of a configuration that is refused anyway.
impl Default for StoreUrl {
    fn default() -> Self {
        Self::Sqlite(PathBuf::new())
    }
}
