use super::SnapshotName;
use crate::{FoldVersion, GenerationStatus, ReadModel, SchemaHash, SnapshotError, Tally};
use annals_event::{LogId, Sequence};
use annals_store::SeenLog;
use serde::{Deserialize, Serialize};

/// The format of manifests and of what they describe. 2: both have the chain value. 3: rows, and no database's file.
const FORMAT: u32 = 3;

/// What a snapshot contains, and how to tell that it is intact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SnapshotManifest {
    /// The format of this manifest.
    pub format: u32,
    /// The release that wrote it.
    pub build: String,
    /// The snapshot's name.
    pub name: SnapshotName,
    /// The read model's name.
    pub model: String,
    /// Which tables it has.
    pub schema_hash: String,
    /// Which fold made its rows.
    pub fold_version: u32,
    /// Which events the fold reads, hashed.
    pub filter_hash: String,
    /// The log that it was folded from.
    pub log_id: String,
    /// Every event up to here is in the rows.
    pub sequence: u64,
    /// The log's chain value there, as 32 hexadecimal digits; `None`: it was not known.
    pub chain: Option<String>,
    /// Events up to here are not in the counts.
    pub base: u64,
    /// How many events were applied above the base.
    pub applied_count: u64,
    /// The wrapping sum of their hashes, as 32 hexadecimal digits.
    pub applied_sum: String,
    /// BLAKE3 of the compressed file, as 64 hexadecimal digits.
    pub checksum: String,
    /// The size of the compressed file.
    pub compressed_bytes: u64,
    /// The size of its rows before they were compressed.
    pub rows_bytes: u64,
    /// How many rows it has.
    pub rows: u64,
}

/// The compressed file, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) checksum: String,
    pub(super) compressed_bytes: u64,
    pub(super) rows_bytes: u64,
    pub(super) rows: u64,
}

/// A manifest with its own checksum: the form in which it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    manifest: SnapshotManifest,
    /// BLAKE3 of the manifest's JSON.
    manifest_checksum: String,
}

impl SnapshotManifest {
    pub(super) fn new(name: SnapshotName, status: &GenerationStatus, packed: Packed) -> Self {
        Self {
            format: FORMAT,
            build: env!("CARGO_PKG_VERSION").to_owned(),
            name,
            model: status.model.clone(),
            schema_hash: status.schema_hash.to_string(),
            fold_version: status.fold_version.get(),
            filter_hash: status.filter_hash.clone(),
            log_id: status.log_id.to_string(),
            sequence: status.checkpoint.get(),
            chain: status.chain.map(|chain| format!("{:032x}", u128::from_be_bytes(chain))),
            base: status.base.get(),
            applied_count: status.applied.count,
            applied_sum: format!("{:032x}", status.applied.sum),
            checksum: packed.checksum,
            compressed_bytes: packed.compressed_bytes,
            rows_bytes: packed.rows_bytes,
            rows: packed.rows,
        }
    }

    /// The bytes of the manifest's file.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let manifest_checksum = checksum(self)?;
        serde_json::to_vec(&Sealed { manifest: self.clone(), manifest_checksum })
    }

    /// The manifest in a file's bytes; an error says why they are none. Every byte counts: what would be written
    /// for what was read must be what was read.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let Sealed { manifest, manifest_checksum } =
            serde_json::from_slice(bytes).map_err(|error| format!("its manifest cannot be read: {error}"))?;
        if manifest.format != FORMAT {
            return Err(format!("its format is {}, this release reads {FORMAT}", manifest.format));
        }
        let intact = checksum(&manifest).is_ok_and(|found| found == manifest_checksum)
            && manifest.to_bytes().is_ok_and(|written| written == bytes);
        if intact { Ok(manifest) } else { Err("its manifest is damaged: the checksum differs".to_owned()) }
    }

    /// What the generation that it was taken of said of itself, but for who may write.
    pub(crate) fn status(&self) -> Result<GenerationStatus, SnapshotError> {
        let refused = |reason: String| SnapshotError::Refused { name: self.name.to_string(), reason };
        let seen = self.seen().map_err(refused)?;
        Ok(GenerationStatus {
            model: self.model.clone(),
            schema_hash: SchemaHash::from_text(self.schema_hash.clone()),
            fold_version: FoldVersion::new(self.fold_version),
            filter_hash: self.filter_hash.clone(),
            log_id: seen.log_id,
            base: Sequence::new(self.base),
            checkpoint: seen.through,
            chain: seen.chain,
            epoch: 0,
            applied: self.applied(),
            parked: Tally::NONE,
        })
    }

    /// Its sequence number.
    pub fn checkpoint(&self) -> Sequence {
        Sequence::new(self.sequence)
    }

    /// The log that it was folded from, up to its sequence number; an error says what of that cannot be read.
    pub fn seen(&self) -> Result<SeenLog, String> {
        let chain = |digits: &String| u128::from_str_radix(digits, 16).map(u128::to_be_bytes);
        Ok(SeenLog {
            log_id: self.log_id.parse().map_err(|_| format!("{:?} is no log's id", self.log_id))?,
            through: self.checkpoint(),
            chain: self.chain.as_ref().map(chain).transpose().map_err(|error| error.to_string())?,
        })
    }

    /// Why the snapshot cannot begin a generation of a model with these properties, if it cannot, apart from what the
    /// log's history says.
    pub(super) fn unsuited(&self, wanted: &Wanted<'_>) -> Option<String> {
        if self.model != wanted.model.name().as_str() {
            return Some(format!("it is of read model {:?}", self.model));
        }
        if self.log_id != wanted.log_id.to_string() {
            return Some(format!("it was folded from log {}, this is log {}", self.log_id, wanted.log_id));
        }
        if self.schema_hash != wanted.model.schema_hash().as_str() {
            let (its, mine) = (&self.schema_hash, wanted.model.schema_hash());
            return Some(format!("its tables are {its}, the program has {mine}"));
        }
        if self.filter_hash != wanted.model.filter_hash() {
            return Some("its rows were made from other event types or categories".to_owned());
        }
        if wanted.fold_version.is_some_and(|version| version.get() != self.fold_version) {
            return Some(format!("its rows were made by fold version {}", self.fold_version));
        }
        (self.sequence > wanted.at_most.get())
            .then(|| format!("it contains events above sequence number {}", wanted.at_most))
    }

    /// The counts.
    pub fn applied(&self) -> Tally {
        Tally {
            count: self.applied_count,
            sum: u128::from_str_radix(&self.applied_sum, 16).unwrap_or_default(),
        }
    }
}

/// What a snapshot is wanted for.
pub(crate) struct Wanted<'a> {
    pub(crate) model: &'a ReadModel,
    /// Only of this fold; `None`: of any.
    pub(crate) fold_version: Option<FoldVersion>,
    /// Of this log.
    pub(crate) log_id: LogId,
    /// With nothing above this.
    pub(crate) at_most: Sequence,
}

fn checksum(manifest: &SnapshotManifest) -> Result<String, serde_json::Error> {
    Ok(blake3::hash(&serde_json::to_vec(manifest)?).to_hex().to_string())
}
