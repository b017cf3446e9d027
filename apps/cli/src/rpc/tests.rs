use super::types::*;
use super::*;
use crate::args::Level;

fn refused(line: &str) -> (Id, i64) {
    let (id, error) = *parse(line.as_bytes()).expect_err(line);
    assert!(!error.message.is_empty() && error.data.is_some(), "{line}");
    (id, error.code)
}

#[test]
fn a_request_is_read() {
    let (id, call) = parse(br#"{"jsonrpc":"2.0","id":7,"method":"send","params":{"to":"bob@x.org","text":"hi","id":"m1"}}"#).expect("reads");
    assert_eq!(id, Some(json!(7)));
    let want = SendText { to: "bob@x.org".into(), text: "hi".into(), id: Some("m1".into()), timeout: None, account: None };
    assert_eq!(call, Call::Send(want));
    let (id, call) = parse(br#"{"jsonrpc":"2.0","method":"status"}"#).expect("reads");
    assert_eq!((id, call), (None, Call::Status(Scope::default())));
}

#[test]
fn what_is_no_json_is_told_so() {
    for line in ["", "{", "hello", "{\"jsonrpc\":\"2.0\"", "\u{0}", "{\"a\":1}}"] {
        assert_eq!(refused(line), (Id::Null, -32700), "{line}");
    }
    assert_eq!(parse(b"\xff\xfe").expect_err("no UTF-8").1.code, -32700);
    let deep = "[".repeat(100_000);
    assert_eq!(refused(&deep).1, -32700); // no stack overflow
}

#[test]
fn what_is_no_request_is_told_so() {
    let cases = [
        ("[]", Id::Null),
        ("1", Id::Null),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"status"}]"#, Id::Null),
        ("{}", Id::Null),
        (r#"{"jsonrpc":"1.0","id":1,"method":"status"}"#, json!(1)),
        (r#"{"id":"a","method":"status"}"#, json!("a")),
        (r#"{"jsonrpc":"2.0","id":1}"#, json!(1)),
        (r#"{"jsonrpc":"2.0","id":1,"method":5}"#, json!(1)),
        (r#"{"jsonrpc":"2.0","id":{},"method":"status"}"#, Id::Null),
    ];
    for (line, id) in cases {
        assert_eq!(refused(line), (id, -32600), "{line}");
    }
}

#[test]
fn unknown_methods_and_unfit_parameters_are_told_so() {
    assert_eq!(refused(r#"{"jsonrpc":"2.0","id":1,"method":"fly"}"#), (json!(1), -32601));
    for params in [
        r#"{}"#,
        r#"{"to":"bob@x.org"}"#,
        r#"{"to":"bob@x.org","text":5}"#,
        r#"["bob@x.org","hi"]"#,
        r#"{"to":"bob@x.org","text":"hi","txet":"hi"}"#,
        r#""hi""#,
        r#"null"#,
    ] {
        assert_eq!(refused(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"send","params":{params}}}"#)), (json!(1), -32602), "{params}");
    }
    for (device, level) in [("-1", "\"trusted\""), ("4294967296", "\"trusted\""), ("1", "\"best\""), ("\"1\"", "\"trusted\"")] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"trust","params":{{"jid":"b@x","device":{device},"level":{level}}}}}"#);
        assert_eq!(refused(&line).1, -32602, "{line}");
    }
}

#[test]
fn a_call_crosses_the_line_unchanged() {
    let of = |place| Of::Place(place);
    let calls = [
        Call::React(React { chat: "b@x".into(), of: of(7), emojis: vec!["👍".into()], id: None, timeout: None, account: None }),
        Call::Edit(Edit { chat: "b@x".into(), of: Of::Id("7".into()), text: "so".into(), id: None, timeout: None, account: Some("a@x".into()) }),
        Call::Version(Nothing {}),
        Call::Status(Scope { account: Some("a@x".into()) }),
        Call::Send(SendText { to: "b@x".into(), text: "line\nbreak \u{1F511}".into(), id: None, timeout: Some(3), account: None }),
        Call::SendFile(SendFile { to: "sip:b@x".into(), path: "/a/b".into(), content_type: None, timeout: Some(3), account: None }),
        Call::Typing(Typing { to: "sip:b@x".into(), composing: false, account: None }),
        Call::MarkRead(MarkRead { from: "sip:b@x".into(), id: "m".into(), since: None, account: None }),
        Call::Devices(Devices { jid: Some("b@x".into()), account: None }),
        Call::Trust(SetTrust { jid: "b@x".into(), device: 5, fingerprint: Some("00".into()), level: Level::Verified, account: None }),
        Call::Subscribe(Subscribe { confirm: true, account: None }),
        Call::Shown(Shown { seq: 9, passed: true, account: Some("a@x".into()) }),
        Call::Logout(Logout { offline: true, account: None }),
    ];
    for call in calls {
        let line = request(3, &call);
        assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
        assert_eq!(parse(&line).expect("reads"), (Some(json!(3)), call));
    }
}

#[test]
fn an_error_crosses_the_line_whole() {
    let failure = Failure::new("store.full", FaultName::Store, "the disk is full");
    let error = RpcError::from(&failure);
    assert_eq!(error.code, -32004);
    assert_eq!(Failure::from(error), failure);
}

#[test]
fn texts_are_in_no_debug() {
    let call = Call::Send(SendText { to: "b@x".into(), text: "attack at dawn".into(), id: None, timeout: None, account: None });
    let note = Notification::Message(Message {
        account: "a@x".into(),
        seq: 1,
        again: false,
        id: "m".into(),
        from: "b@x".into(),
        chat: "b@x".into(),
        device: None,
        protocol: None,
        trust: None,
        text: "attack at dawn".into(),
        time: 0,
        corrects: None,
        answers: None,
        beside: false,
        nick: None,
    });
    assert!(!format!("{call:?} {note:?}").contains("dawn"));
}

/// Every line of JSON in docs/rpc.md that is marked as sent (`→`) is read as a request, every one that is marked as
/// received (`←`) is an answer or a notification of the types here.
#[test]
fn the_documents_examples_are_true() {
    let text = include_str!("../../../../docs/rpc.md");
    let mut methods = std::collections::BTreeSet::new();
    let (mut sent, mut results) = (0, 0);
    for line in text.lines() {
        if let Some(request) = line.strip_prefix("→ ") {
            match parse(request.as_bytes()) {
                Ok((_, call)) => drop(methods.insert(serde_json::to_value(call).expect("a value")["method"].to_string())),
                Err(no) => assert!(request.contains("jsonrpc\":\"2.0") == (no.1.code == -32601), "{request}: {:?}", no.1),
            }
            sent += 1;
        } else if let Some(answer) = line.strip_prefix("← ") {
            let value: Value = serde_json::from_str(answer).expect(answer);
            if value.get("method").is_some() {
                let note: Notification = serde_json::from_value(value.clone()).expect(answer);
                let again: Value = serde_json::from_slice(&notification(&note)).expect("a line");
                assert_eq!(again, value, "not as the program writes it");
                methods.insert(value["method"].to_string());
            } else if let Some(error) = value.get("error") {
                serde_json::from_value::<RpcError>(error.clone()).expect(answer);
            } else {
                results += 1;
                result(&value["result"]);
            }
        }
    }
    assert!(sent >= 8 && results >= 6, "{sent} requests, {results} results");
    for method in Call::METHODS.iter().chain(Notification::METHODS) {
        assert!(methods.contains(&format!("\"{method}\"")), "no example of {method}");
    }
}
fn result(value: &Value) {
    fn is<T: serde::de::DeserializeOwned + Serialize>(value: &Value) -> bool {
        serde_json::from_value::<T>(value.clone()).is_ok_and(|t| serde_json::to_value(t).is_ok_and(|v| v == *value))
    }
    let known = is::<SendResult>(value)
        || is::<DeviceList>(value)
        || is::<Status>(value)
        || is::<SipStatus>(value)
        || is::<Version>(value)
        || is::<Chats>(value)
        || is::<Messages>(value)
        || is::<RoomInfo>(value)
        || is::<Rooms>(value)
        || is::<Members>(value)
        || is::<RoomLeft>(value)
        || is::<RoomPicture>(value)
        || is::<Verified>(value)
        || is::<StaleDevices>(value)
        || is::<Blocked>(value)
        || is::<Kept>(value)
        || *value == json!({});
    assert!(known, "no result of any method: {value}");
}
