//! The file: opening it, its tables and their versions.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OptionalExtension};

use crate::exchange::UnixMillis;
use crate::outbox::StoreError;

/// How long to wait for a lock that an `outbox` verb or a backup holds.
pub const BUSY: Duration = Duration::from_secs(5);

/// Pages of 4 KiB in the write-ahead log before they are written back to the file.
const LOG_PAGES: u32 = 2000;

/// One entry per schema version; entry n brings a file from version n to n + 1. Entries never change once released.
pub const MIGRATIONS: [&str; VERSION as usize] = [
    "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
    -- What makes two submissions the same one.
    CREATE TABLE submission (fingerprint BLOB PRIMARY KEY, event_id TEXT NOT NULL, seen INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
    CREATE INDEX submission_seen ON submission (seen);
    -- Supplied ids with a digest of the contact data they came with, and the id those leads went out under.
    CREATE TABLE supplied (id TEXT NOT NULL, contact BLOB NOT NULL, event_id TEXT NOT NULL, seen INTEGER NOT NULL,
        PRIMARY KEY (id, contact)) STRICT, WITHOUT ROWID;
    CREATE INDEX supplied_seen ON supplied (seen);
    -- The body is empty once nobody needs it any more. Meta takes two events of one name and id for the same one.
    CREATE TABLE event (id INTEGER PRIMARY KEY, event_id TEXT NOT NULL, event_name TEXT NOT NULL,
        event_time INTEGER NOT NULL, event_only INTEGER NOT NULL, body TEXT NOT NULL,
        UNIQUE (event_name, event_id)) STRICT;
    CREATE INDEX event_with_body ON event (event_time) WHERE body <> '';
    CREATE TABLE delivery (id INTEGER PRIMARY KEY, event INTEGER NOT NULL REFERENCES event (id), pixel TEXT NOT NULL,
        event_only INTEGER NOT NULL, event_name TEXT NOT NULL, event_id TEXT NOT NULL, event_time INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'refused', 'dead')),
        reason TEXT, code INTEGER, subcode INTEGER, fbtrace_id TEXT, attempts INTEGER NOT NULL DEFAULT 0,
        due_at INTEGER NOT NULL, in_doubt_since INTEGER, settled INTEGER,
        UNIQUE (event, pixel)) STRICT;
    -- In the order of sending: a backlog is not sorted for every request.
    CREATE INDEX delivery_newest ON delivery (pixel, event_only, event_time, id, due_at) WHERE state = 'pending';
    CREATE INDEX delivery_due ON delivery (pixel, due_at) WHERE state = 'pending';
    CREATE INDEX delivery_state ON delivery (state, settled);
",
    "
    -- The forms of the site's pages: names and meanings of fields, under a hash of the page's address.
    CREATE TABLE page (key TEXT PRIMARY KEY, host TEXT NOT NULL, at INTEGER NOT NULL, forms TEXT NOT NULL)
        STRICT, WITHOUT ROWID;
    CREATE INDEX page_at ON page (at);
",
    "
    -- Submissions that wait for the visitor's choice. Nothing here is ever sent from here.
    CREATE TABLE held (fingerprint BLOB PRIMARY KEY, browser BLOB NOT NULL, until INTEGER NOT NULL, host TEXT NOT NULL,
        path TEXT NOT NULL, event_name TEXT NOT NULL, event_time INTEGER NOT NULL, supplied_id TEXT, supplied_contact BLOB,
        fallback TEXT NOT NULL, body TEXT NOT NULL, bare TEXT, pixels TEXT NOT NULL, ties BLOB NOT NULL) STRICT;
    CREATE INDEX held_browser ON held (browser);
    CREATE INDEX held_until ON held (until);
    -- Keyed hashes of what a browser can be known by again, of events that still have a body: for a withdrawal.
    CREATE TABLE tie (tie BLOB NOT NULL, event INTEGER NOT NULL, PRIMARY KEY (tie, event)) STRICT, WITHOUT ROWID;
    CREATE INDEX tie_event ON tie (event);
