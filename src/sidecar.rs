//! The running sidecar: both planes, the outbox, delivery and the admin port, put together and taken apart in order.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::sync::{oneshot, watch};

use crate::admin::{self, Admin, Facts};
use crate::config::{Config, Listen, OnDenied, OnUnknown, Upstream};
use crate::delivery::Delivery;
use crate::intake::{Intake, LeadPlane, Reports, Secrets};
use crate::lead::event_id::IdSecret;
use crate::memory;
use crate::metrics::{Kind, Sample, WorkerCounts};
use crate::outbox::{Outbox, StoreError, StoreUrl};
use crate::proxy::dial::Dialer;
use crate::proxy::front::Front;
use crate::proxy::listener::{Listener, is_same_file};
use crate::proxy::server::{Options, Server};
use crate::proxy::tee::Budget;
use crate::proxy::tls::Certificate;

/// How long delivery may go on after the last request has been answered: what is not sent by then is on disk and goes
/// out at the next start.
const FLUSH: Duration = Duration::from_secs(5);

/// Why the sidecar did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error("store {url}: {source}")]
    Store {
        /// Which.
        url: StoreUrl,
        /// Why.
        source: StoreError,
    },
    /// A listener.
    #[error("{key}: cannot listen on {place}: {source}; is another process using it?")]
    Listen {
        /// `listen` or `admin.listen`.
        key: &'static str,
        /// The address, or the socket's file.
        place: Listen,
        /// Why.
        source: io::Error,
    },
    /// The site is this process.
    #[error("upstream: {upstream} is this proxy's own listener {own}; requests would go in circles")]
    Circle {
        /// As configured.
        upstream: Upstream,
        /// Which listener.
        own: Listen,
    },
    /// TLS cannot be set up.
    #[error("{key}: TLS cannot be set up: {problem}")]
    Tls {
        /// `upstream` or `tls.certificate`.
        key: &'static str,
        /// Why.
        problem: String,
    },
    /// A thread or the system's randomness.
    #[error("the system refused a thread, a runtime or random bytes: {0}")]
    System(#[from] io::Error),
}

/// A running sidecar.
pub struct Sidecar {
    server: Server,
    admin: SocketAddr,
    admin_stop: oneshot::Sender<()>,
    admin_thread: JoinHandle<()>,
    ready: Arc<AtomicBool>,
    plane: LeadPlane,
    delivery: Delivery,
    outbox: Outbox,
    config: watch::Sender<Arc<Config>>,
    certificate: Option<Arc<Certificate>>,
}

impl Sidecar {
    /// Starts everything. When it returns, visitors are served.
    ///
    /// # Errors
    /// See [`StartError`]. Nothing is left running then but the threads of what had started.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let store = &config.store;
        let outbox = Outbox::open_at(&store.url, &store.local, store.local_after)
            .map_err(|source| StartError::Store { url: store.url.clone(), source })?;
        let lasting = match &config.store.event_id_secret {
            Some(secret) => IdSecret::from_text(secret.expose_secret()),
            None => IdSecret::new(outbox.secret()),
        };
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let secrets = Secrets { lasting, volatile: IdSecret::new(random) };

        let listen = |key, place| move |source| StartError::Listen { key, place, source };
        let admin_place = Listen::Tcp(config.admin.listen);
        let admin_listener = admin::bind(config.admin.listen).map_err(listen("admin.listen", admin_place))?;
        let admin_address = admin_listener.local_addr()?;
        let listener =
            Listener::open(&config.listen, config.listen_mode).map_err(listen("listen", config.listen.clone()))?;
        if listener.is_inherited() {
            tracing::info!(address = %listener.place(), "an inherited listener is used; `listen` has no effect");
        }
        refuse_circle(&config.upstream, [listener.place(), &Listen::Tcp(admin_address)])?;
        let dialer = Dialer::new(config.upstream.clone(), &config.upstream_ca)
            .map_err(|problem| StartError::Tls { key: "upstream", problem })?;
        let front = Front::new(&config)
            .map_err(|error| StartError::Tls { key: "tls.certificate", problem: error.to_string() })?;
        let certificate = front.certificate();

        let (sender, watched) = watch::channel(Arc::new(config.clone()));
        let reports = Arc::new(Reports::default());
        let (plane, intake) = LeadPlane::start(watched.clone(), outbox.clone(), secrets, Arc::clone(&reports))?;
        let delivery = Delivery::start(watched.clone(), outbox.clone())?;
        let budget = Budget::new(config.limits.capture_budget);
        let counts = Arc::new(WorkerCounts::default());
        let ready = Arc::new(AtomicBool::new(false));

