//! The command line: what was asked is read here, each verb does its work in a file of its own.

mod check;
mod consent;
mod explain;
mod explanation;
mod health;
mod normalize;
mod outbox;
mod recorded;
mod run;

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::table::{Kind, SETTINGS};
use crate::config::{Loaded, Purpose, Sources, load, reference};

/// Exit codes, those of BSD's sysexits(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Fine,
    /// The command line is wrong.
    Usage,
    /// A needed service (the site, Graph, the store, a port) is missing.
    Unavailable,
    /// A bug.
    Software,
    /// The configuration is wrong.
    Config,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Usage => 64,
            Exit::Unavailable => 69,
            Exit::Software => 70,
            Exit::Config => 78,
        })
    }
}

/// Runs the program with the process's arguments and environment.
#[must_use]
pub fn main() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Fine };
            // A closed pipe is the reader's choice.
            let _ = error.print();
            return exit.into();
        }
    };
    let exit = match matches.subcommand() {
        Some(("run", args)) => with_config(args, Purpose::Run, run::run),
        Some(("check", args)) => {
            with_config(args, Purpose::Run, |loaded, _| check::check(&loaded, args.get_flag("online")))
        }
        Some(("health", args)) => with_config(args, Purpose::Explain, |loaded, _| health::health(&loaded.config)),
        Some(("explain", args)) => {
            with_config(args, Purpose::Explain, |loaded, _| explain::explain(args, &loaded.config))
        }
        Some(("normalize", args)) => normalize::normalize(args),
        Some(("consent", args)) => {
            with_config(args, Purpose::Explain, |loaded, _| consent::consent(args, &loaded.config))
        }
        Some(("outbox", args)) => outbox::outbox(args),
        Some(("settings", args)) => settings(args),
        _ => Exit::Usage,
    };
    exit.into()
}

/// The settings from flags, environment and file; a mistake ends the command with all of them listed.
fn with_config(args: &ArgMatches, purpose: Purpose, work: impl FnOnce(Loaded, Sources) -> Exit) -> Exit {
    let sources = sources(args);
    match load(&sources, purpose) {
        Ok(loaded) => work(loaded, sources),
        Err(errors) => {
            complain(&errors.to_string());
            Exit::Config
        }
    }
}

/// A message for the operator, on stderr.
fn complain(message: &str) {
    for line in message.lines() {
        let _ = writeln!(io::stderr(), "capi-sidecar: {line}");
    }
}

/// Prints a line. `false` when nobody reads any more, which ends a listing and is no error.
fn say(line: &str) -> bool {
    writeln!(io::stdout(), "{line}").is_ok()
}

/// Works on each line of stdin, blank ones included, until there are no more or nobody reads the answers.
fn each_line(mut work: impl FnMut(&[u8]) -> bool) -> Exit {
    for line in io::stdin().lock().split(b'\n') {
        match line {
            Ok(line) if work(line.strip_suffix(b"\r").unwrap_or(&line)) => {}
            Ok(_) => break,
            Err(error) => {
                complain(&format!("stdin: {error}"));
                return Exit::Usage;
            }
        }
    }
    Exit::Fine
}

