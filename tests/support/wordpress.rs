//! A real WordPress: Debian's package on PHP and a database of its own, in a folder that ends with the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Process, free_port, system, wait_for_port, wait_until};

/// Where Debian's package puts the program.
const PACKAGE: &str = "/usr/share/wordpress";
/// The test's configuration, installation and plugin.
const SITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sites/wordpress");

/// A site that is installed, with a form on `/quote/` that a script sends and one on `/quote-plain/` that the browser
/// sends; its editor is `editor`, `correct horse`.
pub struct WordPress {
    pub port: u16,
    log: PathBuf,
    _php: Process,
    _database: Process,
    _dir: tempfile::TempDir,
}

impl WordPress {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("db.sock");
        let database = database(dir.path(), &socket);
        let root = dir.path().join("site");
        // A copy: WordPress finds its configuration beside itself, and Debian's is for sites of the whole machine.
        finish(Command::new("cp").args(["-rL", PACKAGE]).arg(&root));
        finish(Command::new("cp").arg(format!("{SITE}/wp-config.php")).arg(&root));
        finish(Command::new("cp").arg("-r").arg(format!("{SITE}/quote-form")).arg(root.join("wp-content/plugins")));
        let log = dir.path().join("site.log");
        let php = || {
            let mut php = Command::new("php");
            php.current_dir(&root).env("SITE_DB_SOCKET", &socket).env("SITE_LOG", &log);
            // Mail is swallowed.
            php.args(["-d", "sendmail_path=true"]);
            php
        };
        finish(php().arg(format!("{SITE}/setup.php")));
        let port = free_port();
        // More than one request at once, so that both clicks of a double click are really there.
        let php = Process::start(php().args(["-S", &format!("127.0.0.1:{port}")]).env("PHP_CLI_SERVER_WORKERS", "4"));
        wait_for_port(port);
        Self { port, log, _php: php, _database: database, _dir: dir }
    }

    /// What the form's plugin said to each post, in order: `script accepted`, `page refused`, …
    pub fn judged(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// A database server that nobody can reach but through its socket, and that knows nothing of the machine's settings.
fn database(dir: &Path, socket: &Path) -> Process {
    let user = Command::new("id").arg("-un").output().expect("id runs").stdout;
    // Asked for by the server when it is started by root, and always right otherwise.
    let user = format!("--user={}", String::from_utf8_lossy(&user).trim());
    let data = format!("--datadir={}", dir.join("db").display());
    // A server that starts clears away the temporary tables of every other one that uses the same folder for them.
    let program = |name| {
        let mut program = system(name);
        program.env("TMPDIR", dir).args(["--no-defaults", &user, &data]);
        program
    };
    finish(program("mariadb-install-db").args([
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
    ]));
    let place = [("socket", "db.sock"), ("pid-file", "db.pid")];
    let place = place.map(|(option, name)| format!("--{option}={}", dir.join(name).display()));
    let server = Process::start(program("mariadbd").args(place).args([
        "--skip-networking",
        // Nothing of it is kept, so nothing has to reach the disk.
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-buffer-pool-size=32M",
    ]));
    wait_until("the database", || UnixStream::connect(socket).is_ok());
    server
}

/// Runs a command to its end; what it said is shown when that was no success.
fn finish(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}:\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
