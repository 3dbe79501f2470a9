//! Connections to one server, each of which knows which server that is.

use std::time::{Duration, Instant};

use redis::{
    Client, ConnectionAddr, ConnectionInfo, ConnectionLike, IntoConnectionInfo, ProtocolVersion,
    RedisConnectionInfo, RedisError, RedisResult, TlsCertificates, Value,
};

use super::sentinel::Sentinels;
use super::url::{RedisAddress, RedisUrl};
use crate::store::remote::{self, Dial, count_out_of_memory};

/// A connection on which nothing is under way.
pub(in crate::store) struct Connection {
    pub(super) raw: redis::Connection,
    /// The primary at the other end, see [`name_of`].
    pub(super) server: [u8; 16],
    /// When the server was last asked.
    named: Instant,
    /// When it was last used.
    used: Instant,
    /// Since when it has been used all the time: between two uses, the server did not sleep for long.
    pub(super) awake_since: Instant,
    /// Where the server is, if sentinels said so.
    found_at: Option<(String, u16)>,
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

    /// Waits for the answer to the first of the commands that were sent.
    pub(super) fn receive<T: redis::FromRedisValue>(&mut self) -> RedisResult<T> {
        let answer = self.raw.recv_response();
        self.unread -= 1;
        Ok(redis::from_redis_value(answer?)?)
    }

    /// Prepares an idle connection to be used again.
    pub(super) fn resume(&mut self, server: &Server) -> RedisResult<()> {
        self.catch_up()?;
        if self.named.elapsed() >= FRESH {
            self.named = Instant::now();
            if server.primary()? != self.found_at {
                return Err(not_the_primary("its sentinels name another one"));
            }
            if name_of(&mut self.raw)? != self.server {
                return Err(not_the_primary(
                    "it has been another server's replica meanwhile",
                ));
            }
        }
        let now = Instant::now();
        if now.duration_since(self.used) >= FRESH {
            self.awake_since = now;
        }
        self.used = now;
        Ok(())
    }

