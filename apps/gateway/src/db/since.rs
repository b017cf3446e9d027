//! What is new since: several tables, read in the order of one counter.
//!
//! Invariant: a page ends before the first row that a table may still have and that was not read.
use super::{archive::progress, from_sql, lists, to_sql};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};
use subrosa_web_api::socket::{Contact, Event, Message, Node, Payload, Progress};
use subrosa_web_api::{Failure, Kind, Seq};

/// Stanzas in one page: each may have 256 KiB.
const STANZAS: i64 = 16;
/// Rows of another table in one page.
const ROWS: i64 = 256;

/// Some of what is new.
#[derive(Debug, Default)]
pub struct Page {
    /// In order.
    pub events: Vec<(u64, Event)>,
    /// All up to here is in it.
    pub up_to: u64,
}

/// What happened after `since` and up to `head`, for this browser: of what it sent itself the body is left out.
pub async fn page(c: &mut AnyConnection, account: i64, since: u64, head: u64, browser: i64) -> sqlx::Result<Page> {
    let mut page = Page { events: Vec::new(), up_to: head };
    let sql = "SELECT seq, wire, chat, sender, sent_ms, kind, CASE WHEN browser = $3 THEN 1 ELSE 0 END, CASE WHEN browser = $3 THEN NULL ELSE body END \
               FROM archive WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $4";
    let rows = sqlx::query(sql).bind(account).bind(to_sql(since)).bind(browser).bind(STANZAS).fetch_all(&mut *c).await?;
    take(&mut page, &rows, STANZAS, |row| {
        // a constant is INTEGER in PostgreSQL and INT8 in SQLite
        let own = row.try_get::<i64, _>(6).or_else(|_| row.try_get::<i32, _>(6).map(i64::from))? == 1;
        Ok(Event::Message(Message {
            id: row.try_get(1)?,
            chat: row.try_get(2)?,
            from: row.try_get(3)?,
            sent: from_sql(row.try_get(4)?),
            kind: kind(row.try_get(5)?),
            own,
            body: row.try_get::<Option<Vec<u8>>, _>(7)?.unwrap_or_default(),
        }))
    })?;
    let sql = "SELECT seq, message, state, code, sentence FROM progress WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    let rows = sqlx::query(sql).bind(account).bind(to_sql(since)).bind(ROWS).fetch_all(&mut *c).await?;
    take(&mut page, &rows, ROWS, |row| {
        let failure = || Ok::<_, sqlx::Error>(Failure::new(row.try_get::<String, _>(3)?, row.try_get::<String, _>(4)?));
        let progress = match row.try_get(2)? {
            progress::SENT => Progress::Sent,
            progress::DELIVERED => Progress::Delivered,
            _ => Progress::Failed(failure()?),
        };
        Ok(Event::Progress { id: row.try_get(1)?, progress })
    })?;
    changed_lists(c, account, since, &mut page).await?;
    let sql = "SELECT seq, owner, node, item, payload FROM publication WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    let rows = sqlx::query(sql).bind(account).bind(to_sql(since)).bind(STANZAS).fetch_all(&mut *c).await?;
    take(&mut page, &rows, STANZAS, |row| {
        let item: String = row.try_get(3)?;
        let node = Node { owner: row.try_get(1)?, name: row.try_get(2)?, item: (!item.is_empty()).then_some(item) };
        Ok(Event::Published { node, payload: row.try_get::<Option<Vec<u8>>, _>(4)?.map(Payload) })
    })?;
    Ok(sorted(page))
}
/// Contacts and read positions only: what a new device begins with. Contacts that are gone are left out.
pub async fn snapshot(c: &mut AnyConnection, account: i64, since: u64, head: u64) -> sqlx::Result<Page> {
    let mut page = Page { events: Vec::new(), up_to: head };
    changed_lists(c, account, since, &mut page).await?;
    page.events.retain(|(_, event)| !matches!(event, Event::Contact(Contact { standing: subrosa_web_api::socket::Standing::Gone, .. })));
    Ok(sorted(page))
}
async fn changed_lists(c: &mut AnyConnection, account: i64, since: u64, page: &mut Page) -> sqlx::Result<()> {
    let sql = "SELECT seq, jid, name, standing FROM contact WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    let rows = sqlx::query(sql).bind(account).bind(to_sql(since)).bind(ROWS).fetch_all(&mut *c).await?;
    take(page, &rows, ROWS, |row| {
        Ok(Event::Contact(Contact { jid: row.try_get(1)?, name: row.try_get(2)?, standing: lists::standing(row.try_get(3)?) }))
    })?;
    let sql = "SELECT seq, chat, up_to FROM read_position WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    let rows = sqlx::query(sql).bind(account).bind(to_sql(since)).bind(ROWS).fetch_all(&mut *c).await?;
    take(page, &rows, ROWS, |row| Ok(Event::Read { chat: row.try_get(1)?, up_to: Seq(from_sql(row.try_get(2)?)) }))
}
/// Adds a table's rows; if it may have more, the page ends with the last of them.
fn take(page: &mut Page, rows: &[AnyRow], limit: i64, read: impl Fn(&AnyRow) -> sqlx::Result<Event>) -> sqlx::Result<()> {
    for row in rows {
        page.events.push((from_sql(row.try_get(0)?), read(row)?));
    }
    if i64::try_from(rows.len()).is_ok_and(|count| count >= limit)
        && let Some(last) = rows.last()
    {
        page.up_to = page.up_to.min(from_sql(last.try_get(0)?));
    }
    Ok(())
}
fn sorted(mut page: Page) -> Page {
    page.events.retain(|(seq, _)| *seq <= page.up_to);
    page.events.sort_by_key(|(seq, _)| *seq);
    page
}

/// As the table has it.
pub fn kind(number: i64) -> Kind {
    match number {
        0 => Kind::Text,
        1 => Kind::Typing,
        2 => Kind::Receipt,
        _ => Kind::Other,
    }
}
/// As the table has it.
pub fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::Text => 0,
        Kind::Typing => 1,
        Kind::Receipt => 2,
        Kind::Other => 3,
    }
}
