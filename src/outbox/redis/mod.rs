//! The store that replicas share: Redis or Valkey.
//!
//! Every step is one Lua script, so it happens as a whole or not at all ("seen before?" and the event in one), and needs one
//! round trip. What Redis has is used: expiry for the memory of submissions, sorted sets for the order of deliveries and for
//! leases. Streams with consumer groups are not: they know neither a time before which an entry must not be read nor "newest
//! first". A lease does the same as their pending list: deliveries on their way belong to a replica until they are settled or
//! its lease ends, and then to whoever asks. <https://redis.io/docs/latest/develop/programmability/eval-intro/>

macro_rules! scripts {
    ($($name:ident = $file:literal),+ $(,)?) => {
        $(static $name: std::sync::LazyLock<redis::Script> = std::sync::LazyLock::new(|| {
            redis::Script::new(concat!(include_str!("scripts/lib.lua"), include_str!(concat!("scripts/", $file, ".lua"))))
        });)+
    };
}

mod health;
mod inspect;
mod link;
mod url;
mod wire;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use redis::{ConnectionLike, FromRedisValue, RedisResult, Script, ScriptInvocation};

use super::held::{AT_ONCE, MAX_HELD};
use super::pages::MAX_ROWS;
use super::sqlite::Parked;
use super::{
    Admission, Admitted, Choice, Due, Held, Holding, MAX_WAIT, Order, PageRow, Released, SEEN_FOR, Settlement, Store,
    StoreError, Tally, Tie, Wanted, random_fingerprint,
};
use crate::exchange::UnixMillis;
pub use inspect::RedisInspector;
use link::Linked;
pub use url::RedisUrl;

/// The layout of our keys. A newer program may have another one.
const VERSION: u32 = 1;
/// How long a replica's deliveries are its own without a word from it.
const LEASE: Duration = Duration::from_secs(30);
/// How often it gives that word.
const RENEW: Duration = Duration::from_secs(5);
/// How long an event's id is not given to another one: a day longer than the ledger.
const IDS: Duration = Duration::from_secs(31 * 24 * 3600);
/// Meta takes an event for so long; contact hashes of dead letters are kept no longer.
const USABLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// What happened, without contact data.
const LEDGER: Duration = Duration::from_secs(30 * 24 * 3600);
/// What is held is looked at every second; by then something is wrong.
const HELD_TOO_LONG: Duration = Duration::from_secs(60);
/// Pages that nobody has loaded since.
const PAGES: Duration = Duration::from_secs(90 * 24 * 3600);
/// Of each kind, what one sweep erases.
const CHUNK: u32 = 500;

scripts!(
    ADMIT = "admit",
    TAKE = "take",
    NEXT_DUE = "next_due",
    RENEW_LEASES = "renew",
    SETTLE = "settle",
    HOLD = "hold",
    CHOOSE = "choose",
    WITHDRAW = "withdraw",
    SWEEP = "sweep",
    KEEP_PAGES = "pages",
    REMEMBER = "remember",
    ONCE = "once",
    TALLY = "tally",
    BROWSERS = "browsers",
);

/// Redis, as one replica uses it.
pub struct RedisStore {
    /// Without its password, for logs.
    name: String,
    keys: Keys,
    linked: Linked,
    /// Whose leases are ours.
    owner: String,
    /// Handed out and not settled.
    in_flight: HashSet<i64>,
    renewed: Instant,
    /// Counts what operators made due again.
    news: Option<u64>,
}

/// The names of what is not only touched by scripts.
struct Keys {
    /// What every key begins with; in braces, so that a cluster keeps them all in one place.
    prefix: String,
}

impl Keys {
    fn new(url: &RedisUrl) -> Self {
        Self { prefix: format!("{{{}}}", url.prefix) }
    }

