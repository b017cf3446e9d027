//! Pictures of people (XEP-0084) and of rooms (XEP-0054, XEP-0153, XEP-0486): enough to show and to set them.
//!
//! Owns the payloads. Which picture somebody has is told by a hash of it (SHA-1, as these specifications have it); a picture that
//! is not what its hash says is none. Knows no formats: what shows a picture must be careful with it.
use crate::ns;
use crate::xml::build;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use minidom::Element;
use sasl::common::scram::{ScramProvider as _, Sha1};

/// Where people publish which picture they have. Fetch it, or be notified.
pub const METADATA: &str = "urn:xmpp:avatar:metadata";
/// Where they publish the picture, by the id of [`Metadata::id`].
pub const DATA: &str = "urn:xmpp:avatar:data";
/// The largest picture that is taken or set, in bytes: 128 KiB.
pub const MAX_PICTURE: usize = 128 * 1024;
/// Forms of one picture that are looked at.
const MAX_FORMS: usize = 16;

/// A picture, within 128 KiB.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    kind: String,
    bytes: Vec<u8>,
}
impl Picture {
    /// Of this media type: `"image/png"`. `None`: it is empty or too large, or the type is no image's.
    pub fn new(kind: &str, bytes: Vec<u8>) -> Option<Self> {
        let fits = kind.len() <= 64 && kind.bytes().all(|b| b.is_ascii_graphic()) && kind.starts_with("image/");
        (fits && !bytes.is_empty() && bytes.len() <= MAX_PICTURE).then(|| Picture { kind: kind.into(), bytes })
    }
    /// The media type that its owner gives it.
    pub fn kind(&self) -> &str {
        &self.kind
    }
    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// What it is known by: SHA-1, in hex.
    pub fn id(&self) -> String {
        Sha1::hash(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}, {} bytes)", self.kind, self.bytes.len())
    }
}

/// Which picture somebody has (XEP-0084 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its id, and the id of its item at [`DATA`]: SHA-1, in hex.
    pub id: String,
    /// Its media type.
    pub kind: String,
    /// Its size in bytes, as its owner says.
    pub bytes: usize,
}
impl Metadata {
    /// Of a picture.
    pub fn of(picture: &Picture) -> Self {
        Metadata { id: picture.id(), kind: picture.kind.clone(), bytes: picture.bytes.len() }
    }
    /// The payload of an item at [`METADATA`], whose id is [`Metadata::id`]; of `None`: no picture any more.
    pub fn write(metadata: Option<&Metadata>) -> String {
        let info = metadata
            .map(|m| build("info", METADATA).attr("id", m.id.as_str()).attr("type", m.kind.as_str()).attr("bytes", m.bytes.to_string()).end());
        String::from(&build("metadata", METADATA).children(info).end())
    }
    /// From such a payload: the first form that is published by itself and fits, PNG before others. `None`: none.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let metadata = one(payload, "metadata", METADATA)?;
        let forms = metadata.children().filter(|c| c.is("info", METADATA) && c.attr("url").is_none()).take(MAX_FORMS);
        let read = forms.filter_map(|info| {
            let id = info.attr("id").filter(|id| id.len() == 40 && id.bytes().all(|b| b.is_ascii_hexdigit()))?;
            let bytes = info.attr("bytes")?.parse().ok().filter(|bytes| *bytes <= MAX_PICTURE)?;
            let kind = info.attr("type").filter(|kind| kind.starts_with("image/") && kind.len() <= 64)?;
            Some(Metadata { id: id.to_ascii_lowercase(), kind: kind.into(), bytes })
        });
        read.min_by_key(|metadata| metadata.kind != "image/png")
    }
}
/// The payload of an item at [`DATA`], whose id is [`Picture::id`].
pub fn write_data(picture: &Picture) -> String {
    String::from(&build("data", DATA).text(&BASE64.encode(&picture.bytes)).end())
}
/// From such a payload, if it is the picture that was announced.
pub fn read_data(payload: &[u8], announced: &Metadata) -> Option<Picture> {
    let picture = Picture::new(&announced.kind, decode(&one(payload, "data", DATA)?.text())?)?;
    (picture.id() == announced.id).then_some(picture)
}

