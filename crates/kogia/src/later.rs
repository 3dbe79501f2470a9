//! Work that nobody has to wait for: storing results, and clearing marks.
//!
//! Whoever has run a query has its result, and whoever has committed has committed; what is left is
//! for readers to come. Doing it late is as right as dying before it would have been: a fill
//! carries the stamp from before its query, and a mark that still stands makes reads bypass.
//!
//! What this process does next with the store finds the work done ([`Later::catch_up`]), so that
//! nothing but the time that a call takes tells it from work that was done at once.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use event_listener::Event;

use kogia_core::QueryKey;

type Job = Box<dyn FnOnce() + Send>;

/// Jobs that wait hold results in memory; beyond this many, callers do their own.
const MOST_WAITING: usize = 64;

/// What a thread of the process does while callers go on; see [`crate::CacheBuilder::background`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Background {
    /// There is no thread: callers do everything themselves.
    #[default]
    Nothing,
    /// It stores results, a moment later: several of them for one wake. Callers clear marks.
    Fills,
    /// It stores results and clears marks, as soon as there are any.
    Everything,
}

/// How long results wait for others where only they are stored in the background.
const MOMENT: Duration = Duration::from_millis(1);

/// After so many moments without any, the thread sleeps until there is one.
const IDLE_MOMENTS: u32 = 20;

/// The work of one cache.
#[derive(Debug, Default)]
pub(crate) struct Later {
    background: Background,
    crew: ArcSwapOption<Crew>,
}

/// One process's thread, and what it has to do. A child of a fork, in which the thread does not
/// live and whose locks nobody would release, never touches its parent's.
struct Crew {
    process: u32,
    /// How many jobs there were.
    taken: AtomicU64,
    /// How many of them are done.
    done: AtomicU64,
    job_done: Event,
    jobs: Mutex<Jobs>,
    arrived: Condvar,
    /// Whether jobs wait for others.
    gathers: bool,
    /// Held by whoever does jobs, which may be any thread.
    turn: Mutex<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Jobs {
    /// Those that store a result have its key.
    waiting: VecDeque<(Option<QueryKey>, Job)>,
    /// The key of the one that is being done.
    in_hand: Option<QueryKey>,
    /// The thread sleeps until it is woken.
    is_asleep: bool,
    /// No more are taken: the thread ends.
    is_closed: bool,
}

impl Later {
    pub(crate) fn new(background: Background) -> Self {
        Later {
            background,
            crew: ArcSwapOption::empty(),
        }
    }

    /// Does a job soon, or at once.
    pub(crate) fn work(&self, job: impl FnOnce() + Send + 'static) {
        self.add(None, self.background == Background::Everything, job);
    }

    /// Stores the result of a query soon, or at once.
    pub(crate) fn fill(&self, key: QueryKey, job: impl FnOnce() + Send + 'static) {
        self.add(Some(key), self.background != Background::Nothing, job);
    }

    fn add(&self, key: Option<QueryKey>, is_later: bool, job: impl FnOnce() + Send + 'static) {
        if !is_later || AT_WORK.get() {
            return job();
        }
        if let Err(job) = self.crew().add(key, Box::new(job)) {
            job();
        }
    }

    /// Whether a job of this process is not done yet.
    pub(crate) fn is_behind(&self) -> bool {
        let crew = self.crew.load();
        crew.as_ref()
            .is_some_and(|crew| crew.is_behind() && crew.is_ours())
    }

    /// Returns when all jobs are done that there were.
    pub(crate) fn catch_up(&self) {
        // What is done at work may read, too.
        if self.is_behind()
            && !AT_WORK.get()
            && let Some(crew) = &*self.crew.load()
        {
            crew.do_all();
        }
    }

    /// Returns when marks are cleared that were to be.
    pub(crate) fn catch_up_with_marks(&self) {
        if self.background == Background::Everything {
            self.catch_up();
        }
    }

    /// Returns when marks are cleared that were to be, and the result of a query is stored.
    pub(crate) fn catch_up_with(&self, key: &QueryKey) {
        if self.concerns(key) {
            self.catch_up();
        }
    }

