//! Stanzas, as they came and as they are to be sent, and how far those of ours are.
use super::{from_sql, to_sql};
use sha2::{Digest as _, Sha256};
use sqlx::{AnyConnection, Row as _};

/// States of a stanza of ours.
pub mod state {
    pub const WAITS: i64 = 0;
    pub const SENT: i64 = 1;
    pub const FAILED: i64 = 2;
}
/// What is known about a receipt for a stanza that came; 2: to be sent, 3: sent.
pub mod receipt {
    pub const NONE: i64 = 0;
    pub const ASKED: i64 = 1;
}
/// How far a message is, as numbers; see `subrosa_web_api::socket::Progress`.
pub mod progress {
    pub const SENT: i64 = 1;
    pub const DELIVERED: i64 = 2;
    pub const FAILED: i64 = 3;
}

/// A stanza.
#[derive(Clone, Debug)]
pub struct Stanza<'a> {
    pub wire: &'a str,
    /// With its part, of what a browser of ours sent.
    pub message: Option<&'a str>,
    pub part: u16,
    pub chat: &'a str,
    pub sender: &'a str,
    pub recipient: &'a str,
    pub sent: u64,
    pub kind: i64,
    pub browser: Option<i64>,
    pub state: Option<i64>,
    pub receipt: i64,
    pub body: &'a [u8],
}
impl Stanza<'_> {
    /// What makes it the same one when it comes again: who, where, which, and all of it.
    fn digest(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        for part in [self.sender.as_bytes(), self.chat.as_bytes(), self.wire.as_bytes()] {
            hash.update(to_sql(u64::try_from(part.len()).unwrap_or(u64::MAX)).to_le_bytes());
            hash.update(part);
        }
        hash.update(self.body);
        hash.finalize().to_vec()
    }
}

/// What is known about a stanza of ours.
#[derive(Clone, Debug)]
pub struct Own {
    pub seq: u64,
    pub message: String,
    pub chat: String,
    pub recipient: String,
    pub kind: i64,
    pub state: i64,
    pub size: u64,
}
const OWN: &str = "SELECT seq, message, chat, recipient, kind, state, length(body) FROM archive";
fn own(row: &sqlx::any::AnyRow) -> sqlx::Result<Own> {
    // length() is INTEGER in PostgreSQL and INT8 in SQLite
    let size = row.try_get::<i64, _>(6).or_else(|_| row.try_get::<i32, _>(6).map(i64::from))?;
    Ok(Own {
        seq: from_sql(row.try_get(0)?),
        message: row.try_get(1)?,
        chat: row.try_get(2)?,
        recipient: row.try_get(3)?,
        kind: row.try_get(4)?,
        state: row.try_get(5)?,
        size: from_sql(size),
    })
}