fn sources(args: &ArgMatches) -> Sources {
    let env: BTreeMap<String, String> = SETTINGS
        .iter()
        .filter_map(crate::config::table::Setting::env_name)
        .filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)))
        .collect();
    let flags = SETTINGS.iter().filter_map(crate::config::table::Setting::flag_name).filter_map(|flag| {
        let values = args.try_get_many::<String>(&flag).ok().flatten()?;
        Some((flag, values.cloned().collect()))
    });
    let file = args.try_get_one::<PathBuf>("config").ok().flatten().cloned();
    let file = file.or_else(|| std::env::var_os("CAPI_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from));
    Sources { file, env, flags: flags.collect() }
}

fn command() -> Command {
    let run = with_settings(Command::new("run").about("The proxy"), false);
    let check = with_settings(Command::new("check").about("Validate the configuration and exit"), false)
        .arg(switch("online").help("Also ask the site and Graph whether they are there"));
    let health = with_settings(
        Command::new("health").about("Ask the admin port of a running sidecar; exit code 0 when it is ready"),
        true,
    );
    let explain = with_settings(
        Command::new("explain").about("Decide on one recorded request, step by step; nothing is stored or sent"),
        true,
    )
    .arg(path("request").required(true).help("Raw HTTP/1.1 request: request line, headers, blank line, body"))
    .arg(path("response").help("Raw HTTP/1.1 answer of the site"))
    .arg(path("page").help("HTML of the page the form was on"))
    .arg(path("follow-up").help("Raw HTTP/1.1 answer to the page after a redirect, where the outcome shows only there"))
    .arg(Arg::new("peer").long("peer").value_name("IP").default_value("127.0.0.1").help("Who connected"))
    .arg(Arg::new("time").long("time").value_name("RFC3339").help("When the request arrived [default: now]"))
    .arg(format_arg());
    let normalize = Command::new("normalize")
        .about("Normalise and hash values from stdin, one per line, as they would be sent")
        .arg(
            Arg::new("field")
                .long("field")
                .required(true)
                .value_parser(crate::lead::contact::Key::ALL.map(crate::lead::contact::Key::name))
                .help("Meta's name of the field"),
        )
        .arg(Arg::new("country").long("country").value_name("CC").help("Country of phone numbers and postal codes"));
    let consent = with_settings(
        Command::new("consent").about("Read consent from Cookie header values on stdin, one per line"),
        true,
    )
    .arg(
        Arg::new("header")
            .long("header")
            .action(ArgAction::Append)
            .value_name("NAME: VALUE")
            .help("A further request header, e.g. \"Sec-GPC: 1\""),
    );
    let settings = Command::new("settings")
        .about("Print the reference of all settings")
        .arg(Arg::new("format").long("format").value_parser(["markdown", "schema"]).default_value("markdown"));
    Command::new("capi-sidecar")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "Transparent reverse proxy that turns a site's accepted form submissions into Meta Conversions API events",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([run, check, health, explain, normalize, consent, outbox_command(), settings])
}

fn outbox_command() -> Command {
    let verb = |name: &'static str, about: &'static str| {
        Command::new(name).about(about).arg(
            Arg::new("store")
                .long("store")
                .value_name("URL")
                .env("CAPI_STORE")
                .hide_env_values(true)
                .default_value("sqlite:capi-sidecar.db"),
        )
    };
    let ids = || Arg::new("id").num_args(1..).value_parser(clap::value_parser!(i64)).help("Ids as listed");
    let state =
        || Arg::new("state").long("state").value_parser(["pending", "delivered", "refused", "dead"]).help("Only these");
    Command::new("outbox")
        .about("Look into the outbox of a running or stopped sidecar")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            verb("list", "Deliveries, newest first").arg(state()).arg(format_arg()),
            verb("show", "One delivery with its event (match keys are named, not shown)")
                .arg(ids().required(true))
                .arg(format_arg()),
            verb("retry", "Send dead deliveries again: those named, or all").arg(ids()),
            verb("drop", "Remove deliveries for good, or all that a person's events hold (an erasure request)")
                .arg(ids().required_unless_present("email-stdin").conflicts_with("email-stdin"))
                .arg(switch("email-stdin").help(
                    "Read e-mail addresses from stdin, one per line, and erase every event and waiting submission with one",
                )),
            verb("export", "All deliveries as JSON lines").arg(state()),
        ])
}

fn switch(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

fn path(name: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("FILE").value_parser(clap::value_parser!(PathBuf))
}

fn format_arg() -> Arg {
    Arg::new("format")
        .long("format")
        .value_parser(["text", "json"])
        .default_value("text")
        .help("For people or machines")
}

fn is_json(args: &ArgMatches) -> bool {
    args.get_one::<String>("format").is_some_and(|format| format == "json")
}

/// Adds a flag for every row of the table. `hidden` keeps them out of the help of verbs that only borrow them.
fn with_settings(mut command: Command, hidden: bool) -> Command {
    command = command.arg(path("config").help("TOML file [env: CAPI_CONFIG]"));
    for setting in SETTINGS {
        let Some(flag) = setting.flag_name() else { continue };
        // A verb's own flag of the same name would be `--format`; none of the table's is called that.
        let env = setting.env_name().unwrap_or_default();
        let default =
            if setting.default.is_empty() { String::new() } else { format!(" [default: {}]", setting.default) };
        let value_name = match setting.kind {
            Kind::Choice(words) => words.join("|"),
            Kind::Path => "FILE".to_owned(),
            Kind::Address => "ADDR".to_owned(),
            Kind::Duration => "DURATION".to_owned(),
            Kind::Size => "SIZE".to_owned(),
            Kind::Integer { .. } => "N".to_owned(),
            Kind::Bool => "true|false".to_owned(),
            _ => "VALUE".to_owned(),
        };
        let action = if setting.is_list() { ArgAction::Append } else { ArgAction::Set };
        command = command.arg(
            Arg::new(flag.clone())
                .long(flag)
                .action(action)
                .value_name(value_name)
                .help(format!("{}{default} [env: {env}]", setting.help))
                .hide(hidden),
        );
    }
    command
}

fn settings(args: &ArgMatches) -> Exit {
    if args.get_one::<String>("format").is_some_and(|format| format == "schema") {
        say(&format!("{:#}", reference::json_schema()));
    } else {
        say(reference::markdown().trim_end());
    }
    Exit::Fine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn flags_reach_the_sources() {
        let matches = command()
            .try_get_matches_from(["capi-sidecar", "run", "--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "::1"])
            .unwrap();
        let (_, args) = matches.subcommand().unwrap();
        assert_eq!(sources(args).flags["trusted-proxy"], ["10.0.0.0/8", "::1"]);
    }

    #[test]
    fn a_token_is_never_taken_from_a_flag() {
        assert!(command().try_get_matches_from(["capi-sidecar", "run", "--access-token", "x"]).is_err());
    }
}
