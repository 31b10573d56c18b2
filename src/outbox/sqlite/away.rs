//! The store's file cannot be opened at the start, because the disk is full, read-only or broken. A site must not be down
//! for that: an empty database in memory, which takes no writes, stands in for the file until it can be opened. Leads
//! wait in the writer's memory meanwhile, as they do when the disk fills up later.

use std::io::ErrorKind;
use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::schema;
use crate::outbox::StoreError;

/// Whether it may pass by itself. A wrong path or permission does not, nor does a store in use: whoever starts the
/// program must hear of those.
pub fn may_pass(error: &StoreError) -> bool {
    match error {
        StoreError::Open { source, .. } => {
            let kinds = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::ReadOnlyFilesystem];
            // EIO has no kind of its own.
            kinds.contains(&source.kind()) || source.raw_os_error() == Some(5)
        }
        StoreError::Sqlite(error) => matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen)
        ),
        _ => false,
    }
}

/// The database that stands in, with the file's secret if that can be read: a submission that comes again then gets the
/// id that it had. Otherwise with one of its own.
pub fn stand_in(path: &Path, fresh_secret: &[u8; 32]) -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    schema::migrate(&mut connection)?;
    schema::keep_secret(&connection, &secret_of(path).unwrap_or(*fresh_secret))?;
    connection.pragma_update(None, "query_only", "ON")?;
    Ok(connection)
}

/// Read without lock and log, which would have to be made: nobody writes the file now, and its secret never changes.
fn secret_of(path: &Path) -> Option<[u8; 32]> {
    use std::os::unix::ffi::OsStrExt;
    let uri = format!("file:{}?immutable=1", percent_encode(path.as_os_str().as_bytes(), NON_ALPHANUMERIC));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    schema::read_secret(&Connection::open_with_flags(uri, flags).ok()?).ok().flatten()
}
