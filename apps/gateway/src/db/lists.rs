//! What has one row for a thing and takes a new place when it changes: contacts, read positions, publications.
use super::{from_sql, to_sql};
use sqlx::{AnyConnection, Row as _};
use subrosa_web_api::socket::{Contact, Standing};

fn number(standing: Standing) -> i64 {
    match standing {
        Standing::Mutual => 0,
        Standing::Asked => 1,
        Standing::Listed => 2,
        Standing::Asks => 3,
        Standing::Gone => 4,
    }
}
pub(super) fn standing(number: i64) -> Standing {
    match number {
        0 => Standing::Mutual,
        1 => Standing::Asked,
        2 => Standing::Listed,
        3 => Standing::Asks,
        _ => Standing::Gone,
    }
}

pub async fn contact(c: &mut AnyConnection, account: i64, jid: &str) -> sqlx::Result<Option<Contact>> {
    let row = sqlx::query("SELECT jid, name, standing FROM contact WHERE account = $1 AND jid = $2")
        .bind(account)
        .bind(jid.to_owned())
        .fetch_optional(c)
        .await?;
    row.map(|row| Ok(Contact { jid: row.try_get(0)?, name: row.try_get(1)?, standing: standing(row.try_get(2)?) })).transpose()
}
pub async fn contacts(c: &mut AnyConnection, account: i64) -> sqlx::Result<Vec<Contact>> {
    let rows = sqlx::query("SELECT jid, name, standing FROM contact WHERE account = $1").bind(account).fetch_all(c).await?;
    rows.iter().map(|row| Ok(Contact { jid: row.try_get(0)?, name: row.try_get(1)?, standing: standing(row.try_get(2)?) })).collect()
}
/// How many, and how many of them ask.
pub async fn count_contacts(c: &mut AnyConnection, account: i64) -> sqlx::Result<(u64, u64)> {
    let sql = "SELECT count(*), count(CASE WHEN standing = 3 THEN 1 END) FROM contact WHERE account = $1";
    let row = sqlx::query(sql).bind(account).fetch_one(c).await?;
    Ok((from_sql(row.try_get(0)?), from_sql(row.try_get(1)?)))
}
pub async fn set_contact(c: &mut AnyConnection, account: i64, contact: &Contact, seq: u64) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO contact (account, jid, name, standing, seq) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (account, jid) DO UPDATE SET name = excluded.name, standing = excluded.standing, seq = excluded.seq",
    )
    .bind(account)
    .bind(contact.jid.clone())
    .bind(contact.name.clone())
    .bind(number(contact.standing))
    .bind(to_sql(seq))
    .execute(c)
    .await
    .map(drop)
}
/// The oldest of those that are gone make room.
pub async fn prune_gone(c: &mut AnyConnection, account: i64, keep: u64) -> sqlx::Result<()> {
    let sql = "DELETE FROM contact WHERE account = $1 AND standing = 4 AND seq <= \
               (SELECT seq FROM contact WHERE account = $1 AND standing = 4 ORDER BY seq DESC LIMIT 1 OFFSET $2)";
    sqlx::query(sql).bind(account).bind(to_sql(keep)).execute(c).await.map(drop)
}

/// `false`: it was read as far already.
pub async fn set_read(c: &mut AnyConnection, account: i64, chat: &str, up_to: u64, seq: u64) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO read_position (account, chat, up_to, seq) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (account, chat) DO UPDATE SET up_to = excluded.up_to, seq = excluded.seq WHERE read_position.up_to < excluded.up_to",
    )
    .bind(account)
    .bind(chat.to_owned())
    .bind(to_sql(up_to))
    .bind(to_sql(seq))
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}
/// The newest `keep` stay.
pub async fn prune_reads(c: &mut AnyConnection, account: i64, keep: u64) -> sqlx::Result<()> {
    let sql = "DELETE FROM read_position WHERE account = $1 AND seq <= (SELECT seq FROM read_position WHERE account = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2)";
    sqlx::query(sql).bind(account).bind(to_sql(keep)).execute(c).await.map(drop)
}

/// `false`: that is what stands there.
pub async fn set_publication(
    c: &mut AnyConnection,
    account: i64,
    [owner, node, item]: [&str; 3],
    payload: Option<&[u8]>,
    seq: u64,
) -> sqlx::Result<bool> {
    let sql = "SELECT payload FROM publication WHERE account = $1 AND owner = $2 AND node = $3 AND item = $4";
    let find = sqlx::query(sql).bind(account).bind(owner.to_owned()).bind(node.to_owned()).bind(item.to_owned());
    if let Some(row) = find.fetch_optional(&mut *c).await?
        && row.try_get::<Option<Vec<u8>>, _>(0)?.as_deref() == payload
    {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO publication (account, owner, node, item, payload, seq) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (account, owner, node, item) DO UPDATE SET payload = excluded.payload, seq = excluded.seq",
    )
    .bind(account)
    .bind(owner.to_owned())
    .bind(node.to_owned())
    .bind(item.to_owned())
    .bind(payload.map(<[u8]>::to_vec))
    .bind(to_sql(seq))
    .execute(c)
    .await?;
    Ok(true)
}
/// The newest `keep` stay.
pub async fn prune_publications(c: &mut AnyConnection, account: i64, keep: u64) -> sqlx::Result<()> {
    let sql =
        "DELETE FROM publication WHERE account = $1 AND seq <= (SELECT seq FROM publication WHERE account = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2)";
    sqlx::query(sql).bind(account).bind(to_sql(keep)).execute(c).await.map(drop)
}
