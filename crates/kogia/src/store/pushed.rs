//! What a shared store tells this process by itself: which tags have changed.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia_core::{Generation, ReadRequest, ReadResponse, Stamp, Tag};
use smallvec::SmallVec;

use super::{Store, StoreError, StoreFuture};

/// A shared store that tells which tags change.
pub(super) trait Pushing: Store {
    /// [`Store::read_with_lifetime`], and the life that the answer is from.
    fn read_in_life(
        &self,
        request: &ReadRequest,
    ) -> Result<(ReadResponse<Bytes>, Life), StoreError>;

    /// [`Store::generations`], and the life that they are from.
    fn generations_in_life(
        &self,
        tags: &[Tag],
    ) -> Result<(SmallVec<[Generation; 8]>, Life), StoreError>;

    /// [`Pushing::read_in_life`], as [`Store::read_async`] is [`Store::read`].
    fn read_in_life_async<'a>(
        &'a self,
        request: &'a ReadRequest,
    ) -> Option<StoreFuture<'a, (ReadResponse<Bytes>, Life)>> {
        let _ = request;
        None
    }

    /// [`Pushing::generations_in_life`], as [`Store::read_async`] is [`Store::read`].
    fn generations_in_life_async<'a>(
        &'a self,
        tags: &'a [Tag],
    ) -> Option<StoreFuture<'a, (SmallVec<[Generation; 8]>, Life)>> {
        let _ = tags;
        None
    }

    /// Finds out whether the store can tell.
    fn try_to_listen(&self) -> Result<(), StoreError>;

    /// Passes on what the store tells, until nobody wants it any more. An error says why the store
    /// tells nothing now; it may again later.
    fn listen(&self, news: &News, stop: &Stop) -> Result<(), StoreError>;
}

/// What a store's generations all depend on: another server, and one that has lost something, have
/// another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life(pub(super) [u8; 33]);

/// What one process was told of changes.
///
/// # Why a copy is current
///
/// A [`Watch`] is taken before the store is asked whether a copy is current. Each change of one of
/// its tags that the store makes after it has answered is told, and then the watch is over, whether
/// anybody has used it or not: there is no moment between the question and the answer that would be
/// missed. As long as a watch is not over, the store's answer would be the same, but for what it has
/// not told yet.
///
/// What it has not told yet is bounded by its signs of life. One that is dated T says that all changes
/// before T have been told, and each is counted here before it. So what is current by a watch was
/// current at T, and T is at most [`News::staleness`] ago, or the watch counts for nothing.
///
/// # Eras
///
/// Where something may have happened that nobody told (a connection ended, the store began another
/// life, everything was deleted), an era ends, and all watches with it. A watch can be taken only in an
/// era in which the store has begun to tell, and is confirmed only by an answer from the life that the
/// era belongs to: reads may lead to another server than the one that tells.
///
/// # Room
///
/// Changes are counted in places that several tags share, so it takes the same room for any number of
/// tags. Tags that share a place end each other's watches, which costs one question.
#[derive(Debug)]
pub(super) struct News {
    staleness: Duration,
    started: Instant,
    /// Nanoseconds after `started` until which watches count.
    trusted_until: AtomicU64,
    era: AtomicU64,
    /// The life of the present era. Whoever changes the era changes it under the same lock.
    life: Mutex<Option<Life>>,
    changes: Box<[AtomicU64]>,
    /// Whether anybody has read since [`News::take_interest`] was asked.
    is_wanted: AtomicBool,
}

/// What was told of some tags when the store was asked about them.
#[derive(Debug)]
pub(super) struct Watch {
    era: u64,
    life: Life,
    tags: Box<[(Tag, u64)]>,
}

impl News {
    /// 256 KiB: a place is shared by tags that change within a few seconds only where thousands do.
    const PLACES: usize = 1 << 15;

    pub(super) fn new(staleness: Duration) -> Self {
        News {
            staleness,
            started: Instant::now(),
            trusted_until: AtomicU64::new(0),
            era: AtomicU64::new(0),
            life: Mutex::new(None),
            changes: (0..Self::PLACES).map(|_| AtomicU64::new(0)).collect(),
            is_wanted: AtomicBool::new(true),
        }
    }

    /// How old what is answered may be.
    pub(super) fn staleness(&self) -> Duration {
        self.staleness
    }

