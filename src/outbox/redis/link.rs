//! The connection to Redis: making it, losing it, making it again on a thread of its own, so that nobody waits for a host
//! that does not answer.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use redis::cluster::ClusterClient;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{Client, ConnectionLike, IntoConnectionInfo, RedisError, RedisResult};

use super::health;
use super::url::{Kind, RedisUrl};

/// An open connection.
pub type Link = Box<dyn ConnectionLike + Send>;

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(1);
/// How long it may take to answer. A sync of its append-only file belongs to that.
const RESPONSE: Duration = Duration::from_secs(1);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the first one may take before we start without.
const AT_START: Duration = Duration::from_secs(3);

/// Holds the connection while there is one, and gets another when it is lost.
pub struct Linked {
    url: RedisUrl,
    link: Option<Link>,
    /// `None` tells that the first attempt failed.
    coming: Option<Receiver<Option<Link>>>,
    /// Threads that still try notice by this that nobody wants their connection any more.
    wanted: Arc<()>,
}

impl Linked {
    /// Connects, and waits a moment for it.
    pub fn new(url: RedisUrl) -> Self {
        let mut linked = Self { url, link: None, coming: None, wanted: Arc::default() };
        linked.reconnect();
        if let Some(Ok(Some(link))) = linked.coming.as_ref().map(|coming| coming.recv_timeout(AT_START)) {
            linked.link = Some(link);
            linked.coming = None;
        }
        linked
    }

    /// The connection, if there is one.
    pub fn get(&mut self) -> Option<&mut Link> {
        if self.link.is_none() {
            match self.coming.as_ref().map(Receiver::try_recv) {
                Some(Ok(Some(link))) => {
                    self.link = Some(link);
                    self.coming = None;
                }
                Some(Ok(None) | Err(TryRecvError::Empty)) => {}
                Some(Err(TryRecvError::Disconnected)) | None => self.reconnect(),
            }
        }
        self.link.as_mut()
    }

    /// It cannot be used any more: an answer may still be on its way, and would be taken for the next one's.
    pub fn lost(&mut self) {
        self.link = None;
        self.reconnect();
    }

    fn reconnect(&mut self) {
        let (sender, receiver) = channel();
        let (url, wanted) = (self.url.clone(), Arc::downgrade(&self.wanted));
        let keep_trying = move || {
            let mut failed = false;
            while Weak::upgrade(&wanted).is_some() {
                match connect(&url).and_then(|mut link| health::check(&mut *link, &url).map(|()| link)) {
                    Ok(link) => {
                        // Nobody there any more: then nobody misses it.
                        drop(sender.send(Some(link)));
                        return;
                    }
                    // Said once, since it tells a wrong password from a server that is not there.
                    Err(error) if !std::mem::replace(&mut failed, true) => {
                        tracing::warn!(%error, redis = %url, "no connection to Redis; trying on");
                        drop(sender.send(None));
                    }
                    Err(error) => tracing::debug!(%error, redis = %url, "no connection yet"),
                }
                thread::sleep(PAUSE);
            }
        };
        self.coming = match thread::Builder::new().name("redis-connect".into()).spawn(keep_trying) {
            Ok(_) => Some(receiver),
            Err(error) => {
                tracing::error!(%error, "no thread to connect to Redis with; trying again");
                None
            }
        };
    }
}

/// Connects, once.
///
/// # Errors
/// As the client library says it.
pub fn connect(url: &RedisUrl) -> RedisResult<Link> {
    let addresses = url.addresses();
    let client = match &url.kind {
        Kind::Single => {
            let first = addresses.into_iter().next();
            let address = first.ok_or_else(|| RedisError::from((redis::ErrorKind::InvalidClientConfig, "no host")))?;
            Client::open(address.into_connection_info()?.set_redis_settings(url.login()))?
        }
        Kind::Cluster => {
            let nodes = addresses
                .into_iter()
                .map(|address| Ok(address.into_connection_info()?.set_redis_settings(url.login())));
            let client = ClusterClient::builder(nodes.collect::<RedisResult<Vec<_>>>()?)
                .connection_timeout(CONNECT)
                .response_timeout(RESPONSE)
                // What waits for us must not wait long: the local store takes over.
                .retries(1)
                .build()?;
            return Ok(Box::new(client.get_connection()?));
        }
        Kind::Sentinel(master) => {
            let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
                .set_client_to_redis_db(url.database);
            if url.tls {
                builder = builder.set_client_to_redis_tls_mode(redis::TlsMode::Secure);
            }
            let login = url.login();
            if let Some(user) = login.username() {
                builder = builder.set_client_to_redis_username(user);
            }
            if let Some(password) = login.password() {
                builder = builder.set_client_to_redis_password(password);
            }
            builder.build()?.get_client()?
        }
    };
    let link = client.get_connection_with_timeout(CONNECT)?;
    link.set_read_timeout(Some(RESPONSE))?;
    link.set_write_timeout(Some(RESPONSE))?;
    Ok(Box::new(link))
}
