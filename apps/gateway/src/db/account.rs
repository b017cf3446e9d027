//! Accounts, and the one counter that each has.
use super::{from_sql, to_sql};
use sqlx::{AnyConnection, Row as _};

/// An account's row.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: i64,
    pub jid: String,
    pub resource: String,
    pub pin: Option<String>,
    pub head: u64,
}

pub async fn by_jid(c: &mut AnyConnection, jid: &str) -> sqlx::Result<Option<Account>> {
    let row = sqlx::query("SELECT id, jid, resource, pin, head FROM account WHERE jid = $1").bind(jid.to_owned()).fetch_optional(c).await?;
    row.map(|row| read(&row)).transpose()
}
pub async fn by_id(c: &mut AnyConnection, id: i64) -> sqlx::Result<Option<Account>> {
    let row = sqlx::query("SELECT id, jid, resource, pin, head FROM account WHERE id = $1").bind(id).fetch_optional(c).await?;
    row.map(|row| read(&row)).transpose()
}
fn read(row: &sqlx::any::AnyRow) -> sqlx::Result<Account> {
    Ok(Account { id: row.try_get(0)?, jid: row.try_get(1)?, resource: row.try_get(2)?, pin: row.try_get(3)?, head: from_sql(row.try_get(4)?) })
}
/// A new one; one that is there stays as it is.
pub async fn create(c: &mut AnyConnection, account: &Account, now: u64) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO account (id, jid, resource, pin, head, created_ms) VALUES ($1, $2, $3, $4, 0, $5) ON CONFLICT (jid) DO NOTHING")
        .bind(account.id)
        .bind(account.jid.clone())
        .bind(account.resource.clone())
        .bind(account.pin.clone())
        .bind(to_sql(now))
        .execute(c)
        .await?;
    Ok(())
}
/// Those with a browser: the rows of the others are their counters alone.
pub async fn count(c: &mut AnyConnection) -> sqlx::Result<u64> {
    Ok(from_sql(sqlx::query("SELECT count(DISTINCT account) FROM browser").fetch_one(c).await?.try_get(0)?))
}
pub async fn set_pin(c: &mut AnyConnection, id: i64, pin: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE account SET pin = $2 WHERE id = $1").bind(id).bind(pin.to_owned()).execute(c).await.map(drop)
}
/// Moves the counter from where this process knows it. `false`: somebody else moved it.
pub async fn advance(c: &mut AnyConnection, id: i64, from: u64, to: u64) -> sqlx::Result<bool> {
    let done =
        sqlx::query("UPDATE account SET head = $3 WHERE id = $1 AND head = $2").bind(id).bind(to_sql(from)).bind(to_sql(to)).execute(c).await?;
    Ok(done.rows_affected() == 1)
}
/// Everything that was kept for the browsers of an account that has none any more. The counter stays: numbers are never used twice.
pub async fn forget(c: &mut AnyConnection, id: i64) -> sqlx::Result<()> {
    for sql in [
        "DELETE FROM archive WHERE account = $1",
        "DELETE FROM progress WHERE account = $1",
        "DELETE FROM contact WHERE account = $1",
        "DELETE FROM read_position WHERE account = $1",
        "DELETE FROM publication WHERE account = $1",
    ] {
        sqlx::query(sql).bind(id).execute(&mut *c).await?;
    }
    Ok(())
}