    /// Watches tags about which the store is asked next; `None` if it does not tell at present.
    pub(super) fn watch(&self, tags: &[Tag]) -> Option<Watch> {
        let (era, life) = {
            let life = lock(&self.life);
            (self.era.load(Ordering::SeqCst), (*life)?)
        };
        let count = |tag: &Tag| (*tag, self.place(*tag).load(Ordering::SeqCst));
        let tags = tags.iter().map(count).collect();
        Some(Watch { era, life, tags })
    }

    /// Whether the store would say that an entry with this stamp still is current, or would have at
    /// most [`News::staleness`] ago: `watch` is from before it last said so.
    pub(super) fn vouch_for(&self, watch: &Watch, tags: &[Tag], stamp: &Stamp) -> bool {
        // Asked before the changes: those that a sign of life speaks of were counted before it was
        // noted.
        self.are_trusted()
            && watch.era == self.era.load(Ordering::Acquire)
            && watch.tags.len() == tags.len()
            && watch.tags.iter().zip(tags).zip(&stamp.0).all(
                |(((watched, count), tag), stamped)| {
                    watched == tag
                        // An entry does not depend on a tag whose generation its stamp leaves out.
                        && (stamped.is_missing()
                            || *count == self.place(*tag).load(Ordering::Acquire))
                },
            )
    }

    /// A tag has changed.
    pub(super) fn changed(&self, tag: Tag) {
        self.place(tag).fetch_add(1, Ordering::SeqCst);
    }

    /// All tags have changed.
    pub(super) fn all_changed(&self) {
        let _same_life = lock(&self.life);
        self.era.fetch_add(1, Ordering::SeqCst);
    }

    /// Begins another era: of a life in which the store tells of all changes from now on, or of none.
    pub(super) fn begin(&self, new: Option<Life>) {
        let mut life = lock(&self.life);
        self.trusted_until.store(0, Ordering::SeqCst);
        self.era.fetch_add(1, Ordering::SeqCst);
        *life = new;
    }

    /// All changes that the store made before this moment have been told.
    pub(super) fn alive(&self, moment: Instant) {
        let age = moment.saturating_duration_since(self.started);
        let until = nanoseconds(age.saturating_add(self.staleness));
        self.trusted_until.store(until, Ordering::Release);
    }

    /// Whether watches count now.
    fn are_trusted(&self) -> bool {
        nanoseconds(self.started.elapsed()) < self.trusted_until.load(Ordering::Acquire)
    }

    /// Whether there was a sign of life in this era.
    fn has_been_alive(&self) -> bool {
        self.trusted_until.load(Ordering::Relaxed) > 0
    }

    /// Whether anybody has read since the last call.
    pub(super) fn take_interest(&self) -> bool {
        self.is_wanted.swap(false, Ordering::Relaxed)
    }

    fn place(&self, tag: Tag) -> &AtomicU64 {
        // The lowest bit says what kind of tag it is.
        &self.changes[(tag.to_u128() >> 1) as usize % Self::PLACES]
    }
}

impl Watch {
    /// The watch, if the answer about its tags is from the life that it watches.
    pub(super) fn confirmed_in(self, life: Life) -> Option<Arc<Self>> {
        (self.life == life).then(|| Arc::new(self))
    }

    /// The bytes that a watch of so many tags takes.
    pub(super) fn weight(tags: usize) -> u64 {
        let tag = size_of::<(Tag, u64)>();
        (size_of::<Watch>() + 2 * size_of::<usize>() + tags * tag) as u64
    }
}

/// One process's thread that listens to a store. A child of a fork, in which the thread does not live
/// and whose locks nobody would release, never touches its parent's.
pub(super) struct Listener {
    news: News,
    source: Arc<dyn Pushing>,
    is_running: AtomicBool,
    running: Mutex<Option<(Arc<Stop>, JoinHandle<()>)>>,
}

/// By which a thread is told to end.
#[derive(Debug, Default)]
pub(super) struct Stop {
    is_due: Mutex<bool>,
    came: Condvar,
}

/// Without a read for this long the thread ends, until there is one again.
const IDLE: Duration = Duration::from_secs(10);

/// The first wait after a failure, and the longest.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

impl Listener {
    pub(super) fn new(source: Arc<dyn Pushing>, staleness: Duration) -> Arc<Self> {
        Arc::new(Listener {
            news: News::new(staleness),
            source,
            is_running: AtomicBool::new(false),
            running: Mutex::default(),
        })
    }

