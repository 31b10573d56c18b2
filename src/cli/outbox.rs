//! `outbox list|show|retry|drop|export`: the deliveries of a running or stopped sidecar.

use std::path::PathBuf;

use clap::ArgMatches;
use serde_json::json;

use super::{Exit, complain, is_json, say};
use crate::config::parse;
use crate::outbox::StoreError;
use crate::outbox::inspect::{DeliveryRow, Inspector};

/// Runs one of the verbs.
pub fn outbox(args: &ArgMatches) -> Exit {
    let Some((verb, args)) = args.subcommand() else { return Exit::Usage };
    let url = args.get_one::<String>("store").map(String::as_str).unwrap_or_default();
    let path: PathBuf = match parse::store(url) {
        Ok(path) => path,
        Err(problem) => {
            complain(&format!("--store {url}: {problem}"));
            return Exit::Usage;
        }
    };
    let ids: Vec<i64> = args.try_get_many("id").ok().flatten().map(|ids| ids.copied().collect()).unwrap_or_default();
    let state = args.try_get_one::<String>("state").ok().flatten().map(String::as_str);
    let done = Inspector::open(&path).and_then(|mut store| match verb {
        "list" => list(&store, state, is_json(args)),
        "export" => list(&store, state, true),
        "show" => show(&store, &ids, is_json(args)),
        "retry" => store.retry(&ids).map(|count| report(&format!("{count} deliveries are due again"))),
        _ => store.drop_deliveries(&ids).map(|count| report(&format!("{count} deliveries removed"))),
    });
    match done {
        Ok(exit) => exit,
        Err(error) => {
            complain(&format!("store {}: {error}", path.display()));
            Exit::Unavailable
        }
    }
}

fn report(line: &str) -> Exit {
    say(line);
    Exit::Fine
}

fn list(store: &Inspector, state: Option<&str>, json: bool) -> Result<Exit, StoreError> {
    let mut count = 0;
    store.list(state, |row| {
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

fn show(store: &Inspector, ids: &[i64], as_json: bool) -> Result<Exit, StoreError> {
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
