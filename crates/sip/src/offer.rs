//! The offer of a file: `application/vnd.gsma.rcs-ft-http+xml` (GSMA RCC.07 §3.5.4.8), with the key and the tag that Liblinphone
//! adds for files that are encrypted.
//!
//! Liblinphone has the key in front of the name. A current one reads `%41` in a name as `A`, 5.1.65 does not: what would change
//! by that is escaped, everything else is written as it is.
use crate::BodyError;
use crate::xml::{DECLARATION, Node, escaped};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use subrosa_engine::{ContentType, FileInfo, FileKey, Plaintext};
use zeroize::Zeroizing;

const NAMESPACE: &str = "urn:gsma:params:xml:ns:rcs:rcs:fthttp";
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));
const MAX_URL: usize = 2048;
const MAX_NAME: usize = 1024;
const MAX_KEY: usize = 1024;

/// A file that lies on a server, for whoever has this. Holds the key: travels encrypted, or the file is everybody's.
#[derive(Clone, Debug)]
pub struct Offer {
    /// What the sender says of it. The name is never a path to trust.
    pub file: FileInfo,
    /// `None`: the file lies there in clear.
    pub key: Option<FileKey>,
    /// Where it lies: http or https, at most 2048 bytes.
    pub url: String,
    /// Until when, as the server wrote it.
    pub until: Option<String>,
}
impl Offer {
    /// What the body is.
    pub const CONTENT_TYPE: ContentType = ContentType(std::borrow::Cow::Borrowed("application/vnd.gsma.rcs-ft-http+xml"));
    /// The body of a message, element by element as Liblinphone writes it.
    pub fn write(&self) -> Plaintext {
        let FileInfo { name, content_type, size, tag } = &self.file;
        let key = self.key.as_ref().map_or_else(Zeroizing::default, |key| {
            let tag = tag.map(|tag| format!("<file-authTag>{}</file-authTag>\r\n", STANDARD.encode(tag))).unwrap_or_default();
            Zeroizing::new(format!("<file-key>{}</file-key>\r\n{tag}", *Zeroizing::new(STANDARD.encode(&*key.0))))
        });
        let until = self.until.as_ref().map(|until| format!(r#" until="{}""#, escaped(until))).unwrap_or_default();
        let (name, content_type, url) = (escaped(&shielded(name)), escaped(content_type), escaped(&self.url));
        let xml = format!(
            "{DECLARATION}\r\n<file xmlns=\"{NAMESPACE}\" xmlns:am=\"urn:gsma:params:xml:ns:rcs:rcs:rram\">\r\n<file-info type=\"file\">\r\n<file-size>{size}</file-size>\r\n{}<file-name>{name}</file-name>\r\n<content-type>{content_type}</content-type>\r\n<data url=\"{url}\"{until}/>\r\n</file-info>\r\n</file>",
            *key
        );
        Plaintext::new(Offer::CONTENT_TYPE, xml)
    }
    /// Reads a body, in any order of its elements; what is not known is left out.
    ///
    /// # Errors
    /// [`BodyError`]: what it lacks, or what is not allowed.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        let entry = Entry::read(body)?;
        let size = entry.size()?.ok_or(BodyError::Missing("file-size"))?;
        let name = unescaped(entry.text("file-name")?.ok_or(BodyError::Missing("file-name"))?);
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(BodyError::Malformed("file-name"));
        }
        let content_type = entry.text("content-type")?.filter(|t| !t.is_empty()).unwrap_or("application/octet-stream").to_owned();
        let key = match entry.text("file-key")? {
            None => None,
            Some(text) => {
                let key = Zeroizing::new(base64(text).ok_or(BodyError::Malformed("file-key"))?);
                if key.is_empty() || key.len() > MAX_KEY {
                    return Err(BodyError::Malformed("file-key"));
                }
                Some(FileKey(key))
            }
        };
        let tag = match entry.text("file-authTag")? {
            None => None,
            Some(text) => Some(base64(text).and_then(|tag| tag.try_into().ok()).ok_or(BodyError::Malformed("file-authTag"))?),
        };
        let (url, until) = entry.place()?;
        Ok(Offer { file: FileInfo { name, content_type, size, tag }, key, url, until })
    }
}

/// What a file server answers to an upload: the same element, of which only the place is believed.
#[derive(Debug, PartialEq, Eq)]
#[cfg(feature = "connection")]
pub(crate) struct Stored {
    /// Where the file lies.
    pub(crate) url: String,
    /// Until when.
    pub(crate) until: Option<String>,
    /// How many bytes it has, if the server says so.
    pub(crate) size: Option<u64>,
}
#[cfg(feature = "connection")]
impl Stored {
    pub(crate) fn read(body: &[u8]) -> Result<Self, BodyError> {
        let entry = Entry::read(body)?;
        let (url, until) = entry.place()?;
        Ok(Stored { url, until, size: entry.size()? })
    }
}

