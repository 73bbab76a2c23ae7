//! Verifying sealed segments in the background, at a bounded rate, so that damage is known before somebody needs what
//! is damaged.
//!
//! What always holds:
//!
//! * Nothing is written, and neither appends nor reads wait for it.
//! * Each segment is checked by itself: its header, every frame, the chain into the next segment, its index. That the
//!   versions of streams follow from segment to segment is left to [`verify`](crate::care::verify()).
//!
//! Bytes come through the system's page cache: damage on the medium below pages that are cached shows when they are read
//! again.

use crate::care::verify::{VerifyProgress, check_sealed};
use crate::error::Corruption;
use crate::options::{Scrub, planted};
use crate::read::{DAMAGES_MAX, Reader, ScrubState};
use annals_event::Timestamp;
use std::{ops::ControlFlow, time::Duration};

/// Goes over all segments that are sealed now. `pause` is called with how long to wait for the rate's sake; `Break`
/// ends the pass.
pub(crate) fn scrub_pass(
    reader: &Reader,
    scrub: Option<Scrub>,
    mut pause: impl FnMut(Duration) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let state = &reader.shared.scrub;
    let _running = state.running.lock();
    let segments = reader.shared.state.read().segments.clone();
    let mut found = Vec::new();
    let skipped = usize::from(planted!(reader.shared.options, LastSealedNotScrubbed));
    for pair in segments.windows(2).take(segments.len().saturating_sub(1 + skipped)) {
        let [segment, next] = pair else { continue };
        let mut told_bytes = 0;
        let mut stopped = ControlFlow::Continue(());
        let mut tell = |progress: VerifyProgress| {
            let bytes = progress.bytes_done.saturating_sub(told_bytes);
            told_bytes = progress.bytes_done;
            state.status.lock().bytes += bytes;
            stopped = scrub.map_or(ControlFlow::Continue(()), |scrub| pause(scrub.time_for(bytes)));
            stopped
        };
        let damages = check_sealed(reader, segment, next, &mut tell);
        stopped?;
        // A segment that is dropped meanwhile is not damaged.
        let damages = if reader.first_if_dropped(segment.number).is_some() { Vec::new() } else { damages };
        report(state, &damages);
        found.extend(damages);
    }
    found.truncate(DAMAGES_MAX);
    let mut status = state.status.lock();
    status.passes += 1;
    status.last_pass_at = Some(Timestamp::from_micros(reader.shared.environment.clock.now_micros()));
    // What a later pass does not find again was dropped, or made again.
    status.damages = found;
    ControlFlow::Continue(())
}

fn report(state: &ScrubState, damages: &[Corruption]) {
    let mut status = state.status.lock();
    status.segments += 1;
    for damage in damages {
        if !status.damages.contains(damage) {
            tracing::error!(%damage, "scrubbing found damage");
            if status.damages.len() < DAMAGES_MAX {
                status.damages.push(damage.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Log, Options, ReadBudget};
    use annals_event::{Append, EventType, ExpectedVersion, NewEvent, Sequence, StreamName};
    use std::num::NonZeroU64;

    fn log(folder: &std::path::Path, scrub: Option<Scrub>) -> Log {
        let options = Options { scrub, ..Options::with_segment_bytes(8 << 10) };
        let log = Log::open(folder, options).unwrap();
        for number in 0..100 {
            let event = NewEvent::json(EventType::new("t").unwrap(), vec![b' '; 100]);
            let stream = StreamName::new(format!("s-{}", number % 7)).unwrap();
            log.append(Append::to(stream, ExpectedVersion::Any, vec![event])).unwrap();
        }
        log
    }

    fn flip(file: &std::path::Path, at: usize) {
        let mut bytes = std::fs::read(file).unwrap();
        bytes[at] ^= 1;
        std::fs::write(file, bytes).unwrap();
    }

    #[test]
    fn a_sound_log_is_scrubbed_without_finding_anything() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), None);
        let (first, second) = (log.scrub(), log.scrub());
        assert_eq!((first.passes, second.passes), (1, 2));
        assert_eq!(second.damages, []);
        assert!(first.segments >= 2 && first.bytes >= 16 << 10, "{first:?}");
        assert!(second.last_pass_at >= first.last_pass_at);
    }

    #[test]
    fn damage_is_found_in_each_sealed_segment_and_reads_elsewhere_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), None);
        let sealed = log.stats().segments - 1;
        assert!(sealed >= 2);
        for number in 1..=sealed {
            for at in [10, 600, 4000] {
                let file = folder.path().join(format!("{number:010}.segment"));
                flip(&file, at);
                let damages = log.scrub().damages;
                assert!(damages.iter().all(|damage| damage.file == file), "{damages:?}");
                assert!(damages.first().is_some_and(|damage| damage.offset <= at as u64), "{damages:?}");
                let budget = ReadBudget { bytes_max: 1 << 20, events_max: 1 };
                log.read(log.head(), budget).unwrap();
                flip(&file, at);
                assert_eq!(log.scrub().damages, []);
            }
        }
    }

    #[test]
    fn the_background_scrubs_and_ends_with_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let slow = Scrub::at(NonZeroU64::MIN);
        let log = log(folder.path(), Some(slow));
        assert_eq!(log.head(), Sequence::new(100));
        // At a byte a second it is in the middle of something.
        log.close().unwrap();
    }

    #[test]
    fn the_rate_says_how_long_it_takes() {
        let scrub = Scrub::at(NonZeroU64::new(4 << 20).unwrap());
        assert_eq!(scrub.time_for(1 << 20), Duration::from_millis(250));
    }
}
