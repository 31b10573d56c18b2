//! What the sidecar is, seen from outside, at one moment.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where to look.
pub struct Watch {
    pub pid: u32,
    pub admin: u16,
    pub store: PathBuf,
    pub begun: Instant,
}

/// One look. Sizes in KiB.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub seconds: f64,
    pub resident: u64,
    pub anonymous: u64,
    pub descriptors: usize,
    pub threads: u64,
    pub store: u64,
    pub requests: u64,
    pub committed: u64,
    pub duplicates: u64,
    pub pages: u64,
    pub tunnels: u64,
}

impl Watch {
    pub fn look(&self) -> Sample {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("the sidecar runs");
        let metrics = self.metrics();
        Sample {
            seconds: self.begun.elapsed().as_secs_f64(),
            resident: number(&status, "VmRSS:"),
            anonymous: number(&status, "RssAnon:"),
            descriptors: fs::read_dir(format!("/proc/{}/fd", self.pid)).expect("the sidecar runs").count(),
            threads: number(&status, "Threads:"),
            store: size(&self.store),
            requests: number(&metrics, "capi_requests_total "),
            committed: number(&metrics, "capi_outbox_committed_total "),
            duplicates: number(&metrics, "capi_outbox_duplicates_total "),
            pages: number(&metrics, "capi_pages_known "),
            tunnels: number(&metrics, "capi_tunnels "),
        }
    }

    fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).expect("the admin port accepts");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer that ends");
        text
    }
}

/// The number behind the first line that begins so.
fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {text}"));
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// The file of the store and those beside it, in KiB.
fn size(store: &Path) -> u64 {
    let file = |suffix: &str| fs::metadata(format!("{}{suffix}", store.display())).map_or(0, |meta| meta.len());
    ["", "-wal", "-shm"].map(file).iter().sum::<u64>() / 1024
}

impl Sample {
    pub const COLUMNS: &str =
        "      s  RSS KiB  anon KiB  descriptors  threads  store KiB  requests  leads  duplicates  pages  tunnels";

    pub fn line(&self) -> String {
        format!(
            "{:>7.0} {:>8} {:>9} {:>12} {:>8} {:>10} {:>9} {:>6} {:>11} {:>6} {:>8}",
            self.seconds,
            self.resident,
            self.anonymous,
            self.descriptors,
            self.threads,
            self.store,
            self.requests,
            self.committed,
            self.duplicates,
            self.pages,
            self.tunnels
        )
    }
}

/// Growth per hour, by least squares.
pub fn slope(samples: &[Sample], of: impl Fn(&Sample) -> u64) -> f64 {
    let count = samples.len() as f64;
    let middle = |value: &dyn Fn(&Sample) -> f64| samples.iter().map(value).sum::<f64>() / count;
    let (time, size) = (middle(&|sample| sample.seconds), middle(&|sample| of(sample) as f64));
    let (mut both, mut squares) = (0.0, 0.0);
    for sample in samples {
        both += (sample.seconds - time) * (of(sample) as f64 - size);
        squares += (sample.seconds - time).powi(2);
    }
    both / squares * 3600.0
}
