//! A browser of our own at a page of our own: the module's files over a socket on the loopback address, Chromium through its driver.
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use thirtyfour::{ChromiumLikeCapabilities, prelude::*};

/// The place of the module, built quickly; nothing where there is no browser.
#[allow(dead_code)] // the bench builds what is shipped
pub fn built() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(|| build(&["--dev"], "tests")).as_deref()
}
/// The same as `cargo xtask web` is told, at the place where it puts that.
pub fn build(arguments: &[&str], place: &str) -> Option<PathBuf> {
    let lacks = |program: &str| subrosa_interop::find_program(program).is_none().then(|| format!("{program} is not installed"));
    if !subrosa_interop::goes_on("browser", false, lacks("chromium").or_else(|| lacks("chromedriver"))) {
        return None;
    }
    if let Some(place) = std::env::var_os("SUBROSA_WEB_TESTS").filter(|_| place == "tests") {
        return Some(place.into()); // `cargo xtask test` has built it
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = Command::new(env!("CARGO")).args(["xtask", "web", "--tests"]).args(arguments).current_dir(&root).output().expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Some(root.join("target/web").join(place))
}

/// Serves the module's files and `web/` at an address of its own.
fn serve(module: &'static Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream, module));
        }
    });
    format!("http://{address}/")
}
fn answer(mut stream: TcpStream, module: &Path) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let first = lines.next()?.ok()?;
    lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
    let path = first.split(' ').nth(1)?.split('?').next()?.trim_start_matches('/').to_owned();
    let name = if path.is_empty() { "index.html" } else { &path };
    let places = [module.join(name), Path::new(env!("CARGO_MANIFEST_DIR")).join("web").join(name)];
    let body = places.iter().find_map(|place| std::fs::read(place).ok());
    let kind = match name.rsplit('.').next()? {
        "js" => "text/javascript",
        "wasm" => "application/wasm",
        _ => "text/html",
    };
    let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
    let body = body.unwrap_or_default();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).ok()?;
    stream.write_all(&body).ok()
}

/// A browser with a profile of its own, at the page.
pub struct Browser {
    pub driver: WebDriver,
    pub address: String,
    chromedriver: Child,
    _profile: tempfile::TempDir,
}
impl Browser {
    pub async fn start(module: &'static Path) -> Browser {
        let mut chromedriver =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("chromedriver");
        let mut lines = BufReader::new(chromedriver.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let port = lines.find_map(|line| Some(line.strip_suffix('.')?.rsplit_once("on port ")?.1.to_owned())).expect("its port");
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().expect("a directory");
        let mut wanted = DesiredCapabilities::chrome();
        let profile_argument = format!("--user-data-dir={}", profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            &profile_argument,
        ];
        arguments.iter().for_each(|argument| wanted.add_arg(argument).expect("an argument"));
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), wanted).await.expect("a browser");
        driver.set_script_timeout(Duration::from_secs(120)).await.expect("a limit");
        let address = serve(module);
        let browser = Browser { driver, address, chromedriver, _profile: profile };
        browser.reload().await;
        browser
    }
    /// A new page, with a new module.
    pub async fn reload(&self) {
        self.driver.goto(&self.address).await.expect("the page");
        for _ in 0..500 {
            if self.script("return self.ready === true").await == Value::Bool(true) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the page never was ready");
    }
    pub async fn script(&self, script: &str) -> Value {
        self.driver.execute(script, vec![]).await.expect("a script").json().clone()
    }
    /// Calls a function of the module in `page`, a `dedicated` or a `shared` worker, and waits.
    pub async fn run(&self, place: &str, function: &str, arguments: Value) -> Result<Value, String> {
        let script = "const done = arguments[arguments.length - 1];
            run(...arguments).then((value) => done({ value: value ?? null }), (error) => done({ error: String(error.message ?? error) }));";
        let arguments = vec![place.into(), function.into(), arguments];
        let answer = self.driver.execute_async(script, arguments).await.map_err(|e| e.to_string())?;
        match answer.json().get("error") {
            Some(error) => Err(error.as_str().unwrap_or_default().to_owned()),
            None => Ok(answer.json()["value"].clone()),
        }
    }
    /// What only the developer tools can do.
    #[allow(dead_code)] // as above
    pub async fn tools(&self, command: &str, arguments: Value) {
        self.driver.cdp().send_raw(command, arguments).await.expect("the developer tools");
    }
    pub async fn quit(mut self) {
        let _ = self.driver.clone().quit().await;
        let _ = self.chromedriver.kill();
        let _ = self.chromedriver.wait();
    }
}
impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.chromedriver.kill();
    }
}
