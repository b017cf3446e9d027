//! Receipts: `message/imdn+xml` (RFC 5438 §7), as Liblinphone writes and reads them.
//!
//! A receipt names a message by the id in its CPIM envelope ([`crate::Cpim`]). Messages without one are named by their Call-ID:
//! not in the RFC, but what Liblinphone does in its basic rooms, and then the receipt has no envelope either.
use crate::BodyError;
use crate::xml::{DECLARATION, Node, escaped};
use subrosa_engine::{ContentType, Plaintext, Status, Time};

const NAMESPACE: &str = "urn:ietf:params:xml:ns:imdn";
/// Where Liblinphone puts the code of what failed.
const LINPHONE: &str = "http://www.linphone.org/xsds/imdn.xsd";
const MAX_ID: usize = 256;

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is there.
    Delivered,
    /// It was shown.
    Displayed,
    /// A server took it (`processed`, `stored`): it is on the way.
    Underway,
    /// It is not there: `failed`, `error`, or `forbidden` from who may not get it.
    Failed {
        /// Why, as a SIP code. Liblinphone's own addition: 488 where it could not decrypt, 415 where it could not show.
        code: Option<u16>,
        /// Why, in the words of the recipient's program. Not to be trusted, not to be taken for its user's.
        reason: String,
    },
    /// The recipient's program does not tell (`forbidden`, `error` in answer to whether it was shown): it may be there and read.
    Untold,
}
/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imdn {
    /// The message's. At most 256 bytes, no control characters.
    pub message_id: String,
    /// What became of it.
    pub fate: Fate,
}
impl Imdn {
    /// What the body is.
    pub const CONTENT_TYPE: ContentType = ContentType(std::borrow::Cow::Borrowed("message/imdn+xml"));
    /// The message is there.
    pub fn delivered(message_id: impl Into<String>) -> Self {
        Imdn { message_id: message_id.into(), fate: Fate::Delivered }
    }
    /// The message was shown.
    pub fn displayed(message_id: impl Into<String>) -> Self {
        Imdn { message_id: message_id.into(), fate: Fate::Displayed }
    }
    /// The message could not be taken; `reason` is a sentence.
    pub fn failed(message_id: impl Into<String>, status: Status, reason: impl Into<String>) -> Self {
        Imdn { message_id: message_id.into(), fate: Fate::Failed { code: Some(status.code()), reason: reason.into() } }
    }
    /// The body of a receipt for a message that was sent at `sent`.
    pub fn write(&self, sent: Time) -> Plaintext {
        let (of, status) = match &self.fate {
            Fate::Delivered => ("delivery", "<delivered/>".to_owned()),
            Fate::Displayed => ("display", "<displayed/>".to_owned()),
            Fate::Underway => ("processing", "<processed/>".to_owned()),
            Fate::Untold => ("display", "<forbidden/>".to_owned()),
            Fate::Failed { code: None, reason } if reason.is_empty() => ("delivery", "<failed/>".to_owned()),
            Fate::Failed { code, reason } => {
                let code = code.map(|code| format!(r#" code="{code}""#)).unwrap_or_default();
                ("delivery", format!("<failed/><imdn:reason{code}>{}</imdn:reason>", escaped(reason)))
            }
        };
        let linphone = if status.contains("imdn:reason") { format!(r#" xmlns:imdn="{LINPHONE}""#) } else { String::new() };
        let (id, time) = (escaped(&self.message_id), rfc3339(sent));
        let xml = format!(
            r#"{DECLARATION}<imdn xmlns="{NAMESPACE}"{linphone}><message-id>{id}</message-id><datetime>{time}</datetime><{of}-notification><status>{status}</status></{of}-notification></imdn>"#
        );
        Plaintext::new(Imdn::CONTENT_TYPE, xml)
    }
    /// Reads a body. The time in it is the peer's clock and is left out, as by Liblinphone.
    ///
    /// # Errors
    /// [`BodyError`]: what it lacks.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        let root = Node::read(body, "imdn")?.within(NAMESPACE, "imdn")?;
        let message_id = root.needed("message-id")?.text().to_owned();
        if message_id.is_empty() || message_id.len() > MAX_ID || message_id.contains(char::is_control) {
            return Err(BodyError::Malformed("message-id"));
        }
        let mut kinds = ["delivery-notification", "display-notification", "processing-notification"].into_iter();
        let notification = kinds.find_map(|kind| root.child(kind).transpose()).ok_or(BodyError::Missing("notification"))??;
        let status = notification.needed("status")?;
        let word = status.first().ok_or(BodyError::Missing("status"))?.name();
        let fate = match (notification.name(), word) {
            ("delivery-notification", "delivered") => Fate::Delivered,
            ("delivery-notification", "failed" | "error" | "forbidden") => {
                let reason = status.child("reason")?;
                let code = reason.and_then(|r| r.attribute("code")?.parse().ok()).filter(|code| (300..700).contains(code));
                Fate::Failed { code, reason: reason.map(|r| r.text().to_owned()).unwrap_or_default() }
            }
            ("display-notification", "displayed") => Fate::Displayed,
            ("processing-notification", "processed" | "stored") => Fate::Underway,
            ("display-notification" | "processing-notification", "forbidden" | "error") => Fate::Untold,
            _ => return Err(BodyError::Malformed("status")),
        };
        Ok(Imdn { message_id, fate })
    }
}

/// `2026-11-27T13:25:13Z`. What lies behind the year 9999 becomes its last second.
#[allow(clippy::arithmetic_side_effects, reason = "the year is at most 9999, and no divisor is 0")]
fn rfc3339(time: Time) -> String {
    let seconds = (time.0 / 1000).min(253_402_300_799);
    let (day, of_day) = (seconds / 86_400, seconds % 86_400);
    // years that begin in March have their leap day at the end; 719 468 days from 0000-03-01 to 1970-01-01
    let (era, of_era) = ((day + 719_468) / 146_097, (day + 719_468) % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (year, month, day) = (era * 400 + year + u64::from(month >= 10), (month + 2) % 12 + 1, of_year - (153 * month + 2) / 5 + 1);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
    use super::*;
    use proptest::prelude::*;

    /// What liblinphone 5.1.65 sent, in its basic rooms, for a message that was shown, and for one of a content type it does not know.
    const DISPLAYED: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="no" ?><imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>stubcall1</message-id><datetime>2026-11-27T13:25:13Z</datetime><display-notification><status><displayed/></status></display-notification></imdn>"#;
    const FAILED: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="no" ?><imdn xmlns="urn:ietf:params:xml:ns:imdn" xmlns:imdn="http://www.linphone.org/xsds/imdn.xsd"><message-id>stubcall2</message-id><datetime>2026-11-27T13:28:09Z</datetime><delivery-notification><status><failed/><imdn:reason code="415">Incompatible media capabilities</imdn:reason></status></delivery-notification></imdn>"#;
    const SENT: Time = Time(1_795_785_913_000);

    fn text(plain: &Plaintext) -> &str {
        std::str::from_utf8(plain.bytes()).unwrap()
    }

    #[test]
    fn liblinphones_receipts_are_read_and_ours_are_the_same() {
        let ours = |linphone: &str| linphone.replace(" standalone=\"no\" ?", "?");
        let displayed = Imdn::read(DISPLAYED.as_bytes()).unwrap();
        assert_eq!(displayed, Imdn::displayed("stubcall1"));
        assert_eq!(text(&displayed.write(SENT)), ours(DISPLAYED));
        let delivered = DISPLAYED.replace("displayed", "delivered").replace("display", "delivery");
        assert_eq!(Imdn::read(delivered.as_bytes()), Ok(Imdn::delivered("stubcall1")));
        assert_eq!(text(&Imdn::delivered("stubcall1").write(SENT)), ours(&delivered));
        let failed = Imdn::read(FAILED.as_bytes()).unwrap();
        assert_eq!(failed, Imdn::failed("stubcall2", Status::new(415), "Incompatible media capabilities"));
        assert_eq!(text(&failed.write(Time(SENT.0 + 176_000))), ours(FAILED));
    }

    #[test]
    fn the_words_of_the_rfc() {
        // RFC 5438 §7.2.1, with what Liblinphone never writes
        let with = |kind: &str, word: &str| {
            let xml = format!(
                "<imdn xmlns=\"{NAMESPACE}\">\n <message-id>34jk324j</message-id>\n <datetime>2008-04-04T12:16:49-05:00</datetime>\n <recipient-uri>im:bob@example.com</recipient-uri>\n <original-recipient-uri>im:bob@example.com</original-recipient-uri>\n <{kind}-notification>\n  <status>\n   <{word}/>\n  </status>\n </{kind}-notification>\n</imdn>"
            );
            Imdn::read(xml.as_bytes()).map(|imdn| imdn.fate)
        };
        let failed = || Ok(Fate::Failed { code: None, reason: String::new() });
        for (kind, word, fate) in [
            ("delivery", "delivered", Ok(Fate::Delivered)),
            ("delivery", "failed", failed()),
            ("delivery", "error", failed()),
            ("delivery", "forbidden", failed()),
            ("display", "displayed", Ok(Fate::Displayed)),
            ("display", "error", Ok(Fate::Untold)),
            ("processing", "stored", Ok(Fate::Underway)),
            ("processing", "forbidden", Ok(Fate::Untold)),
            ("delivery", "displayed", Err(BodyError::Malformed("status"))),
            ("other", "displayed", Err(BodyError::Missing("notification"))),
        ] {
            assert_eq!(with(kind, word), fate, "{kind} {word}");
        }
    }

    #[test]
    fn what_is_no_receipt_is_refused() {
        let broken = |from: &str, to: &str| Imdn::read(FAILED.replace(from, to).as_bytes());
        assert_eq!(broken("stubcall2", ""), Err(BodyError::Malformed("message-id")));
        assert_eq!(broken("stubcall2", &"x".repeat(257)), Err(BodyError::Malformed("message-id")));
        assert_eq!(broken("<failed/>", "").map(|i| i.fate), Err(BodyError::Malformed("status")));
        assert_eq!(broken("params:xml:ns:imdn\"", "x\""), Err(BodyError::WrongRoot("imdn")));
        assert_eq!(broken("415", "99999").unwrap().fate, Fate::Failed { code: None, reason: "Incompatible media capabilities".into() });
        assert_eq!(Imdn::read(b"hello"), Err(BodyError::NotXml));
    }

    #[test]
    fn known_times() {
        for (time, written) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_868_799_999, "2000-02-29T23:59:59Z"),
            (951_868_800_000, "2000-03-01T00:00:00Z"),
            (1_704_067_199_000, "2023-12-31T23:59:59Z"),
            (1_704_164_645_000, "2024-01-02T03:04:05Z"),
            (4_107_499_200_000, "2100-02-28T12:00:00Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(Time(time)), written);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(id in "[!-~]{1,60}", code in proptest::option::of(300u16..700), reason in "[ -~é]{0,40}", fate in 0..5) {
            let fate = match fate {
                0 => Fate::Delivered,
                1 => Fate::Displayed,
                2 => Fate::Underway,
                3 => Fate::Untold,
                _ => Fate::Failed { code, reason: reason.trim().into() },
            };
            let imdn = Imdn { message_id: id, fate };
            prop_assert_eq!(Imdn::read(imdn.write(SENT).bytes()), Ok(imdn));
        }
        #[test]
        fn times_are_in_order(a in 0..253_402_300_799u64, b in 0..253_402_300_799u64) {
            prop_assert_eq!(a.cmp(&b), rfc3339(Time(a * 1000)).cmp(&rfc3339(Time(b * 1000))));
        }
    }
}
