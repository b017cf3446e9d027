//! Browsers: whose cookie is good, and what it opens.
use super::{from_sql, to_sql};
use sqlx::{AnyConnection, Row as _};

/// A browser's row.
#[derive(Clone, Debug)]
pub struct Browser {
    pub id: i64,
    pub account: i64,
    pub sealed: Vec<u8>,
    pub label: String,
    pub since: u64,
    pub seen: u64,
}
const COLUMNS: &str = "SELECT id, account, sealed, label, since_ms, seen_ms FROM browser";

fn read(row: &sqlx::any::AnyRow) -> sqlx::Result<Browser> {
    Ok(Browser {
        id: row.try_get(0)?,
        account: row.try_get(1)?,
        sealed: row.try_get(2)?,
        label: row.try_get(3)?,
        since: from_sql(row.try_get(4)?),
        seen: from_sql(row.try_get(5)?),
    })
}
pub async fn by_token(c: &mut AnyConnection, hash: Vec<u8>) -> sqlx::Result<Option<Browser>> {
    let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE token_hash = $1"));
    sqlx::query(sql).bind(hash).fetch_optional(c).await?.map(|row| read(&row)).transpose()
}
pub async fn of_account(c: &mut AnyConnection, account: i64) -> sqlx::Result<Vec<Browser>> {
    let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE account = $1 ORDER BY since_ms, id"));
    sqlx::query(sql).bind(account).fetch_all(c).await?.iter().map(read).collect()
}
pub async fn count(c: &mut AnyConnection, account: i64) -> sqlx::Result<u64> {
    Ok(from_sql(sqlx::query("SELECT count(*) FROM browser WHERE account = $1").bind(account).fetch_one(c).await?.try_get(0)?))
}
pub async fn insert(c: &mut AnyConnection, browser: &Browser, token_hash: Vec<u8>) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO browser (id, account, token_hash, sealed, label, since_ms, seen_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(browser.id)
        .bind(browser.account)
        .bind(token_hash)
        .bind(browser.sealed.clone())
        .bind(browser.label.clone())
        .bind(to_sql(browser.since))
        .bind(to_sql(browser.seen))
        .execute(c)
        .await
        .map(drop)
}
pub async fn seen(c: &mut AnyConnection, id: i64, now: u64) -> sqlx::Result<()> {
    sqlx::query("UPDATE browser SET seen_ms = $2 WHERE id = $1").bind(id).bind(to_sql(now)).execute(c).await.map(drop)
}
/// Its cookie is void. `false`: there is none such of this account.
pub async fn delete(c: &mut AnyConnection, account: i64, id: i64) -> sqlx::Result<bool> {
    let done = sqlx::query("DELETE FROM browser WHERE account = $1 AND id = $2").bind(account).bind(id).execute(c).await?;
    Ok(done.rows_affected() > 0)
}
/// Those that logged in up to this moment: their password is refused.
pub async fn delete_until(c: &mut AnyConnection, account: i64, since: u64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM browser WHERE account = $1 AND since_ms <= $2").bind(account).bind(to_sql(since)).execute(c).await.map(drop)
}
/// Those that were not there since.
pub async fn delete_unseen(c: &mut AnyConnection, before: u64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM browser WHERE seen_ms < $1").bind(to_sql(before)).execute(c).await.map(drop)
}
