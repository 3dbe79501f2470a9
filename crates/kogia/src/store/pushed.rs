//! What a shared store tells this process by itself: which tags have changed.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kogia_core::{Generation, ReadRequest, ReadResponse, Stamp, Tag};
use smallvec::SmallVec;

use super::{Store, StoreError};

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
        // Before the changes: those that a sign of life speaks of were counted before it was noted.
        let until = self.trusted_until.load(Ordering::Acquire);
        nanoseconds(self.started.elapsed()) < until
            && watch.era == self.era.load(Ordering::Acquire)
            && watch.tags.len() == tags.len()
            && stamp.0.len() == tags.len()
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
        loop {
            let ended = self.source.listen(&self.news, stop);
            if self.news.has_been_alive() {
                wait = SHORTEST;
            }
            self.news.begin(None);
            match ended {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!(%error, "the local tier asks the store at each read for a while");
                }
            }
            if stop.comes_within(wait) {
                break;
            }
            wait = (wait * 2).min(LONGEST);
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
