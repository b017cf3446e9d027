//! The browser store in a real browser: the suite that every store passes, and what this one promises beyond.
#![cfg(not(target_arch = "wasm32"))]
mod common;

use common::{Browser, built};
use serde_json::json;
use std::time::Duration;

/// Every check, each on a new page or in a new worker.
async fn all_checks(place: &str) {
    let Some(module) = built() else { return };
    let browser = Browser::start(module).await;
    let names = browser.script("return self.names").await;
    let names: Vec<&str> = names.as_array().expect("names").iter().filter_map(|name| name.as_str()).collect();
    assert!(names.len() > 20, "{names:?}");
    let mut failed = Vec::new();
    for name in names {
        if let Err(error) = browser.run(place, "check", json!([name])).await {
            failed.push(format!("{name}: {error}"));
            browser.reload().await; // a panic ends the module
        }
    }
    browser.quit().await;
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
#[tokio::test]
async fn in_a_page() {
    all_checks("page").await;
}
#[tokio::test]
async fn in_a_dedicated_worker() {
    all_checks("dedicated").await;
}
#[tokio::test]
async fn in_a_shared_worker() {
    all_checks("shared").await;
}

/// The browser gives a site no more room: an error that says so, nothing half-written, and it goes on when there is room again.
#[tokio::test]
async fn a_full_quota_is_said_and_loses_nothing() {
    let Some(module) = built() else { return };
    let browser = Browser::start(module).await;
    let quota = async |bytes: Option<u64>| {
        let mut arguments = json!({ "origin": browser.address });
        if let Some(bytes) = bytes {
            arguments["quotaSize"] = bytes.into();
        }
        browser.tools("Storage.overrideQuotaForOrigin", arguments).await;
    };
    quota(Some(4_000_000)).await; // before the first write: Chromium remembers for a while how much room there was
    let answer = browser.run("shared", "fill", json!(["quota", 100])).await.expect("an answer");
    assert_eq!(answer[0], "store.full", "{answer}");
    let stored = answer[1].as_u64().expect("a number");
    assert!(stored > 1 && stored < 100, "{answer}");
    let count = browser.run("shared", "filled", json!(["quota"])).await.expect("readable");
    assert_eq!(count, json!(stored), "what was stored before is there, of the commit that failed nothing");
    quota(None).await;
    assert_eq!(browser.run("shared", "fill", json!(["quota", 30])).await, Ok(json!(["ok", 30])));
    browser.quit().await;
}

/// The process of the page dies in the middle of commits: the next one finds all of a commit or nothing of it, and never less than
/// what was said to be stored.
#[tokio::test]
async fn killed_while_it_commits_it_leaves_whole_commits() {
    let Some(module) = built() else { return };
    let browser = Browser::start(module).await;
    let mut last = 0;
    for kill in 0..8u64 {
        let tab = browser.driver.new_tab().await.expect("a tab");
        browser.driver.switch_to_window(tab).await.expect("the tab");
        browser.reload().await;
        browser.script(&format!("setTimeout(() => run('page', 'rounds', ['kill', {}]), 50)", last + 1)).await;
        tokio::time::sleep(Duration::from_millis(250 + kill * 17)).await;
        let told = tokio::time::timeout(Duration::from_secs(5), browser.script("return self.round ?? 0")).await.expect("an answer");
        let told = told.as_u64().unwrap_or_default();
        let _ = tokio::time::timeout(Duration::from_secs(2), browser.driver.cdp().send_raw("Page.crash", json!({}))).await;
        let windows = browser.driver.windows().await.expect("windows");
        let _ = tokio::time::timeout(Duration::from_secs(2), browser.driver.close_window()).await;
        browser.driver.switch_to_window(windows[0].clone()).await.expect("the spare tab");
        browser.reload().await;
        let found = browser.run("dedicated", "whole", json!(["kill"])).await.expect("whole").as_u64().unwrap_or_default();
        assert!(found >= told.max(last), "round {told} was said to be stored, {found} is there");
        last = found;
    }
    assert!(last > 8, "no round was ever over");
    browser.quit().await;
}
