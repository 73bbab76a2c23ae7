//! The writer of a generation, and its transactions.
//!
//! A transaction has the writer's session until it ends well. If it does not, the session ends with it: the server takes
//! everything back at once, and the next transaction begins on another session, with what the control row says then.

use super::{Home, rows};
use crate::{
    catalog::{self, Controlled, Find},
    connection::{Begin, Own, Session},
};
use annals_projection::{
    TableSchema,
    backend::{
        Advance, Batch, DatabaseError, GenerationStatus, Schema, Slot, Target, Tx, Writer, crash_point,
    },
};
use async_trait::async_trait;
use std::any::Any;

pub(super) struct PgWriter {
    home: Home,
    slot: Slot,
    mine: Controlled,
    place: String,
    /// `None`: what became of the transaction before is not known.
    session: Option<Session<Own>>,
}

struct PgTx<'w> {
    writer: &'w mut PgWriter,
    session: Session<Own>,
}

impl PgWriter {
    /// The writer of a generation whose epoch is its own.
    pub(super) fn new(home: Home, slot: Slot, mine: Controlled, session: Session<Own>) -> Self {
        let place = home.names.generation(mine.id);
        Self { home, slot, mine, place, session: Some(session) }
    }

    /// A session in a transaction, and no doubt about what was committed before.
    async fn begun(&mut self, begin: Begin) -> Result<Session<Own>, DatabaseError> {
        let begin = begin.within(&self.place).idle(self.home.writer_idle_max);
        if let Some(mut session) = self.session.take() {
            return match session.begin(begin.clone()).await {
                Ok(()) => Ok(session),
                // It ended while nobody used it.
                Err(DatabaseError::Away { .. }) => self.settled(begin).await,
                Err(error) => Err(error),
            };
        }
        self.settled(begin).await
    }

    /// A new session, which waits until the transaction before has ended and sees what became of it.
    async fn settled(&mut self, begin: Begin) -> Result<Session<Own>, DatabaseError> {
        let mut session = self.home.connections.own().await?;
        session.begin(begin).await?;
        let find = Find { slot: &self.slot, target: Target::Generation(self.mine.id), lock: true };
        let found = catalog::find(&mut session, &self.home.names, find).await?.status;
        if found.epoch != self.mine.status.epoch {
            return Err(DatabaseError::Fenced { found: found.epoch });
        }
        self.mine.status = found;
        Ok(session)
    }

    /// Keeps the session for the next transaction, if this one could be taken back.
    async fn take_back(&mut self, mut session: Session<Own>) -> Result<(), DatabaseError> {
        session.roll_back().await?;
        self.session = Some(session);
        Ok(())
    }
}

#[async_trait]
impl Writer for PgWriter {
    fn status(&self) -> &GenerationStatus {
        &self.mine.status
    }

    async fn begin(&mut self) -> Result<Box<dyn Tx + '_>, DatabaseError> {
        let session = self.begun(Begin::fold()).await?;
        Ok(Box::new(PgTx { writer: self, session }))
    }

    async fn finish(&mut self, schema: &Schema) -> Result<(), DatabaseError> {
        let mut session = self.begun(Begin::durable().long()).await?;
        let names = &self.home.names;
        catalog::touch(&mut session, names, &self.mine).await?;
        catalog::make_indexes(&mut session, names, self.mine.id, schema).await?;
        session.commit().await?;
        self.session = Some(session);
        Ok(())
    }

    async fn close(self: Box<Self>) -> Result<(), DatabaseError> {
        match self.session {
            Some(session) => session.close().await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Tx for PgTx<'_> {
    fn status(&self) -> &GenerationStatus {
        &self.writer.mine.status
    }

    async fn load(&mut self, table: &TableSchema, keys: Batch) -> Result<Batch, DatabaseError> {
        rows::load(&mut self.session, &self.writer.place, table, &keys).await
    }

    async fn write(
        &mut self,
        table: &TableSchema,
        deletes: Batch,
        upserts: Batch,
    ) -> Result<(), DatabaseError> {
        rows::write(&mut self.session, &self.writer.place, table, &deletes, &upserts).await
    }

    fn native(&mut self) -> &mut (dyn Any + Send) {
        self.session.native()
    }

    async fn commit(self: Box<Self>, advance: Advance) -> Result<(), DatabaseError> {
        let Self { writer, mut session } = *self;
        if let Err(error) = catalog::advance(&mut session, &writer.home.names, &writer.mine, &advance).await {
            // Without an answer the session goes, and the transaction with it.
            let _ = writer.take_back(session).await;
            return Err(error);
        }
        crash_point("checkpoint-written")?;
        session.commit().await?;
        let status = &mut writer.mine.status;
        (status.checkpoint, status.chain, status.applied) = (advance.through, advance.chain, advance.applied);
        writer.session = Some(session);
        writer.home.changes.changed();
        Ok(())
    }

    async fn roll_back(self: Box<Self>) -> Result<(), DatabaseError> {
        let Self { writer, session } = *self;
        match writer.take_back(session).await {
            // The session has ended, and the transaction with it.
            Err(DatabaseError::Away { .. }) => Ok(()),
            taken_back => taken_back,
        }
    }
}
