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

use arc_swap::ArcSwapOption;
use event_listener::Event;

type Job = Box<dyn FnOnce() + Send>;

/// Jobs that wait hold results in memory; beyond this many, callers do their own.
const MOST_WAITING: usize = 64;

/// The work of one cache.
#[derive(Debug, Default)]
pub(crate) struct Later {
    /// Whether there is a thread for it; otherwise callers do their own at once.
    is_on: bool,
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
    /// Held by whoever does jobs, which may be any thread.
    turn: Mutex<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    /// No more are taken: the thread ends.
    is_closed: bool,
}

impl Later {
    pub(crate) fn new(is_on: bool) -> Self {
        Later {
            is_on,
            crew: ArcSwapOption::empty(),
        }
    }

    /// Does a job soon, or at once.
    pub(crate) fn work(&self, job: impl FnOnce() + Send + 'static) {
        if !self.is_on || AT_WORK.get() {
            return job();
        }
        if let Err(job) = self.crew().add(Box::new(job)) {
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
        let new = Crew::start();
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
    fn start() -> Arc<Self> {
        let crew = Arc::new(Crew {
            process: std::process::id(),
            taken: AtomicU64::new(0),
            done: AtomicU64::new(0),
            job_done: Event::new(),
            jobs: Mutex::default(),
            arrived: Condvar::new(),
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
    fn add(&self, job: Job) -> Result<(), Job> {
        let mut jobs = lock(&self.jobs);
        if jobs.is_closed || jobs.waiting.len() >= MOST_WAITING {
            return Err(job);
        }
        self.taken.fetch_add(1, Ordering::SeqCst);
        jobs.waiting.push_back(job);
        drop(jobs);
        self.arrived.notify_one();
        Ok(())
    }

    fn close(&self) {
        lock(&self.jobs).is_closed = true;
        self.arrived.notify_one();
    }

    /// The thread's life.
    fn live(&self) {
        loop {
            // Somebody may be waiting for the jobs after one that panics.
            while catch_unwind(AssertUnwindSafe(|| self.do_all())).is_err() {}
            let jobs = lock(&self.jobs);
            let idle = |jobs: &mut Jobs| jobs.waiting.is_empty() && !jobs.is_closed;
            let jobs = self.arrived.wait_while(jobs, idle);
            let jobs = jobs.unwrap_or_else(PoisonError::into_inner);
            if jobs.waiting.is_empty() {
                return;
            }
        }
    }

    /// Returns when all jobs are done that there were, whoever has done them.
    fn do_all(&self) {
        let _turn = lock(&self.turn);
        let _at_work = AtWork::begin();
        loop {
            let Some(job) = lock(&self.jobs).waiting.pop_front() else {
                return;
            };
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

    #[test]
    fn without_a_thread_the_caller_does_the_work() {
        let later = Later::new(false);
        let (done, is_done) = mpsc::channel();
        let caller = thread::current().id();
        later.work(move || done.send(thread::current().id()).unwrap());
        assert_eq!(is_done.try_recv(), Ok(caller));
    }

    #[test]
    fn work_is_done_without_anybody_asking() {
        let later = Later::new(true);
        let (done, is_done) = mpsc::channel();
        let caller = thread::current().id();
        later.work(move || done.send(thread::current().id()).unwrap());
        assert_ne!(is_done.recv(), Ok(caller));
    }

    #[test]
    fn who_catches_up_finds_everything_done() {
        let later = Later::new(true);
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
        let later = Later::new(true);
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
        let later = Later::new(true);
        let (is_done, are_done) = mpsc::channel();
        for number in 0..10 {
            let is_done = is_done.clone();
            later.work(move || {
                assert_ne!(number, 5, "a job panics");
                is_done.send(()).unwrap();
            });
        }
        crate::caller::at_once(later.caught_up());
        assert_eq!(are_done.try_iter().count(), 9);
        assert!(!later.is_behind());
    }

    #[test]
    fn work_may_want_to_catch_up() {
        let later = Arc::new(Later::new(true));
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
        let later = Later::new(true);
        for _ in 0..3 {
            let (done, is_done) = mpsc::channel();
            later.work(move || done.send(()).unwrap());
            later.rest();
            assert_eq!(is_done.try_recv(), Ok(()));
            assert!(later.crew.load().is_none());
        }
    }

    #[test]
    fn a_job_that_panics_is_done() {
        let later = Later::new(true);
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
