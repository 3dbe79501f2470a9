//! What a server tells by itself: the keys that change.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia_core::{Generation, ReadRequest, ReadResponse, Tag};
use redis::{PushInfo, PushKind, RedisResult, Value};
use smallvec::SmallVec;

use super::connection::{Connection, Server};
use super::line::Way;
use super::{Incarnation, Keys, RedisStore, Wanted};
use crate::caller::at_once;
use crate::store::StoreError;
#[cfg(feature = "tokio")]
use crate::store::StoreFuture;
use crate::store::pushed::{Interest, Life, News, Pushing, Stop};
use crate::store::remote::{Refused, failed};

/// A server is asked for a sign of life four times within what an answer may be old by, and at least
/// this often, because what it tells is read then.
const LONGEST_BEAT: Duration = Duration::from_millis(25);

impl Pushing for RedisStore {
    fn read_in_life(
        &self,
        request: &ReadRequest,
    ) -> Result<(ReadResponse<Bytes>, Life), StoreError> {
        let key = self.keys.entry(request.key().as_bytes());
        let mut way = Way::blocking();
        let read = self.read_entry(&mut way, request, Wanted::Lifetime(&key));
        at_once(read).map(|(response, incarnation)| (response, incarnation.life()))
    }

    #[cfg(feature = "tokio")]
    fn read_in_life_async<'a>(
        &'a self,
        request: &'a ReadRequest,
    ) -> Option<StoreFuture<'a, (ReadResponse<Bytes>, Life)>> {
        let mut way = self.lanes.way(&self.nodes)?;
        let key = self.keys.entry(request.key().as_bytes());
        Some(Box::pin(async move {
            let read = self.read_entry(&mut way, request, Wanted::Lifetime(&key));
            read.await
                .map(|(response, incarnation)| (response, incarnation.life()))
        }))
    }

    fn generations_in_life(
        &self,
        tags: &[Tag],
    ) -> Result<(SmallVec<[Generation; 8]>, Life), StoreError> {
        let found = at_once(self.look_for_generations(&mut Way::blocking(), tags));
        found.map(|(generations, incarnation)| (generations, incarnation.life()))
    }

    #[cfg(feature = "tokio")]
    fn generations_in_life_async<'a>(
        &'a self,
        tags: &'a [Tag],
    ) -> Option<StoreFuture<'a, (SmallVec<[Generation; 8]>, Life)>> {
        let mut way = self.lanes.way(&self.nodes)?;
        Some(Box::pin(async move {
            let found = self.look_for_generations(&mut way, tags).await;
            found.map(|(generations, incarnation)| (generations, incarnation.life()))
        }))
    }

    fn try_to_listen(&self) -> Result<(), StoreError> {
        let server = Server::new(self.url.clone());
        let opened = Pushes::open(&server, &self.keys).map(|_| ());
        opened.map_err(|error| failed("tell of changes", &Refused::Failed(error)))
    }

    fn listen(&self, news: &News, stop: &Stop) -> Result<(), StoreError> {
        self.hear(news, stop)
            .map_err(|error| failed("tell of changes", &Refused::Failed(error)))
    }
}

impl RedisStore {
    fn hear(&self, news: &News, stop: &Stop) -> RedisResult<()> {
        let server = Server::new(self.url.clone());
        let mut pushes = Pushes::open(&server, &self.keys)?;
        let mut interest = Interest::new();
        while interest.goes_on(news) {
            pushes.connection.resume(&server)?;
            pushes.beat(news)?;
            if stop.comes_within(LONGEST_BEAT.min(news.staleness() / 4)) {
                break;
            }
        }
        Ok(())
    }
}

/// A connection on which a server tells of all generations that change.
///
/// It tells by their prefix (`BCAST`), so it need not keep in mind who has read what. It does not leave
/// out what this process changes itself (`NOLOOP`), because the store's other connections do that.
struct Pushes<'a> {
    connection: Connection,
    received: Receiver<PushInfo>,
    keys: &'a Keys,
    /// The incarnation that the server had at the last beat, and when that was sent.
    last: Option<(Incarnation, Instant)>,
}

impl<'a> Pushes<'a> {
    fn open(server: &Server, keys: &'a Keys) -> RedisResult<Self> {
        let mut connection = server.connect(redis::ProtocolVersion::RESP3)?;
        let (sender, received) = channel();
        connection.raw.set_push_sender(sender);
        redis::cmd("CLIENT")
            .arg("TRACKING")
            .arg("ON")
            .arg("BCAST")
            .arg("PREFIX")
            .arg(&keys.generations)
            .exec(&mut connection.raw)?;
        Ok(Pushes {
            connection,
            received,
            keys,
            last: None,
        })
    }

    /// Asks for a sign of life, and passes on what came before it.
    ///
    /// # What it is dated by
    ///
    /// The beat before this one, which has been answered before this one was sent. The server tells of
    /// changes at the end of a round of its event loop (`trackingBroadcastInvalidationMessages` in
    /// `beforeSleep`), in the order of the connection, but after the answers of that round: the answer
    /// to a command may come before the news of a change that the same round has made earlier. With
    /// one thread for everything the command was sent before that round began, so the change came
    /// later; but where threads read commands while a round goes on, it may have been sent after the
    /// change. The news of a change from before the last beat was sent are on the connection when that
    /// round is over, which it was before its answer was written; so they come before the answer to
    /// what is sent after that one.
    ///
    /// An incarnation that is still the same at this beat was the same at the last one. It is asked for,
    /// and not told, because nobody is told when the data as a whole are others (`SWAPDB`). `WAIT` is
    /// there because a replica refuses it.
    fn beat(&mut self, news: &News) -> RedisResult<()> {
        let sent = Instant::now();
        let (found, _): (Option<Vec<u8>>, i64) = redis::pipe()
            .cmd("GET")
            .arg(&self.keys.incarnation)
            .cmd("WAIT")
            .arg(0)
            .arg(0)
            .query(&mut self.connection.raw)?;
        self.pass_on(news);
        let found = found
            .and_then(|bytes| Incarnation::parse(&bytes))
            .filter(|found| found.server == self.connection.server);
        match (found, self.last) {
            (Some(found), Some((last, sent_last))) if found == last => news.alive(sent_last),
            (Some(found), _) => news.begin(Some(found.life())),
            (None, Some(_)) => news.begin(None),
            (None, None) => {}
        }
        self.last = found.map(|found| (found, sent));
        Ok(())
    }

    fn pass_on(&mut self, news: &News) {
        for push in self.received.try_iter() {
            if push.kind != PushKind::Invalidate {
                continue;
            }
            let keys = match &push.data[..] {
                [Value::Array(keys)] => &keys[..],
                // Everything was deleted, or what else it may mean.
                _ => &[Value::Nil],
            };
            for key in keys {
                let tag = match key {
                    Value::BulkString(name) => self.keys.tag_of(name),
                    _ => None,
                };
                match tag {
                    Some(tag) => news.changed(tag),
                    None => {
                        news.begin(None);
                        self.last = None;
                    }
                }
            }
        }
    }
}