    /// A call of one of our scripts.
    fn call<'a>(&self, script: &'a Script, arguments: impl FnOnce(&mut ScriptInvocation<'a>)) -> ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        call.key(&self.prefix);
        arguments(&mut call);
        call
    }

    fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }
}

impl RedisStore {
    /// Connects. Without a server it comes into being all the same: each call fails until there is one.
    ///
    /// # Errors
    /// When what is there was made by a newer version.
    pub fn open(url: &RedisUrl) -> Result<Self, StoreError> {
        let mut store = Self {
            name: url.to_string(),
            keys: Keys::new(url),
            linked: Linked::new(url.clone()),
            owner: uuid::Uuid::new_v4().to_string(),
            in_flight: HashSet::new(),
            renewed: Instant::now(),
            news: None,
        };
        if store.is_there() {
            store.check_version()?;
        }
        Ok(store)
    }

    /// Whether there is a connection, as far as that is known.
    pub fn is_there(&mut self) -> bool {
        self.linked.get().is_some()
    }

    fn check_version(&mut self) -> Result<(), StoreError> {
        let found: u32 = self.once("version", &VERSION.to_string())?.parse().unwrap_or(u32::MAX);
        if found > VERSION { Err(StoreError::Newer { found, known: VERSION }) } else { Ok(()) }
    }

    /// Sets a value that is set once, and returns the one that is set.
    fn once(&mut self, name: &str, value: &str) -> Result<String, StoreError> {
        self.run(&ONCE, |script| {
            script.arg(name).arg(value);
        })
    }

    /// Offers a secret, and returns the one that all who share the store have.
    ///
    /// # Errors
    /// When Redis is away.
    pub fn offer_secret(&mut self, secret: &[u8; 32]) -> Result<[u8; 32], StoreError> {
        let mut kept = [0; 32];
        hex::decode_to_slice(self.once("event_id_secret", &hex::encode(secret))?, &mut kept)
            .map_err(|_| wire::strange("secret"))?;
        Ok(kept)
    }

    fn ask<T>(&mut self, question: impl FnOnce(&mut dyn ConnectionLike) -> RedisResult<T>) -> Result<T, StoreError> {
        let link = self.linked.get().ok_or_else(|| StoreError::Redis("no connection".to_owned()))?;
        question(&mut **link).map_err(|error| {
            // Whatever it was: a fresh connection finds out whether writes are taken, and by whom.
            self.linked.lost();
            StoreError::Redis(error.to_string())
        })
    }

    fn run<T: FromRedisValue>(
        &mut self,
        script: &Script,
        arguments: impl FnOnce(&mut ScriptInvocation<'_>),
    ) -> Result<T, StoreError> {
        let call = self.keys.call(script, arguments);
        self.ask(|link| call.invoke(link))
    }

    /// Submissions that were sent from somewhere else.
    ///
    /// # Errors
    /// When Redis is away.
    pub fn remember(&mut self, sent: &[&Parked], now: UnixMillis) -> Result<(), StoreError> {
        if sent.is_empty() {
            return Ok(());
        }
        self.run(&REMEMBER, |script| {
            script.arg(now.0).arg(millis(SEEN_FOR));
            for Parked { admission, event_id, .. } in sent {
                let (supplied, contact) = admission
                    .supplied
                    .as_ref()
                    .map_or_else(Default::default, |supplied| (supplied.id.clone(), hex::encode(supplied.contact)));
                script.arg(hex::encode(admission.fingerprint)).arg(event_id).arg(supplied).arg(contact);
            }
        })
    }

    /// What is on its way with this replica stays its own.
    fn renew(&mut self) -> Result<bool, StoreError> {
        let owner = self.owner.clone();
        let in_flight: Vec<i64> = self.in_flight.iter().copied().collect();
        let news: Option<u64> = self.run(&RENEW_LEASES, |script| {
            script.arg(owner).arg(millis(LEASE)).arg(in_flight);
        })?;
        self.renewed = Instant::now();
        Ok(std::mem::replace(&mut self.news, news) != news)
    }
}

/// Whether a Redis is there and takes writes, and what could lose leads.
///
/// # Errors
/// When it is not, or does not.
pub fn probe(url: &RedisUrl) -> Result<Vec<String>, StoreError> {
    let examined = link::connect(url).and_then(|mut link| health::examine(&mut *link, url));
    examined.map_err(|error| StoreError::Redis(error.to_string()))
}

impl Store for RedisStore {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn secret(&mut self) -> Result<[u8; 32], StoreError> {
        self.offer_secret(&random_fingerprint())
    }

