//! Redis before the tests of every kind of store.

#[path = "../../../tests/support/redis.rs"]
mod server;

use super::*;
use server::Redis as Server;

/// A server of its own.
#[derive(Clone)]
pub struct Redis {
    server: Arc<Server>,
    url: RedisUrl,
}

impl Redis {
    pub fn new() -> Self {
        let server = Server::start();
        let url = RedisUrl::parse(&server.url()).unwrap().unwrap();
        Self { server: Arc::new(server), url }
    }

    /// The same server, as new.
    pub fn emptied(&self) -> Self {
        assert_eq!(self.server.ask("FLUSHALL"), "+OK");
        self.clone()
    }

    pub fn url(&self) -> &RedisUrl {
        &self.url
    }

    fn keys(&self, pattern: &str) -> Vec<String> {
        self.server.ask(&format!("KEYS {pattern}")).lines().map(str::to_owned).collect()
    }
}

impl Kind for Redis {
    fn open(&self) -> Box<dyn Store> {
        Box::new(RedisStore::open(&self.url).unwrap())
    }

    fn inspector(&self) -> Box<dyn Inspector> {
        Box::new(RedisInspector::open(&self.url).unwrap())
    }

    /// What it has now; its log goes on until it is written anew.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for key in self.keys("*") {
            let read = match &*self.server.ask(&format!("TYPE {key}")) {
                "+hash" => format!("HGETALL {key}"),
                "+set" => format!("SMEMBERS {key}"),
                "+zset" => format!("ZRANGE {key} 0 -1"),
                "+list" => format!("LRANGE {key} 0 -1"),
                "+string" => format!("GET {key}"),
                // It has expired meanwhile.
                "+none" => continue,
                other => panic!("{key} is a {other}"),
            };
            bytes.extend(key.into_bytes());
            bytes.extend(self.server.ask(&read).into_bytes());
        }
        bytes
    }

    fn forget_seen(&self) {
        for key in self.keys("*:seen:*").into_iter().chain(self.keys("*:supplied:*")) {
            self.server.ask(&format!("DEL {key}"));
        }
    }

    fn forgets_by_its_own_clock(&self) -> bool {
        true
    }

    fn can_share(&self) -> bool {
        true
    }

    fn end_leases(&self) {
        for key in self.keys("*:leased:*") {
            for member in self.server.ask(&format!("ZRANGE {key} 0 -1")).lines() {
                self.server.ask(&format!("ZADD {key} 0 {member}"));
            }
        }
    }

    fn fill(&self, full: bool) -> bool {
        let most = u8::from(full);
        assert_eq!(self.server.ask(&format!("CONFIG SET maxmemory {most}")), "+OK");
        true
    }
}
