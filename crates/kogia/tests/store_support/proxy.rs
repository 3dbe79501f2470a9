//! A proxy in front of a server, by which its network fails.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Passes bytes on between clients and a server.
pub(crate) struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    open: Mutex<Vec<TcpStream>>,
    /// How long answers take, in microseconds.
    delay: AtomicU64,
    /// Who is told of the next answer, which is never passed on, and says when its connection ends.
    swallowing: Mutex<Option<(Sender<()>, Receiver<()>)>>,
}

/// An answer that the proxy is about to swallow.
pub(crate) struct Swallowed {
    caught: Receiver<()>,
    go_on: Sender<()>,
}

impl Proxy {
    /// A proxy to a port of this machine. Its threads end with the test's process.
    pub(crate) fn to(server: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<State>::default();
        let proxy = Proxy {
            port,
            state: Arc::clone(&state),
        };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is down closes at once.
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let mut open = state.open.lock().unwrap();
                open.push(client.try_clone().unwrap());
                drop(open);
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || pass(from, to, || true));
                let state = Arc::clone(&state);
                thread::spawn(move || pass(server, client, || state.lets_answer_through()));
            }
        });
        proxy
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        for stream in self.state.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// How long each answer takes from now on.
    pub(crate) fn delay(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_micros()).unwrap();
        self.state.delay.store(delay, Ordering::Relaxed);
    }

    /// The next answer does not come; its connection is cut.
    pub(crate) fn swallow(&self) -> Swallowed {
        let (tell, caught) = channel();
        let (go_on, wait) = channel();
        *self.state.swallowing.lock().unwrap() = Some((tell, wait));
        Swallowed { caught, go_on }
    }
}

impl Swallowed {
    /// Waits until the server has answered.
    pub(crate) fn wait(&self) {
        self.caught.recv().unwrap();
    }

    /// Cuts the connection.
    pub(crate) fn cut(self) {
        self.go_on.send(()).unwrap();
    }
}

impl State {
    fn lets_answer_through(&self) -> bool {
        let swallowing = self.swallowing.lock().unwrap().take();
        if let Some((tell, wait)) = swallowing {
            tell.send(()).unwrap();
            let _ = wait.recv();
            return false;
        }
        let delay = self.delay.load(Ordering::Relaxed);
        if delay > 0 {
            thread::sleep(Duration::from_micros(delay));
        }
        true
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, lets_through: impl Fn() -> bool) {
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if !lets_through() || to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
