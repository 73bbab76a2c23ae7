//! Each planted bug is caught by the suite that is there to catch it, and the suite passes without the bug.

use crate::based::flipped_bits_of_the_base;
use crate::crashes::{Effort, Images, cut_everywhere, retry_after_failed_recoveries, retry_everywhere};
use crate::damage::{Left, Sound, flip_everywhere, zero_sectors_of_the_active_segment};
use crate::ends::lost_ends;
use crate::faults::fail_everywhere;
use crate::histories::{frames_of_another_history, indexes_of_another_history};
use crate::holds::hold_on;
use crate::judge::Verdict;
use crate::layout::{segments, used_bytes};
use crate::scrubbed::damage_in_each_sealed_segment;
use crate::session::Setup;
use annals_log::PlantedBug;
use annals_log::sim::{FaultKind, Lasts};

/// Seeds that a suite gets to catch a bug; the sound engine must pass them all.
const SEEDS: std::ops::Range<u64> = 0..3;

#[track_caller]
fn catches(bug: PlantedBug, suite: impl Fn(Setup) -> Verdict) {
    let setup = |seed, planted_bug| {
        let mut setup = Setup { groups: 14, ..Setup::seeded(seed) };
        setup.options.planted_bug = planted_bug;
        setup
    };
    for seed in SEEDS {
        suite(setup(seed, None)).expect("the engine without the bug passes");
    }
    let caught = SEEDS.into_iter().find_map(|seed| suite(setup(seed, Some(bug))).err());
    let Some(violation) = caught else { panic!("{bug:?} was not caught") };
    println!("{bug:?} is caught: {}", violation.0);
}

fn power_cuts(setup: Setup) -> Verdict {
    cut_everywhere(&setup, Effort { survivors: 4, deep_every: 9 }, &mut Images::default())
}

/// A retry is equal in every byte to the first try when the clock stands still; then stale frames after it fit.
fn power_cuts_and_equal_retries(setup: Setup) -> Verdict {
    retry_everywhere(&Setup { readings_per_micro: 0, ..setup }, 30, &mut Images::default())
}

/// The same, and the recovery before the retry fails: then the cache shows what is not on the disk.
fn failed_recoveries_and_equal_retries(setup: Setup) -> Verdict {
    retry_after_failed_recoveries(&Setup { readings_per_micro: 0, ..setup }, 8, &mut Images::default())
}

fn failing_disks(setup: Setup) -> Verdict {
    fail_everywhere(&setup, Lasts::Once, FaultKind::Medium, &mut Images::default())
}

/// Of a closed log: then only who reads the segment looks at it.
fn flipped_bits_of_a_sealed_segment(setup: Setup) -> Verdict {
    let sound = Sound::new(setup, Left::Closed);
    let name = &segments(sound.disk())[1];
    flip_everywhere(&sound, name, (0..used_bytes(sound.disk(), name)).step_by(19)).map(drop)
}

#[test]
fn acknowledging_before_the_sync_is_caught() {
    catches(PlantedBug::AcknowledgeBeforeSync, power_cuts);
}

#[test]
fn answering_a_refusal_before_the_sync_it_rests_on_is_caught() {
    catches(PlantedBug::RefuseBeforeSync, failing_disks);
}

#[test]
fn taking_a_valid_sibling_of_a_torn_frame_for_corruption_is_caught() {
    catches(PlantedBug::SiblingFrameIsCorruption, power_cuts);
}

#[test]
fn taking_a_zero_sector_in_the_middle_for_the_end_is_caught() {
    catches(PlantedBug::ZeroSectorEndsLog, |setup| zero_sectors_of_the_active_segment(setup).map(|_| ()));
}

#[test]
fn leaving_a_stale_tail_in_place_is_caught() {
    catches(PlantedBug::TailNotWiped, power_cuts_and_equal_retries);
}

#[test]
fn wiping_a_torn_tail_in_the_page_cache_alone_is_caught() {
    catches(PlantedBug::TailWipedInCache, failed_recoveries_and_equal_retries);
}

#[test]
fn trusting_the_page_cache_in_recovery_is_caught() {
    catches(PlantedBug::RecoveryTrustsCache, failing_disks);
}

#[test]
fn removing_segments_before_their_base_is_durable_is_caught() {
    catches(PlantedBug::BaseAfterDrop, |setup| power_cuts(setup.retaining()));
}

#[test]
fn not_syncing_the_directory_is_caught() {
    catches(PlantedBug::DirectoryNotSynced, power_cuts);
}

#[test]
fn syncing_again_after_a_failed_sync_is_caught() {
    catches(PlantedBug::SyncRetried, failing_disks);
}

#[test]
fn writing_on_after_a_failed_sync_is_caught() {
    catches(PlantedBug::GoesOnAfterFailedSync, failing_disks);
}

#[test]
fn showing_readers_what_is_not_durable_is_caught() {
    catches(PlantedBug::FailedGroupVisible, failing_disks);
}

#[test]
fn times_that_go_back_with_the_clock_are_caught() {
    catches(PlantedBug::TimeGoesBack, power_cuts);
}

#[test]
fn naming_a_segment_before_its_header_is_durable_is_caught() {
    catches(PlantedBug::HeaderNotSynced, power_cuts);
}

#[test]
fn ending_a_segment_before_the_name_of_the_next_is_durable_is_caught() {
    catches(PlantedBug::FooterBeforeName, power_cuts);
}

#[test]
fn leaving_a_footer_in_the_cache_is_caught() {
    catches(PlantedBug::FooterNotRewritten, power_cuts);
}

#[test]
fn forgetting_request_ids_at_a_restart_is_caught() {
    catches(PlantedBug::RequestsForgotten, power_cuts);
}

#[test]
fn checking_conditions_without_the_group_under_way_is_caught() {
    catches(PlantedBug::ConditionsIgnoreGroup, power_cuts);
}

#[test]
fn serving_a_payload_without_checking_it_is_caught() {
    catches(PlantedBug::PayloadNotChecked, flipped_bits_of_a_sealed_segment);
}

#[test]
fn serving_a_record_of_a_stream_without_checking_it_is_caught() {
    catches(PlantedBug::RecordNotChecked, flipped_bits_of_a_sealed_segment);
}

#[test]
fn taking_in_frames_that_do_not_follow_the_chain_is_caught() {
    catches(PlantedBug::ChainNotChecked, |setup| frames_of_another_history(setup).map(drop));
}

#[test]
fn using_the_index_of_another_history_is_caught() {
    catches(PlantedBug::ForeignIndexUsed, |setup| indexes_of_another_history(setup).map(drop));
}

#[test]
fn not_noticing_that_the_end_of_a_log_is_lost_is_caught() {
    catches(PlantedBug::LostEndNotNoticed, |setup| lost_ends(&setup).map(drop));
}

#[test]
fn opening_a_log_with_a_damaged_base_as_a_whole_one_is_caught() {
    catches(PlantedBug::BaseDamageIgnored, |setup| flipped_bits_of_the_base(setup).map(drop));
}

#[test]
fn dropping_what_is_held_is_caught() {
    catches(PlantedBug::HoldIgnored, |setup| hold_on(&setup).map(drop));
}

#[test]
fn scrubbing_all_sealed_segments_but_the_last_is_caught() {
    catches(PlantedBug::LastSealedNotScrubbed, |setup| damage_in_each_sealed_segment(&setup).map(drop));
}