        let samples = samples(&intake, &counts, &budget, &outbox, &delivery);
        let admin = Arc::new(Admin {
            token: config.admin.token.clone(),
            ready: Arc::clone(&ready),
            reports,
            samples,
            facts: Box::new(move || facts(&watched.borrow())),
        });
        let (admin_stop, stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let admin_thread = thread::Builder::new().name("admin".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    result = admin::serve(admin_listener, admin) => {
                        if let Err(error) = result {
                            tracing::error!(%error, "the admin port ended");
                        }
                    }
                    _ = stopped => {}
                }
            });
        })?;

        let proto_hint = Arc::new(Once::new());
        let options = Options { config, hooks: intake, budget, counts, proto_hint, front, dialer };
        let server = Server::start(options, listener)?;
        // What reading the configuration and setting everything up took.
        memory::give_back();
        ready.store(true, Ordering::Release);
        Ok(Self {
            server,
            admin: admin_address,
            admin_stop,
            admin_thread,
            ready,
            plane,
            delivery,
            outbox,
            config: sender,
            certificate,
        })
    }

    /// Where visitors connect; the port is real even if 0 was asked for.
    #[must_use]
    pub const fn place(&self) -> &Listen {
        self.server.place()
    }

    /// Where the admin port is.
    #[must_use]
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Takes over what can change while running: pixels and tokens, consent, forms, landing, Graph, the certificate.
    pub fn reload(&self, config: Config) {
        if let (Some(certificate), Some(tls)) = (&self.certificate, &config.tls)
            && certificate.replace(tls.identity.clone())
        {
            tracing::info!("visitors are shown the new certificate from now on");
        }
        self.config.send_replace(Arc::new(config));
    }

    /// Unready at once, for use with a grace period before [`Sidecar::stop`].
    pub fn set_unready(&self) {
        self.ready.store(false, Ordering::Release);
    }

    /// Finishes open requests (within `timeouts.drain`), commits what was handed over, delivers what is due for a few
    /// seconds, and ends all threads. `false` when one of them had panicked.
    #[must_use]
    pub fn stop(self) -> bool {
        self.set_unready();
        let served = self.server.drain();
        // The workers held the hooks; with them the queue ends, and the lead plane with the queue.
        let planned = self.plane.join();
        self.delivery.shutdown(FLUSH);
        self.outbox.close();
        drop(self.admin_stop);
        let reported = self.admin_thread.join().is_ok();
        served && planned && reported
    }
}

/// What the configuration alone cannot tell: ports and inherited listeners are known by now, and so are names.
fn refuse_circle(upstream: &Upstream, own: [&Listen; 2]) -> Result<(), StartError> {
    let comes_back = |listen: &&Listen| match (upstream, listen) {
        (Upstream::Tcp { host, port, .. }, Listen::Tcp(address)) => {
            // A name that does not resolve yet is not ours. It is only looked up where it could be.
            let found = || (host.as_str(), *port).to_socket_addrs().into_iter().flatten();
            *port == address.port() && found().any(|address| listen.is_reached_by(address))
        }
        (Upstream::Unix(site), Listen::Unix(path)) => is_same_file(site, path),
        _ => false,
    };
    match own.into_iter().find(comes_back) {
        Some(own) => Err(StartError::Circle { upstream: upstream.clone(), own: own.clone() }),
        None => Ok(()),
    }
}

fn samples(
    intake: &Arc<Intake>,
    counts: &Arc<WorkerCounts>,
    budget: &Arc<Budget>,
    outbox: &Outbox,
    delivery: &Delivery,
) -> Box<dyn Fn() -> Vec<Sample> + Send + Sync> {
    let (stats, counts, budget) = (Arc::clone(&intake.stats), Arc::clone(counts), Arc::clone(budget));
    let (outbox, delivery) = (outbox.clone(), delivery.samples());
    Box::new(move || {
        let mut all = counts.read();
        all.extend(stats.read());
        all.push(Sample {
            name: "capi_capture_bytes",
            help: "Memory held by copies of bodies.",
            kind: Kind::Gauge,
            value: budget.used() as u64,
        });
        all.extend(outbox.samples());
        all.extend(delivery());
        all
    })
}

fn facts(config: &Config) -> Facts {
    let pixels = config.pixels.iter().map(|pixel| {
        let hosts = if pixel.hosts.is_empty() { "every host".to_owned() } else { pixel.hosts.join(", ") };
        format!("{} ({hosts})", pixel.id)
    });
    let unknown = match config.consent.unknown {
        OnUnknown::Deny => "no signal counts as no",
        OnUnknown::Grant => "no signal counts as yes",
    };
    let denied = match config.consent.denied {
        OnDenied::EventOnly => "a denied submission becomes an event without user data",
        OnDenied::Drop => "a denied submission is dropped",
        OnDenied::Ldu => "a US opt-out becomes a Limited Data Use event, any other denial an event without user data",
    };
    let mut warnings = Vec::new();
    if config.consent.unknown == OnUnknown::Grant {
        warnings
            .push("Visitors without any consent signal count as consenting (consent.unknown = \"grant\").".to_owned());
    }
    for pixel in config.pixels.iter().filter(|pixel| pixel.test_event_code.is_some()) {
        warnings.push(format!("Pixel {} is sent with a test event code until it expires.", pixel.id));
    }
    Facts {
        rows: vec![
            ("Site", config.upstream.to_string()),
            ("Pixels", pixels.collect::<Vec<_>>().join("; ")),
            ("Consent", format!("{unknown}; {denied}")),
            ("Graph", format!("{}/{}", config.delivery.graph_endpoint, config.delivery.graph_version)),
            ("Store", config.store.url.to_string()),
        ],
        warnings,
    }
}