",
    "
    -- Of events that wait here for the store that replicas share: with what they are put before that one.
    CREATE TABLE parked (event INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL, supplied_id TEXT, supplied_contact BLOB,
        fallback TEXT NOT NULL) STRICT;
    -- A number is never used twice (AUTOINCREMENT): an answer to a delivery that was removed while it was on its way is not
    -- taken for one to the next lead, and an operator's `drop 5` means the same tomorrow. Of events as well: `parked` is read
    -- in their order while they are removed.
    CREATE TABLE event_new (id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL, event_name TEXT NOT NULL,
        event_time INTEGER NOT NULL, event_only INTEGER NOT NULL, body TEXT NOT NULL,
        UNIQUE (event_name, event_id)) STRICT;
    CREATE TABLE delivery_new (id INTEGER PRIMARY KEY AUTOINCREMENT, event INTEGER NOT NULL REFERENCES event_new (id),
        pixel TEXT NOT NULL, event_only INTEGER NOT NULL, event_name TEXT NOT NULL, event_id TEXT NOT NULL,
        event_time INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'refused', 'dead')),
        reason TEXT, code INTEGER, subcode INTEGER, fbtrace_id TEXT, attempts INTEGER NOT NULL DEFAULT 0,
        due_at INTEGER NOT NULL, in_doubt_since INTEGER, settled INTEGER,
        UNIQUE (event, pixel)) STRICT;
    INSERT INTO event_new SELECT id, event_id, event_name, event_time, event_only, body FROM event;
    INSERT INTO delivery_new SELECT id, event, pixel, event_only, event_name, event_id, event_time, state, reason, code,
        subcode, fbtrace_id, attempts, due_at, in_doubt_since, settled FROM delivery;
    DROP TABLE delivery;
    DROP TABLE event;
    ALTER TABLE event_new RENAME TO event;
    ALTER TABLE delivery_new RENAME TO delivery;
    CREATE INDEX event_with_body ON event (event_time) WHERE body <> '';
    CREATE INDEX delivery_newest ON delivery (pixel, event_only, event_time, id, due_at) WHERE state = 'pending';
    CREATE INDEX delivery_due ON delivery (pixel, due_at) WHERE state = 'pending';
    CREATE INDEX delivery_state ON delivery (state, settled);
",
    "
    -- A commit costs by the pages it touches. The event remembers its submission itself, when it has the id that derives from
    -- the fingerprint; `submission` has the others. Indexes stay where something long is searched often.
    CREATE TABLE event_new (id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL, event_name TEXT NOT NULL,
        event_time INTEGER NOT NULL, event_only INTEGER NOT NULL, body TEXT NOT NULL,
        fingerprint BLOB, seen INTEGER NOT NULL,
        UNIQUE (event_id, event_name)) STRICT;
    CREATE TABLE delivery_new (id INTEGER PRIMARY KEY AUTOINCREMENT, event INTEGER NOT NULL REFERENCES event_new (id),
        pixel TEXT NOT NULL, event_only INTEGER NOT NULL, event_name TEXT NOT NULL, event_id TEXT NOT NULL,
        event_time INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'refused', 'dead')),
        reason TEXT, code INTEGER, subcode INTEGER, fbtrace_id TEXT, attempts INTEGER NOT NULL DEFAULT 0,
        due_at INTEGER NOT NULL, in_doubt_since INTEGER, settled INTEGER,
        UNIQUE (event, pixel)) STRICT;
    INSERT INTO event_new SELECT id, event_id, event_name, event_time, event_only,
        CASE WHEN EXISTS (SELECT 1 FROM delivery WHERE event = event.id) THEN body ELSE '' END, NULL, 0 FROM event;
    INSERT INTO delivery_new SELECT id, event, pixel, event_only, event_name, event_id, event_time, state, reason, code,
        subcode, fbtrace_id, attempts, due_at, in_doubt_since, settled FROM delivery;
    -- Numbers of rows that are gone are not used again either.
    DELETE FROM sqlite_sequence WHERE name IN ('event_new', 'delivery_new');
    INSERT INTO sqlite_sequence SELECT name || '_new', seq FROM sqlite_sequence WHERE name IN ('event', 'delivery');
    DROP TABLE delivery;
    DROP TABLE event;
    ALTER TABLE event_new RENAME TO event;
    ALTER TABLE delivery_new RENAME TO delivery;
    CREATE INDEX delivery_newest ON delivery (pixel, event_only, event_time, id, due_at) WHERE state = 'pending';
    CREATE INDEX delivery_dead ON delivery (event_time, event) WHERE state = 'dead';
",
];

/// "CAPI": tells our file from another program's, in which nothing must be changed.
const APPLICATION_ID: u32 = 0x4341_5049;

/// The newest version this program knows.
pub const VERSION: u32 = 5;

