use crate::{
    backend::{Build, DatabaseError, Schema, View},
    scan::Scan,
};

/// Copies all rows of a view into a generation that is being made.
pub(crate) async fn copy(
    view: &mut dyn View,
    schema: &Schema,
    build: &mut dyn Build,
) -> Result<(), DatabaseError> {
    for table in schema.tables() {
        let mut scan = Scan::new(&table.schema);
        loop {
            let page = scan.next(view).await?;
            if page.is_empty() {
                break;
            }
            build.write(&table.schema, page).await?;
        }
    }
    Ok(())
}
