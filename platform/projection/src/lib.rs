//! Annals: read models: fold, checkpoint, generations, snapshots
