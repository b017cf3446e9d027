//! The engine's words in the words of the RPC.
use crate::args::Level;
use crate::failure::{Failure, FaultName};
use crate::rpc::types::{
    Bounced, DeviceInfo, DeviceNumber, DeviceResult, DeviceSeen, KeyChanged, Message, NotSent, Notification, SendResult, Undecryptable, Warned,
};
use serde::Serialize;
use serde_json::Value;
use subrosa_engine::{ChatId, Content, Event, Fingerprint, Identity, Kind, MessageId, OutputId, Reason, Received, Refusal, Trust};
use subrosa_xmpp::Bounce;

/// What a person or a program is told of an event; `None`: nothing. `engine`: what the chats go through, where it is not OMEMO.
pub fn of(account: &str, id: OutputId, event: Event, engine: Option<&str>) -> Option<Notification> {
    let (account, seq, again) = (account.to_owned(), id.0, false);
    Some(match event {
        // of words `message` tells; what is left nothing here can show
        Event::Message { id, message, .. } if message.kind() == Kind::Text => Notification::Undecryptable(Undecryptable {
            account,
            seq,
            again,
            id: id.to_string(),
            from: message.from().to_string(),
            device: message.sender().map(|s| DeviceNumber::from(&s.device.id)),
            reason: Reason::Unsupported.code().into(),
            status: None,
        }),
        Event::NotReceived { why, .. } if why.reason == Reason::Duplicate => return None,
        Event::NotReceived { id, from, device, why, .. } => Notification::Undecryptable(Undecryptable {
            account,
            seq,
            again,
            id: id.to_string(),
            from: from.to_string(),
            device: device.map(|d| DeviceNumber::from(&d.id)),
            reason: why.reason.code().into(),
            status: engine.map(|_| why.status.code()),
        }),
        // found there and trusted on joining, or decided about by a person before: nothing is to be done
        Event::DeviceNew { device, trust: Trust::Trusted | Trust::Verified, .. } if device.owner.as_str() == account => return None,
        Event::DeviceNew { device, key, trust } => Notification::DeviceNew(DeviceSeen {
            account,
            seq,
            again,
            jid: device.owner.to_string(),
            device: DeviceNumber::from(&device.id),
            fingerprint: crate::home::hex(&key.0),
            trust: level(trust),
        }),
        Event::KeyChanged { device, known, shown } => Notification::KeyChanged(KeyChanged {
            account,
            seq,
            again,
            jid: device.owner.to_string(),
            device: DeviceNumber::from(&device.id),
            known: crate::home::hex(&known.0),
            fingerprint: crate::home::hex(&shown.0),
        }),
        Event::Warning { warning, chat, device } => Notification::Warning(Warned {
            account,
            seq,
            again,
            code: warning.code().into(),
            chat: chat.map(|chat| chat.0.to_string()),
            device: device.map(|device| DeviceNumber::from(&device.id)),
            sentence: warning.sentence().into(),
        }),
        _ => return None,
    })
}
/// Somebody wrote words.
pub fn message(
    account: &str,
    output: OutputId,
    id: MessageId,
    chat: ChatId,
    message: &Received,
    said: &Content,
    engine: Option<&str>,
) -> Notification {
    let sender = message.sender();
    let of = said.of().map(ToString::to_string);
    let correction = matches!(said, Content::Correction { .. });
    Notification::Message(Message {
        account: account.to_owned(),
        seq: output.0,
        again: false,
        id: id.to_string(),
        from: message.from().to_string(),
        chat: chat.0.to_string(),
        device: sender.map(|s| DeviceNumber::from(&s.device.id)),
        protocol: sender.map(|s| s.protocol.to_string()).or_else(|| engine.filter(|_| !message.in_clear()).map(str::to_owned)),
        trust: sender.map(|s| level(s.trust)),
        text: said.text().unwrap_or_default().to_owned(),
        time: message.sent().0,
        corrects: of.clone().filter(|_| correction),
        answers: of.filter(|_| !correction),
        beside: false,
        nick: None,
    })
}