/// The root, in which one `file-info` is the file; others are thumbnails.
struct Entry(Node);
impl Entry {
    fn read(body: &[u8]) -> Result<Self, BodyError> {
        let entry = Entry(Node::read(body, "file")?);
        entry.info().map(drop)?;
        Ok(entry)
    }
    fn info(&self) -> Result<&Node, BodyError> {
        let mut files = self.0.children("file-info").filter(|info| info.attribute("type") == Some("file"));
        let file = files.next().ok_or(BodyError::Missing("file-info"))?;
        if files.next().is_some() { Err(BodyError::Repeated("file-info")) } else { Ok(file) }
    }
    fn text(&self, name: &'static str) -> Result<Option<&str>, BodyError> {
        Ok(self.info()?.child(name)?.map(Node::text))
    }
    fn size(&self) -> Result<Option<u64>, BodyError> {
        self.text("file-size")?.map(|size| size.parse().map_err(|_| BodyError::Malformed("file-size"))).transpose()
    }
    fn place(&self) -> Result<(String, Option<String>), BodyError> {
        let data = self.info()?.needed("data")?;
        let url = data.attribute("url").ok_or(BodyError::Missing("url"))?.trim();
        if !is_http(url) {
            return Err(BodyError::Malformed("url"));
        }
        let until = data.attribute("until").filter(|until| until.len() <= 64 && !until.contains(char::is_control));
        Ok((url.to_owned(), until.map(str::to_owned)))
    }
}

/// Whether it is an http or https URL with a host and without user and password.
pub(crate) fn is_http(url: &str) -> bool {
    let rest = match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => rest,
        _ => return false,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'[');
    host && authority.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
        && url.len() <= MAX_URL
        && url.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let compact: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    BASE64.decode(compact.as_bytes()).ok()
}

