//! The envelope of messages: `message/cpim` (RFC 3862), with the headers of receipts (RFC 5438 §6), as far as Liblinphone's basic
//! rooms use it.
//!
//! Writing stays within what Liblinphone 5.1.65 reads: one space behind the colon, no display names (refused 488), and no
//! `DateTime`, because it refuses every one in January and on a 29 February, its own included.
use crate::BodyError;
use crate::xml::MAX_BODY;
use subrosa_engine::{Address, ContentType, Plaintext};

const IMDN: &str = "urn:ietf:params:imdn";
/// The longest block of headers, in bytes.
const MAX_HEADERS: usize = 8 * 1024;

/// Which receipts the sender asks for (RFC 5438 §6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// One when it is there.
    pub delivered: bool,
    /// One when it can't be taken.
    pub failed: bool,
    /// One when it was shown.
    pub displayed: bool,
}
impl Wanted {
    /// All three: what Liblinphone asks for.
    pub const ALL: Wanted = Wanted { delivered: true, failed: true, displayed: true };
    fn words(self) -> impl Iterator<Item = (bool, &'static str)> {
        [(self.delivered, "positive-delivery"), (self.failed, "negative-delivery"), (self.displayed, "display")].into_iter()
    }
}

/// A message in its envelope.
#[derive(Clone, Debug)]
pub struct Cpim {
    /// Who wrote it, as the envelope says: worth as much as whoever made the envelope.
    pub from: Address,
    /// Whom it is for, as the envelope says.
    pub to: Address,
    /// What receipts name it by. `None`: the Call-ID.
    pub message_id: Option<String>,
    /// Which receipts are asked for.
    pub wanted: Wanted,
    /// It is a receipt itself (`Content-Disposition: notification`).
    pub notification: bool,
    /// What is inside.
    pub plain: Plaintext,
}
impl Cpim {
    /// What the body is.
    pub const CONTENT_TYPE: ContentType = ContentType(std::borrow::Cow::Borrowed("message/cpim"));
    /// The body of a message. Control characters in addresses, id and content type are left out, so that nothing can add a header.
    pub fn write(&self) -> Plaintext {
        let line = |text: &str| text.chars().filter(|c| !c.is_control() && !"<>".contains(*c)).collect::<String>();
        let mut head = format!("From: <{}>\r\nTo: <{}>\r\n", line(self.from.as_str()), line(self.to.as_str()));
        let wanted: Vec<_> = self.wanted.words().filter_map(|(asked, word)| asked.then_some(word)).collect();
        if self.message_id.is_some() || !wanted.is_empty() {
            head.push_str(&format!("NS: imdn <{IMDN}>\r\n"));
        }
        if let Some(id) = &self.message_id {
            head.push_str(&format!("imdn.Message-ID: {}\r\n", line(id)));
        }
        if !wanted.is_empty() {
            head.push_str(&format!("imdn.Disposition-Notification: {}\r\n", wanted.join(", ")));
        }
        let disposition = if self.notification { "Content-Disposition: notification\r\n" } else { "" };
        let (kind, body) = (line(&self.plain.content_type.0), self.plain.bytes());
        head.push_str(&format!("\r\n{disposition}Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len()));
        let mut whole = Vec::with_capacity(head.len().saturating_add(body.len()));
        whole.extend_from_slice(head.as_bytes());
        whole.extend_from_slice(body);
        Plaintext::new(Cpim::CONTENT_TYPE, whole)
    }
    /// Reads a body. Header names in any case, lines that end in LF alone, and display names are taken; a `Content-Length` is not
    /// believed, the message goes on to the end.
    ///
    /// # Errors
    /// [`BodyError`]: what it lacks, or which header it requires that is not known here.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        if body.len() > MAX_BODY {
            return Err(BodyError::TooLarge(body.len()));
        }
        let (mut headers, mut rest) = block(body)?;
        // some write the type of the envelope in front of it
        if let [(name, value)] = headers.as_slice()
            && name.eq_ignore_ascii_case("content-type")
            && value.eq_ignore_ascii_case(&Cpim::CONTENT_TYPE.0)
        {
            (headers, rest) = block(rest)?;
        }
        let (inner, body) = block(rest)?;
        let prefix = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("ns")).find_map(|(_, value)| {
            let (prefix, uri) = value.split_once('<')?;
            (uri.strip_suffix('>')? == IMDN).then(|| prefix.trim())
        });
        let of_imdn = |name| match prefix {
            None => Ok(None),
            Some("") => once(&headers, name),
            Some(prefix) => once(&headers, &format!("{prefix}.{name}")),
        };
        if let Some(required) = once(&headers, "require")? {
            let known = |name: &str| {
                prefix.is_some_and(|p| ["Message-ID", "Disposition-Notification"].map(|n| format!("{p}.{n}")).contains(&name.to_owned()))
            };
            if !required.split(',').all(|name| known(name.trim())) {
                return Err(BodyError::Malformed("Require"));
            }
        }
        let asked = of_imdn("Disposition-Notification")?.unwrap_or_default();
        let asks = |word| asked.split(',').any(|a| a.trim().eq_ignore_ascii_case(word));
        let kind = once(&inner, "content-type")?.ok_or(BodyError::Missing("Content-Type"))?;
        Ok(Cpim {
            from: address(&headers, "From")?,
            to: address(&headers, "To")?,
            message_id: of_imdn("Message-ID")?.filter(|id| !id.is_empty()).map(str::to_owned),
            wanted: Wanted { delivered: asks("positive-delivery"), failed: asks("negative-delivery"), displayed: asks("display") },
            notification: once(&inner, "content-disposition")?.is_some_and(|d| d.eq_ignore_ascii_case("notification")),
            plain: Plaintext::new(ContentType(kind.to_owned().into()), body),
        })
    }
}

