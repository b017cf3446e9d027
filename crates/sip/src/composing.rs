//! Typing notices: `application/im-iscomposing+xml` (RFC 3994), as Liblinphone writes and reads them.
use crate::BodyError;
use crate::xml::{DECLARATION, Node, escaped};
use std::time::Duration;
use subrosa_engine::{ContentType, Plaintext};

const NAMESPACE: &str = "urn:ietf:params:xml:ns:im-iscomposing";
/// How long an active notice without a refresh interval holds (RFC 3994 §3.3; Liblinphone's default too).
const DEFAULT_REFRESH: Duration = Duration::from_secs(120);
/// The longest interval that is believed.
const MAX_REFRESH: u64 = 3_600;

/// Whether somebody is writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composing {
    /// `true`: writing; `false`: not any more.
    pub active: bool,
    /// After how long a notice comes again if it goes on. From a peer: at most an hour. Liblinphone says 60 s.
    pub refresh: Option<Duration>,
    /// A MIME type: what is being written.
    pub content_type: Option<String>,
}
impl Composing {
    /// What the body is.
    pub const CONTENT_TYPE: ContentType = ContentType(std::borrow::Cow::Borrowed("application/im-iscomposing+xml"));
    /// Somebody began to write; told again every `refresh`, not less than 60 s (RFC 3994 §3.2).
    pub fn active(refresh: Duration) -> Self {
        Composing { active: true, refresh: Some(refresh), content_type: None }
    }
    /// Nobody writes any more.
    pub fn idle() -> Self {
        Composing { active: false, refresh: None, content_type: None }
    }
    /// How long it is to be shown without another.
    pub fn holds_for(&self) -> Duration {
        match self.active {
            true => self.refresh.unwrap_or(DEFAULT_REFRESH),
            false => Duration::ZERO,
        }
    }
    /// The body of a message.
    pub fn write(&self) -> Plaintext {
        let state = if self.active { "active" } else { "idle" };
        let content_type = self.content_type.as_ref().map(|t| format!("<contenttype>{}</contenttype>", escaped(t))).unwrap_or_default();
        let refresh = self.refresh.map(|r| format!("<refresh>{}</refresh>", r.as_secs().max(1))).unwrap_or_default();
        let xml = format!(r#"{DECLARATION}<isComposing xmlns="{NAMESPACE}"><state>{state}</state>{content_type}{refresh}</isComposing>"#);
        Plaintext::new(Composing::CONTENT_TYPE, xml)
    }
    /// Reads a body. A state that is not known counts as idle, an interval that is none as not given.
    ///
    /// # Errors
    /// [`BodyError`]: what it lacks.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        let root = Node::read(body, "isComposing")?.within(NAMESPACE, "isComposing")?;
        let active = root.needed("state")?.text() == "active";
        let seconds = root.child("refresh")?.and_then(|r| r.text().parse::<u64>().ok()).filter(|s| *s > 0);
        let content_type = root.child("contenttype")?.map(|t| t.text().to_owned());
        Ok(Composing { active, refresh: seconds.map(|s| Duration::from_secs(s.min(MAX_REFRESH))), content_type })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const LINPHONE: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="no" ?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state><refresh>60</refresh></isComposing>"#;

    #[test]
    fn liblinphones_notice_is_read_and_ours_is_the_same() {
        let notice = Composing::read(LINPHONE.as_bytes()).unwrap();
        assert_eq!(notice, Composing::active(Duration::from_secs(60)));
        assert_eq!(String::from_utf8(notice.write().bytes().to_vec()).unwrap(), LINPHONE.replace(" standalone=\"no\" ?", "?"));
        assert_eq!(Composing::read(Composing::idle().write().bytes()), Ok(Composing::idle()));
    }

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 3994 §5
        let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<isComposing xmlns=\"urn:ietf:params:xml:ns:im-iscomposing\"\n  xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"\n  xsi:schemaLocation=\"urn:ietf:params:xml:ns:im-composing\n  iscomposing.xsd\">\n    <state>active</state>\n    <contenttype>text/plain</contenttype>\n    <refresh>90</refresh>\n</isComposing>";
        let notice = Composing::read(body.as_bytes()).unwrap();
        assert_eq!((notice.active, notice.content_type.as_deref(), notice.holds_for()), (true, Some("text/plain"), Duration::from_secs(90)));
        let idle = body.replace("active", "idle").replace("<refresh>90</refresh>", "<lastactive>2003-01-27T10:43:00Z</lastactive>");
        let idle = Composing::read(idle.as_bytes()).unwrap();
        assert_eq!((idle.active, idle.holds_for()), (false, Duration::ZERO));
    }

    #[test]
    fn what_is_odd_is_taken_with_care() {
        let with = |inner: &str| Composing::read(format!("<isComposing xmlns='{NAMESPACE}'>{inner}</isComposing>").as_bytes());
        assert_eq!(with("<state>dreaming</state>"), Ok(Composing::idle()));
        for (refresh, holds) in [("0", 120), ("-1", 120), ("x", 120), ("99999999999999999999", 120), ("7200", 3600), (" 5 ", 5)] {
            assert_eq!(
                with(&format!("<state>active</state><refresh>{refresh}</refresh>")).unwrap().holds_for(),
                Duration::from_secs(holds),
                "{refresh}"
            );
        }
        assert_eq!(with(""), Err(BodyError::Missing("state")));
        assert_eq!(with("<state>active</state><state>idle</state>"), Err(BodyError::Repeated("state")));
        assert_eq!(Composing::read(b"<isComposing/>"), Err(BodyError::WrongRoot("isComposing")));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(active: bool, seconds in proptest::option::of(1u64..=3600), content_type in proptest::option::of("[ -~]{1,20}")) {
            let notice = Composing { active, refresh: seconds.map(Duration::from_secs), content_type: content_type.map(|t| t.trim().to_owned()) };
            prop_assert_eq!(Composing::read(notice.write().bytes()), Ok(notice));
        }
    }
}
