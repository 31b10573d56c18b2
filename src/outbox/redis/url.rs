//! Where Redis is: one server, a cluster, or a master that sentinels watch.

use std::fmt;

use percent_encoding::percent_decode_str;
use redis::{ConnectionAddr, RedisConnectionInfo};
use secrecy::{ExposeSecret, SecretString};

/// What all our keys begin with unless the address says otherwise.
const PREFIX: &str = "capi-sidecar";

/// An address such as `rediss://user:password@host:6379/0?prefix=shop`.
#[derive(Clone, Debug)]
pub struct RedisUrl {
    /// What stands there.
    pub kind: Kind,
    /// With TLS.
    pub tls: bool,
    /// Servers of the cluster, sentinels, or the one server.
    pub hosts: Vec<(String, u16)>,
    /// Of an ACL user.
    pub user: Option<String>,
    /// Its password, or the default user's.
    pub password: Option<SecretString>,
    /// Number of the database; a cluster has only 0.
    pub database: i64,
    /// Sites that share a Redis and not their leads have different ones.
    pub prefix: String,
}

/// What stands at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One server.
    Single,
    /// Servers of a cluster, any of them.
    Cluster,
    /// Sentinels, and the name of the master that they watch.
    Sentinel(String),
}

impl RedisUrl {
    /// Reads an address. `None`: it is no address of a Redis.
    ///
    /// # Errors
    /// What is wrong with it, without any of it: it may hold a password.
    #[must_use]
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let (scheme, rest) = text.split_once("://")?;
        let (tls, kind) = match scheme {
            "redis" | "valkey" => (false, Kind::Single),
            "rediss" | "valkeys" => (true, Kind::Single),
            "redis+cluster" | "redis-cluster" => (false, Kind::Cluster),
            "rediss+cluster" | "rediss-cluster" => (true, Kind::Cluster),
            "redis+sentinel" | "redis-sentinel" => (false, Kind::Sentinel(String::new())),
            "rediss+sentinel" | "rediss-sentinel" => (true, Kind::Sentinel(String::new())),
            _ => return None,
        };
        Some(Self::parse_rest(tls, kind, rest))
    }

    fn parse_rest(tls: bool, kind: Kind, rest: &str) -> Result<Self, String> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (user, rest) = rest.rsplit_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest));
        let (user, password) = user.map_or((None, None), |user| match user.split_once(':') {
            Some((user, password)) => (Some(user), Some(password)),
            None => (Some(user), None),
        });
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8();
            text.map(String::from).map_err(|_| "user and password must be UTF-8, percent-encoded".to_owned())
        };
        let user = user.filter(|user| !user.is_empty()).map(decoded).transpose()?;
        let password = password.map(decoded).transpose()?.map(SecretString::from);
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let port = if matches!(kind, Kind::Sentinel(_)) { 26379 } else { 6379 };
        let hosts: Vec<_> = hosts.split(',').map(|host| host_and_port(host, port)).collect::<Result<_, _>>()?;
        let (kind, database) = match kind {
            Kind::Sentinel(_) => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err("the master's name is missing; write redis+sentinel://host:26379/mymaster".to_owned());
                }
                (Kind::Sentinel(decoded(master)?), database)
            }
            kind => (kind, path),
        };
        if kind == Kind::Single && hosts.len() > 1 {
            return Err("several hosts are for redis+cluster:// or redis+sentinel://".to_owned());
        }
        let database: i64 = match database {
            "" => 0,
            text => text.parse().map_err(|_| "the database after the last / must be a number".to_owned())?,
        };
        if kind == Kind::Cluster && database != 0 {
            return Err("a cluster has only database 0".to_owned());
        }
        let mut prefix = PREFIX.to_owned();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name != "prefix" || value.is_empty() || value.contains(['{', '}']) {
                return Err("after the ? only prefix=NAME is known (a name without braces)".to_owned());
            }
            prefix = value.into_owned();
        }
        Ok(Self { kind, tls, hosts, user, password, database, prefix })
    }

    /// The addresses as the client library wants them.
    #[must_use]
    pub fn addresses(&self) -> Vec<ConnectionAddr> {
        let address = |(host, port): &(String, u16)| {
            let (host, port) = (host.clone(), *port);
            if self.tls {
                ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
            } else {
                ConnectionAddr::Tcp(host, port)
            }
        };
        self.hosts.iter().map(address).collect()
    }

    /// Who we are there.
    #[must_use]
    pub fn login(&self) -> RedisConnectionInfo {
        let mut info = RedisConnectionInfo::default().set_db(self.database);
        if let Some(user) = &self.user {
            info = info.set_username(user);
        }
        if let Some(password) = &self.password {
            info = info.set_password(password.expose_secret());
        }
        info
    }
}