/// Keeps it at this place. `false`: it is there already, byte for byte.
pub async fn insert(c: &mut AnyConnection, account: i64, seq: u64, now: u64, stanza: &Stanza<'_>) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO archive (account, seq, wire, message, part, chat, sender, recipient, sent_ms, stored_ms, kind, browser, state, receipt, \
         digest, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT (account, digest) DO NOTHING",
    )
    .bind(account)
    .bind(to_sql(seq))
    .bind(stanza.wire.to_owned())
    .bind(stanza.message.map(str::to_owned))
    .bind(i64::from(stanza.part))
    .bind(stanza.chat.to_owned())
    .bind(stanza.sender.to_owned())
    .bind(stanza.recipient.to_owned())
    .bind(to_sql(stanza.sent))
    .bind(to_sql(now))
    .bind(stanza.kind)
    .bind(stanza.browser)
    .bind(stanza.state)
    .bind(stanza.receipt)
    .bind(stanza.digest())
    .bind(stanza.body.to_vec())
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}
/// The same stanza of ours, if it is there: its place, when it was sent, and its state.
pub async fn same(c: &mut AnyConnection, account: i64, stanza: &Stanza<'_>) -> sqlx::Result<Option<(u64, u64, i64)>> {
    let row = sqlx::query("SELECT seq, sent_ms, state FROM archive WHERE account = $1 AND digest = $2 AND state IS NOT NULL")
        .bind(account)
        .bind(stanza.digest())
        .fetch_optional(c)
        .await?;
    row.map(|row| Ok((from_sql(row.try_get(0)?), from_sql(row.try_get(1)?), row.try_get(2)?))).transpose()
}
/// A failed one is to be sent again, at a new place.
pub async fn again(c: &mut AnyConnection, account: i64, old: u64, seq: u64, sent: u64, now: u64) -> sqlx::Result<()> {
    sqlx::query("UPDATE archive SET seq = $3, sent_ms = $4, stored_ms = $5, state = 0 WHERE account = $1 AND seq = $2")
        .bind(account)
        .bind(to_sql(old))
        .bind(to_sql(seq))
        .bind(to_sql(sent))
        .bind(to_sql(now))
        .execute(c)
        .await
        .map(drop)
}
/// The latest stanza of ours with this id.
pub async fn own_by_wire(c: &mut AnyConnection, account: i64, wire: &str) -> sqlx::Result<Option<Own>> {
    let sql = sqlx::AssertSqlSafe(format!("{OWN} WHERE account = $1 AND wire = $2 AND state IS NOT NULL ORDER BY seq DESC LIMIT 1"));
    sqlx::query(sql).bind(account).bind(wire.to_owned()).fetch_optional(c).await?.map(|row| own(&row)).transpose()
}
pub async fn own_by_seq(c: &mut AnyConnection, account: i64, seq: u64) -> sqlx::Result<Option<Own>> {
    let sql = sqlx::AssertSqlSafe(format!("{OWN} WHERE account = $1 AND seq = $2 AND state IS NOT NULL"));
    sqlx::query(sql).bind(account).bind(to_sql(seq)).fetch_optional(c).await?.map(|row| own(&row)).transpose()
}
pub async fn set_state(c: &mut AnyConnection, account: i64, seq: u64, state: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE archive SET state = $3 WHERE account = $1 AND seq = $2")
        .bind(account)
        .bind(to_sql(seq))
        .bind(state)
        .execute(c)
        .await
        .map(drop)
}
/// How many parts of a message wait, or failed.
pub async fn unsent(c: &mut AnyConnection, account: i64, message: &str) -> sqlx::Result<u64> {
    let sql = "SELECT count(*) FROM archive WHERE account = $1 AND message = $2 AND state <> 1";
    Ok(from_sql(sqlx::query(sql).bind(account).bind(message.to_owned()).fetch_one(c).await?.try_get(0)?))
}
/// Failed parts of a message do not count any more: it is sent anew.
pub async fn drop_failed(c: &mut AnyConnection, account: i64, message: &str) -> sqlx::Result<()> {
    let sql = "DELETE FROM archive WHERE account = $1 AND message = $2 AND state = 2";
    sqlx::query(sql).bind(account).bind(message.to_owned()).execute(c).await.map(drop)
}

/// A stanza that is to be sent.
#[derive(Debug)]
pub struct Waiting {
    pub seq: u64,
    pub message: String,
    pub part: u16,
    pub chat: String,
    pub recipient: String,
    pub kind: i64,
    pub body: Vec<u8>,
    pub sent: u64,
}
/// Those after `after`, in order.
pub async fn waiting(c: &mut AnyConnection, account: i64, after: u64, limit: u32) -> sqlx::Result<Vec<Waiting>> {
    let sql = "SELECT seq, message, part, chat, recipient, kind, body, sent_ms FROM archive WHERE account = $1 AND state = 0 AND seq > $2 ORDER BY seq LIMIT $3";
    let rows = sqlx::query(sql).bind(account).bind(to_sql(after)).bind(i64::from(limit)).fetch_all(c).await?;
    rows.iter()
        .map(|row| {
            Ok(Waiting {
                seq: from_sql(row.try_get(0)?),
                message: row.try_get(1)?,
                part: u16::try_from(row.try_get::<i64, _>(2)?).unwrap_or_default(),
                chat: row.try_get(3)?,
                recipient: row.try_get(4)?,
                kind: row.try_get(5)?,
                body: row.try_get(6)?,
                sent: from_sql(row.try_get(7)?),
            })
        })
        .collect()
}