type Headers<'a> = Vec<(&'a str, &'a str)>;

/// The headers up to the empty line, and what follows it.
fn block(text: &[u8]) -> Result<(Headers<'_>, &[u8]), BodyError> {
    let (mut headers, mut rest) = (Vec::new(), text);
    loop {
        let end = rest.iter().take(MAX_HEADERS).position(|b| *b == b'\n').ok_or(BodyError::Missing("empty line behind the headers"))?;
        let (line, behind) = rest.split_at_checked(end).ok_or(BodyError::Malformed("header"))?;
        rest = behind.get(1..).unwrap_or_default();
        if text.len().saturating_sub(rest.len()) > MAX_HEADERS {
            return Err(BodyError::TooLarge(text.len()));
        }
        let line = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).map_err(|_| BodyError::Malformed("header"))?;
        if line.is_empty() {
            return Ok((headers, rest));
        }
        let (name, value) = line.split_once(':').filter(|(name, _)| !name.is_empty()).ok_or(BodyError::Malformed("header"))?;
        if line.contains(char::is_control) {
            return Err(BodyError::Malformed("header"));
        }
        headers.push((name, value.trim()));
    }
}
fn once<'a>(headers: &Headers<'a>, name: &str) -> Result<Option<&'a str>, BodyError> {
    let mut found = headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    let first = found.next();
    if found.next().is_some() { Err(BodyError::Repeated("header")) } else { Ok(first) }
}
fn address(headers: &Headers<'_>, name: &'static str) -> Result<Address, BodyError> {
    let value = once(headers, name)?.ok_or(BodyError::Missing(name))?;
    crate::bare(value).map_err(|_| BodyError::Malformed(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// What liblinphone 5.1.65 sent in a basic room with CPIM on: a text, and a receipt.
    const TEXT: &str = "From: <sip:core@sip.test>\r\nTo: <sip:peer@sip.test>\r\nDateTime: 2026-11-27T13:27:41Z\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: 8472cJYq15Cw\r\nimdn.Disposition-Notification: positive-delivery, negative-delivery, display\r\n\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nhello <&> é";
    const RECEIPT: &str = "From: <sip:core@sip.test>\r\nTo: <sip:peer@sip.test>\r\nDateTime: 2026-11-27T13:27:41Z\r\n\r\nContent-Disposition: notification\r\nContent-Type: message/imdn+xml\r\nContent-Length: 7\r\n\r\n<imdn/>";

    fn text(cpim: &Cpim) -> String {
        String::from_utf8(cpim.write().bytes().to_vec()).unwrap()
    }
    fn undated(linphone: &str) -> String {
        linphone.replace("DateTime: 2026-11-27T13:27:41Z\r\n", "")
    }

    #[test]
    fn liblinphones_envelopes_are_read_and_ours_are_the_same() {
        let message = Cpim::read(TEXT.as_bytes()).unwrap();
        assert_eq!((message.from.as_str(), message.to.as_str()), ("sip:core@sip.test", "sip:peer@sip.test"));
        assert_eq!((message.message_id.as_deref(), message.wanted, message.notification), (Some("8472cJYq15Cw"), Wanted::ALL, false));
        assert_eq!((message.plain.content_type.0.as_ref(), message.plain.bytes()), ("text/plain", "hello <&> é".as_bytes()));
        assert_eq!(text(&message), undated(TEXT));
        let receipt = Cpim::read(RECEIPT.as_bytes()).unwrap();
        assert_eq!((receipt.message_id.as_deref(), receipt.wanted, receipt.notification), (None, Wanted::default(), true));
        assert_eq!(text(&receipt), undated(RECEIPT));
    }

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 3862 §5.1, with SIP addresses
        let example = "From: MR SANDERS <sip:piglet@100akerwood.com>\r\nTo: Depressed Donkey <sip:eeyore@100akerwood.com>\r\nDateTime: 2000-12-13T13:40:00-08:00\r\nSubject: the weather will be fine today\r\nSubject:;lang=fr beau temps prevu pour aujourd'hui\r\nNS: MyFeatures <mid:MessageFeatures@id.foo.com>\r\nRequire: MyFeatures.VitalMessageOption\r\nMyFeatures.VitalMessageOption: Confirmation-requested\r\nMyFeatures.WackyMessageOption: Use-silly-font\r\n\r\nContent-type: text/xml; charset=utf-8\r\nContent-ID: <1234567890@foo.com>\r\n\r\n<body>\r\nHere is the text of my message.\r\n</body>";
        assert_eq!(Cpim::read(example.as_bytes()).map(|_| ()), Err(BodyError::Malformed("Require")));
        let message = Cpim::read(example.replace("Require: MyFeatures.VitalMessageOption\r\n", "").as_bytes()).unwrap();
        assert_eq!((message.from.as_str(), message.plain.content_type.0.as_ref()), ("sip:piglet@100akerwood.com", "text/xml; charset=utf-8"));
        assert!(message.plain.bytes().ends_with(b"message.\r\n</body>"));
    }

    #[test]
    fn other_writers_are_read() {
        let same = |text: &str| {
            let message = Cpim::read(text.as_bytes()).unwrap();
            assert_eq!(
                (message.message_id.as_deref(), message.wanted, message.plain.bytes()),
                (Some("8472cJYq15Cw"), Wanted::ALL, "hello <&> é".as_bytes())
            );
        };
        same(&TEXT.replace("\r\n", "\n"));
        same(&TEXT.replace("imdn.", "r.").replace("NS: imdn", "NS: r"));
        same(&TEXT.replace("imdn.", "").replace("NS: imdn ", "NS: "));
        same(&format!("Content-Type: Message/CPIM\r\n\r\n{TEXT}"));
        same(&TEXT.replace("Content-Type", "Content-type").replace("12", "1"));
        same(&TEXT.replace("NS:", "Require: imdn.Message-ID\r\nNS:"));
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        let broken = |from: &str, to: &str| Cpim::read(TEXT.replace(from, to).as_bytes()).map(|_| ());
        assert_eq!(broken("From:", "X:"), Err(BodyError::Missing("From")));
        assert_eq!(broken("<sip:core@sip.test>", "core"), Err(BodyError::Malformed("From")));
        assert_eq!(broken("To:", "From:"), Err(BodyError::Repeated("header")));
        assert_eq!(broken("Content-Type:", "X:"), Err(BodyError::Missing("Content-Type")));
        assert_eq!(broken("DateTime: ", "no header\r\nDateTime: "), Err(BodyError::Malformed("header")));
        assert_eq!(broken("NS:", "\r\nNS:"), Err(BodyError::Missing("Content-Type")));
        assert_eq!(broken("2026", "\u{0}"), Err(BodyError::Malformed("header")));
        assert!(matches!(broken("2026", &"x".repeat(MAX_HEADERS)), Err(BodyError::TooLarge(_) | BodyError::Missing(_))));
        assert_eq!(Cpim::read(b"").map(|_| ()), Err(BodyError::Missing("empty line behind the headers")));
        assert_eq!(Cpim::read(&[b' '; MAX_BODY + 1]).map(|_| ()), Err(BodyError::TooLarge(MAX_BODY + 1)));
    }

    proptest! {
        #[test]
        fn no_field_can_add_a_header(id in "[\\x00-\\x7f]{0,20}", kind in "[\r\nA-Za-z:; ]{0,20}", body: Vec<u8>) {
            let message = Cpim {
                from: "sip:a@x".into(), to: "sip:b@x".into(), message_id: Some(format!("1{id}")), wanted: Wanted::ALL, notification: true,
                plain: Plaintext::new(ContentType(format!("a{kind}").into()), body.clone()),
            };
            let read = Cpim::read(message.write().bytes()).unwrap();
            prop_assert_eq!(read.plain.bytes(), body.as_slice());
            prop_assert_eq!((read.from, read.to, read.wanted, read.notification), ("sip:a@x".into(), "sip:b@x".into(), Wanted::ALL, true));
        }
        #[test]
        fn anything(bytes: Vec<u8>, text in "(From|To|NS|[a-z:<>. \r\n]){0,40}") {
            let _ = (Cpim::read(&bytes), Cpim::read(text.as_bytes()));
        }
    }
}
