//! What the `outbox` verbs do with a Redis.

use std::collections::HashSet;

use redis::{FromRedisValue, Script, ScriptInvocation};
use serde_json::Value;

use super::link::{self, Link};
use super::url::RedisUrl;
use super::{Keys, VERSION, wire};
use crate::exchange::UnixMillis;
use crate::outbox::StoreError;
use crate::outbox::inspect::{DeliveryRow, Inspector, has_email, without_hashes};

scripts!(ROWS = "rows", RETRY = "retry", DROP = "drop", ERASE = "erase");

/// Rows that are asked for at once.
const CHUNK: usize = 500;

/// A Redis, beside the sidecars that use it.
pub struct RedisInspector {
    link: Link,
    keys: Keys,
}

impl RedisInspector {
    /// Connects.
    ///
    /// # Errors
    /// When there is no server, or what is there was made by a newer version.
    pub fn open(url: &RedisUrl) -> Result<Self, StoreError> {
        let link = link::connect(url).map_err(|error| StoreError::Redis(error.to_string()))?;
        let mut inspector = Self { link, keys: Keys::new(url) };
        let key = inspector.keys.key("meta");
        let version: Option<String> = inspector.ask(redis::cmd("HGET").arg(key).arg("version"))?;
        match version.map(|version| version.parse().unwrap_or(u32::MAX)) {
            Some(found) if found > VERSION => Err(StoreError::Newer { found, known: VERSION }),
            _ => Ok(inspector),
        }
    }

    fn ask<T: FromRedisValue>(&mut self, command: &redis::Cmd) -> Result<T, StoreError> {
        command.query(&mut *self.link).map_err(|error| StoreError::Redis(error.to_string()))
    }

    fn run<T: FromRedisValue>(
        &mut self,
        script: &Script,
        arguments: impl FnOnce(&mut ScriptInvocation<'_>),
    ) -> Result<T, StoreError> {
        self.keys.call(script, arguments).invoke(&mut *self.link).map_err(|error| StoreError::Redis(error.to_string()))
    }

    /// The members of a sorted set, lowest first.
    fn members(&mut self, set: &str) -> Result<Vec<String>, StoreError> {
        let key = self.keys.key(set);
        self.ask(redis::cmd("ZRANGE").arg(key).arg(0).arg(-1))
    }

    fn hash_field(&mut self, key: &str, field: &str) -> Result<Option<String>, StoreError> {
        let key = self.keys.key(key);
        self.ask(redis::cmd("HGET").arg(key).arg(field))
    }

    /// With the event's number.
    fn rows(&mut self, ids: &[String]) -> Result<Vec<(DeliveryRow, String)>, StoreError> {
        let rows: Vec<Vec<String>> = self.run(&ROWS, |script| {
            script.arg(ids);
        })?;
        rows.into_iter().map(row).collect()
    }

    fn run_with(&mut self, script: &Script, ids: &[i64]) -> Result<usize, StoreError> {
        let now = UnixMillis::now();
        self.run(script, |script| {
            script.arg(now.0).arg(ids);
        })
    }
}

impl Inspector for RedisInspector {
    fn list(&mut self, state: Option<&str>, each: &mut dyn FnMut(DeliveryRow) -> bool) -> Result<(), StoreError> {
        let mut ids = self.members("all")?;
        ids.reverse();
        for ids in ids.chunks(CHUNK) {
            for (row, _) in self.rows(ids)? {
                if state.is_none_or(|state| state == row.state) && !each(row) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn show(&mut self, id: i64) -> Result<Option<(DeliveryRow, Option<Value>)>, StoreError> {
        let Some((row, event)) = self.rows(&[id.to_string()])?.pop() else { return Ok(None) };
        let body = self.hash_field(&format!("event:{event}"), "body")?;
        Ok(Some((row, body.and_then(|body| without_hashes(&body)))))
    }

    fn retry(&mut self, ids: &[i64]) -> Result<usize, StoreError> {
        if !ids.is_empty() {
            return self.run_with(&RETRY, ids);
        }
        let dead: Vec<i64> = self.members("settled:dead")?.iter().filter_map(|id| id.parse().ok()).collect();
        dead.chunks(CHUNK).map(|ids| self.run_with(&RETRY, ids)).sum()
    }

    fn drop_deliveries(&mut self, ids: &[i64]) -> Result<usize, StoreError> {
        ids.chunks(CHUNK).map(|ids| self.run_with(&DROP, ids)).sum()
    }

    fn erase_by_email(&mut self, hashes: &HashSet<String>) -> Result<usize, StoreError> {
        let (mut events, mut held) = (Vec::new(), Vec::new());
        for event in self.members("bodies")?.iter().filter_map(|event| event.parse::<i64>().ok()) {
            if self.hash_field(&format!("event:{event}"), "body")?.is_some_and(|body| has_email(&body, hashes)) {
                events.push(event);
            }
        }
        for print in self.members("held")? {
            let submission = self.hash_field(&format!("held:{print}"), "submission")?;
            let submission = submission.and_then(|text| serde_json::from_str::<wire::WireAdmission>(&text).ok());
            if submission.is_some_and(|submission| has_email(&submission.body, hashes)) {
                held.push(print);
            }
        }
        let now = UnixMillis::now();
        self.run::<()>(&ERASE, |script| {
            script.arg(now.0).arg(events.len()).arg(&events).arg(&held);
        })?;
        Ok(events.len() + held.len())
    }
}

fn row(fields: Vec<String>) -> Result<(DeliveryRow, String), StoreError> {
    let [id, event_id, event_name, pixel, state, reason, code, subcode, attempts, time, due, trace, event] =
        <[String; 13]>::try_from(fields).map_err(|_| wire::strange("rows"))?;
    let due: Option<i64> = due.parse().ok();
    let row = DeliveryRow {
        id: id.parse().map_err(|_| wire::strange("rows"))?,
        event_id,
        event_name,
        pixel,
        due_at: due.filter(|_| state == "pending").map(|due| due.saturating_add(999) / 1000),
        state,
        reason: Some(reason).filter(|reason| !reason.is_empty()),
        code: code.parse().ok(),
        subcode: subcode.parse().ok(),
        attempts: attempts.parse().unwrap_or_default(),
        event_time: time.parse().unwrap_or_default(),
        fbtrace_id: Some(trace).filter(|trace| !trace.is_empty()),
    };
    Ok((row, event))
}
