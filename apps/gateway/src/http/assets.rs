//! The page's files: those inside the program, or those of a directory.
use super::App;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use subrosa_web_api::VERSION;
use subrosa_web_api::http::{SITE, Site};

struct File {
    name: &'static str,
    bytes: &'static [u8],
    gz: Option<&'static [u8]>,
}
static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

const NO_PAGE: &str = "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Subrosa</title>\n<h1>Subrosa</h1>\n\
    <p>This build of the gateway has no page inside. Build it with <code>cargo xtask web</code>, or name a directory with <code>--web</code>.</p>\n";

/// See the module.
pub struct Assets {
    dir: Option<PathBuf>,
    inside: HashMap<&'static str, (&'static File, String)>,
}
/// One file.
struct Found {
    bytes: std::borrow::Cow<'static, [u8]>,
    gz: bool,
    tag: String,
}

impl Assets {
    /// # Errors
    /// The directory is none.
    pub fn new(dir: Option<PathBuf>) -> std::io::Result<Self> {
        let dir = dir.map(|dir| dir.canonicalize()).transpose()?;
        let inside = if dir.is_none() { FILES } else { &[] };
        Ok(Assets { dir, inside: inside.iter().map(|file| (file.name, (file, tag(file.bytes)))).collect() })
    }
    async fn find(&self, name: &str, gzip: bool) -> Option<Found> {
        let Some(dir) = &self.dir else {
            let (file, tag) = self.inside.get(name)?;
            let (bytes, gz) = file.gz.filter(|_| gzip).map_or((file.bytes, false), |gz| (gz, true));
            return Some(Found { bytes: bytes.into(), gz, tag: tag.clone() });
        };
        let inner = Path::new(name);
        if !inner.components().all(|part| matches!(part, Component::Normal(_))) {
            return None;
        }
        let path = dir.join(inner);
        let bytes = tokio::fs::read(&path).await.ok()?;
        let tag = tag(&bytes);
        // one that is older than its file is of an earlier build
        let packed = PathBuf::from(format!("{}.gz", path.display()));
        let newer = |a: &Path, b: &Path| Some(a.metadata().ok()?.modified().ok()? >= b.metadata().ok()?.modified().ok()?);
        match tokio::fs::read(&packed).await {
            Ok(gz) if gzip && newer(&packed, &path) == Some(true) => Some(Found { bytes: gz.into(), gz: true, tag }),
            _ => Some(Found { bytes: bytes.into(), gz: false, tag }),
        }
    }
}
fn tag(bytes: &[u8]) -> String {
    let hash = BASE64.encode(Sha256::digest(bytes));
    format!("\"{}\"", hash.get(..16).unwrap_or_default())
}
fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// A file, by its path below the base path.
pub async fn serve(app: &App, name: &str, headers: &HeaderMap) -> Response<Body> {
    let name = if name.is_empty() { "index.html" } else { name };
    if name == SITE {
        return site(app, headers);
    }
    let gzip = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        value
            .split(',')
            .any(|coding| coding.split(';').next().is_some_and(|name| name.trim() == "gzip") && !coding.replace(' ', "").ends_with(";q=0"))
    });
    match app.assets.find(name, gzip).await {
        Some(found) => respond(headers, content_type(name), found),
        None if name == "index.html" => {
            respond(headers, content_type(name), Found { bytes: NO_PAGE.as_bytes().into(), gz: false, tag: tag(NO_PAGE.as_bytes()) })
        }
        None => {
            let mut response = Response::new(Body::from("There is no such file.\n"));
            *response.status_mut() = StatusCode::NOT_FOUND;
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            response
        }
    }
}
fn site(app: &App, headers: &HeaderMap) -> Response<Body> {
    let site = Site { api: app.config.api_url.clone().unwrap_or_else(|| "./".into()), version: VERSION };
    let bytes = serde_json::to_vec(&site).unwrap_or_default();
    let tag = tag(&bytes);
    respond(headers, "application/json", Found { bytes: bytes.into(), gz: false, tag })
}
/// Kept by browsers, and asked for each time whether it is still the same: a new version shows at once.
fn respond(headers: &HeaderMap, kind: &'static str, found: Found) -> Response<Body> {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let same = known.is_some_and(|known| known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == found.tag));
    let mut response = Response::new(if same { Body::empty() } else { Body::from(axum::body::Bytes::from(found.bytes.into_owned())) });
    if same {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    out.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    out.extend(HeaderValue::from_str(&found.tag).ok().map(|tag| (header::ETAG, tag)));
    if !same {
        out.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if found.gz {
            out.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    response
}
