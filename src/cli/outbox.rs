//! `outbox list|show|retry|drop|export`: the deliveries of a running or stopped sidecar.

use std::collections::HashSet;

use clap::ArgMatches;
use serde_json::json;

use super::{Exit, complain, each_line, is_json, say};
use crate::lead::contact::Key;
use crate::lead::normalize::hash;
use crate::outbox::inspect::{self, DeliveryRow, Inspector};
use crate::outbox::{StoreError, StoreUrl};

/// Runs one of the verbs.
pub fn outbox(args: &ArgMatches) -> Exit {
    let Some((verb, args)) = args.subcommand() else { return Exit::Usage };
    let url = args.get_one::<String>("store").map(String::as_str).unwrap_or_default();
    let url = match StoreUrl::parse(url) {
        Ok(url) => url,
        Err(problem) => {
            complain(&format!("--store: {problem}"));
            return Exit::Usage;
        }
    };
    let ids: Vec<i64> = args.try_get_many("id").ok().flatten().map(|ids| ids.copied().collect()).unwrap_or_default();
    let state = args.try_get_one::<String>("state").ok().flatten().map(String::as_str);
    let done = inspect::open(&url).and_then(|mut opened| {
        let store = &mut *opened;
        match verb {
            "list" => list(store, state, is_json(args)),
            "export" => list(store, state, true),
            "show" => show(store, &ids, is_json(args)),
            "retry" => store.retry(&ids).map(|count| report(&format!("{count} deliveries are due again"))),
            "drop" if args.get_flag("email-stdin") => erase_by_email(store),
            _ => store.drop_deliveries(&ids).map(|count| report(&format!("{count} deliveries removed"))),
        }
    });
    match done {
        Ok(exit) => exit,
        Err(error) => {
            complain(&format!("store {url}: {error}"));
            Exit::Unavailable
        }
    }
}

/// An erasure request. An address that cannot be one is said so, by its line: it may be a slip of the pen.
fn erase_by_email(store: &mut dyn Inspector) -> Result<Exit, StoreError> {
    let (mut hashes, mut number, mut wrong) = (HashSet::new(), 0, false);
    let read = each_line(|line| {
        number += 1;
        let text = String::from_utf8_lossy(line);
        if text.trim().is_empty() {
            return true;
        }
        match hash(Key::Em, &text, None) {
            Ok(hash) => {
                hashes.insert(hash);
            }
            Err(why) => {
                wrong = true;
                complain(&format!("line {number}: not an e-mail address ({})", why.code()));
            }
        }
        true
    });
    if read != Exit::Fine || wrong {
        return Ok(Exit::Usage);
    }
    let count = store.erase_by_email(&hashes)?;
    Ok(report(&format!("{count} events erased; what Meta has already received is not in this store")))
}

fn report(line: &str) -> Exit {
    say(line);
    Exit::Fine
}

fn list(store: &mut dyn Inspector, state: Option<&str>, json: bool) -> Result<Exit, StoreError> {
    let mut count = 0;
    store.list(state, &mut |row| {
        count += 1;
        say(&if json { json!(row).to_string() } else { text(&row) })
    })?;
    if count == 0 && !json {
        say("nothing there");
    }
    Ok(Exit::Fine)
}

fn text(row: &DeliveryRow) -> String {
    let time =
        |seconds| jiff::Timestamp::from_second(seconds).map_or_else(|_| String::from("?"), |time| time.to_string());
    let reason = row.reason.as_ref().map_or(String::new(), |reason| format!(", {reason}"));
    let code = row.code.map_or(String::new(), |code| format!(" {code}"));
    let subcode = row.subcode.map_or(String::new(), |subcode| format!("/{subcode}"));
    let trace = row.fbtrace_id.as_ref().map_or(String::new(), |trace| format!(", fbtrace_id {trace}"));
    let due = row.due_at.map_or(String::new(), |due| format!(", due {}", time(due)));
    format!(
        "{:>6}  {}  {:<9}  {} {} to {}, {} attempt(s){reason}{code}{subcode}{trace}{due}",
        row.id,
        time(row.event_time),
        row.state,
        row.event_name,
        row.event_id,
        row.pixel,
        row.attempts
    )
}

fn show(store: &mut dyn Inspector, ids: &[i64], as_json: bool) -> Result<Exit, StoreError> {
    let mut exit = Exit::Fine;
    for id in ids {
        match store.show(*id)? {
            Some((row, event)) if as_json => {
                let mut shown = json!(row);
                shown["event"] = json!(event);
                say(&shown.to_string());
            }
            Some((row, event)) => {
                say(&text(&row));
                say(&event.map_or_else(|| "        its event has been erased".to_owned(), |event| format!("{event:#}")));
            }
            None => {
                complain(&format!("no delivery {id}; `outbox list` shows what there is"));
                exit = Exit::Usage;
            }
        }
    }
    Ok(exit)
}
