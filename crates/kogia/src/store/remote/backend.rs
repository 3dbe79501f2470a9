//! Where a writer's transaction runs, as it stands beside its mark in a server.

use bytes::Bytes;

use crate::store::Backend;

const PROCESS: u8 = 0;
const SERVER: u8 = 1;
const UNKNOWN: u8 = 2;

/// A backend as bytes, fewer than ten thousand.
pub(in crate::store) fn encode(backend: &Backend) -> Vec<u8> {
    match backend {
        Backend::Process => vec![PROCESS],
        Backend::Server(name) if name.len() < 9_999 => [&[SERVER], &name[..]].concat(),
        Backend::Server(_) | Backend::Unknown => vec![UNKNOWN],
    }
}

pub(in crate::store) fn decode(bytes: &[u8]) -> Backend {
    match bytes.split_first() {
        Some((&PROCESS, [])) => Backend::Process,
        Some((&SERVER, name)) => Backend::Server(Bytes::copy_from_slice(name)),
        _ => Backend::Unknown,
    }
}