    fn admit(&mut self, admissions: &[Admission], now: UnixMillis) -> Result<Vec<Admitted>, StoreError> {
        let texts = admissions.iter().map(|admission| json(&wire::WireAdmission::of(admission)));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let answers: Vec<Vec<String>> = self.run(&ADMIT, |script| {
            script.arg(now.0).arg(millis(SEEN_FOR)).arg(millis(IDS)).arg(texts);
        })?;
        if answers.len() != admissions.len() {
            return Err(wire::strange("admit"));
        }
        answers.iter().map(|answer| wire::admitted(answer)).collect()
    }

    fn take_due(&mut self, wanted: &Wanted) -> Result<Vec<Due>, StoreError> {
        let owner = self.owner.clone();
        let order = match wanted.order {
            Order::Newest => "newest",
            Order::Oldest => "oldest",
        };
        let answers: Vec<Vec<String>> = self.run(&TAKE, |script| {
            script.arg(wanted.now.0).arg(&wanted.pixel).arg(wanted.limit).arg(wanted.max_bytes).arg(order);
            script.arg(owner).arg(millis(LEASE)).arg(millis(MAX_WAIT));
        })?;
        let due = answers.into_iter().map(wire::due).collect::<Result<Vec<_>, _>>()?;
        self.in_flight.extend(due.iter().map(|due| due.id));
        Ok(due)
    }

    fn next_due(&mut self, pixel: &str, now: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        let owner = self.owner.clone();
        let next: Option<u64> = self.run(&NEXT_DUE, |script| {
            script.arg(now.0).arg(pixel).arg(owner).arg(millis(MAX_WAIT));
        })?;
        Ok(next.map(UnixMillis))
    }

    fn settle(&mut self, settlements: &[Settlement], now: UnixMillis) -> Result<(), StoreError> {
        let texts = settlements.iter().map(|settlement| json(&wire::WireVerdict::of(settlement)));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let owner = self.owner.clone();
        self.run::<()>(&SETTLE, |script| {
            script.arg(now.0).arg(owner).arg(texts);
        })?;
        for settlement in settlements {
            self.in_flight.remove(&settlement.id);
        }
        Ok(())
    }

    fn first_use(&mut self, label: &str, now: UnixMillis) -> Result<UnixMillis, StoreError> {
        let first = self.once(&format!("first_use:{label}"), &now.0.to_string())?;
        first.parse().map(UnixMillis).map_err(|_| wire::strange("first_use"))
    }

    fn hold(&mut self, held: &Held, now: UnixMillis) -> Result<Holding, StoreError> {
        let Held { admission, bare, browser, until, place } = held;
        let submission = json(&wire::WireAdmission::of(admission))?;
        let ties: Vec<_> = admission.ties.iter().map(hex::encode).collect();
        let id = admission.supplied.as_ref().map_or(&admission.fallback_event_id, |supplied| &supplied.id);
        let (kind, event_id): (String, String) = self.run(&HOLD, |script| {
            script.arg(now.0).arg(MAX_HELD).arg(hex::encode(admission.fingerprint)).arg(hex::encode(browser));
            script.arg(until.0).arg(&place.0).arg(&place.1).arg(submission).arg(bare.as_deref().unwrap_or_default());
            script.arg(ties.join(" ")).arg(id);
        })?;
        match kind.as_str() {
            "waits" => Ok(Holding::Waits),
            "duplicate" => Ok(Holding::Duplicate { event_id }),
            "too many" => Ok(Holding::TooMany),
            _ => Err(wire::strange("hold")),
        }
    }