/// Keeps a second sidecar off the file for as long as it lives.
pub struct Lock(#[expect(dead_code, reason = "held, never read")] File);

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Takes the lock file beside the store. It is a file of its own so that the `outbox` verbs can use the store meanwhile.
pub fn lock(path: &Path) -> Result<Lock, StoreError> {
    let open = |source| StoreError::Open { path: path.to_owned(), source };
    let file = private(&beside(path, ".lock")).map_err(open)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(open(source)),
    }
}

/// Opens or makes a file that nobody else may read.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Opens the store for the writer. A corrupt file is set aside; traffic and new leads go on without it.
pub fn open(path: &Path) -> Result<Connection, StoreError> {
    match try_open(path) {
        Err(StoreError::Sqlite(error)) if is_corrupt(&error) => replace(path, &error),
        other => other,
    }
}

/// A fresh store in the place of a corrupt one. The secret is taken along if it can be read: a submission that comes again
/// then gets the id that it had.
pub fn replace(path: &Path, error: &rusqlite::Error) -> Result<Connection, StoreError> {
    let secret = Connection::open(path).and_then(|old| read_secret(&old)).ok().flatten();
    set_aside(path, error)?;
    let connection = try_open(path)?;
    if let Some(secret) = secret {
        keep_secret(&connection, &secret)?;
    }
    Ok(connection)
}

/// The secret, if there is one.
pub fn read_secret(connection: &Connection) -> rusqlite::Result<Option<[u8; 32]>> {
    connection.query_row("SELECT value FROM meta WHERE key = 'event_id_secret'", [], |row| row.get(0)).optional()
}

/// Takes over the secret of the store that replicas share.
pub fn adopt_secret(connection: &Connection, secret: &[u8; 32]) -> rusqlite::Result<()> {
    let insert = "INSERT OR REPLACE INTO meta (key, value) VALUES ('event_id_secret', ?1)";
    connection.execute(insert, [secret.as_slice()]).map(drop)
}

/// Stores a secret unless there is one.
pub fn keep_secret(connection: &Connection, secret: &[u8; 32]) -> rusqlite::Result<()> {
    let insert = "INSERT INTO meta (key, value) VALUES ('event_id_secret', ?1) ON CONFLICT DO NOTHING";
    connection.execute(insert, [secret.as_slice()]).map(drop)
}

/// Whether the file itself is broken.
pub fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Moves a broken file out of the way, with its log, so that somebody can look at it.
fn set_aside(path: &Path, error: &rusqlite::Error) -> Result<(), StoreError> {
    let stamp = format!(".corrupt-{}", UnixMillis::now().as_secs());
    for suffix in ["", "-wal", "-shm"] {
        let from = beside(path, suffix);
        if from.exists() {
            let to = beside(&beside(path, &stamp), suffix);
            std::fs::rename(&from, to).map_err(|source| StoreError::Open { path: from, source })?;
        }
    }
    tracing::error!(
        %error,
        store = %path.display(),
        aside = %beside(path, &stamp).display(),
        "the store is corrupt: it was set aside and a new one started; what it held is not sent. Keep it for recovery"
    );
    Ok(())
}

fn try_open(path: &Path) -> Result<Connection, StoreError> {
    private(path).map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
    let mut connection = Connection::open(path)?;
    check(&connection)?;
    configure(&connection)?;
    let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        return Err(rusqlite::Error::SqliteFailure(code, Some(sound)).into());
    }
    migrate(&mut connection)?;
    Ok(connection)
}

/// What every connection that writes needs.
pub fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY)?;
    // Only heeded while the file is empty.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // WAL with NORMAL would survive kill -9, but not a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    // What is changed again and again is written back once. The sweep does it in any case.
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    // Else a statement is planned anew for every value that it is given.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Erased means erased: freed space is overwritten.
    connection.pragma_update(None, "secure_delete", "ON")?;
    Ok(())
}

/// The version of a store of ours, 0 for an empty file; before anything in it is changed.
pub fn check(connection: &Connection) -> Result<u32, StoreError> {
    let application: u32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let found = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let empty = || connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0));
    let ours = application == APPLICATION_ID || (found == 0 && empty()?);
    match found {
        _ if !ours => Err(StoreError::Foreign),
        _ if found > VERSION => Err(StoreError::Newer { found, known: VERSION }),
        _ => Ok(found),
    }
}

/// Brings it to the newest version.
pub fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found = check(connection)?;
    for (version, migration) in (1..=VERSION).zip(MIGRATIONS).skip_while(|(version, _)| *version <= found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}