    /// What the store has told. From now on it is listened to.
    pub(super) fn news(self: &Arc<Self>) -> &News {
        if !self.is_running.load(Ordering::Relaxed) {
            self.start();
        }
        // All threads read all the time, and write only once in a while.
        if !self.news.is_wanted.load(Ordering::Relaxed) {
            self.news.is_wanted.store(true, Ordering::Relaxed);
        }
        &self.news
    }

    /// Whether what the store has told counts at this moment.
    pub(super) fn is_told(&self) -> bool {
        self.news.are_trusted()
    }

    /// Notes what this process itself has changed, whether anybody listens or not.
    pub(super) fn changed(&self, tags: &[Tag]) {
        tags.iter().for_each(|tag| self.news.changed(*tag));
    }

    pub(super) fn all_changed(&self) {
        self.news.all_changed();
    }

    /// Ends the thread, and waits for it. It starts again at the next read.
    pub(super) fn rest(&self) {
        let mut running = lock(&self.running);
        if let Some((stop, thread)) = running.take() {
            stop.now();
            // It has nothing to say but that it is over.
            let _ = thread.join();
            self.is_running.store(false, Ordering::Relaxed);
        }
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        if let Some((stop, _)) = &*lock(&self.running) {
            stop.now();
        }
    }

    fn start(self: &Arc<Self>) {
        // Another thread may be at it, or at ending it.
        let Ok(mut running) = self.running.try_lock() else {
            return;
        };
        if self.is_running.swap(true, Ordering::Relaxed) {
            return;
        }
        let (listener, stop) = (Arc::clone(self), Arc::<Stop>::default());
        let told = Arc::clone(&stop);
        let started = thread::Builder::new()
            .name("kogia-pushed".to_owned())
            .spawn(move || listener.live(&told));
        match started {
            Ok(thread) => *running = Some((stop, thread)),
            Err(error) => {
                // It is not tried again: each read would.
                tracing::warn!(%error, "the local tier asks the store at each read");
            }
        }
    }

    /// The thread's life.
    fn live(&self, stop: &Stop) {
        let mut wait = SHORTEST;
        let mut is_known = false;
        loop {
            let ended = self.source.listen(&self.news, stop);
            if self.news.has_been_alive() {
                (wait, is_known) = (SHORTEST, false);
            }
            self.news.begin(None);
            match ended {
                Ok(()) => break,
                Err(error) if is_known => {
                    tracing::debug!(%error, "the local tier still asks the store at each read");
                }
                Err(error) => {
                    tracing::warn!(%error, "the local tier asks the store at each read for a while");
                    is_known = true;
                }
            }
            if stop.comes_within(wait) {
                break;
            }
            wait = (wait * 2).min(LONGEST);
        }
        // Who waits for the thread holds the lock, and has its handle. Otherwise nobody will, and a
        // child of a fork must not find the handle of a thread that is over.
        if let Ok(mut running) = self.running.try_lock() {
            *running = None;
        }
        self.is_running.store(false, Ordering::Relaxed);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("staleness", &self.news.staleness)
            .field("is_running", &self.is_running)
            .finish_non_exhaustive()
    }
}

impl Stop {
    fn now(&self) {
        *lock(&self.is_due) = true;
        self.came.notify_all();
    }