/// A message came back.
pub fn bounced(account: &str, bounce: Bounce) -> Notification {
    let Bounce { id, from, condition, refused } = bounce;
    let (status, reason) = refused.map(|refused| (refused.status.code(), refused.reason)).unzip();
    Notification::Bounced(Bounced { account: account.into(), id: id.to_string(), from: from.to_string(), condition, status, reason })
}
/// A message that could not be sent, for who is not waiting for it.
pub fn not_sent(account: &str, id: OutputId, message: &str, why: &Refusal, devices: Vec<DeviceResult>) -> Notification {
    let (reason, people) = (why.reason.code().to_owned(), why.people.iter().map(ToString::to_string).collect());
    Notification::NotSent(NotSent { account: account.into(), seq: id.0, again: false, id: message.into(), reason, devices, people })
}
/// The same, for who waits.
pub fn not_sent_failure(id: &str, to: Option<&str>, why: &Refusal, devices: &[DeviceResult]) -> Failure {
    let code = if why.reason == Reason::NoDevice { "send.nobody".into() } else { format!("send.{}", why.reason.code()) };
    let to = to.unwrap_or("the recipient");
    let people: Vec<_> = why.people.iter().map(ToString::to_string).collect();
    let sentence = if why.reason == Reason::MembersWithoutKeys {
        let remedy = format!("`room_leave_out` (`subrosa room leave-out {to} on`) sends without them");
        format!("nothing was sent to {to}: no device of {} can read it; ask them to switch encryption on, or {remedy}", people.join(", "))
    } else {
        format!("nothing was sent to {to}: {}", cause(to, why.reason))
    };
    let mut failure = Failure::new(&code, FaultName::Peer, sentence);
    failure.details = Some(Box::new(SendResult { id: id.into(), devices: devices.to_vec(), left_out: people, ..SendResult::default() }));
    failure
}
/// The reason where more can be said of it here than by the machine.
fn cause(to: &str, why: Reason) -> String {
    match why {
        Reason::NoEncryption => format!(
            "they have no device that can decrypt; check the address, or ask them to switch encryption (OMEMO) on. `allow_clear` \
             (`subrosa allow-clear {to}`) would let messages to them go in clear, where servers can read them"
        ),
        Reason::DeviceListUnavailable => "the server does not show their devices; check the address, or try again later".into(),
        Reason::OptedOut => {
            format!(
                "they ask not to be sent encrypted messages any more; `go_on` (`subrosa go-on {to}`) sends encrypted ones all the same, `allow_clear` (`subrosa allow-clear {to}`) lets them go in clear, where servers can read them"
            )
        }
        other => other.sentence().into(),
    }
}
/// One line of the answer to `devices`.
pub fn device_info(device: &subrosa_omemo::DeviceInfo) -> DeviceInfo {
    DeviceInfo {
        jid: device.device.owner.to_string(),
        device: DeviceNumber::from(&device.device.id),
        fingerprint: device.key.map(|key| crate::home::hex(&key.0)),
        trust: level(device.trust),
        protocols: device.versions.iter().map(|v| (*v).to_owned()).collect(),
        own: device.this_device,
        active: device.listed,
        label: device.label.clone(),
    }
}
/// A key that is not its device's now.
pub fn former(identity: &Identity) -> DeviceInfo {
    DeviceInfo {
        jid: identity.device.owner.to_string(),
        device: DeviceNumber::from(&identity.device.id),
        fingerprint: Some(crate::home::hex(&identity.key.0)),
        trust: level(identity.trust),
        protocols: Vec::new(),
        own: false,
        active: false,
        label: None,
    }
}
/// A fingerprint as a person copies it: groups, colons, any case.
pub fn fingerprint(text: &str) -> Result<Fingerprint, Failure> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    let key = crate::home::from_hex(&digits).map(|key| Fingerprint(*key));
    key.ok_or_else(|| {
        Failure::usage("a fingerprint is 64 hexadecimal digits (spaces and colons may be between them); copy it from `subrosa devices`")
    })
}
/// The engine's word for a level.
pub fn trust_of(level: Level) -> Trust {
    match level {
        Level::Verified => Trust::Verified,
        Level::Trusted => Trust::Trusted,
        Level::Untrusted => Trust::Untrusted,
        Level::Undecided => Trust::Undecided,
    }
}
/// The level of a trust.
pub fn level(trust: Trust) -> Level {
    match trust {
        Trust::Verified => Level::Verified,
        Trust::Trusted => Level::Trusted,
        Trust::Untrusted => Level::Untrusted,
        Trust::Undecided => Level::Undecided,
    }
}
/// A result as JSON.
pub fn value(result: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(result).map_err(|e| Failure::bug(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_people_copy_them() {
        let plain = "00112233445566778899aabbccddeeff".repeat(2);
        let key = fingerprint(&plain).expect("plain");
        let grouped = plain.to_uppercase().as_bytes().chunks(8).map(|c| String::from_utf8_lossy(c).into_owned()).collect::<Vec<_>>().join(" ");
        assert_eq!(fingerprint(&grouped).expect("grouped"), key);
        let colons = plain.as_bytes().chunks(2).map(|c| String::from_utf8_lossy(c).into_owned()).collect::<Vec<_>>().join(":");
        assert_eq!(fingerprint(&colons).expect("colons"), key);
        for bad in ["", "00", &plain[1..], &format!("{plain}00"), &plain.replace('0', "g")] {
            assert_eq!(fingerprint(bad).expect_err(bad).code, "request.invalid");
        }
    }

    #[test]
    fn levels_are_the_engines() {
        for trust in Trust::ALL {
            assert_eq!(trust_of(level(trust)), trust);
            assert_eq!(serde_json::to_value(level(trust)).expect("a value"), trust.code());
        }
    }

    #[test]
    fn own_devices_are_told_of_where_they_await_approval() {
        let told = |owner: &str, trust: Trust| {
            let device = subrosa_engine::Device { owner: owner.into(), id: subrosa_engine::DeviceId::Number(7) };
            of("a@x", OutputId(1), Event::DeviceNew { device, key: Fingerprint([7; 32]), trust }, None).is_some()
        };
        assert_eq!(Trust::ALL.into_iter().filter(|trust| told("a@x", *trust)).collect::<Vec<_>>(), [Trust::Untrusted, Trust::Undecided]);
        assert!(Trust::ALL.into_iter().all(|trust| told("b@x", trust)));
    }

    #[test]
    fn a_message_that_comes_twice_is_not_told() {
        let event = |reason: Reason| Event::NotReceived {
            id: "m".into(),
            chat: subrosa_engine::ChatId("b@x".into()),
            from: "b@x".into(),
            device: None,
            why: reason.into(),
        };
        assert!(of("a@x", OutputId(1), event(Reason::Duplicate), None).is_none());
        assert!(matches!(of("a@x", OutputId(1), event(Reason::Damaged), None), Some(Notification::Undecryptable(u)) if u.reason == "damaged"));
    }
}
