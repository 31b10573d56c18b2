//! Whether a Redis can be trusted with leads: it must take writes, and should have them on disk when it says so.

use std::sync::{Mutex, PoisonError};

use redis::{ConnectionLike, RedisResult, Script, Value, cmd};

use super::url::RedisUrl;

/// What was said already: a connection that comes and goes must not fill the log.
static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Fails when it takes no writes, and logs what could lose leads, once.
///
/// # Errors
/// As the client library says it.
pub fn check(link: &mut dyn ConnectionLike, url: &RedisUrl) -> RedisResult<()> {
    for warning in examine(link, url)? {
        let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
        if !said.contains(&warning) {
            tracing::warn!(redis = %url, "{warning}");
            said.push(warning);
        }
    }
    Ok(())
}

/// Fails when it takes no writes (a replica, out of memory, cannot persist); tells what could lose what it took.
///
/// # Errors
/// As the client library says it.
pub fn examine(link: &mut dyn ConnectionLike, url: &RedisUrl) -> RedisResult<Vec<String>> {
    // Inside a script, so that in a cluster it goes where our keys are.
    let probe = "redis.call('SET', KEYS[1] .. ':probe', '1', 'PX', 1000)
                 return { redis.call('INFO', 'persistence'), redis.call('INFO', 'memory') }";
    let (persistence, memory): (String, String) = Script::new(probe).key(format!("{{{}}}", url.prefix)).invoke(link)?;
    let policy = cmd("CONFIG").arg("GET").arg("appendfsync").query::<Value>(link).ok();
    Ok(warnings(&persistence, &memory, policy.as_ref()))
}

/// <https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/>, and on eviction
/// <https://redis.io/docs/latest/develop/reference/eviction/>
fn warnings(persistence: &str, memory: &str, policy: Option<&Value>) -> Vec<String> {
    let mut warnings = Vec::new();
    let field = |text: &str, name: &str| {
        text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':').map(str::to_owned))
    };
    if field(persistence, "aof_enabled").as_deref() == Some("0") {
        warnings.push(
            "Redis has no append-only file: leads that it took are lost when it ends; set \"appendonly yes\" and \
             \"appendfsync always\""
                .to_owned(),
        );
    } else {
        let mut words = Vec::new();
        if let Some(policy) = policy {
            texts(policy, &mut words);
        }
        match words.iter().find(|word| ["always", "everysec", "no"].contains(&word.as_str())) {
            Some(word) if word == "always" => {}
            Some(word) => warnings.push(format!(
                "Redis syncs its append-only file \"{word}\": the leads of about a second (or more) are lost when its machine \
                 ends; set \"appendfsync always\""
            )),
            None => warnings.push(
                "Redis does not say how it syncs its append-only file (CONFIG GET is not allowed); leads are safe with \
                 \"appendfsync always\" only"
                    .to_owned(),
            ),
        }
    }
    let evicts = field(memory, "maxmemory_policy").filter(|policy| policy != "noeviction");
    if let Some(policy) = evicts {
        warnings.push(format!(
            "Redis may throw leads away when its memory is full (maxmemory-policy {policy}); set \"noeviction\""
        ));
    }
    warnings
}

fn texts(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::BulkString(bytes) => into.push(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) => into.push(text.clone()),
        Value::Array(values) | Value::Set(values) => values.iter().for_each(|value| texts(value, into)),
        Value::Map(pairs) => pairs.iter().for_each(|(_, value)| texts(value, into)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_lose_a_lead_is_warned_about() {
        let policy = |word: &str| {
            Value::Array(vec![Value::BulkString(b"appendfsync".to_vec()), Value::BulkString(word.as_bytes().to_vec())])
        };
        let (on, off) = ("# Persistence\r\naof_enabled:1\r\n", "aof_enabled:0\r\n");
        let (keeps, evicts) = ("maxmemory_policy:noeviction\r\n", "maxmemory_policy:allkeys-lru\r\n");
        for (persistence, memory, policy, expected) in [
            (on, keeps, Some(policy("always")), vec![]),
            (on, keeps, Some(policy("everysec")), vec!["everysec"]),
            (on, keeps, Some(Value::Map(vec![(Value::Nil, policy("no"))])), vec!["\"no\""]),
            (on, keeps, None, vec!["does not say"]),
            (off, evicts, Some(policy("always")), vec!["no append-only file", "allkeys-lru"]),
        ] {
            let warnings = warnings(persistence, memory, policy.as_ref());
            assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
            assert!(warnings.iter().zip(expected).all(|(warning, word)| warning.contains(word)), "{warnings:?}");
        }
    }
}
