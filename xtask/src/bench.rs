//! `cargo xtask bench`: runs the benches of the crates and makes one table of their lines.
//!
//! A bench prints, after `-- --json`, an object a line: `{"name","value","unit","floor","ratio"}`, and where it knows one itself `"limit"`,
//! which the ratio, or the value where there is no ratio, may reach, or `"least"`, which the value has to reach.

use serde::Deserialize;

use crate::install::{Need, ensure};
use crate::run::{Failure, cargo, quiet, target};
use crate::web::{self, Flavour};

/// Package, bench, and how it is built: those that drive a browser, which does the work, quickly.
type Bench = (&'static str, &'static str, &'static str);

const CORE: [Bench; 9] = [
    ("subrosa-ratchet", "ratchet", "bench"),
    ("subrosa-omemo", "omemo", "bench"),
    ("subrosa-scale", "scale", "bench"),
    ("subrosa-store", "store", "bench"),
    ("subrosa-history", "history", "bench"),
    ("subrosa-files", "files", "bench"),
    ("subrosa-engines", "engines", "bench"),
    ("subrosa-c", "c", "bench"),
    ("subrosa-sip", "sip", "bench"),
];
/// The page's comes after the gateway's, which builds the gateway that it runs on.
const WEB: [Bench; 3] = [("subrosa-wasm-tests", "web", "test"), ("subrosa-gateway", "gateway", "bench"), ("subrosa-browser-tests", "page", "test")];

/// The promised ratios, by the last part of the name.
const TARGETS: [(&str, f64); 11] = [
    ("encrypt", 1.15),
    ("encrypt_bytes", 1.6),
    ("decrypt", 1.2),
    ("session_init", 1.05),
    ("session_receive", 1.1),
    ("ping_pong", 1.05),
    ("keys_102", 0.85),
    ("skip_1000", 1.3),
    ("late_message", 2.0),
    ("fanout_1000", 1.2),
    ("machine_fanout_1000", 1.6),
];

/// A line of a bench.
#[derive(Debug, Deserialize)]
struct Measured {
    name: String,
    value: f64,
    unit: String,
    floor: Option<f64>,
    ratio: Option<f64>,
    limit: Option<f64>,
    least: Option<f64>,
}

impl Measured {
    /// What was promised for it, and whether it is kept.
    fn promise(&self) -> (Option<f64>, &'static str) {
        if let Some(least) = self.least {
            return (Some(least), if self.value >= least { "ok" } else { "missed" });
        }
        let name = self.name.rsplit('/').next().unwrap_or(&self.name);
        let promised = || self.ratio.and_then(|_| TARGETS.iter().find(|(target, _)| *target == name).map(|(_, limit)| *limit));
        let limit = self.limit.or_else(promised);
        let verdict = match limit {
            None => "",
            Some(limit) if self.ratio.unwrap_or(self.value) <= limit => "ok",
            Some(_) => "missed",
        };
        (limit, verdict)
    }
}

pub fn bench(json: bool, web: bool) -> Result<(), Failure> {
    ensure(if web { &[Need::OpenSsl, Need::Prosody, Need::Browser] } else { &[Need::OpenSsl] })?;
    let benches: &[Bench] = if web { &WEB } else { &CORE };
    let mut lines = if web { sizes()? } else { Vec::new() };
    if web {
        quiet("building subrosa", &mut cargo(&["build", "--locked", "-p", "subrosa-cli"]))?;
    }
    for (package, name, profile) in benches {
        let mut command = cargo(&["bench", "--locked", "--profile", profile, "-p", package, "--bench", name]);
        if *package == "subrosa-sip" {
            command.args(["--features", "connection"]);
        }
        command.args(["--", "--json"]);
        command.env("SUBROSA_GATEWAY", target().join("release/subrosa-gateway")).env("SUBROSA_BIN", target().join("debug/subrosa"));
        let output = quiet(&format!("measuring {name}"), &mut command)?;
        lines.extend(output.lines().filter(|line| line.starts_with('{')).map(str::to_owned));
    }
    if json {
        lines.iter().for_each(|line| println!("{line}"));
    }
    let read = |line: &String| serde_json::from_str(line).map_err(|error| format!("not a line of measurements: {line}: {error}"));
    let rows = lines.iter().map(read).collect::<Result<Vec<Measured>, _>>()?;
    if rows.is_empty() {
        return Err("the benches printed no measurements".into());
    }
    if !json {
        print!("{}", table(&rows));
    }
    Ok(())
}

/// What a browser loads, built anew.
fn sizes() -> Result<Vec<String>, Failure> {
    let (_, sizes, _) = web::build(Flavour::Release)?;
    let line = |(_, name, bytes, budget)| serde_json::json!({ "name": format!("web/{name}_gzip"), "value": bytes, "unit": "B", "floor": null, "ratio": null, "limit": budget });
    Ok(web::budgets(&sizes).into_iter().map(|size| line(size).to_string()).collect())
}

fn table(rows: &[Measured]) -> String {
    let mut lines = vec![["name", "value", "unit", "floor", "ratio", "limit", ""].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        let (limit, verdict) = row.promise();
        let optional = |number: Option<f64>, places| number.map(|number| format!("{number:.places$}")).unwrap_or_default();
        let places = if row.value.fract() == 0.0 { 0 } else { 1 + usize::from(row.value < 10.0) };
        [
            row.name.clone(),
            format!("{:.places$}", row.value),
            row.unit.clone(),
            optional(row.floor, places),
            optional(row.ratio, 2),
            format!("{}{}", if row.least.is_some() { "≥ " } else { "" }, optional(limit, if row.ratio.is_some() { 2 } else { 0 })),
            verdict.to_owned(),
        ]
    }));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        // Words to the left, numbers to the right.
        let cells = line
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(column, (cell, width))| if [0, 2, 6].contains(&column) { format!("{cell:<width$}") } else { format!("{cell:>width$}") });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn a_number_that_keeps_its_promise_is_told_from_one_that_does_not() {
        let rows = [
            r#"{"name":"ratchet/encrypt","value":1450.2,"unit":"ns","floor":1300.0,"ratio":1.12}"#,
            r#"{"name":"decrypt","value":2000,"unit":"ns","floor":1000,"ratio":2.0}"#,
            r#"{"name":"session_size","value":280,"unit":"B","floor":null,"ratio":null,"limit":300}"#,
            r#"{"name":"other","value":5,"unit":"µs","floor":4,"ratio":1.25,"limit":1.5}"#,
            r#"{"name":"many","value":1200.5,"unit":"/s","floor":null,"ratio":null,"least":1000}"#,
            r#"{"name":"few","value":900.5,"unit":"/s","floor":null,"ratio":null,"least":1000}"#,
            r#"{"name":"unpromised","value":5,"unit":"µs","floor":4,"ratio":1.25}"#,
        ]
        .map(|line| serde_json::from_str(line).expect("a line"));
        assert_eq!(
            table(&rows),
            "name              value  unit   floor  ratio   limit\n\
             ratchet/encrypt  1450.2  ns    1300.0   1.12    1.15  ok\n\
             decrypt            2000  ns      1000   2.00    1.20  missed\n\
             session_size        280  B                       300  ok\n\
             other                 5  µs         4   1.25    1.50  ok\n\
             many             1200.5  /s                   ≥ 1000  ok\n\
             few               900.5  /s                   ≥ 1000  missed\n\
             unpromised            5  µs         4   1.25\n"
        );
    }
}
