//! The servers that other tests rely on do what those tests believe of them.

#[path = "support/redis.rs"]
mod redis;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use redis::{Cluster, Redis, Watched};

#[test]
#[ignore = "needs redis-server"]
fn what_was_answered_is_there_after_a_kill() {
    let mut server = Redis::start();
    assert_eq!(server.ask("SET lead 1"), "+OK");
    assert_eq!(
        (server.ask("CONFIG GET appendfsync"), server.ask("INCR lead")),
        ("appendfsync\nalways".into(), ":2".into())
    );
    let port = server.port();
    server.kill();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    server.restart();
    assert_eq!((server.port(), server.ask("GET lead").as_str()), (port, "2"));
}

#[test]
#[ignore = "needs redis-server"]
fn a_stopped_server_keeps_its_connections_and_answers_when_it_goes_on() {
    use std::io::{Read, Write};
    let server = Redis::start();
    server.pause();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).expect("the system still accepts");
    stream.write_all(b"PING\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut answer = [0; 7];
    assert!(stream.read(&mut answer).is_err(), "it answers although it was stopped");
    server.resume();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_ends_with_its_owner_even_when_it_was_stopped() {
    let server = Redis::start();
    server.pause();
    let (port, dir) = (server.port(), server.dir().to_owned());
    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err() && !dir.exists());
}

#[test]
#[ignore = "needs redis-server"]
fn a_cluster_sends_a_key_to_the_node_that_has_it() {
    let cluster = Cluster::start();
    let answers: Vec<_> = cluster.nodes.iter().map(|node| node.ask("SET lead 1")).collect();
    assert_eq!(answers.iter().filter(|answer| *answer == "+OK").count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.starts_with("-MOVED ")).count(), 2, "{answers:?}");
    let moved = answers.iter().find_map(|answer| answer.strip_prefix("-MOVED ")?.split(' ').nth(1)).unwrap();
    assert!(cluster.addresses().iter().any(|address| address == moved), "{moved}");
}

#[test]
#[ignore = "needs redis-server"]
fn a_sentinel_makes_the_replica_the_master_when_the_master_is_gone() {
    let mut watched = Watched::start();
    assert_eq!(watched.master_port(), watched.master.port());
    assert_eq!(watched.master.ask("SET lead 1"), "+OK");
    let start = Instant::now();
    while watched.replica.ask("GET lead") != "1" {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(5));
    }
    watched.master.kill();
    while watched.master_port() != watched.replica.port() || !watched.replica.ask("ROLE").starts_with("master") {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(watched.replica.ask("GET lead"), "1");
    assert_eq!(watched.replica.ask("INCR lead"), ":2", "it takes writes");
}