    /// [`Later::catch_up`] for a caller that awaits: the thread does the jobs.
    pub(crate) async fn caught_up(&self) {
        if !self.is_behind() || AT_WORK.get() {
            return;
        }
        let Some(crew) = self.crew.load_full() else {
            return;
        };
        let there_were = crew.taken.load(Ordering::SeqCst);
        while crew.done.load(Ordering::SeqCst) < there_were {
            let listener = crew.job_done.listen();
            if crew.done.load(Ordering::SeqCst) < there_were {
                listener.await;
            }
        }
    }

    /// [`Later::catch_up_with_marks`] for a caller that awaits.
    pub(crate) async fn caught_up_with_marks(&self) {
        if self.background == Background::Everything {
            self.caught_up().await;
        }
    }

    /// [`Later::catch_up_with`] for a caller that awaits.
    pub(crate) async fn caught_up_with(&self, key: &QueryKey) {
        if self.concerns(key) {
            self.caught_up().await;
        }
    }

    /// Whether a read of this key has to wait for what is left to be done.
    fn concerns(&self, key: &QueryKey) -> bool {
        match self.background {
            Background::Nothing => false,
            Background::Everything => true,
            Background::Fills => {
                let crew = self.crew.load();
                let has = |crew: &Arc<Crew>| crew.is_behind() && crew.is_ours() && crew.has(key);
                crew.as_ref().is_some_and(has)
            }
        }
    }

    /// Catches up, and ends the thread. It starts again with the next job.
    pub(crate) fn rest(&self) {
        self.catch_up();
        if let Some(crew) = self.crew.swap(None)
            && crew.is_ours()
        {
            crew.close();
            let thread = lock(&crew.thread).take();
            // The thread itself may hold the last reference to the cache.
            if let Some(thread) = thread
                && thread.thread().id() != thread::current().id()
            {
                // It has nothing to say but that it is over.
                let _ = thread.join();
            }
        }
    }

    fn crew(&self) -> Arc<Crew> {
        let present = self.crew.load();
        if let Some(crew) = &*present
            && crew.is_ours()
        {
            return Arc::clone(crew);
        }
        let new = Crew::start(self.background == Background::Fills);
        let before = self
            .crew
            .compare_and_swap(&*present, Some(Arc::clone(&new)));
        match (&*before, &*present) {
            (Some(other), _) if other.is_ours() => {
                // Another thread was faster.
                new.close();
                Arc::clone(other)
            }
            _ => new,
        }
    }
}

impl Drop for Later {
    fn drop(&mut self) {
        if let Some(crew) = self.crew.swap(None)
            && crew.is_ours()
        {
            crew.close();
        }
    }
}

impl Crew {
    fn start(gathers: bool) -> Arc<Self> {
        let crew = Arc::new(Crew {
            process: std::process::id(),
            taken: AtomicU64::new(0),
            done: AtomicU64::new(0),
            job_done: Event::new(),
            jobs: Mutex::default(),
            arrived: Condvar::new(),
            gathers,
            turn: Mutex::default(),
            thread: Mutex::default(),
        });
        let worker = Arc::clone(&crew);
        let started = thread::Builder::new()
            .name("kogia-later".to_owned())
            .spawn(move || worker.live());
        match started {
            Ok(thread) => *lock(&crew.thread) = Some(thread),
            Err(error) => {
                tracing::warn!(%error, "results are stored and marks are cleared while callers wait");
                crew.close();
            }
        }
        crew
    }

    fn is_ours(&self) -> bool {
        self.process == std::process::id()
    }

    fn is_behind(&self) -> bool {
        // In this order: a job that is done was taken before.
        let done = self.done.load(Ordering::SeqCst);
        done < self.taken.load(Ordering::SeqCst)
    }