/// The byte that `text` begins with in `%41` writing, and what follows.
fn escape(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('%')?.split_at_checked(2)?;
    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    Some((u8::from_str_radix(digits, 16).ok().filter(|_| hex)?, rest))
}
fn unescaped(name: &str) -> String {
    let (mut out, mut rest) = (Vec::with_capacity(name.len()), name);
    while let Some(c) = rest.chars().next() {
        match escape(rest) {
            Some((byte, behind)) => {
                out.push(byte);
                rest = behind;
            }
            None => {
                let (one, behind) = rest.split_at_checked(c.len_utf8()).unwrap_or((rest, ""));
                out.extend_from_slice(one.as_bytes());
                rest = behind;
            }
        }
    }
    // a name that is no text when it is read so was not written so
    String::from_utf8(out).unwrap_or_else(|_| name.to_owned())
}
/// So that [`unescaped`] gives back `name`.
fn shielded(name: &str) -> String {
    if unescaped(name) == name { name.to_owned() } else { name.replace('%', "%25") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// What liblinphone 5.1.65 sent for a file that its application encrypted.
    const LINPHONE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<file xmlns=\"urn:gsma:params:xml:ns:rcs:rcs:fthttp\" xmlns:am=\"urn:gsma:params:xml:ns:rcs:rcs:rram\">\r\n<file-info type=\"file\">\r\n<file-size>50001</file-size>\r\n<file-key>AQgPFh0kKzI5QEdOVVxjanF4f4aNlJuiqbC3vsXM09o=</file-key>\r\n<file-name>secret_name.jpg</file-name>\r\n<content-type>image/jpeg</content-type>\r\n<data url=\"http://127.0.0.1:23456/files/f1_filename.txt\" until=\"2030-01-01T00:00:00Z\"/>\r\n</file-info>\r\n</file>";

    fn text(offer: &Offer) -> String {
        String::from_utf8(offer.write().bytes().to_vec()).unwrap()
    }
    fn broken(from: &str, to: &str) -> Result<Offer, BodyError> {
        assert!(LINPHONE.contains(from), "{from}");
        Offer::read(LINPHONE.replace(from, to).as_bytes())
    }

    #[test]
    fn liblinphones_offer_is_read_and_ours_is_the_same() {
        let offer = Offer::read(LINPHONE.as_bytes()).unwrap();
        assert_eq!(offer.file, FileInfo { name: "secret_name.jpg".into(), content_type: "image/jpeg".into(), size: 50_001, tag: None });
        assert_eq!(offer.key.as_ref().unwrap().0.as_slice(), (0..32).map(|i| i * 7 + 1).collect::<Vec<u8>>());
        assert_eq!((offer.url.as_str(), offer.until.as_deref()), ("http://127.0.0.1:23456/files/f1_filename.txt", Some("2030-01-01T00:00:00Z")));
        assert_eq!(text(&offer), LINPHONE);
    }

    #[test]
    fn a_tag_follows_the_key() {
        let mut offer = Offer::read(LINPHONE.as_bytes()).unwrap();
        offer.file.tag = Some([7; 16]);
        assert!(text(&offer).contains("09o=</file-key>\r\n<file-authTag>BwcHBwcHBwcHBwcHBwcHBw==</file-authTag>\r\n<file-name>"));
        assert_eq!(Offer::read(offer.write().bytes()).unwrap().file, offer.file);
        offer.key = None;
        assert!(!text(&offer).contains("authTag"));
    }

    #[test]
    fn other_writers_are_read() {
        let other = "<file><x:thing xmlns:x='y'><z/></x:thing><file-info type='thumbnail'><file-size>1</file-size><data url='http://x/t'/></file-info>\
            <file-info type='file'><data url = 'https://x/f?a=b&amp;c=d'/><content-type/><file-name>a%20b%2Fc.txt</file-name><new/>\
            <file-key>\n AAAA\n AA \n</file-key><file-size> 3 </file-size></file-info></file>";
        let offer = Offer::read(other.as_bytes()).unwrap();
        assert_eq!(offer.file, FileInfo { name: "a b/c.txt".into(), content_type: "application/octet-stream".into(), size: 3, tag: None });
        assert_eq!((offer.key.unwrap().0.len(), offer.url.as_str(), offer.until), (4, "https://x/f?a=b&c=d", None));
    }

    #[test]
    fn keys_are_not_shown() {
        let shown = format!("{:?}", Offer::read(LINPHONE.as_bytes()).unwrap());
        assert!(shown.contains("FileKey(32 bytes)") && !shown.contains("AQgP"), "{shown}");
    }

    #[test]
    fn what_is_no_offer_is_refused() {
        for (from, to, error) in [
            ("type=\"file\"", "", BodyError::Missing("file-info")),
            ("<data", "<dada", BodyError::Missing("data")),
            ("url=", "uri=", BodyError::Missing("url")),
            ("<file-name>secret_name.jpg</file-name>", "", BodyError::Missing("file-name")),
            ("secret_name.jpg", "", BodyError::Malformed("file-name")),
            ("50001", "-1", BodyError::Malformed("file-size")),
            ("50001", "99999999999999999999", BodyError::Malformed("file-size")),
            ("AQgP", "A*gP", BodyError::Malformed("file-key")),
            ("AQgPFh0kKzI5QEdOVVxjanF4f4aNlJuiqbC3vsXM09o=", "", BodyError::Malformed("file-key")),
            ("<file-name>", "<file-authTag>AAAA</file-authTag><file-name>", BodyError::Malformed("file-authTag")),
            ("<file-key>", "<file-key>AAAA</file-key><file-key>", BodyError::Repeated("file-key")),
            ("<data", "<data url='http://other/'/><data", BodyError::Repeated("data")),
        ] {
            assert_eq!(broken(from, to).map(|_| ()), Err(error), "{from} -> {to}");
        }
    }

    #[test]
    fn only_urls_of_the_web_are_taken() {
        for good in ["http://x", "HTTPS://files.example.org:444/a/b.php?c=d&e=%20#f", "http://127.0.0.1:8080/", "https://[::1]/x"] {
            assert!(is_http(good), "{good}");
        }
        for bad in [
            "",
            "http://",
            "http:///etc/passwd",
            "file:///etc/passwd",
            "ftp://x/",
            "//x/",
            "x/y",
            "javascript:alert(1)",
            "http://user@x/",
            "http://a:b@x/",
            "http://x/ y",
            "http://x/\r\nHost: y",
            "http://x/\u{e9}",
            "http://\u{e9}/",
            "http://x\\@y/",
            "http://?x",
            "http://:80/",
            "http://x<y>/",
        ] {
            assert!(!is_http(bad), "{bad}");
        }
        assert!(!is_http(&format!("http://x/{}", "a".repeat(MAX_URL))));
        assert_eq!(broken("http://127.0.0.1:23456", "file://").map(|_| ()), Err(BodyError::Malformed("url")));
    }

    #[cfg(feature = "connection")]
    #[test]
    fn what_a_server_answers_is_believed_for_its_place_only() {
        let stored = Stored::read(LINPHONE.as_bytes()).unwrap();
        assert_eq!(
            stored,
            Stored { url: "http://127.0.0.1:23456/files/f1_filename.txt".into(), until: Some("2030-01-01T00:00:00Z".into()), size: Some(50_001) }
        );
        assert!(Stored::read(b"<file><file-info type='file'><data url='https://x/y'/></file-info></file>").is_ok());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            name in "[!-~é]([ -~é%]{0,30}[!-~é])?", content_type in "[a-z/;=\"'&<]{1,20}", size: u64, tag: [u8; 16], key in proptest::collection::vec(any::<u8>(), 1..64),
            url in "https?://[a-z]{1,9}(:[0-9]{2,4})?/[!#-;=?-\\[\\]_a-z~]{0,30}", until in proptest::option::of("[ -~]{0,30}"),
        ) {
            let offer = Offer { file: FileInfo { name, content_type, size, tag: Some(tag) }, key: Some(FileKey(Zeroizing::new(key))), url, until };
            let read = Offer::read(offer.write().bytes()).unwrap();
            prop_assert_eq!(read.file, offer.file);
            prop_assert_eq!(read.key.unwrap().0, offer.key.unwrap().0);
            prop_assert_eq!((read.url, read.until), (offer.url, offer.until));
        }
        #[test]
        fn names_keep(name in "[%0-9A-Fa-f\\PC]{0,20}") {
            prop_assert_eq!(unescaped(&shielded(&name)), name);
        }
        #[test]
        fn anything(bytes: Vec<u8>, url: String) {
            let _ = (Offer::read(&bytes), is_http(&url));
        }
    }
}