    fn choose(&mut self, choice: Choice, now: UnixMillis) -> Result<Vec<Released>, StoreError> {
        let (how, browser) = wire::choice(choice);
        // Redis' own random numbers can be foretold.
        let random = (0..AT_ONCE).flat_map(|_| [hex::encode(random_fingerprint()), uuid::Uuid::new_v4().to_string()]);
        let answers: Vec<Vec<String>> = self.run(&CHOOSE, |script| {
            script.arg(now.0).arg(millis(SEEN_FOR)).arg(millis(IDS)).arg(how).arg(browser).arg(AT_ONCE);
            if how != "granted" {
                script.arg(random.collect::<Vec<_>>());
            }
        })?;
        answers.iter().map(|answer| wire::released(answer)).collect()
    }

    fn held_browsers(&mut self) -> Result<Vec<[u8; 32]>, StoreError> {
        let browsers: HashSet<String> = self.run(&BROWSERS, |_| {})?;
        let bytes = |browser: &String| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(browser, &mut bytes).ok().map(|()| bytes)
        };
        Ok(browsers.iter().filter_map(bytes).collect())
    }

    fn withdraw(&mut self, ties: &[Tie], now: UnixMillis) -> Result<usize, StoreError> {
        let ties: Vec<_> = ties.iter().map(hex::encode).collect();
        self.run(&WITHDRAW, |script| {
            script.arg(now.0).arg(ties);
        })
    }

    fn pages(&mut self) -> Result<Vec<PageRow>, StoreError> {
        let (pages, page) = (self.keys.key("pages"), self.keys.key("page"));
        let keys: Vec<String> = self.ask(|link| redis::cmd("ZRANGE").arg(pages).arg(0).arg(-1).query(link))?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<Option<String>> = self.ask(|link| redis::cmd("HMGET").arg(page).arg(&keys).query(link))?;
        let rows = keys.into_iter().zip(rows).filter_map(|(key, row)| {
            let (host, at, forms): (String, u64, String) = serde_json::from_str(&row?).ok()?;
            Some(PageRow { key, host, at: UnixMillis(at), forms: Some(forms) })
        });
        Ok(rows.collect())
    }

    fn keep_pages(&mut self, rows: &[PageRow]) -> Result<(), StoreError> {
        let row = |row: &PageRow| match &row.forms {
            Some(forms) => json(&(&row.host, row.at.0, forms)),
            None => Ok(String::new()),
        };
        let texts = rows.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        self.run(&KEEP_PAGES, |script| {
            script.arg(MAX_ROWS);
            for (row, text) in rows.iter().zip(texts) {
                script.arg(&row.key).arg(row.at.0).arg(text);
            }
        })
    }

    fn tally(&mut self) -> Result<Tally, StoreError> {
        let (pending, dead, held) = self.run(&TALLY, |_| {})?;
        Ok(Tally { pending, dead, held })
    }

    fn tend(&mut self, _now: UnixMillis) -> Result<bool, StoreError> {
        if self.renewed.elapsed() < RENEW {
            let key = self.keys.key("news");
            let news: Option<u64> = self.ask(|link| redis::cmd("GET").arg(key).query(link))?;
            return Ok(std::mem::replace(&mut self.news, news) != news);
        }
        self.renew()
    }

    fn sweep(&mut self, now: UnixMillis) -> Result<(), StoreError> {
        self.run(&SWEEP, |script| {
            script.arg(now.0).arg(CHUNK).arg(millis(USABLE)).arg(millis(LEDGER));
            script.arg(millis(HELD_TOO_LONG)).arg(millis(PAGES));
        })
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Redis(error.to_string()))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