    /// Reads the answers that nobody has waited for. They have arrived long ago.
    fn catch_up(&mut self) -> RedisResult<()> {
        while self.unread > 0 {
            self.unread -= 1;
            match self.raw.recv_response().and_then(Value::extract_error) {
                Err(error) if is_final(&error) => return Err(error),
                Err(error) if is_out_of_memory(&error) => count_out_of_memory(),
                // A server that refuses to store an entry says more at the next read.
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a caller does while the first answer that it waits for is on its way.
pub(super) type Meanwhile<'a> = Option<&'a mut (dyn FnMut() + Send)>;

/// A connection whose caller does something else while an answer is on its way.
pub(super) struct Busy<'a, 'b> {
    pub(super) raw: &'a mut redis::Connection,
    pub(super) meanwhile: &'a mut Meanwhile<'b>,
}

impl Busy<'_, '_> {
    fn send(&mut self, commands: &[u8], meanwhile: &mut dyn FnMut()) -> RedisResult<()> {
        self.raw.send_packed_command(commands)?;
        meanwhile();
        Ok(())
    }
}

impl ConnectionLike for Busy<'_, '_> {
    fn req_packed_command(&mut self, command: &[u8]) -> RedisResult<Value> {
        let Some(meanwhile) = self.meanwhile.take() else {
            return self.raw.req_packed_command(command);
        };
        self.send(command, meanwhile)?;
        self.raw.recv_response()
    }

    fn req_packed_commands(
        &mut self,
        commands: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        let Some(meanwhile) = self.meanwhile.take() else {
            return self.raw.req_packed_commands(commands, offset, count);
        };
        self.send(commands, meanwhile)?;
        // What could not be read ends the connection, with whatever was to follow.
        let answers: RedisResult<Vec<Value>> = (0..offset + count)
            .map(|_| self.raw.recv_response())
            .collect();
        Ok(answers?.split_off(offset))
    }

    fn get_db(&self) -> i64 {
        self.raw.get_db()
    }

    fn check_connection(&mut self) -> bool {
        self.raw.check_connection()
    }

    fn is_open(&self) -> bool {
        self.raw.is_open()
    }
}

/// After this long a server is asked again who it is, and those who elect it, whether it still is the
/// primary. One that is made a replica, loads the other one's data, and is made the primary again
/// within that time, is taken for what it was. What an elected one may do meanwhile, see [`super::fence`].
pub(super) const FRESH: Duration = Duration::from_secs(1);

/// The connections of a process to one server.
pub(super) type Connections = remote::Connections<Server>;

/// A server, or the one that sentinels name.
#[derive(Debug)]
pub(in crate::store) struct Server {
    url: RedisUrl,
    sentinels: Sentinels,
}

impl Server {
    pub(super) fn new(url: RedisUrl) -> Self {
        let sentinels = Sentinels::default();
        Server { url, sentinels }
    }

    /// Opens a connection that speaks a protocol.
    pub(super) fn connect(&self, protocol: ProtocolVersion) -> RedisResult<Connection> {
        let asked = Instant::now();
        let found_at = self.primary()?;
        let mut raw = open(&self.url, found_at.as_ref(), protocol)?;
        let server = name_of(&mut raw)?;
        let now = Instant::now();
        Ok(Connection {
            raw,
            server,
            named: asked,
            used: now,
            awake_since: now,
            found_at,
            unread: 0,
        })
    }

    /// Where the server is, if only sentinels know it.
    fn primary(&self) -> RedisResult<Option<(String, u16)>> {
        match &self.url.address {
            RedisAddress::Sentinel(asked) => self.sentinels.primary(asked, &self.url).map(Some),
            _ => Ok(None),
        }
    }
}

/// Why a call had no answer.
pub(super) type Refused = remote::Refused<RedisError>;

impl Dial for Server {
    type Connection = Connection;
    type Error = RedisError;

    fn dial(&self) -> RedisResult<Connection> {
        self.connect(ProtocolVersion::RESP2)
    }

    fn resume(&self, connection: &mut Connection) -> RedisResult<()> {
        connection.resume(self)
    }

    fn is_final(error: &RedisError) -> bool {
        is_final(error)
    }

    fn is_timeout(error: &RedisError) -> bool {
        error.is_timeout()
    }
}

/// Opens a connection to whatever server there is.
pub(super) fn open(
    url: &RedisUrl,
    found_at: Option<&(String, u16)>,
    protocol: ProtocolVersion,
) -> RedisResult<redis::Connection> {
    let client = client(url, found_at, protocol)?;
    let raw = client
        .get_connection_with_timeout(url.connect_timeout)
        .map_err(about_certificates)?;
    raw.set_read_timeout(Some(url.timeout))?;
    raw.set_write_timeout(Some(url.timeout))?;
    Ok(raw)
}

/// Says what to do about a certificate that is refused.
pub(super) fn about_certificates(error: RedisError) -> RedisError {
    let refused = error.to_string();
    if !refused.contains("certificate") {
        return error;
    }
    let what = format!("{refused}; ca=FILE in the URL names the authority to trust");
    RedisError::from((redis::ErrorKind::Client, "TLS is refused", what))
}

/// Whether the server has no memory left for what a call would have written.
pub(super) fn is_full(refused: &Refused) -> bool {
    matches!(refused, Refused::Failed(error) if is_out_of_memory(error))
}

fn is_out_of_memory(error: &RedisError) -> bool {
    // From inside a script the code may stand amid the message.
    error.code() == Some("OOM") || error.to_string().contains("OOM ")
}

/// Whether a connection is not to be used again: its state is not known, it is gone, or the server
/// is no primary any more.
pub(super) fn is_final(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || matches!(
            error.kind(),
            redis::ErrorKind::Parse | redis::ErrorKind::AuthenticationFailed
        )
        || is_of_replica(error)
}

/// Whether only a replica answers so: to a write, or to `WAIT`.
fn is_of_replica(error: &RedisError) -> bool {
    let text = error.to_string();
    ["READONLY", "replica instances", NOT_THE_PRIMARY]
        .iter()
        .any(|sign| text.contains(sign))
}

const NOT_THE_PRIMARY: &str = "the server is not the primary";

pub(super) fn not_the_primary(why: &str) -> RedisError {
    RedisError::from((redis::ErrorKind::Client, NOT_THE_PRIMARY, why.to_owned()))
}

/// The name of a primary: of the process, by the `run_id` that it took when it started, and of the
/// data that it has, by its number in replication, which is another one as soon as a replica is
/// promoted or a primary follows another one.
fn name_of(connection: &mut redis::Connection) -> RedisResult<[u8; 16]> {
    let (server, replication): (String, String) = asks_its_name().query(connection)?;
    name_in(&server, &replication)
}

/// What asks a server who it is.
pub(super) fn asks_its_name() -> redis::Pipeline {
    let mut pipe = redis::pipe();
    pipe.cmd("INFO")
        .arg("server")
        .cmd("INFO")
        .arg("replication");
    pipe
}

/// The name in what it answers.
pub(super) fn name_in(server: &str, replication: &str) -> RedisResult<[u8; 16]> {
    let unknown = || {
        let kind = redis::ErrorKind::Client;
        RedisError::from((
            kind,
            "INFO says neither run_id nor master_replid, by which a server is known",
        ))
    };
    match field(replication, "role") {
        Some("master") => {}
        Some(_) => return Err(not_the_primary("it follows another one")),
        None => return Err(unknown()),
    }
    let mut name = [0; 16];
    let (process, data) = name.split_at_mut(8);
    for (half, text) in [
        (process, field(server, "run_id")),
        (data, field(replication, "master_replid")),
    ] {
        let digits = text.and_then(|text| text.get(..16)).ok_or_else(unknown)?;
        let number = u64::from_str_radix(digits, 16).map_err(|_| unknown())?;
        half.copy_from_slice(&number.to_be_bytes());
    }
    Ok(name)
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = info.lines();
    lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

pub(super) fn client(
    url: &RedisUrl,
    found_at: Option<&(String, u16)>,
    protocol: ProtocolVersion,
) -> RedisResult<Client> {
    let mut settings = RedisConnectionInfo::default()
        .set_protocol(protocol)
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
        // The place of a node is always another address.
        RedisAddress::Sentinel(_) | RedisAddress::Cluster(_) => {
            let (host, port) = found_at.cloned().unwrap_or_default();
            (ConnectionAddr::Tcp(host, port), None)
        }
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
            let root_cert = std::fs::read(path).map_err(|error| {
                let what = format!("{}: {error}", path.display());
                RedisError::from((redis::ErrorKind::Client, "ca cannot be read", what))
            })?;
            let root_cert = Some(root_cert);
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
    fn a_primary_is_known_by_its_process_and_its_data() {
        let server = "redis_version:7.0.15\r\nrun_id:0102030405060708090a0b0c0d0e0f10aabbccdd\r\n";
        let data = "role:master\r\nmaster_replid:1112131415161718191a\r\n";
        let name = [
            1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,
        ];
        assert_eq!(name_in(server, data).unwrap(), name);

        let fails = |server: &str, data: &str| name_in(server, data).unwrap_err().to_string();
        assert!(fails("run_id:01020304\r\n", data).contains("run_id"));
        assert!(fails("run_id:zz02030405060708090a", data).contains("run_id"));
        assert!(fails(server, "role:master\r\n").contains("master_replid"));
        assert!(fails(server, &data.replace("master\r", "slave\r")).contains("follows another"));
        assert!(fails(server, "").contains("run_id"));
    }
}