/// A receipt that a stanza asks for: its place, its sender, its id.
pub type Receipt = (u64, String, String);
/// Marks the receipt for a stanza as to be sent. `None`: there is no such stanza, it did not ask, or it has one.
pub async fn owe_receipt(c: &mut AnyConnection, account: i64, from: &str, wire: &str) -> sqlx::Result<Option<u64>> {
    let sql = "UPDATE archive SET receipt = 2 WHERE account = $1 AND wire = $2 AND sender = $3 AND receipt = 1 RETURNING seq";
    let row = sqlx::query(sql).bind(account).bind(wire.to_owned()).bind(from.to_owned()).fetch_optional(c).await?;
    row.map(|row| row.try_get(0).map(from_sql)).transpose()
}
pub async fn receipt_sent(c: &mut AnyConnection, account: i64, seq: u64) -> sqlx::Result<()> {
    let sql = "UPDATE archive SET receipt = 3 WHERE account = $1 AND seq = $2 AND receipt = 2";
    sqlx::query(sql).bind(account).bind(to_sql(seq)).execute(c).await.map(drop)
}
pub async fn owed_receipts(c: &mut AnyConnection, account: i64) -> sqlx::Result<Vec<Receipt>> {
    let sql = "SELECT seq, sender, wire FROM archive WHERE account = $1 AND receipt = 2 ORDER BY seq LIMIT 1000";
    let rows = sqlx::query(sql).bind(account).fetch_all(c).await?;
    rows.iter().map(|row| Ok((from_sql(row.try_get(0)?), row.try_get(1)?, row.try_get(2)?))).collect()
}

/// How far a message is; 0: nothing is known.
pub async fn progress(c: &mut AnyConnection, account: i64, message: &str) -> sqlx::Result<i64> {
    let row = sqlx::query("SELECT state FROM progress WHERE account = $1 AND message = $2")
        .bind(account)
        .bind(message.to_owned())
        .fetch_optional(c)
        .await?;
    row.map_or(Ok(0), |row| row.try_get(0))
}
pub async fn set_progress(
    c: &mut AnyConnection,
    account: i64,
    message: &str,
    state: i64,
    why: Option<&subrosa_web_api::Failure>,
    now: u64,
    seq: u64,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO progress (account, message, state, code, sentence, stored_ms, seq) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (account, message) DO UPDATE SET state = excluded.state, code = excluded.code, sentence = excluded.sentence, \
         stored_ms = excluded.stored_ms, seq = excluded.seq",
    )
    .bind(account)
    .bind(message.to_owned())
    .bind(state)
    .bind(why.map(|why| why.code.clone()))
    .bind(why.map(|why| why.sentence.clone()))
    .bind(to_sql(now))
    .bind(to_sql(seq))
    .execute(c)
    .await
    .map(drop)
}
pub async fn reset_progress(c: &mut AnyConnection, account: i64, message: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM progress WHERE account = $1 AND message = $2").bind(account).bind(message.to_owned()).execute(c).await.map(drop)
}

/// Deletes some of what is older. What waits to be sent stays. Returns how many went.
pub async fn prune_age(c: &mut AnyConnection, before: u64) -> sqlx::Result<u64> {
    let archive = "DELETE FROM archive WHERE (account, seq) IN (SELECT account, seq FROM archive WHERE stored_ms < $1 AND COALESCE(state, 1) <> 0 \
         ORDER BY stored_ms LIMIT 500)";
    let progress =
        "DELETE FROM progress WHERE (account, message) IN (SELECT account, message FROM progress WHERE stored_ms < $1 ORDER BY stored_ms LIMIT 500)";
    let one = sqlx::query(archive).bind(to_sql(before)).execute(&mut *c).await?.rows_affected();
    let two = sqlx::query(progress).bind(to_sql(before)).execute(&mut *c).await?.rows_affected();
    Ok(one.saturating_add(two))
}
/// Keeps the newest `rows` of an account that have no more than `bytes`, and what waits to be sent.
pub async fn prune_rows(c: &mut AnyConnection, account: i64, rows: u64, bytes: u64) -> sqlx::Result<u64> {
    let mut gone = 0u64;
    let archive = "DELETE FROM archive WHERE account = $1 AND seq <= $2 AND COALESCE(state, 1) <> 0";
    for (find, most, delete) in [
        ("SELECT seq FROM archive WHERE account = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2", rows, archive),
        (
            "SELECT seq FROM (SELECT seq, sum(length(body)) OVER (ORDER BY seq DESC) AS size FROM archive WHERE account = $1) AS sizes \
             WHERE size > $2 ORDER BY seq DESC LIMIT 1",
            bytes,
            archive,
        ),
        (
            "SELECT seq FROM progress WHERE account = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2",
            rows,
            "DELETE FROM progress WHERE account = $1 AND seq <= $2",
        ),
    ] {
        let row = sqlx::query(find).bind(account).bind(to_sql(most)).fetch_optional(&mut *c).await?;
        let Some(last) = row.map(|row| row.try_get::<i64, _>(0)).transpose()? else { continue };
        gone = gone.saturating_add(sqlx::query(delete).bind(account).bind(last).execute(&mut *c).await?.rows_affected());
    }
    Ok(gone)
}
