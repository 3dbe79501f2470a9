//! The checker finds out every mutant of the protocol.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test or a benchmark may panic

use kogia_model::{Configuration, Mutant, Protocol, refute};

macro_rules! mutants {
    ($($test:ident $mutant:ident)*) => {
        const LISTED: &[Mutant] = &[$(Mutant::$mutant),*];
        $(
            #[test]
            fn $test() {
                is_found_out(Mutant::$mutant);
            }
        )*
    };
}

mutants! {
    stamp_after_query StampAfterQuery
    invalidate_before_only InvalidateBeforeOnly
    mark_keeps_token MarkKeepsToken
    one_mark_slot OneMarkSlot
    blind_expiry BlindExpiry
    ignore_marks IgnoreMarks
    old_snapshot_fill OldSnapshotFill
    lagging_replica LaggingReplica
    counters Counters
    missing_equals_missing MissingEqualsMissing
    no_incarnation NoIncarnation
    join_by_query JoinByQuery
    no_commit_tag_check NoCommitTagCheck
    hit_before_snapshot HitBeforeSnapshot
    snapshot_at_begin SnapshotAtBegin
    commit_late CommitLate
    same_owner_again SameOwnerAgain
    dirty_forgotten DirtyForgotten
    private_kept PrivateKept
    dirty_hits DirtyHits
    dirty_fills DirtyFills
    clear_keeps_token ClearKeepsToken
    commit_unacknowledged CommitUnacknowledged
    clear_on_unknown ClearOnUnknown
    idle_is_over IdleIsOver
    no_resolver NoResolver
    cold_store_unmarked ColdStoreUnmarked
    inserts_always_waived InsertsAlwaysWaived
    broad_write_keeps_broad BroadWriteKeepsBroad
    insert_keeps_inserts InsertKeepsInserts
    pinned_write_keeps_any PinnedWriteKeepsAny
}

#[test]
fn every_mutant_has_a_test() {
    assert_eq!(Mutant::ALL, LISTED);
}

fn is_found_out(mutant: Mutant) {
    let configuration = Configuration::named(mutant.configuration()).expect("its configuration");
    let findings = refute(
        &Protocol::new(configuration, Some(mutant)),
        mutant.violates(),
    );
    println!("{}: after {} states", mutant.name(), findings.states);
    let mut found = findings.violated.iter();
    let history = found.find(|history| history.property == mutant.violates());
    let history = history
        .unwrap_or_else(|| panic!("{} survives: {:?} holds", mutant.name(), mutant.violates()));
    assert!(history.steps.iter().all(|step| step.ends_with('.')));
}
