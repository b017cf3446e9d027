//! The form of the database and how an old one becomes the present one. A migration that was released never changes.
use rusqlite::{Connection, TransactionBehavior};

/// In the header of every database of ours: "Subr".
pub(crate) const APPLICATION_ID: i64 = 0x5375_6272;
/// Number n brings a database of form n to form n+1.
const MIGRATIONS: [&str; 2] = [include_str!("../migrations/0001_records.sql"), include_str!("../migrations/0002_settings.sql")];

/// What a database says about itself.
pub(crate) enum Form {
    /// Just made: nothing in it.
    New,
    /// Ours, of this version, 1 at least.
    Version(u32),
    /// Another program's.
    Foreign,
}
/// The version that this program writes.
pub(crate) fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}
/// Reads the header, so a wrong key or a damaged one shows here first.
pub(crate) fn form(db: &Connection) -> rusqlite::Result<Form> {
    let tables: u32 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let id: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(match (id, version) {
        (0, 0) if tables == 0 => Form::New,
        (APPLICATION_ID, 1..) => Form::Version(version),
        _ => Form::Foreign,
    })
}
/// From form `from` to form `to`, in one transaction: a crash leaves the old form.
pub(crate) fn migrate(db: &mut Connection, from: u32, to: u32) -> rusqlite::Result<()> {
    if from == to {
        return Ok(());
    }
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let range = usize::try_from(from).unwrap_or(usize::MAX)..usize::try_from(to).unwrap_or(usize::MAX);
    for sql in MIGRATIONS.get(range).unwrap_or_default() {
        step.execute_batch(sql)?;
    }
    step.pragma_update(None, "application_id", APPLICATION_ID)?;
    step.pragma_update(None, "user_version", to)?;
    step.commit()
}
