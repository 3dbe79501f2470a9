//! The protocol with one rule broken.

use crate::property::{ANSWER, CLEAN, FOR_EVER, OWN_WRITES, RENEWED, REVIVED, SNAPSHOT};

/// Declares the mutants: variant, name on the command line, configuration that shows it, property
/// that it violates, and the rule that is broken, which is its documentation as well.
macro_rules! mutants {
    ($($variant:ident $name:literal $configuration:literal $violates:ident $about:literal)*) => {
        /// A protocol that looks right and is not. The checker must find a history for each that
        /// violates [`Mutant::violates`].
        ///
        /// Some rules are each other's second line of defence. Where breaking one of them alone
        /// does no harm, the mutant breaks both, and says so.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Mutant {
            $(#[doc = $about] $variant,)*
        }

        impl Mutant {
            /// All mutants.
            pub const ALL: &[Mutant] = &[$(Mutant::$variant,)*];

            /// Its name on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Mutant::$variant => $name,)* }
            }

            /// What is broken, in one sentence.
            pub fn about(self) -> &'static str {
                match self { $(Mutant::$variant => $about,)* }
            }

            /// The name of the configuration that shows it.
            pub fn configuration(self) -> &'static str {
                match self { $(Mutant::$variant => $configuration,)* }
            }

            /// The name of the property that it violates.
            pub fn violates(self) -> &'static str {
                match self { $(Mutant::$variant => $violates,)* }
            }
        }
    };
}

mutants! {
    StampAfterQuery "stamp-after-query" "autocommit" FOR_EVER
        "The stamp is read when the result is stored."
    InvalidateBeforeOnly "invalidate-before-only" "autocommit" FOR_EVER
        "Tags are renewed before the write and neither held meanwhile nor renewed afterwards."
    MarkKeepsToken "mark-keeps-token" "autocommit" FOR_EVER
        "A mark keeps the token, and so does a mark that is taken away because its lease is over."
    OneMarkSlot "one-mark-slot" "two-writers" FOR_EVER
        "A tag has room for one owner."
    BlindExpiry "blind-expiry" "autocommit" FOR_EVER
        "A mark whose lease is over is cleared without asking the database."
    IgnoreMarks "ignore-marks" "autocommit" ANSWER
        "A marked generation is taken for a clean one: stored under, and hit."
    OldSnapshotFill "old-snapshot-fill" "snapshot" FOR_EVER
        "A snapshot transaction stores what it reads after the commit tag has moved."
    LaggingReplica "lagging-replica" "autocommit" FOR_EVER
        "A query runs on a replica that lags behind."
    Counters "counters" "eviction" REVIVED
        "Generations are counters that the store keeps."
    MissingEqualsMissing "missing-equals-missing" "eviction" REVIVED
        "A missing generation equals a missing one."
    NoIncarnation "no-incarnation" "restart" FOR_EVER
        "A store that fails over to a lagging replica goes on under its name, as if nothing had happened."
    JoinByQuery "join-by-query" "autocommit" ANSWER
        "A waiter joins any flight of its query."
    NoCommitTagCheck "no-commit-tag-check" "snapshot" SNAPSHOT
        "Snapshot transactions use the store like any other."
    HitBeforeSnapshot "hit-before-snapshot" "snapshot" SNAPSHOT
        "A snapshot transaction may hit before the database has taken its snapshot."
    SnapshotAtBegin "snapshot-at-begin" "snapshot" FOR_EVER
        "The database takes the snapshot at `BEGIN`, before the commit tag is read."
    CommitLate "commit-late" "lease" RENEWED
        "A commit is sent however long ago its mark was."
    SameOwnerAgain "same-owner-again" "lease" RENEWED
        "Who marks again is the same owner again."
    DirtyForgotten "dirty-forgotten" "savepoint" OWN_WRITES
        "Rolling back to a savepoint forgets which tags are dirty."
    PrivateKept "private-kept" "savepoint" OWN_WRITES
        "Rolling back to a savepoint keeps what the transaction had read."
    DirtyHits "dirty-hits" "transaction" OWN_WRITES
        "A transaction looks into the shared store for tags that it has written."
    DirtyFills "dirty-fills" "transaction" ANSWER
        "A transaction stores what it reads after it wrote, for everybody."
    ClearKeepsToken "clear-keeps-token" "available" FOR_EVER
        "Clearing takes the mark away and keeps the token."
    CommitUnacknowledged "commit-unacknowledged" "autocommit" RENEWED
        "A commit is sent though its mark was not acknowledged, by a policy that forbids it."
    ClearOnUnknown "clear-on-unknown" "autocommit" FOR_EVER
        "Marks are cleared though nobody knows whether the commit will still take effect."
    IdleIsOver "idle-is-over" "autocommit" FOR_EVER
        "A connection with no open transaction counts as over, though a write in autocommit may be on its way to it."
    NoResolver "no-resolver" "autocommit" CLEAN
        "Nobody resolves old marks."
    ColdStoreUnmarked "cold-store-unmarked" "restart" FOR_EVER
        "A store that lost its marks begins as if nobody had held any."
    InsertsAlwaysWaived "inserts-always-waived" "pinned" FOR_EVER
        "An entry of a pinned read does not depend on inserts, whether or not the row was found."
    BroadWriteKeepsBroad "broad-write-keeps-broad" "pinned" FOR_EVER
        "A write whose keys are not known renews only the tag of reads that are not pinned."
    InsertKeepsInserts "insert-keeps-inserts" "pinned" FOR_EVER
        "An insert renews only the tag of reads that are not pinned."
    PinnedWriteKeepsAny "pinned-write-keeps-any" "pinned" FOR_EVER
        "A pinned write renews the tags of its keys only."
}

impl Mutant {
    /// The mutant of this name.
    pub fn named(name: &str) -> Option<Mutant> {
        let mut all = Mutant::ALL.iter().copied();
        all.find(|mutant| mutant.name() == name)
    }
}
