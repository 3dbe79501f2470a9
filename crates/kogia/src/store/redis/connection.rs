//! Connections to one server, each of which knows which server that is.

use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    RedisResult, TlsCertificates,
};

use super::url::{RedisAddress, RedisUrl};
use crate::store::remote::{Breaker, Pool};

/// A connection on which nothing is under way.
pub(super) struct Connection {
    pub(super) raw: redis::Connection,
    /// The process at the other end, by the random name that it took when it started: as long as
    /// the connection lives, so does that process.
    pub(super) server: [u8; 16],
    /// How many answers nobody has waited for.
    unread: usize,
}

impl Connection {
    /// Sends a command without waiting for its answer.
    pub(super) fn send(&mut self, command: &redis::Cmd) -> RedisResult<()> {
        self.raw
            .send_packed_command(&command.get_packed_command())?;
        self.unread += 1;
        Ok(())
    }

    /// Reads the answers that nobody has waited for. They have arrived long ago.
    fn catch_up(&mut self) -> RedisResult<()> {
        while self.unread > 0 {
            self.unread -= 1;
            match self.raw.recv_response() {
                Err(error) if is_of_network(&error) => return Err(error),
                Err(error) if is_out_of_memory(&error) => count_out_of_memory(),
                // A server that refuses to store an entry says more at the next read.
                _ => {}
            }
        }
        Ok(())
    }
}

/// The connections of a process to one server.
pub(super) struct Connections {
    url: RedisUrl,
    pool: Pool<Connection>,
    breaker: Breaker,
}

/// More idle connections than this are closed: no process has more threads at work.
const IDLE: usize = 64;

impl Connections {
    pub(super) fn new(url: RedisUrl) -> Self {
        Connections {
            url,
            pool: Pool::new(IDLE),
            breaker: Breaker::new(),
        }
    }

    /// Has a connection do something. After an error of the network it is not used again, and if
    /// it had been idle, the server may have closed it meanwhile: then a new one tries.
    pub(super) fn with<T>(
        &self,
        mut call: impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, Refused> {
        if !self.breaker.admits() {
            return Err(Refused::Open);
        }
        if let Some(mut idle) = self.pool.take() {
            match idle.catch_up().and_then(|()| call(&mut idle)) {
                Err(error) if is_of_network(&error) => {
                    // The others were open as long.
                    self.pool.clear();
                    if error.is_timeout() {
                        self.breaker.failed();
                        return Err(error.into());
                    }
                }
                answer => return self.finish(idle, answer),
            }
        }
        let mut connection = self.connect().inspect_err(|_| self.breaker.failed())?;
        let answer = call(&mut connection);
        self.finish(connection, answer)
    }

    fn finish<T>(&self, connection: Connection, answer: RedisResult<T>) -> Result<T, Refused> {
        match &answer {
            Err(error) if is_of_network(error) => self.breaker.failed(),
            // The server has answered, and there is nothing left to be read.
            _ => {
                self.breaker.succeeded();
                self.pool.put(connection);
            }
        }
        Ok(answer?)
    }

    fn connect(&self) -> RedisResult<Connection> {
        let client = client(&self.url)?;
        let mut raw = client.get_connection_with_timeout(self.url.connect_timeout)?;
        raw.set_read_timeout(Some(self.url.timeout))?;
        raw.set_write_timeout(Some(self.url.timeout))?;
        let info: String = redis::cmd("INFO").arg("server").query(&mut raw)?;
        let server = server_of(&info).ok_or_else(|| {
            let kind = redis::ErrorKind::Client;
            RedisError::from((kind, "the server does not say its run_id in INFO server"))
        })?;
        Ok(Connection {
            raw,
            server,
            unread: 0,
        })
    }
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connections").field(&self.url).finish()
    }
}

/// Why a call had no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// The server has failed a moment ago and is left alone.
    #[error("the server did not answer a moment ago, and is left alone for a while")]
    Open,
    #[error("{0}")]
    Redis(#[from] RedisError),
}

impl Refused {
    /// Whether the server has no memory left for what the call would have written.
    pub(super) fn is_out_of_memory(&self) -> bool {
        matches!(self, Refused::Redis(error) if is_out_of_memory(error))
    }
}

fn is_out_of_memory(error: &RedisError) -> bool {
    // From inside a script the code may stand amid the message.
    error.code() == Some("OOM") || error.to_string().contains("OOM ")
}

/// Counts what the server refused because it is full and may not evict.
pub(super) fn count_out_of_memory() {
    metrics::counter!("kogia_store_out_of_memory_total").increment(1);
}

/// Whether an error leaves the connection in an unknown state, or says that it is gone.
fn is_of_network(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || matches!(
            error.kind(),
            redis::ErrorKind::Parse | redis::ErrorKind::AuthenticationFailed
        )
}

/// The first half of the server's `run_id`.
fn server_of(info: &str) -> Option<[u8; 16]> {
    let name = info.lines().find_map(|line| line.strip_prefix("run_id:"))?;
    let mut server = [0; 16];
    for (byte, digits) in server.iter_mut().zip(name.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    (name.len() >= 32).then_some(server)
}

fn client(url: &RedisUrl) -> RedisResult<Client> {
    let mut settings = RedisConnectionInfo::default()
        .set_db(url.database)
        .set_lib_name("kogia", env!("CARGO_PKG_VERSION"));
    if let Some(user) = &url.user {
        settings = settings.set_username(user);
    }
    if let Some(password) = &url.password {
        settings = settings.set_password(password);
    }
    let (address, ca) = match &url.address {
        RedisAddress::Tcp { host, port } => (ConnectionAddr::Tcp(host.clone(), *port), None),
        RedisAddress::Unix(path) => (ConnectionAddr::Unix(path.clone()), None),
        RedisAddress::Tls { host, port, ca } => {
            // Which cryptography rustls uses is the program's choice; a library may only make it
            // where the program has not.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let address = ConnectionAddr::TcpTls {
                host: host.clone(),
                port: *port,
                insecure: false,
                tls_params: None,
            };
            (address, ca.as_ref())
        }
    };
    let info: ConnectionInfo = address.into_connection_info()?.set_redis_settings(settings);
    match ca {
        None => Client::open(info),
        Some(path) => {
            let root_cert = Some(std::fs::read(path)?);
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert,
            };
            Client::build_with_tls(info, certificates)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_run_id() {
        let info = "# Server\r\nredis_version:7.0.15\r\nrun_id:0102030405060708090a0b0c0d0e0f10aabbccdd\r\n";
        let server = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
        assert_eq!(server_of(info), Some(server));
        assert_eq!(server_of("run_id:01020304\r\n"), None);
        assert_eq!(
            server_of("run_id:zz02030405060708090a0b0c0d0e0f10aabbccdd"),
            None
        );
        assert_eq!(server_of("redis_version:7.0.15"), None);
    }
}