    /// Waits, and says whether the thread is to end.
    pub(super) fn comes_within(&self, time: Duration) -> bool {
        let due = lock(&self.is_due);
        let due = self.came.wait_timeout_while(due, time, |due| !*due);
        *due.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Tells when nobody has read for a long time.
#[derive(Debug)]
pub(super) struct Interest(Instant);

impl Interest {
    pub(super) fn new() -> Self {
        Interest(Instant::now())
    }

    /// Whether anybody still reads.
    pub(super) fn goes_on(&mut self, news: &News) -> bool {
        if news.take_interest() {
            self.0 = Instant::now();
        }
        self.0.elapsed() < IDLE
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests fail by panicking
mod tests {
    use std::sync::atomic::AtomicU8;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use kogia_core::{
        DatabaseId, DatabaseTags, Decision, Fill, OwnerId, QueryKey, Statement, TableTags, TagSet,
        Wide,
    };

    use super::*;
    use crate::store::{Abandoned, Mark, MemoryStore, TieredStore, Usage};

    const HOUR: Duration = Duration::from_secs(3600);
    const CAPACITY: u64 = 4_000_000;

    /// What the store tells next, in the thread that listens; an error ends the connection.
    type Telling = Box<dyn FnOnce(&News) -> Result<(), StoreError> + Send>;

    /// A store that tells what a test wants it to, when the test wants it to.
    #[derive(Debug)]
    struct Teller {
        store: MemoryStore,
        life: AtomicU8,
        asked: AtomicU64,
        tellings: Mutex<Receiver<Telling>>,
        tell: Sender<Telling>,
        meanwhile: Mutex<Option<Sender<Sender<()>>>>,
    }

    impl Teller {
        fn new() -> Arc<Self> {
            let (tell, tellings) = channel();
            Arc::new(Teller {
                store: MemoryStore::new(CAPACITY),
                life: AtomicU8::new(1),
                asked: AtomicU64::new(0),
                tellings: Mutex::new(tellings),
                tell,
                meanwhile: Mutex::default(),
            })
        }

        /// A tier that has begun to listen.
        fn tier(self: &Arc<Self>) -> TieredStore {
            let pushing = Arc::clone(self) as Arc<dyn Pushing>;
            let tier = TieredStore::with(
                Arc::clone(self) as Arc<dyn Store>,
                CAPACITY,
                Some((pushing, HOUR)),
            );
            tier.read(&request(&[])).unwrap();
            self.begin();
            tier
        }

        /// Tells something, and waits until it was heard.
        fn tell(&self, telling: impl FnOnce(&News) -> Result<(), StoreError> + Send + 'static) {
            let (done, is_done) = channel();
            let telling = Box::new(move |news: &News| {
                let told = telling(news);
                done.send(()).unwrap();
                told
            });
            self.tell.send(telling).unwrap();
            is_done.recv().unwrap();
        }

        fn begin(&self) {
            let life = self.life();
            self.tell(move |news| {
                news.begin(Some(life));
                news.alive(Instant::now());
                Ok(())
            });
        }

        fn life(&self) -> Life {
            Life([self.life.load(Ordering::SeqCst); 33])
        }

        /// Another process writes, and everybody is told.
        fn write(&self, tag: Tag) {
            self.store.clear(OwnerId(9), &set(&[tag])).unwrap();
            self.tell(move |news| {
                news.changed(tag);
                Ok(())
            });
        }

        fn cut(&self) {
            self.tell(|_| {
                Err(StoreError::Failed {
                    operation: "go on",
                    reason: "the test says so".to_owned(),
                })
            });
        }

        /// How often it was asked since the last call.
        fn asked(&self) -> u64 {
            self.asked.swap(0, Ordering::SeqCst)
        }

        /// The next answer is on its way when this is told, and arrives when the sender is dropped.
        fn next_answer(&self) -> Receiver<Sender<()>> {
            let (tell, told) = channel();
            *lock(&self.meanwhile) = Some(tell);
            told
        }

        fn answered<T>(&self, answer: Result<T, StoreError>) -> Result<(T, Life), StoreError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let life = self.life();
            if let Some(tell) = lock(&self.meanwhile).take() {
                let (go_on, may_go_on) = channel();
                tell.send(go_on).unwrap();
                may_go_on.recv().unwrap_err();
            }
            Ok((answer?, life))
        }
    }

    impl Pushing for Teller {
        fn read_in_life(
            &self,
            request: &ReadRequest,
        ) -> Result<(ReadResponse<Bytes>, Life), StoreError> {
            self.answered(self.store.read(request))
        }

        fn generations_in_life(
            &self,
            tags: &[Tag],
        ) -> Result<(SmallVec<[Generation; 8]>, Life), StoreError> {
            self.answered(self.store.generations(tags))
        }

        fn try_to_listen(&self) -> Result<(), StoreError> {
            Ok(())
        }

        fn listen(&self, news: &News, stop: &Stop) -> Result<(), StoreError> {
            let tellings = lock(&self.tellings);
            while !stop.comes_within(Duration::ZERO) {
                if let Ok(telling) = tellings.recv_timeout(Duration::from_millis(5)) {
                    telling(news)?;
                }
            }
            Ok(())
        }
    }

    impl Store for Teller {
        fn read(&self, request: &ReadRequest) -> Result<ReadResponse<Bytes>, StoreError> {
            Ok(self.read_in_life(request)?.0)
        }

        fn generations(&self, tags: &[Tag]) -> Result<SmallVec<[Generation; 8]>, StoreError> {
            Ok(self.generations_in_life(tags)?.0)
        }

        fn fill(
            &self,
            fill: &Fill,
            rows: u64,
            value: Bytes,
            ttl: Duration,
        ) -> Result<(), StoreError> {
            self.store.fill(fill, rows, value, ttl)
        }

        fn mark(&self, mark: &Mark<'_>) -> Result<(), StoreError> {
            self.store.mark(mark)
        }

        fn clear(&self, owner: OwnerId, tags: &TagSet) -> Result<(), StoreError> {
            self.store.clear(owner, tags)
        }

        fn extend(&self, owner: OwnerId, tags: &TagSet, lease: Duration) -> Result<(), StoreError> {
            self.store.extend(owner, tags, lease)
        }

        fn abandoned(&self, tags: &[Tag]) -> Result<Vec<Abandoned>, StoreError> {
            self.store.abandoned(tags)
        }

        fn invalidate_everything(&self) -> Result<(), StoreError> {
            self.store.invalidate_everything()
        }

        fn usage(&self) -> Usage {
            self.store.usage()
        }
    }

    fn database() -> DatabaseId {
        DatabaseId::new("test")
    }

    fn table(name: &str) -> Tag {
        TableTags::new(&database(), name).any
    }

    fn set(tags: &[Tag]) -> TagSet {
        tags.iter().copied().collect()
    }

    fn request(tags: &[Tag]) -> ReadRequest {
        let statement = Statement {
            digest: [0; 32],
            reads: Vec::new(),
            writes: Vec::new(),
            wide: Wide::Nothing,
            uncacheable: None,
            effects: Vec::new(),
        };
        let key = QueryKey::from_bytes([tags.len() as u8; 32]);
        let mut request = ReadRequest::new(key, &DatabaseTags::new(&database()), &statement, &[]);
        tags.iter().for_each(|tag| request.add_tag(*tag));
        request
    }

    fn decide(store: &dyn Store, tags: &[Tag]) -> Decision<Bytes> {
        let request = request(tags);
        request.decide(store.read(&request).unwrap())
    }

    fn is_hit(store: &dyn Store, tags: &[Tag]) -> bool {
        matches!(decide(store, tags), Decision::Hit(_))
    }

    fn fill(store: &dyn Store, tags: &[Tag]) {
        match decide(store, tags) {
            Decision::Miss(right) | Decision::Stale(right) => {
                store
                    .fill(&right, 1, Bytes::from_static(b"rows"), HOUR)
                    .unwrap();
            }
            other => panic!("a miss was due, not {other:?}"),
        }
    }

    /// A tier with a copy that costs no question.
    fn with_copy(teller: &Arc<Teller>, tags: &[Tag]) -> TieredStore {
        let tier = teller.tier();
        fill(&tier, tags);
        assert!(is_hit(&tier, tags));
        assert_costs(teller, &tier, tags, 0);
        tier
    }

    fn assert_costs(teller: &Teller, tier: &TieredStore, tags: &[Tag], questions: u64) {
        teller.asked();
        assert!(is_hit(tier, tags));
        assert_eq!(teller.asked(), questions);
    }

    #[test]
    fn a_copy_that_was_found_current_costs_no_question() {
        let (teller, tags) = (Teller::new(), [table("book")]);
        let tier = with_copy(&teller, &tags);
        teller.write(table("shop"));
        assert_costs(&teller, &tier, &tags, 0);
        // An entry that another process has filled.
        let other = TieredStore::new(Arc::clone(&teller) as Arc<dyn Store>, CAPACITY);
        teller.write(tags[0]);
        fill(&other, &tags);
        assert!(is_hit(&tier, &tags));
        assert_costs(&teller, &tier, &tags, 0);
    }

    #[test]
    fn a_change_that_is_told_ends_the_watch() {
        let (teller, tags) = (Teller::new(), [table("book")]);
        let tier = with_copy(&teller, &tags);
        teller.write(tags[0]);
        assert!(!is_hit(&tier, &tags));
        // One that was told, and did not make the entry stale: tags share places.
        fill(&tier, &tags);
        assert!(is_hit(&tier, &tags));
        teller.tell(move |news| {
            news.changed(tags[0]);
            Ok(())
        });
        assert_costs(&teller, &tier, &tags, 1);
        assert_costs(&teller, &tier, &tags, 0);
    }

    /// The watch is begun before the store is asked: a change that comes before the answer ends it.
    #[test]
    fn a_change_between_the_question_and_the_answer_ends_the_watch() {
        let (teller, tags) = (Teller::new(), [table("book")]);
        // The answer is about a copy, or is itself an entry to be copied.
        for is_copied in [true, false] {
            let tier = teller.tier();
            let filler = TieredStore::new(Arc::clone(&teller) as Arc<dyn Store>, CAPACITY);
            teller.write(tags[0]);
            fill(if is_copied { &tier } else { &filler }, &tags);
            let answers = teller.next_answer();
            thread::scope(|scope| {
                let reader = scope.spawn(|| is_hit(&tier, &tags));
                let go_on = answers.recv().unwrap();
                teller.write(tags[0]);
                drop(go_on);
                assert!(
                    reader.join().unwrap(),
                    "it was current when the store answered"
                );
            });
            assert!(!is_hit(&tier, &tags));
            tier.rest();
        }
    }

    /// What is forgotten must not come back with an answer that was on its way.
    #[test]
    fn an_answer_that_comes_after_everything_was_invalidated_is_asked_about() {
        let (teller, tags) = (Teller::new(), [table("book")]);
        let tier = teller.tier();
        let filler = TieredStore::new(Arc::clone(&teller) as Arc<dyn Store>, CAPACITY);
        fill(&filler, &tags);
        let answers = teller.next_answer();
        thread::scope(|scope| {
            let reader = scope.spawn(|| is_hit(&tier, &tags));
            let go_on = answers.recv().unwrap();
            tier.invalidate_everything().unwrap();
            drop(go_on);
            assert!(
                reader.join().unwrap(),
                "it was current when the store answered"
            );
        });
        assert!(!is_hit(&tier, &tags));
    }

    /// What a query depends on may change with the schema, and its key does not.
    #[test]
    fn a_watch_of_other_tags_says_nothing() {
        let (teller, tags) = (Teller::new(), [table("book")]);
        let tier = with_copy(&teller, &tags);
        assert!(!is_hit(&tier, &[table("shop")]));
    }

    /// An INSERT beside a row, for instance, of which the row proves that it does not matter.
    #[test]
    fn a_change_of_what_an_entry_does_not_depend_on_ends_no_watch() {
        let news = News::new(HOUR);
        news.begin(Some(Life([1; 33])));
        news.alive(Instant::now());
        let tags = [table("book"), table("shop")];
        let watch = news.watch(&tags).unwrap();
        let generation = Generation::from_u128(1 << 64);
        let stamp = Stamp([generation, Generation::MISSING][..].into());
        news.changed(tags[1]);
        assert!(news.vouch_for(&watch, &tags, &stamp));
        news.changed(tags[0]);
        assert!(!news.vouch_for(&watch, &tags, &stamp));
    }

    #[test]
    fn watches_count_for_the_size_of_copies() {
        let entries = |tier: &TieredStore| {
            for key in 1..200 {
                let request = request(&[table("book"); 200][..key]);
                let Decision::Miss(right) = request.decide(tier.read(&request).unwrap()) else {
                    panic!("a miss was due");
                };
                let value = Bytes::from(vec![1; 20_000]);
                tier.fill(&right, 1, value, HOUR).unwrap();
            }
            tier.usage().local.unwrap().entries
        };
        let strict = TieredStore::new(Teller::new() as Arc<dyn Store>, CAPACITY);
        let pushed = Teller::new().tier();
        let (strict, pushed) = (entries(&strict), entries(&pushed));
        assert!(pushed < strict, "{pushed} copies and {strict}");
    }

    #[test]
    fn nobody_listens_for_ever_where_nobody_reads() {
        let news = News::new(HOUR);
        let begun = Instant::now().checked_sub(IDLE).unwrap();
        assert!(Interest(begun).goes_on(&news), "somebody has read");
        assert!(!Interest(begun).goes_on(&news));
        news.is_wanted.store(true, Ordering::Relaxed);
        assert!(Interest(begun).goes_on(&news));
    }

    #[test]
    fn a_connection_that_ends_ends_all_watches() {
        let (teller, tags) = (Teller::new(), [table("book")]);
        let tier = with_copy(&teller, &tags);
        teller.cut();
        // Nobody was told of this.
        teller.store.clear(OwnerId(9), &set(&tags)).unwrap();
        teller.begin();
        assert!(!is_hit(&tier, &tags));
    }

    #[test]
    fn another_life_ends_all_watches() {
        let (teller, tags) = (Teller::new(), [table("book")]);
        let tier = with_copy(&teller, &tags);
        teller.store.clear(OwnerId(9), &set(&tags)).unwrap();
        teller.life.store(2, Ordering::SeqCst);
        teller.begin();
        assert!(!is_hit(&tier, &tags));
    }

    /// Reads and the connection that tells may lead to two servers.
    #[test]
    fn what_another_server_answers_is_asked_again() {
        let (teller, tags) = (Teller::new(), [table("book")]);
        let tier = teller.tier();
        teller.life.store(2, Ordering::SeqCst);
        fill(&tier, &tags);
        for _ in 0..3 {
            assert_costs(&teller, &tier, &tags, 1);
        }
        teller.begin();
        assert_costs(&teller, &tier, &tags, 1);
        assert_costs(&teller, &tier, &tags, 0);
    }

    #[test]
    fn nothing_is_trusted_for_longer_than_the_last_sign_of_life() {
        let (teller, tags) = (Teller::new(), [table("book")]);
        let tier = with_copy(&teller, &tags);
        let date = |age: Duration| {
            move |news: &News| {
                // Such a moment may have been before there were any.
                let until = nanoseconds((news.started.elapsed() + HOUR).saturating_sub(age));
                news.trusted_until.store(until, Ordering::Release);
                Ok(())
            }
        };
        teller.tell(date(HOUR - Duration::from_secs(60)));
        assert_costs(&teller, &tier, &tags, 0);
        teller.tell(date(HOUR));
        assert_costs(&teller, &tier, &tags, 1);
        teller.tell(|news| {
            news.alive(Instant::now());
            Ok(())
        });
        assert_costs(&teller, &tier, &tags, 0);
    }

    #[test]
    fn what_the_process_itself_writes_need_not_be_told() {
        let (teller, tags) = (Teller::new(), [table("book")]);
        let mark = |tags| Mark {
            owner: OwnerId(1),
            tags,
            lease: HOUR,
            backend: &crate::Backend::Unknown,
        };
        let (all, watched) = (set(&tags), table("shop"));
        let writes: [&dyn Fn(&TieredStore); 5] = [
            &|tier| tier.mark(&mark(&all)).unwrap(),
            &|tier| assert!(tier.mark_watching(&mark(&all), watched).is_ok()),
            &|tier| tier.clear(OwnerId(1), &all).unwrap(),
            &|tier| assert!(tier.clear_watching(OwnerId(1), &all, watched).is_ok()),
            &|tier| tier.invalidate_everything().unwrap(),
        ];
        for write in writes {
            let tier = with_copy(&teller, &tags);
            write(&tier);
            assert!(!is_hit(&tier, &tags));
            teller.store.clear(OwnerId(1), &all).unwrap();
            tier.rest();
        }
    }

    #[test]
    fn a_snapshot_is_not_read_by_what_was_told() {
        let (teller, tags) = (Teller::new(), [table("book")]);
        let tier = with_copy(&teller, &tags);
        let mut request = request(&tags);
        let commit = Tag::commit(&database());
        let before = tier.generations(&[commit]).unwrap()[0];
        request.guard_snapshot(commit, before);
        for _ in 0..2 {
            teller.asked();
            let response = tier.read(&request).unwrap();
            assert!(matches!(request.decide(response), Decision::Hit(_)));
            assert_eq!(teller.asked(), 1);
        }
    }

    #[test]
    fn who_rests_listens_again_at_the_next_read() {
        let (teller, tags) = (Teller::new(), [table("book")]);
        let tier = with_copy(&teller, &tags);
        tier.rest();
        assert_costs(&teller, &tier, &tags, 1);
        teller.begin();
        assert_costs(&teller, &tier, &tags, 1);
        assert_costs(&teller, &tier, &tags, 0);
        // Twice is as good as once, and before anything was read, too.
        tier.rest();
        tier.rest();
    }
}
