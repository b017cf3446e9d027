//! The core in Chromium, beside bare primitives in the same module and beside the best JavaScript library as it was measured once:
//! `cargo xtask bench --web`, or `cargo bench --profile test -p subrosa-wasm-tests --bench web -- [--json]`.
#[path = "../tests/common/mod.rs"]
mod common;

use common::{Browser, build};
use serde_json::json;

/// Best row of libomemo.js in Chromium on the machine of the issue, operations a second. It can't be had as a package: recorded numbers.
const JAVASCRIPT: [(&str, f64, f64); 4] =
    [("encrypt", 5035.0, 5.0), ("decrypt", 5149.0, 5.0), ("session_init", 459.0, 2.5), ("session_receive", 468.0, 2.5)];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let line = |name: &str, value: f64, unit: &str, floor: Option<f64>, limit: Option<f64>| {
        let ratio = floor.map(|floor| value / floor);
        if json {
            println!("{}", json!({ "name": format!("web/{name}"), "value": value, "unit": unit, "floor": floor, "ratio": ratio, "limit": limit }));
        } else {
            println!("{name:<28}{value:>10.2} {unit:<3}{:>10.2}{:>8.2}", floor.unwrap_or_default(), ratio.unwrap_or_default());
        }
    };
    let Some(module) = build(&[], "bench") else { return };
    let browser = Browser::start(module.leak()).await;
    let numbers = async |function: &str, arguments| {
        let answer = browser.run("dedicated", function, arguments).await.expect("an answer");
        let list = answer.as_object().map(|list| list.values().cloned().collect()).or_else(|| answer.as_array().cloned());
        list.unwrap_or_default().iter().filter_map(|number| number.as_f64()).collect::<Vec<_>>()
    };
    let ratchet = numbers("ratchet", json!([])).await;
    for ((name, per_second, times), pair) in JAVASCRIPT.into_iter().zip(ratchet.chunks(2)) {
        let (ours, floor, javascript) = (pair[0] * 1000.0, pair[1] * 1000.0, 1e6 / per_second);
        line(&format!("ratchet_{name}"), ours, "µs", Some(floor), None);
        line(&format!("{name}_of_javascript"), ours, "µs", Some(javascript), Some(1.0 / times));
    }
    let message = numbers("message_to_100", json!(["bench"])).await;
    line("message_to_100", message[0], "ms", None, Some(15.0));
    line("message_to_100_p95", message[2], "ms", None, None);
    line("message_to_100_no_disk", message[1], "ms", None, None);
    line("last_100_of_10000", numbers("last_100_of_10_000", json!(["chat"])).await[0], "ms", None, Some(200.0));
    browser.quit().await;
}
