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
    /// A request whose first answer is given again and again.
    old_news: Mutex<Option<OldNews>>,
}

struct OldNews {
    request: &'static [u8],
    answer: Vec<u8>,
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
                let answers = client.try_clone().unwrap();
                let asked = Arc::clone(&state);
                thread::spawn(move || pass(from, to, |request| asked.lets_ask(request, &answers)));
                let state = Arc::clone(&state);
                thread::spawn(move || pass(server, client, |_| state.lets_answer_through()));
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

    /// From now on a request is answered by what the server has to say about it now.
    pub(crate) fn freeze(&self, request: &'static [u8]) {
        let mut server = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        server.write_all(request).unwrap();
        let mut answer = vec![0; 65_536];
        let length = server.read(&mut answer).unwrap();
        answer.truncate(length);
        *self.state.old_news.lock().unwrap() = Some(OldNews { request, answer });
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
    /// Whether the server is to hear a request, or the connection to end.
    fn lets_ask(&self, request: &[u8], mut answers: &TcpStream) -> Passing {
        match &*self.old_news.lock().unwrap() {
            Some(news) if news.request == request => match answers.write_all(&news.answer) {
                Ok(()) => Passing::Dropped,
                Err(_) => Passing::Ended,
            },
            _ => Passing::Passed,
        }
    }

    fn lets_answer_through(&self) -> Passing {
        let swallowing = self.swallowing.lock().unwrap().take();
        if let Some((tell, wait)) = swallowing {
            tell.send(()).unwrap();
            let _ = wait.recv();
            return Passing::Ended;
        }
        let delay = self.delay.load(Ordering::Relaxed);
        if delay > 0 {
            thread::sleep(Duration::from_micros(delay));
        }
        Passing::Passed
    }
}

/// What becomes of some bytes.
#[derive(PartialEq)]
enum Passing {
    Passed,
    Dropped,
    /// Nor does anything pass that comes after them.
    Ended,
}

fn pass(mut from: TcpStream, mut to: TcpStream, passing: impl Fn(&[u8]) -> Passing) {
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        let bytes = &bytes[..length];
        let passing = passing(bytes);
        if passing == Passing::Ended || passing == Passing::Passed && to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
