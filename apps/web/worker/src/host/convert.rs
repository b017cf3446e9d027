//! The engine's words in those of the contract, and back.
use subrosa_engine as engine;
use subrosa_engine::{DeviceId, DeviceReport, Exclusion, Keep, Refusal};
use subrosa_omemo::DeviceInfo;
use subrosa_web_api::page::{Device, LeftOut, Trust};
use subrosa_web_api::socket::{Item, Node, Request, RequestError};
use subrosa_web_api::{Failure, Kind};

/// As the contract has it: errors are parts of sentences.
pub fn failure(error: &dyn engine::Coded) -> Failure {
    let mut sentence = format!("{error}.");
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Failure::new(error.code(), sentence)
}
/// Why a message was refused.
pub fn refusal(why: &Refusal) -> Failure {
    Failure::new(why.reason.code(), why.reason.sentence())
}
/// Why a device was left out.
pub fn exclusion(why: Exclusion) -> Failure {
    Failure::new(why.code(), why.sentence())
}
/// The number of an OMEMO device.
pub fn number(id: &DeviceId) -> u32 {
    if let DeviceId::Number(n) = id { *n } else { 0 }
}
/// Those of a report who can't read it, and the version that was spoken where it was one.
pub fn report(report: &[DeviceReport]) -> (String, Vec<LeftOut>) {
    let left_out = report.iter().filter_map(|line| {
        let why = exclusion(line.result.err()?);
        Some(LeftOut { jid: line.device.owner.to_string(), device: number(&line.device.id), why })
    });
    let mut spoken = report.iter().filter(|line| line.result.is_ok()).map(|line| &*line.protocol);
    let first = spoken.next().unwrap_or_default();
    let protocol = if spoken.all(|one| one == first) { first.to_owned() } else { String::new() };
    (protocol, left_out.collect())
}
pub fn trust(trust: engine::Trust) -> Trust {
    match trust {
        engine::Trust::Untrusted => Trust::Untrusted,
        engine::Trust::Undecided => Trust::Undecided,
        engine::Trust::Trusted => Trust::Trusted,
        engine::Trust::Verified => Trust::Verified,
    }
}
pub fn trust_back(trust: Trust) -> engine::Trust {
    match trust {
        Trust::Untrusted => engine::Trust::Untrusted,
        Trust::Undecided => engine::Trust::Undecided,
        Trust::Trusted => engine::Trust::Trusted,
        Trust::Verified => engine::Trust::Verified,
    }
}
pub fn device(info: &DeviceInfo) -> Device {
    Device {
        jid: info.device.owner.to_string(),
        id: number(&info.device.id),
        fingerprint: info.key.map(|key| hex(&key.0)).unwrap_or_default(),
        trust: trust(info.trust),
        label: info.label.clone().unwrap_or_default(),
        listed: info.listed,
        this_device: info.this_device,
        last_heard: info.last_heard.map_or(0, |t| t.0),
        versions: info.versions.iter().map(|v| (*v).to_owned()).collect(),
    }
}
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|n| char::from_digit(n.into(), 16)).collect()
}
/// 64 hex digits.
pub fn fingerprint(hex: &str) -> Option<engine::Fingerprint> {
    let digits: Vec<u8> = hex.chars().map(|c| c.to_digit(16).and_then(|n| u8::try_from(n).ok())).collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| (high << 4) | low).collect();
    bytes.try_into().ok().map(engine::Fingerprint)
}
pub fn kind(kind: Kind) -> engine::Kind {
    match kind {
        Kind::Text => engine::Kind::Text,
        Kind::Typing => engine::Kind::Typing,
        Kind::Receipt => engine::Kind::Receipt,
        Kind::Other => engine::Kind::Other,
    }
}
pub fn kind_back(kind: engine::Kind) -> Kind {
    match kind {
        engine::Kind::Text => Kind::Text,
        engine::Kind::Typing => Kind::Typing,
        engine::Kind::Receipt => Kind::Receipt,
        _ => Kind::Other,
    }
}
fn node(node: engine::Node) -> Node {
    Node { owner: node.owner.to_string(), name: node.name, item: node.item }
}
pub fn node_back(node: Node) -> engine::Node {
    engine::Node { owner: node.owner.as_str().into(), name: node.name, item: node.item }
}
/// `None`: nothing that goes through a gateway.
pub fn request(request: engine::Request) -> Option<Request> {
    Some(match request {
        engine::Request::Fetch(n) => Request::Fetch(node(n)),
        engine::Request::Publish { node: n, keep, payload } => Request::Publish { node: node(n), many: keep == Keep::Many, payload },
        engine::Request::Delete(n) => Request::Delete(node(n)),
        _ => return None,
    })
}
pub fn answer(answer: Result<Vec<Item>, RequestError>) -> Result<Vec<engine::Item>, engine::RequestError> {
    match answer {
        Ok(items) => Ok(items.into_iter().map(|Item { id, payload }| engine::Item { id, payload }).collect()),
        Err(RequestError::NotFound) => Err(engine::RequestError::NotFound),
        Err(RequestError::Forbidden) => Err(engine::RequestError::Forbidden),
        Err(RequestError::Unreachable) => Err(engine::RequestError::Unreachable),
        Err(RequestError::Refused) => Err(engine::RequestError::Refused),
        Err(RequestError::Malformed) => Err(engine::RequestError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_64_hex_digits() {
        let key = engine::Fingerprint([0xa5; 32]);
        assert_eq!(fingerprint(&hex(&key.0)), Some(key));
        for bad in ["", "a5", &"a5".repeat(33), &"g5".repeat(32), &"a5".repeat(31)] {
            assert_eq!(fingerprint(bad), None, "{bad}");
        }
    }
}
