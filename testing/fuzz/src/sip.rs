//! What comes by SIP.
use crate::{now, text};
use subrosa_sip::connection::fuzz;
use subrosa_sip::{Composing, Cpim, Imdn, Offer, bare, inflated};

pub fn frames(bytes: &[u8]) {
    let whole = fuzz::frames(bytes, &[]);
    for at in [bytes.len() / 3, bytes.len() / 2, bytes.len().saturating_sub(1)] {
        let (one, two) = bytes.split_at(at);
        assert_eq!(fuzz::frames(one, two), whole, "a message is the same in pieces");
    }
}
pub fn cpim(bytes: &[u8]) {
    let Ok(cpim) = Cpim::read(bytes) else { return };
    let Ok(again) = Cpim::read(cpim.write().bytes()) else { return };
    assert_eq!((again.plain.bytes(), again.wanted, again.notification), (cpim.plain.bytes(), cpim.wanted, cpim.notification));
}
pub fn imdn(bytes: &[u8]) {
    if let Ok(receipt) = Imdn::read(bytes) {
        assert_eq!(Imdn::read(receipt.write(now()).bytes()).unwrap(), receipt);
    }
}
pub fn offer(bytes: &[u8]) {
    let Ok(offer) = Offer::read(bytes) else { return };
    let again = Offer::read(offer.write().bytes()).unwrap();
    assert_eq!((&again.url, again.file.size), (&offer.url, offer.file.size));
    // XML holds no control characters, and its reader no spaces at the ends; a name does, where it is escaped
    assert!(again.file.name.trim() == offer.file.name.trim() || offer.file.name.contains(char::is_control));
    assert_eq!(again.key.map(|key| key.0.to_vec()), offer.key.map(|key| key.0.to_vec()));
}
pub fn composing(bytes: &[u8]) {
    if let Ok(composing) = Composing::read(bytes) {
        let _ = Composing::read(composing.write().bytes()).unwrap();
    }
}
pub fn inflate(bytes: &[u8]) {
    if let Ok(plain) = inflated(bytes, 65_536) {
        assert!(plain.len() <= 65_536);
    }
}
pub fn digest(bytes: &[u8]) {
    if let Some(answer) = fuzz::digest(&text(bytes)) {
        assert!(!answer.contains(char::is_control), "a challenge adds no header");
    }
}
pub fn address(bytes: &[u8]) {
    if let Ok(address) = bare(&text(bytes)) {
        // without brackets a parameter of the user is taken for one of the header (RFC 3261 §20.10)
        let again = bare(&format!("<{}>", address.as_str())).unwrap();
        assert_eq!(again, address);
    }
}
