//! Device lists: which devices an account says it has (XEP-0384 §5.3.1; 0.3.0 §4.3).
use super::read::Reader;
use super::{Version, WireError, write};
use std::collections::HashSet;

/// The most devices that are read.
pub const MAX_DEVICES: usize = 10_000;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDevice {
    /// Its id.
    pub id: u32,
    /// What its owner calls it. OMEMO 2 only. Means nothing without a valid [`Self::labelsig`].
    pub label: Option<String>,
    /// Base64 of its identity key's signature of the label, kept as it came.
    pub labelsig: Option<String>,
}

impl ListedDevice {
    /// Without a label.
    #[must_use]
    pub const fn new(id: u32) -> Self {
        ListedDevice { id, label: None, labelsig: None }
    }
}

const fn root(version: Version) -> &'static str {
    match version {
        Version::Legacy => "list",
        Version::Omemo2 => "devices",
    }
}

/// Reads `<list>` or `<devices>`, in the order given. An id stands once in the result; entries whose id is no number or
/// above 2³¹−1 are left out, because one bad entry must not hide the others.
///
/// # Errors
/// [`WireError`]: not XML, not a device list of this version, or beyond the limits.
pub fn parse(version: Version, xml: &[u8]) -> Result<Vec<ListedDevice>, WireError> {
    let mut reader = Reader::new(xml)?;
    reader.root(version.namespace(), root(version))?;
    let mut devices = Vec::new();
    let mut seen = HashSet::new();
    let mut entries = 0usize;
    while let Some(element) = reader.child()? {
        if element.is(version.namespace(), "device") {
            entries = entries.saturating_add(1);
            if entries > MAX_DEVICES {
                return Err(WireError::TooMany { what: "device", limit: MAX_DEVICES });
            }
            if let Some(id) = element.id("device", "id").ok().filter(|id| seen.insert(*id)) {
                let own = |name| match version {
                    Version::Legacy => None,
                    Version::Omemo2 => element.attribute(name).map(str::to_owned),
                };
                devices.push(ListedDevice { id, label: own("label"), labelsig: own("labelsig") });
            }
        }
        reader.skip()?;
    }
    reader.finish(root(version))?;
    Ok(devices)
}

/// Writes `<list>` or `<devices>`. Labels are written for OMEMO 2 only, and a signature only with its label.
#[must_use]
pub fn write(version: Version, devices: &[ListedDevice]) -> Vec<u8> {
    let mut out = Vec::with_capacity(devices.len().saturating_mul(28).saturating_add(80));
    out.push(b'<');
    out.extend_from_slice(root(version).as_bytes());
    out.extend_from_slice(b" xmlns='");
    out.extend_from_slice(version.namespace().as_bytes());
    out.extend_from_slice(b"'>");
    for device in devices {
        out.extend_from_slice(b"<device id='");
        write::number(&mut out, device.id);
        if let (Version::Omemo2, Some(label)) = (version, &device.label) {
            out.extend_from_slice(b"' label='");
            write::attribute(&mut out, label);
            if let Some(signature) = &device.labelsig {
                out.extend_from_slice(b"' labelsig='");
                write::attribute(&mut out, signature);
            }
        }
        out.extend_from_slice(b"'/>");
    }
    out.extend_from_slice(b"</");
    out.extend_from_slice(root(version).as_bytes());
    out.push(b'>');
    out
}
