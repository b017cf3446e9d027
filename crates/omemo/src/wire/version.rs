//! The two OMEMO namespaces and every name that follows from them (XEP-0384 §5.3, 0.3.0 §4).
use std::borrow::Cow;

/// Which OMEMO is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `eu.siacs.conversations.axolotl` (XEP-0384 0.3).
    Legacy,
    /// `urn:xmpp:omemo:2` (XEP-0384 since 0.8).
    Omemo2,
}

/// What a PEP node is to OMEMO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// The device list of an account.
    DeviceList(Version),
    /// Legacy: the bundle of one device. OMEMO 2 has one node for all: the item id is the device, and `device` is `None`.
    Bundle {
        /// Of which version.
        version: Version,
        /// The device the node itself names.
        device: Option<u32>,
    },
}

const LEGACY_BUNDLES: &str = "eu.siacs.conversations.axolotl.bundles:";

impl Version {
    /// Both, the preferred one first.
    pub const ALL: [Version; 2] = [Version::Omemo2, Version::Legacy];
    /// The item id of a device list, in both versions.
    pub const DEVICE_LIST_ITEM: &'static str = "current";

    /// The XML namespace, also the `namespace` of Explicit Message Encryption, which needs no `name` then (XEP-0380 §3.2).
    #[must_use]
    pub const fn namespace(self) -> &'static str {
        match self {
            Version::Legacy => "eu.siacs.conversations.axolotl",
            Version::Omemo2 => "urn:xmpp:omemo:2",
        }
    }
    /// Which version a namespace belongs to.
    #[must_use]
    pub fn from_namespace(namespace: &str) -> Option<Self> {
        Version::ALL.into_iter().find(|v| v.namespace() == namespace)
    }
    /// The version in this project's words, as device reports and senders carry it.
    #[must_use]
    pub const fn protocol(self) -> &'static str {
        match self {
            Version::Legacy => "omemo:1",
            Version::Omemo2 => "omemo:2",
        }
    }
    /// The PEP node of the device list.
    #[must_use]
    pub const fn device_list_node(self) -> &'static str {
        match self {
            Version::Legacy => "eu.siacs.conversations.axolotl.devicelist",
            Version::Omemo2 => "urn:xmpp:omemo:2:devices",
        }
    }
    /// The PEP node that holds a device's bundle.
    #[must_use]
    pub fn bundle_node(self, device: u32) -> Cow<'static, str> {
        match self {
            Version::Legacy => Cow::Owned(format!("{LEGACY_BUNDLES}{device}")),
            Version::Omemo2 => Cow::Borrowed("urn:xmpp:omemo:2:bundles"),
        }
    }
    /// The item id under which a device publishes its bundle. Legacy peers use other ids too: read any.
    #[must_use]
    pub fn bundle_item(self, device: u32) -> Cow<'static, str> {
        match self {
            Version::Legacy => Cow::Borrowed("current"),
            Version::Omemo2 => Cow::Owned(device.to_string()),
        }
    }
    /// What a published node is, if it is OMEMO's.
    #[must_use]
    pub fn of_node(node: &str) -> Option<NodeKind> {
        for version in Version::ALL {
            if node == version.device_list_node() {
                return Some(NodeKind::DeviceList(version));
            }
        }
        if node == "urn:xmpp:omemo:2:bundles" {
            return Some(NodeKind::Bundle { version: Version::Omemo2, device: None });
        }
        let device = super::id("bundle node", node.strip_prefix(LEGACY_BUNDLES)?).ok()?;
        Some(NodeKind::Bundle { version: Version::Legacy, device: Some(device) })
    }
}
