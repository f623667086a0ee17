//! Ports for servers that are processes of their own.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpListener;

/// `count` ports of the loopback that nobody listens on. They lie below those that systems give to connections going out:
/// one of these could take a port between its being found free here and its being listened on there.
pub fn free(count: usize) -> Vec<u16> {
    // All at once, so that no two are the same.
    let mut held = Vec::new();
    while held.len() < count {
        let port = 10_000 + (RandomState::new().build_hasher().finish() % 20_000) as u16;
        held.extend(TcpListener::bind(("127.0.0.1", port)));
    }
    held.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}
