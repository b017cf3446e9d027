//! JSON-RPC 2.0, one object a line: over standard input and output (`subrosa rpc`) and over the account's socket.
//! This module owns the shape of the lines; it knows no account and no connection.
pub mod client;
pub mod lines;
pub mod server;
pub mod types;

use crate::failure::{Failure, FaultName};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
pub use types::Call;

/// The id of a request: whatever the client chose (a string, a number), `null` where it can't be told.
pub type Id = Value;

/// An error as it crosses the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RpcError {
    /// JSON-RPC's.
    pub code: i64,
    /// What happened and what to do.
    pub message: String,
    /// Ours.
    #[serde(default)]
    pub data: Option<ErrorData>,
}
/// What a program can go by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorData {
    /// Stable, dotted.
    pub code: String,
    /// Who has to act.
    pub fault: FaultName,
    /// A message that nobody could read: who was considered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<types::SendResult>>,
}

/// The line is no JSON.
const PARSE: (i64, &str) = (-32700, "rpc.parse");
/// The JSON is no request.
const REQUEST: (i64, &str) = (-32600, "rpc.request");
/// No such method.
const METHOD: (i64, &str) = (-32601, "rpc.method");
/// The parameters don't fit.
const PARAMS: (i64, &str) = (-32602, "rpc.params");

impl RpcError {
    fn own((code, name): (i64, &str), message: impl Into<String>) -> Self {
        RpcError { code, message: message.into(), data: Some(ErrorData { code: name.into(), fault: FaultName::Caller, details: None }) }
    }
}
impl From<&Failure> for RpcError {
    fn from(failure: &Failure) -> Self {
        let code = match (failure.code.as_str(), failure.fault) {
            ("request.invalid", _) => PARAMS.0,
            (_, FaultName::Caller) => -32001,
            (_, FaultName::Peer) => -32002,
            (_, FaultName::Network) => -32003,
            (_, FaultName::Store) => -32004,
            (_, FaultName::Bug) => -32603,
        };
        let data = ErrorData { code: failure.code.clone(), fault: failure.fault, details: failure.details.clone() };
        RpcError { code, message: failure.sentence.clone(), data: Some(data) }
    }
}
impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        match error.data {
            Some(data) => Failure { code: data.code, fault: data.fault, sentence: error.message, details: data.details },
            None => Failure::bug(error.message),
        }
    }
}

/// What to answer to a line that is no request of ours.
pub type Refused = Box<(Id, RpcError)>;

/// Reads one line. `Ok(id, call)`: `id` is `None` for a notification, which gets no answer. `Err`: what to answer.
pub fn parse(line: &[u8]) -> Result<(Option<Id>, Call), Refused> {
    let no = |id: &Id, kind, why: String| Err(Box::new((id.clone(), RpcError::own(kind, why))));
    let value: Value = match serde_json::from_slice(line) {
        Ok(value) => value,
        // the cause names a place and a character class, never the text
        Err(e) => return no(&Id::Null, PARSE, format!("the line is no JSON ({e}); send one object a line")),
    };
    let Value::Object(mut object) = value else {
        return no(&Id::Null, REQUEST, "a request is a JSON object, one a line; batches are not taken".into());
    };
    let id = object.remove("id");
    let answer = match &id {
        Some(id @ (Value::String(_) | Value::Number(_) | Value::Null)) => id.clone(),
        Some(_) => return no(&Id::Null, REQUEST, "`id` must be a string or a number".into()),
        None => Id::Null,
    };
    if object.remove("jsonrpc") != Some(json!("2.0")) {
        return no(&answer, REQUEST, "`jsonrpc` must be \"2.0\"".into());
    }
    let Some(Value::String(method)) = object.remove("method") else {
        return no(&answer, REQUEST, "`method` is missing or is no string".into());
    };
    let params = match object.remove("params") {
        None => json!({}),
        Some(params @ Value::Object(_)) => params,
        Some(_) => return no(&answer, PARAMS, "`params` must be an object: parameters go by name".into()),
    };
    match Call::read(&method, params) {
        Some(Ok(call)) => Ok((id, call)),
        Some(Err(why)) => no(&answer, PARAMS, format!("the parameters of `{method}` don't fit: {why}")),
        None => no(&answer, METHOD, format!("there is no such method: {:?}", shorten(&method))),
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}

/// One line, with its end.
pub fn line(value: &impl Serialize) -> Vec<u8> {
    // our own types always serialise; if one ever did not, an error line is better than silence
    let mut bytes =
        serde_json::to_vec(value).unwrap_or_else(|_| br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"internal error"}}"#.to_vec());
    bytes.push(b'\n');
    bytes
}
/// The line of a request.
pub fn request(id: u64, call: &Call) -> Vec<u8> {
    line(&Envelope { jsonrpc: "2.0", id: Some(id), body: call })
}
/// The line of a notification.
pub fn notification(note: &types::Notification) -> Vec<u8> {
    line(&Envelope { jsonrpc: "2.0", id: None, body: note })
}
/// The line of an answer.
pub fn answer(id: &Id, result: &Result<Value, Failure>) -> Vec<u8> {
    match result {
        Ok(result) => {
            let line = line(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
            // whoever reads lines as we do would drop it, and wait
            if line.len() > lines::LIMIT {
                error(id, &RpcError::own(REQUEST, "the answer is longer than a line may be; ask for less at a time"))
            } else {
                line
            }
        }
        Err(failure) => error(id, &failure.into()),
    }
}
/// The line of an error.
pub fn error(id: &Id, error: &RpcError) -> Vec<u8> {
    line(&json!({"jsonrpc": "2.0", "id": id, "error": error}))
}
/// The answer to a line of more than [`lines::LIMIT`] bytes.
pub fn too_long() -> RpcError {
    RpcError::own(REQUEST, format!("a line is longer than {} bytes; it was dropped", lines::LIMIT))
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(flatten)]
    body: &'a T,
}

#[cfg(test)]
mod tests;