/// Without user and password.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Single => "",
            Kind::Cluster => "+cluster",
            Kind::Sentinel(_) => "+sentinel",
        };
        let hosts = self
            .hosts
            .iter()
            .map(|(host, port)| if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") });
        write!(f, "redis{}{kind}://{}", if self.tls { "s" } else { "" }, hosts.collect::<Vec<_>>().join(","))?;
        if let Kind::Sentinel(master) = &self.kind {
            write!(f, "/{master}")?;
        }
        write!(f, "/{}?prefix={}", self.database, self.prefix)
    }
}

impl PartialEq for RedisUrl {
    fn eq(&self, other: &Self) -> bool {
        let password = |url: &Self| url.password.as_ref().map(|password| password.expose_secret().to_owned());
        self.to_string() == other.to_string() && self.user == other.user && password(self) == password(other)
    }
}

impl Eq for RedisUrl {}

fn host_and_port(text: &str, default: u16) -> Result<(String, u16), String> {
    let wrong = || "a host is missing or its port is no number; write redis://host:6379/0".to_owned();
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(wrong)?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().map_err(|_| wrong())?,
        None if port.is_empty() => default,
        None => return Err(wrong()),
    };
    if host.is_empty() || host.contains(char::is_whitespace) { Err(wrong()) } else { Ok((host.to_owned(), port)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_address_is_understood_and_shown_without_its_password() {
        for (text, shown) in [
            ("redis://cache", "redis://cache:6379/0?prefix=capi-sidecar"),
            ("rediss://u:p%40ss@cache:6380/2", "rediss://cache:6380/2?prefix=capi-sidecar"),
            ("redis://:s3cret@[::1]:7000?prefix=shop", "redis://[::1]:7000/0?prefix=shop"),
            ("redis+cluster://u:s3cret@a:1,b:2,c", "redis+cluster://a:1,b:2,c:6379/0?prefix=capi-sidecar"),
            ("rediss-sentinel://a,b:2/main/1", "rediss+sentinel://a:26379,b:2/main/1?prefix=capi-sidecar"),
        ] {
            let url = RedisUrl::parse(text).unwrap().unwrap();
            assert_eq!(url.to_string(), shown, "{text}");
            assert!(!format!("{url:?}").contains("s3cret") && !format!("{url:?}").contains("p@ss"));
        }
        let url = RedisUrl::parse("rediss://u:p%40s:s@cache").unwrap().unwrap();
        assert_eq!(url.user.as_deref(), Some("u"));
        assert_eq!(url.password.unwrap().expose_secret(), "p@s:s");
    }

    #[test]
    fn what_is_wrong_is_said_without_quoting_it() {
        for text in [
            "redis://",
            "redis://:s3cret@",
            "redis://u:s3cret@a:port",
            "redis://u:s3cret@a,b",
            "redis://u:s3cret@a/zero",
            "redis+cluster://u:s3cret@a/1",
            "redis+sentinel://u:s3cret@a",
            "redis://u:s3cret@a?db=1",
            "redis://u:s3cret@a?prefix={x}",
            "redis://u:%ff-s3cret@a",
        ] {
            let problem = RedisUrl::parse(text).unwrap().unwrap_err();
            assert!(!problem.contains("s3cret"), "{text}: {problem}");
        }
        assert!(RedisUrl::parse("sqlite:a.db").is_none() && RedisUrl::parse("memcached://a").is_none());
    }
}