/// A room's card with this picture, or one that asks for it or takes it away (XEP-0486 §3).
pub(crate) fn card(picture: Option<&Picture>) -> Element {
    let photo = picture.map(|picture| {
        let (kind, bytes) = (build("TYPE", ns::VCARD).text(&picture.kind), build("BINVAL", ns::VCARD).text(&BASE64.encode(&picture.bytes)));
        build("PHOTO", ns::VCARD).child(kind).child(bytes).end()
    });
    build("vCard", ns::VCARD).children(photo).end()
}
/// The picture of a card.
pub(crate) fn of_card(iq: &Element) -> Option<Picture> {
    let photos = iq.get_child("vCard", ns::VCARD)?.children().filter(|c| c.is("PHOTO", ns::VCARD)).take(MAX_FORMS);
    let read = photos.filter_map(|photo| {
        let kind = photo.get_child("TYPE", ns::VCARD).map(Element::text).unwrap_or_default();
        Picture::new(kind.trim(), decode(&photo.get_child("BINVAL", ns::VCARD)?.text())?)
    });
    read.min_by_key(|picture| picture.kind != "image/png")
}
/// What a presence shows (XEP-0153 §3): the hash of the picture, or that there is none. `None`: it says nothing of it.
pub(crate) fn shown(presence: &Element) -> Option<Option<String>> {
    let photo = presence.get_child("x", ns::VCARD_UPDATE)?.get_child("photo", ns::VCARD_UPDATE)?.text().trim().to_ascii_lowercase();
    Some(Some(photo).filter(|hash| hash.len() == 40 && hash.bytes().all(|b| b.is_ascii_hexdigit())))
}

fn one(payload: &[u8], name: &str, namespace: &str) -> Option<Element> {
    crate::xml::parse_run(payload).ok()?.into_iter().next().filter(|element| element.is(name, namespace))
}
/// Base64 with line breaks, as old clients write it.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text: String = text.split_ascii_whitespace().collect();
    if text.len().div_ceil(4).saturating_mul(3) > MAX_PICTURE.saturating_add(3) {
        return None;
    }
    BASE64.decode(text).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_picture_goes_there_and_back() {
        let picture = Picture::new("image/png", vec![7; 3000]).unwrap();
        let metadata = Metadata::read(Metadata::write(Some(&Metadata::of(&picture))).as_bytes()).unwrap();
        assert_eq!(metadata, Metadata::of(&picture));
        assert_eq!(read_data(write_data(&picture).as_bytes(), &metadata), Some(picture.clone()));
        assert_eq!(Metadata::read(Metadata::write(None).as_bytes()), None);
        let iq = build("iq", ns::CLIENT).child(card(Some(&picture))).end();
        assert_eq!(of_card(&iq), Some(picture));
        assert_eq!(of_card(&build("iq", ns::CLIENT).child(card(None)).end()), None);
    }

    #[test]
    fn the_example_of_the_specification() {
        // XEP-0084 example 9: a form elsewhere is not fetched, PNG is taken
        let xml = "<metadata xmlns='urn:xmpp:avatar:metadata'>\
            <info bytes='23456' height='64' id='357a8123a30844a3aa99861b6349264ba67a5694' type='image/gif' url='http://avatars.example.org/happy.gif' width='64'/>\
            <info bytes='3000' id='a357a8123a30844a3aa99861b6349264ba67a569' type='image/gif'/>\
            <info bytes='12345' height='64' id='111f4b3c50d7b0df729d299bc6f8e9ef9066971f' type='image/png' width='64'/></metadata>";
        let metadata = Metadata::read(xml.as_bytes()).unwrap();
        assert_eq!(metadata, Metadata { id: "111f4b3c50d7b0df729d299bc6f8e9ef9066971f".into(), kind: "image/png".into(), bytes: 12345 });
        // XEP-0486: the hash of the picture there
        let svg = "PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHdpZHRoPSIzMiIgaGVpZ2h0PSIzMiI+CiA8cmVjdCB4PSIwIiB5PSIwIiB3aWR0aD0iMzIiIGhlaWdodD0iMzIiIGZpbGw9InJlZCIvPgo8L3N2Zz4K";
        assert_eq!(Picture::new("image/svg+xml", decode(svg).unwrap()).unwrap().id(), "a31c4bd04de69663cfd7f424a8453f4674da37ff");
    }

    #[test]
    fn what_is_not_what_it_says_is_no_picture() {
        let picture = Picture::new("image/png", vec![7; 30]).unwrap();
        let mut other = Metadata::of(&picture);
        other.id = "0".repeat(40);
        assert_eq!(read_data(write_data(&picture).as_bytes(), &other), None);
        assert!(Picture::new("text/html", vec![1]).is_none() && Picture::new("image/png", vec![]).is_none());
        assert!(Picture::new("image/png", vec![0; MAX_PICTURE + 1]).is_none());
        assert_eq!(decode(&"A".repeat(1_000_000)), None);
        assert_eq!(decode("AA\n AA=").map(|b| b.len()), None);
        assert_eq!(decode("A\nAA\r\n A").map(|b| b.len()), Some(3));
        for bad in ["", "<x/>", "<metadata xmlns='urn:xmpp:avatar:metadata'><info id='../../x' bytes='1' type='image/png'/></metadata>"] {
            assert_eq!(Metadata::read(bad.as_bytes()), None, "{bad}");
        }
    }
}
