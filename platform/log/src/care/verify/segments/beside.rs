//! What lies beside the segments: indexes, the base, the checkpoint, a backup's manifest.

use super::{UNREADABLE, Verification};
use crate::care::verify::derived::{self, Links};
use crate::care::verify::{Finding, Harm, VerifyError};
use crate::error::OpenError;
use crate::files::{BASE, CHECKPOINT, MANIFEST, UNFINISHED, read_file};
use crate::format::{
    ActiveIndex, Base, Checkpoint, FoundBase, IndexOf, Lack, LogStart, Manifest, SegmentIndex, SegmentNumber,
    is_primary,
};
use crate::num::to_u64;
use crate::state::Chain;

impl Verification<'_, '_> {
    /// Checks the segment's index file, if there is one, as far as the chain at the segment's end and the index that
    /// the segment makes are known.
    pub(super) fn check_index(
        &mut self,
        segment: SegmentNumber,
        chain: Option<Chain>,
        made: Option<ActiveIndex>,
    ) {
        let Some(log) = self.report.log_id.filter(|_| self.indexes.contains(&segment)) else { return };
        let name = segment.index_file_name();
        let links = if self.heads.is_some() {
            Links::From(self.start.map_or(0, |start| start.segment.0))
        } else {
            Links::Unknown
        };
        let damage = match read_file(self.disk, &name, SegmentIndex::bytes_max) {
            Ok(bytes) => {
                let chain = chain.unwrap_or_else(|| SegmentIndex::chain_in(&bytes));
                derived::compare_index(&bytes, IndexOf { log, segment, chain }, made, links)
            }
            Err(_) => Some((0, UNREADABLE)),
        };
        if let Some((offset, what)) = damage {
            self.find(&name, offset, what, Harm::Derived);
        }
    }

    /// What stands for dropped segments; leftovers of those are not looked at.
    pub(super) fn read_base(&mut self) -> Result<(), VerifyError> {
        match FoundBase::in_folder(self.disk) {
            Ok(FoundBase::Nothing) => self.start = self.report.log_id.map(LogStart::of_new),
            Ok(FoundBase::Whole(base)) => {
                self.start = Some(base.start);
                self.headers.retain(|number, _| *number >= base.start.segment);
                self.report.segments = to_u64(self.headers.len());
                self.restore(&base);
            }
            Ok(FoundBase::Damaged(damage)) => {
                self.heads = None;
                self.report.findings.push(Finding { damage, harm: Harm::Primary });
            }
            Err(OpenError::UnknownFormat { file, format, .. }) => {
                return Err(VerifyError::UnknownFormat { file, format });
            }
            Err(_) => {
                self.heads = None;
                self.find(BASE, 0, UNREADABLE, Harm::Primary);
            }
        }
        Ok(())
    }

    fn restore(&mut self, base: &Base) {
        let (Some(heads), Some(contents)) = (&self.heads, base.contents()) else {
            self.heads = None;
            return self.find(BASE, 0, "the base is not well-formed", Harm::Primary);
        };
        base.heads(&contents).for_each(|head| heads.restore(head));
    }

    pub(super) fn read_checkpoint(&mut self) {
        let read = read_file(self.disk, CHECKPOINT, Checkpoint::bytes_max).map_err(|_| UNREADABLE);
        let parsed = read.and_then(|bytes| {
            Checkpoint::parse(bytes)
                .ok_or("the checkpoint does not match its checksum, or its format is unknown")
        });
        match parsed {
            Ok(checkpoint) if self.report.log_id.is_none_or(|log| log == checkpoint.log) => {
                self.checkpoint = Some(checkpoint)
            }
            Ok(_) => self.find(CHECKPOINT, 16, "it is the checkpoint of another log", Harm::Derived),
            Err(what) => self.find(CHECKPOINT, 0, what, Harm::Derived),
        }
    }

    pub(super) fn compare_checkpoint(&mut self) {
        let (Some(checkpoint), Some(heads)) = (&self.checkpoint, &self.heads) else { return };
        if let Some((offset, what)) = derived::compare_checkpoint(checkpoint, heads) {
            self.find(CHECKPOINT, offset, what, Harm::Derived);
        }
    }

    /// The same, also held against a backup's manifest if there is one among the files with these names.
    pub(in crate::care::verify) fn of_backup(mut self, names: &[String]) -> Self {
        if names.iter().any(|name| [MANIFEST, UNFINISHED].contains(&name.as_str())) {
            self.of_backup = names.to_vec();
        }
        self
    }

    /// Holds the files in which nothing was found against the manifest.
    pub(super) fn check_backup(&mut self) {
        let names = std::mem::take(&mut self.of_backup);
        if names.is_empty() {
            return;
        }
        let Some(manifest) = Manifest::in_folder(self.disk) else {
            return match names.iter().any(|name| name == UNFINISHED) {
                true => self.find(UNFINISHED, 0, "the backup was not finished", Harm::Primary),
                false => self.find(MANIFEST, 0, "it is not the manifest of a backup", Harm::Note),
            };
        };
        let bytes = manifest.files.iter().map(|file| file.bytes);
        self.meter.expect(bytes.fold(0, u64::saturating_add));
        for file in &manifest.files {
            let place = self.disk.display(&file.name);
            if self.report.findings.iter().any(|finding| finding.damage.file == place) {
                continue;
            }
            let harm = if is_primary(&file.name) { Harm::Primary } else { Harm::Derived };
            match file.differs(self.disk, |bytes| self.meter.pass(bytes)) {
                Ok(None) => {}
                Ok(Some(lack)) => self.find(&file.name, 0, lack.text(), harm),
                Err(_) => self.find(&file.name, 0, UNREADABLE, harm),
            }
        }
        let is_listed = |name: &&String| manifest.files.iter().any(|file| file.name == **name);
        for name in names.iter().filter(|name| is_primary(name) && !is_listed(name)) {
            self.find(name, 0, Lack::NotListed.text(), Harm::Primary);
        }
    }
}
