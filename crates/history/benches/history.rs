//! What a history costs: messages added in transactions of 20,000 and each in its own, a page, a search, in so many messages. The floor
//! is the same bytes in a bare database under the same cipher, in the same run, on the same disk: one table with one index, and an FTS5
//! table where words are looked for. Adding is measured on the processor, in turn with its floor: the disk is as fast as it is.
//!
//! `cargo bench -p subrosa-history --bench history [-- --rows 1000000] [--json]`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, missing_docs)]
use rusqlite::{Connection, TransactionBehavior};
use std::hint::black_box;
use std::time::Instant;
use subrosa_engine::{Address, ChatId, Content, Time, Trust};
use subrosa_history::{At, Entry, History, HistoryError, Place, SentBy};

const BATCH: u64 = 20_000;
/// Messages, where nobody says otherwise.
const ALL: u64 = 100_000;
const CHATS: u64 = 50;
const ROUNDS: usize = 200;
/// Messages that are added one by one.
const SINGLE: u64 = 500;

fn me() -> Address {
    "alice@example.org".into()
}
fn peer(n: u64) -> Address {
    format!("user{}@example.org", n % CHATS).as_str().into()
}
fn time(n: u64) -> Time {
    Time(1_700_000_000_000 + n * 1000)
}
/// Some ten words of some thousand, the frequent ones more often.
fn words(n: u64) -> String {
    let mut text = String::new();
    let mut seed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..4 + n % 12 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let word = (seed >> 33) % 3000 * ((seed >> 20) % 3000) / 3000;
        text.push_str(&format!("word{word} "));
    }
    text
}
fn entry(n: u64) -> Entry {
    let peer = peer(n);
    let from = if n.is_multiple_of(3) { me() } else { peer.clone() };
    let by = Some(SentBy { device: 1.into(), trust: Trust::Trusted });
    let entry = Entry { by, ..Entry::new(&peer, &from, &format!("{n:032x}"), Content::Text(words(n)), time(n)) };
    entry.archived(Some(format!("{n:016x}")))
}
fn add(history: &mut History, entries: &[Entry]) {
    let add = |history: &mut History| entries.iter().try_for_each(|entry| history.add(entry).map(drop));
    history.transaction::<_, HistoryError>(add).unwrap();
}

struct Bare(Connection);
impl Bare {
    fn add(&mut self, rows: &[(i64, String, String, String)]) {
        let step = self.0.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        {
            let mut put = step.prepare_cached("INSERT INTO messages (n, chat, id, text) VALUES (?1, ?2, ?3, ?4)").unwrap();
            let mut index = step.prepare_cached("INSERT INTO words (rowid, text) VALUES (?1, ?2)").unwrap();
            for (n, chat, id, text) in rows {
                put.execute((n, chat, id, text)).unwrap();
                index.execute((n, text)).unwrap();
            }
        }
        step.commit().unwrap();
    }
    fn rows(&self, sql: &str, with: impl rusqlite::Params) -> Vec<(i64, String, String)> {
        let mut find = self.0.prepare_cached(sql).unwrap();
        find.query_map(with, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap().map(Result::unwrap).collect()
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
fn timed(into: &mut Vec<f64>, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    into.push(start.elapsed().as_secs_f64() * 1e6);
}

/// How long this thread was on a processor, in microseconds.
fn on_processor() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    told.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e3
}
fn worked(into: &mut Vec<f64>, work: impl FnOnce()) {
    let start = on_processor();
    work();
    into.push(on_processor() - start);
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let rows = arguments.iter().position(|a| a == "--rows").map(|at| arguments[at + 1].parse::<u64>().unwrap());
    let all = rows.unwrap_or(ALL).max(BATCH);
    let json = std::env::args().any(|a| a == "--json");
    let directory = tempfile::tempdir().unwrap();
    let mut history = History::open(directory.path().join("history.db"), &[7; 32], &me()).unwrap();
    let bare = Connection::open(directory.path().join("bare.db")).unwrap();
    bare.execute_batch(&format!("PRAGMA key = \"x'{}'\"", "07".repeat(48))).unwrap();
    bare.execute_batch("PRAGMA cache_size = -16384; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON").unwrap();
    bare.execute_batch(
        "CREATE TABLE messages (n INTEGER PRIMARY KEY, chat TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL);
         CREATE INDEX by_chat ON messages (chat);
         CREATE VIRTUAL TABLE words USING fts5 (text, content = '')",
    )
    .unwrap();
    let mut bare = Bare(bare);

    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    let bare_row = |n: u64| (n as i64, peer(n).to_string(), format!("{n:032x}{n:016x}"), words(n));
    for batch in 0..all / BATCH {
        let numbers = || batch * BATCH..(batch + 1) * BATCH;
        let entries: Vec<Entry> = numbers().map(entry).collect();
        let rows: Vec<_> = numbers().map(bare_row).collect();
        worked(&mut ours, || add(&mut history, &entries));
        worked(&mut floor, || bare.add(&rows));
    }
    let per_row = |times: Vec<f64>| median(times) / BATCH as f64;
    let mut lines = vec![("history_add", per_row(ours), per_row(floor))];

    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for n in all..all + SINGLE {
        let (entry, row) = (entry(n), bare_row(n));
        worked(&mut ours, || drop(history.add(&entry).unwrap()));
        worked(&mut floor, || bare.add(std::slice::from_ref(&row)));
    }
    lines.push(("history_add_single", median(ours), median(floor)));

    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS as u64 {
        let at = round * 7919 % all;
        let chat = ChatId(peer(round));
        timed(&mut ours, || drop(black_box(history.page(&chat, At::Before(Place::at(time(at))), 50).unwrap())));
        let sql = "SELECT n, id, text FROM messages WHERE chat = ?1 AND n < ?2 ORDER BY n DESC LIMIT 50";
        timed(&mut floor, || drop(black_box(bare.rows(sql, (chat.0.as_str(), at as i64)))));
    }
    lines.push(("history_page_50", median(ours), median(floor)));

    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let typed = format!("word{} word{}", round % 30, round % 7);
        timed(&mut ours, || drop(black_box(history.search(&typed, None, 50).unwrap())));
        let query = format!("\"word{}\"* AND \"word{}\"*", round % 30, round % 7);
        let sql = "SELECT n, id, text FROM messages WHERE n IN (SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY rowid DESC LIMIT 50)";
        timed(&mut floor, || drop(black_box(bare.rows(sql, [&query]))));
    }
    lines.push(("history_search_50", median(ours), median(floor)));

    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        timed(&mut ours, || drop(black_box(history.chats().unwrap())));
        let sql = "SELECT max(n), id, text FROM messages GROUP BY chat";
        timed(&mut floor, || drop(black_box(bare.rows(sql, ()))));
    }
    lines.push(("history_chats_50", median(ours), median(floor)));

    for (name, value, floor) in lines {
        let ratio = value / floor;
        match json {
            true => println!(r#"{{"name":"{name}","value":{value:.1},"unit":"µs","floor":{floor:.1},"ratio":{ratio:.3}}}"#),
            false => println!("{name:20} {value:10.1} µs   floor {floor:10.1} µs   ratio {ratio:.2}"),
        }
    }
}
