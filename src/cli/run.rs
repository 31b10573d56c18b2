//! `run`: the proxy, until a signal ends it.

use std::io::{self, IsTerminal};
use std::panic;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use super::{Exit, complain};
use crate::config::{Limits, Loaded, LogConfig, Purpose, Sources, load};
use crate::sidecar::{Sidecar, StartError};

/// How often configuration, token files and certificate are looked at.
const WATCH: Duration = Duration::from_secs(2);

/// Runs until SIGTERM or SIGINT; a second one ends at once.
pub fn run(loaded: Loaded, sources: Sources) -> Exit {
    let logging = match log_to_stderr(&loaded.config.log) {
        Ok(logging) => logging,
        Err(problem) => {
            complain(&problem);
            return Exit::Config;
        }
    };
    let exit = run_logged(loaded, sources);
    // Writes what is still in the queue.
    drop(logging);
    exit
}

fn run_logged(mut loaded: Loaded, sources: Sources) -> Exit {
    respect_descriptors(&mut loaded.config.limits);
    quiet_panics();
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let sidecar = match Sidecar::start(loaded.config.clone()) {
        Ok(sidecar) => sidecar,
        Err(error) => {
            complain(&error.to_string());
            return match error {
                StartError::System(_) => Exit::Software,
                StartError::Circle { .. } | StartError::Tls { .. } => Exit::Config,
                _ => Exit::Unavailable,
            };
        }
    };
    tracing::info!(
        address = %sidecar.place(),
        admin = %sidecar.admin_address(),
        upstream = %loaded.config.upstream,
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
    let served = runtime.block_on(serve(sidecar, loaded, sources));
    // After a second signal somebody is still stopping; he is not waited for.
    runtime.shutdown_background();
    match served {
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
            _ = hangup.recv() => {
                files = Stamps::of(&loaded.watched);
                reload(&sidecar, &mut loaded, &sources);
            }
            () = tokio::time::sleep(WATCH) => {
                let now = Stamps::of(&loaded.watched);
                if now != files {
                    // Taken before the load: what changes during it is seen the next time.
                    files = now;
                    reload(&sidecar, &mut loaded, &sources);
                }
            }
        }
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
            Ok(Exit::Fine)
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

/// A connection takes two descriptors, one to each side; some are for the store, Graph, probes and the log.
const SPARE_DESCRIPTORS: u64 = 64;

/// Raises the limit of open files as far as it goes, and takes no more connections than fit: what is over waits in the
/// kernel's queue, instead of getting an error because the site cannot be connected to any more.
fn respect_descriptors(limits: &mut Limits) {
    let files = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => files,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            return;
        }
    };
    let fit = usize::try_from(files.saturating_sub(SPARE_DESCRIPTORS) / 2).unwrap_or(usize::MAX).max(1);
    if fit < limits.max_connections {
        tracing::info!(files, max_connections = fit, "the limit of open files bounds the connections (ulimit -n)");
        limits.max_connections = fit;
    }
}

/// Lines that may wait for whoever reads them. Room for all of them is taken at once: 32 bytes each.
const LOG_LINES: usize = 4096;

/// Through a queue that drops lines when nobody takes them: a log that is stuck must not hold up visitors.
fn log_to_stderr(log: &LogConfig) -> Result<WorkerGuard, String> {
    let filter = EnvFilter::try_new(&log.level).map_err(|error| {
        format!("log.level = {:?}: {error}; write error, warn, info, debug or trace, or tracing directives", log.level)
    })?;
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(LOG_LINES).finish(io::stderr());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let result = if log.json {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        builder.with_ansi(io::stderr().is_terminal()).try_init()
    };
    result.map(|()| guard).map_err(|error| format!("logging cannot be set up: {error}"))
}

/// The standard message of a panic can quote the text it stumbled over, which may be a visitor's: only its place is said.
fn quiet_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        tracing::error!(place, thread = thread.name().unwrap_or("?"), "a bug in capi-sidecar: panic caught");
    }));
}
