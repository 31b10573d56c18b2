//! What a store says when it does not do what it was asked.

use std::path::PathBuf;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It refuses writes; the submission is kept in memory until it takes them again.
    #[error("the store refuses writes ({cause}); the lead waits in memory")]
    Kept {
        /// The store's words.
        cause: String,
    },
    /// It refuses, and the memory that stands in for it is full.
    #[error("the store refuses writes ({cause}) and the memory that stands in for it is full")]
    Full {
        /// The store's words.
        cause: String,
    },
    /// It cannot be read or written.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Its file cannot be opened.
    #[error("cannot open {}: {source}; does the folder exist, may this user write there?", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// Another sidecar has it.
    #[error("{} is in use by another capi-sidecar; give each its own store", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It was made by a newer version.
    #[error("its schema version is {found}, this program knows versions up to {known}; use the newer program")]
    Newer {
        /// In the file.
        found: u32,
        /// In this program.
        known: u32,
    },
    /// The file is a database, and not ours.
    #[error("it is another program's database; choose another file")]
    Foreign,
    /// Redis cannot be reached, or does not do what it is asked.
    #[error("Redis: {0}")]
    Redis(String),
    /// No thread for it.
    #[error("the system refuses a thread: {0}")]
    Thread(std::io::Error),
    /// The writer thread has ended.
    #[error("the store's thread has ended")]
    Gone,
}