    /// Gives the job back if it cannot be taken.
    fn add(&self, key: Option<QueryKey>, job: Job) -> Result<(), Job> {
        let mut jobs = lock(&self.jobs);
        if jobs.is_closed || jobs.waiting.len() >= MOST_WAITING {
            return Err(job);
        }
        self.taken.fetch_add(1, Ordering::SeqCst);
        jobs.waiting.push_back((key, job));
        let must_wake = !self.gathers || jobs.is_asleep;
        drop(jobs);
        if must_wake {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Whether the result of a query is yet to be stored.
    fn has(&self, key: &QueryKey) -> bool {
        let jobs = lock(&self.jobs);
        let mut waiting = jobs.waiting.iter();
        jobs.in_hand.as_ref() == Some(key)
            || waiting.any(|(waiting, _)| waiting.as_ref() == Some(key))
    }

    fn close(&self) {
        lock(&self.jobs).is_closed = true;
        self.arrived.notify_one();
    }

    /// The thread's life.
    fn live(&self) {
        let mut idle_moments = 0;
        loop {
            // Somebody may be waiting for the jobs after one that panics.
            while catch_unwind(AssertUnwindSafe(|| self.do_all())).is_err() {}
            let mut jobs = lock(&self.jobs);
            if jobs.is_closed && jobs.waiting.is_empty() {
                return;
            }
            if self.gathers && idle_moments < IDLE_MOMENTS {
                let gather = |jobs: &mut Jobs| !jobs.is_closed;
                let waited = self.arrived.wait_timeout_while(jobs, MOMENT, gather);
                let (jobs, _) = waited.unwrap_or_else(PoisonError::into_inner);
                idle_moments = match jobs.waiting.is_empty() {
                    true => idle_moments + 1,
                    false => 0,
                };
                continue;
            }
            idle_moments = 0;
            jobs.is_asleep = true;
            let idle = |jobs: &mut Jobs| jobs.waiting.is_empty() && !jobs.is_closed;
            let woken = self.arrived.wait_while(jobs, idle);
            woken.unwrap_or_else(PoisonError::into_inner).is_asleep = false;
        }
    }

    /// Returns when all jobs are done that there were, whoever has done them.
    fn do_all(&self) {
        let _turn = lock(&self.turn);
        let _at_work = AtWork::begin();
        loop {
            let mut jobs = lock(&self.jobs);
            jobs.in_hand = None;
            let Some((key, job)) = jobs.waiting.pop_front() else {
                return;
            };
            jobs.in_hand = key;
            drop(jobs);
            let _done = Done(self);
            job();
        }
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew")
            .field("process", &self.process)
            .field("taken", &self.taken)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

thread_local! {
    /// Whether this thread is doing jobs: it must not wait for itself.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

struct AtWork;

impl AtWork {
    fn begin() -> AtWork {
        AT_WORK.set(true);
        AtWork
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        AT_WORK.set(false);
    }
}

/// Counts a job as done, even one that panics.
struct Done<'a>(&'a Crew);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.done.fetch_add(1, Ordering::SeqCst);
        self.0.job_done.notify(usize::MAX);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::caller::at_once;

    #[test]
    fn without_a_thread_the_caller_does_the_work() {
        let later = Later::new(Background::Nothing);
        let (done, is_done) = mpsc::channel();
        let caller = thread::current().id();
        later.work(move || done.send(thread::current().id()).unwrap());
        assert_eq!(is_done.try_recv(), Ok(caller));
    }

    #[test]
    fn work_is_done_without_anybody_asking() {
        let later = Later::new(Background::Everything);
        let (done, is_done) = mpsc::channel();
        let caller = thread::current().id();
        later.work(move || done.send(thread::current().id()).unwrap());
        assert_ne!(is_done.recv(), Ok(caller));
    }

    #[test]
    fn who_catches_up_finds_everything_done() {
        let later = Later::new(Background::Everything);
        let (done, are_done) = mpsc::channel();
        for number in 0..2 * MOST_WAITING {
            let done = done.clone();
            later.work(move || done.send(number).unwrap());
        }
        later.catch_up();
        assert!(!later.is_behind());
        assert_eq!(are_done.try_iter().count(), 2 * MOST_WAITING);
    }

    #[test]
    fn more_than_a_full_list_is_done_at_once() {
        let later = Later::new(Background::Everything);
        let (go_on, may_go_on) = mpsc::channel::<()>();
        later.work(move || may_go_on.recv().unwrap());
        let (done, are_done) = mpsc::channel();
        for number in 0..=MOST_WAITING {
            let done = done.clone();
            later.work(move || done.send(number).unwrap());
        }
        let first = are_done.recv();
        go_on.send(()).unwrap();
        later.catch_up();
        // The thread was busy or had not even begun, so one or two were too many.
        assert!(first.is_ok_and(|number| number >= MOST_WAITING - 1));
        assert_eq!(are_done.try_iter().count(), MOST_WAITING);
    }

    /// Not even a job that panics keeps those that await from going on.
    #[test]
    fn callers_that_await_find_the_work_done() {
        let later = Later::new(Background::Everything);
        let (is_done, are_done) = mpsc::channel();
        for number in 0..10 {
            let is_done = is_done.clone();
            later.work(move || {
                assert_ne!(number, 5, "a job panics");
                is_done.send(()).unwrap();
            });
        }
        at_once(later.caught_up());
        assert_eq!(are_done.try_iter().count(), 9);
        assert!(!later.is_behind());
    }

    #[test]
    fn work_may_want_to_catch_up() {
        let later = Arc::new(Later::new(Background::Everything));
        let inner = Arc::clone(&later);
        let (done, is_done) = mpsc::channel();
        later.work(move || {
            inner.catch_up();
            inner.work(move || done.send(()).unwrap());
        });
        assert_eq!(is_done.recv(), Ok(()));
        later.catch_up();
    }

    #[test]
    fn a_thread_that_rests_starts_again() {
        let later = Later::new(Background::Everything);
        for _ in 0..3 {
            let (done, is_done) = mpsc::channel();
            later.work(move || done.send(()).unwrap());
            later.rest();
            assert_eq!(is_done.try_recv(), Ok(()));
            assert!(later.crew.load().is_none());
        }
    }

    #[test]
    fn results_are_stored_a_moment_later_and_marks_are_cleared_at_once() {
        let later = Later::new(Background::Fills);
        let key = |number| QueryKey::from_bytes([number; 32]);
        let (done, are_done) = mpsc::channel();
        let caller = thread::current().id();
        for number in 0..3 {
            let done = done.clone();
            later.fill(key(number), move || {
                done.send((number, thread::current().id())).unwrap();
            });
        }
        // Whoever asks for another query does not wait for them, and who asks for one of them does.
        later.catch_up_with(&key(7));
        later.catch_up_with_marks();
        later.catch_up_with(&key(1));
        let stored: Vec<_> = are_done.try_iter().map(|(number, _)| number).collect();
        assert!(stored.starts_with(&[0, 1]), "{stored:?}");
        later.work(move || done.send((9, thread::current().id())).unwrap());
        assert_eq!(are_done.try_iter().last(), Some((9, caller)));
    }

    /// Whoever awaits finds stored what it asks for, and does not wait for other results.
    #[test]
    fn callers_that_await_wait_for_what_they_ask_for() {
        let later = Later::new(Background::Fills);
        let key = |number| QueryKey::from_bytes([number; 32]);
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (done, is_done) = mpsc::channel();
        later.fill(key(1), move || {
            may_go_on.recv().unwrap();
            done.send(thread::current().id()).unwrap();
        });
        at_once(later.caught_up_with(&key(7)));
        at_once(later.caught_up_with_marks());
        assert!(is_done.try_recv().is_err());
        go_on.send(()).unwrap();
        at_once(later.caught_up_with(&key(1)));
        assert!(
            is_done
                .try_recv()
                .is_ok_and(|id| id != thread::current().id())
        );
    }

    #[test]
    fn results_are_stored_without_anybody_asking() {
        let later = Later::new(Background::Fills);
        let (done, is_done) = mpsc::channel();
        // Long enough apart that the thread gathers, and that it sleeps.
        for pause in [Duration::ZERO, MOMENT * 5, MOMENT * (2 * IDLE_MOMENTS)] {
            thread::sleep(pause);
            let done = done.clone();
            let key = QueryKey::from_bytes([1; 32]);
            later.fill(key, move || done.send(thread::current().id()).unwrap());
            assert_ne!(is_done.recv(), Ok(thread::current().id()));
        }
    }

    #[test]
    fn a_job_that_panics_is_done() {
        let later = Later::new(Background::Everything);
        later.work(|| std::panic::resume_unwind(Box::new("a listener's fault")));
        let (done, is_done) = mpsc::channel();
        // Whoever comes next may meet the panic, or the thread has.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| later.catch_up()));
        later.work(move || done.send(()).unwrap());
        later.catch_up();
        assert_eq!(is_done.try_recv(), Ok(()));
        assert!(!later.is_behind());
    }
}
