//! `run`: the proxy, until a signal ends it.

use std::io::{self, IsTerminal};
use std::panic;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{Exit, complain};
use crate::config::{Loaded, LogConfig, Purpose, Sources, load};
use crate::sidecar::{Sidecar, StartError};

/// How often configuration and token files are looked at.
const WATCH: Duration = Duration::from_secs(2);

/// Runs until SIGTERM or SIGINT; a second one ends at once.
pub fn run(loaded: Loaded, sources: Sources) -> Exit {
    if let Err(problem) = log_to_stderr(&loaded.config.log) {
        complain(&problem);
        return Exit::Config;
    }
    quiet_panics();
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let sidecar = match Sidecar::start(loaded.config.clone()) {
        Ok(sidecar) => sidecar,
        Err(error) => {
            complain(&error.to_string());
            return match error {
                StartError::System(_) => Exit::Software,
                _ => Exit::Unavailable,
            };
        }
    };
    tracing::info!(
        address = %sidecar.address(),
        admin = %sidecar.admin_address(),
        upstream = %format!("http://{}:{}", loaded.config.upstream.host, loaded.config.upstream.port),
        workers = loaded.config.workers,
        "listening"
    );
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("no runtime for signals: {error}"));
            return Exit::Software;
        }
    };
    match runtime.block_on(serve(sidecar, loaded, sources)) {
        Ok(exit) => exit,
        Err(error) => {
            complain(&format!("signals cannot be received: {error}"));
            Exit::Software
        }
    }
}

async fn serve(sidecar: Sidecar, mut loaded: Loaded, sources: Sources) -> io::Result<Exit> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut files = Stamps::of(&loaded.watched);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => reload(&sidecar, &mut loaded, &sources),
            () = tokio::time::sleep(WATCH) => {
                let now = Stamps::of(&loaded.watched);
                if now != files {
                    reload(&sidecar, &mut loaded, &sources);
                }
            }
        }
        files = Stamps::of(&loaded.watched);
    }
    let grace = loaded.config.timeouts.shutdown_grace;
    tracing::info!(?grace, "shutting down: not ready any more, still accepting during the grace period");
    sidecar.set_unready();
    // Load balancers need a moment to notice; refusing their visitors in it would be an outage.
    tokio::select! {
        () = tokio::time::sleep(grace) => {}
        () = either(&mut terminate, &mut interrupt) => {}
    }
    let stopping = tokio::task::spawn_blocking(move || sidecar.stop());
    tokio::select! {
        stopped = stopping => {
            tracing::info!("stopped");
            Ok(if stopped.unwrap_or(false) { Exit::Fine } else { Exit::Software })
        }
        () = either(&mut terminate, &mut interrupt) => {
            tracing::warn!("second signal: ended before everything was finished; what was committed is on disk");
            std::process::exit(0)
        }
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! { _ = one.recv() => {}, _ = other.recv() => {} }
}

/// A bad file keeps the running configuration and says so.
fn reload(sidecar: &Sidecar, loaded: &mut Loaded, sources: &Sources) {
    match load(sources, Purpose::Run) {
        Ok(new) => {
            let fixed = new.needs_restart(loaded);
            if !fixed.is_empty() {
                tracing::warn!(keys = fixed.join(", "), "changed settings that take effect after a restart only");
            }
            new.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            sidecar.reload(new.config.clone());
            tracing::info!("configuration reloaded");
            *loaded = new;
        }
        Err(errors) => {
            for error in &errors.0 {
                tracing::error!(%error, "configuration not reloaded, the running one stays");
            }
        }
    }
}

/// What a change of files is known by; following links, since Kubernetes swaps them.
#[derive(PartialEq, Eq)]
struct Stamps(Vec<Option<(SystemTime, u64)>>);

impl Stamps {
    fn of(files: &[PathBuf]) -> Self {
        let stamp = |path: &PathBuf| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        };
        Self(files.iter().map(stamp).collect())
    }
}

fn log_to_stderr(log: &LogConfig) -> Result<(), String> {
    let filter = EnvFilter::try_new(&log.level).map_err(|error| {
        format!("log.level = {:?}: {error}; write error, warn, info, debug or trace, or tracing directives", log.level)
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let result = if log.json {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        builder.with_ansi(io::stderr().is_terminal()).try_init()
    };
    result.map_err(|error| format!("logging cannot be set up: {error}"))
}

/// The standard message of a panic can quote the text it stumbled over, which may be a visitor's: only its place is said.
fn quiet_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        tracing::error!(place, thread = thread.name().unwrap_or("?"), "a bug in capi-sidecar: panic caught");
    }));
}
