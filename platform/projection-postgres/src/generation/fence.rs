//! A fence: a transaction that holds the generation's control row.

use super::{Home, writer::PgWriter};
use crate::{
    catalog::{self, Controlled, Find},
    connection::{Begin, Own, Session},
    views,
};
use annals_projection::{
    GenerationId,
    backend::{Change, DatabaseError, Fence, GenerationStatus, Slot, Target, Writer, crash_point},
};
use async_trait::async_trait;

struct PgFence {
    home: Home,
    slot: Slot,
    held: Controlled,
    session: Session<Own>,
}

/// Locks a generation against its writer, and everybody else who wants to be that.
pub(crate) async fn fence(home: &Home, of: &Slot, id: GenerationId) -> Result<Box<dyn Fence>, DatabaseError> {
    let mut session = home.connections.own().await?;
    session.begin(Begin::durable().idle(home.writer_idle_max)).await?;
    let find = Find { slot: of, target: Target::Generation(id), lock: true };
    let held = catalog::find(&mut session, &home.names, find).await?;
    Ok(Box::new(PgFence { home: home.clone(), slot: of.clone(), held, session }))
}

#[async_trait]
impl Fence for PgFence {
    fn status(&self) -> &GenerationStatus {
        &self.held.status
    }

    async fn claim(self: Box<Self>) -> Result<Box<dyn Writer>, DatabaseError> {
        let Self { home, slot, held, mut session } = *self;
        let epoch = catalog::raise(&mut session, &home.names, held.id).await?;
        session.commit().await?;
        let mine = Controlled { status: GenerationStatus { epoch, ..held.status }, ..held };
        Ok(Box::new(PgWriter::new(home, slot, mine, session)))
    }

    async fn flip(self: Box<Self>, change: &Change) -> Result<(), DatabaseError> {
        let Self { home, held, mut session, .. } = *self;
        views::change(&mut session, &home.names, change).await?;
        catalog::raise(&mut session, &home.names, held.id).await?;
        crash_point("pointer-written")?;
        session.commit().await?;
        home.changes.changed();
        Ok(())
    }
}
