//! An identity that another program had is taken over: identity key, device id, prekeys. Contacts see the same device with the same
//! fingerprint; the lists and bundles that are published are this device's.
//!
//! Sessions stay behind. A session is a sequence of keys each of which may be used once; where two programs have it, or one goes back
//! to a copy, keys are used twice, and what they protect can be read or the session is out of step for good. New ones are started: with
//! whom we write at once, and with whoever writes in an old one as for any session that was lost.
//!
//! Invariant: nothing is taken over in part.
use crate::records::{self, Account, PreKeyPool, Publication};
use crate::wire::{MAX_ID, Version};
use crate::{Omemo, join};
use subrosa_engine::*;
use subrosa_ratchet::{IdentityKeyPair, KeyPair};
use zeroize::Zeroizing;

/// The most prekeys of one version that are taken over.
const MAX_PREKEYS: usize = 1_000;

/// A private identity key, as programs keep it.
#[derive(Clone)]
pub enum ImportedKey {
    /// The seed of an Ed25519 key (RFC 8032).
    Seed(Zeroizing<[u8; 32]>),
    /// A Curve25519 scalar whose Ed25519 form others know, with the sign bit that it has.
    Scalar(Zeroizing<[u8; 32]>),
    /// A Curve25519 scalar of a program that speaks the legacy version only, as those on libsignal do: nobody knows an Ed25519 form.
    Legacy(Zeroizing<[u8; 32]>),
}
/// A prekey, one-time or signed.
#[derive(Clone)]
pub struct ImportedPreKey {
    /// The version in whose bundle it is.
    pub version: Version,
    /// Its number there.
    pub id: u32,
    /// The Curve25519 scalar.
    pub private: Zeroizing<[u8; 32]>,
}
/// What another program had. `Debug` shows no key.
#[derive(Clone)]
pub struct Imported {
    /// The identity key.
    pub identity: ImportedKey,
    /// The same in the form that people compare, where the program keeps that too: to see that nothing is mixed up.
    pub fingerprint: Option<Fingerprint>,
    /// 1…2³¹−1.
    pub device: u32,
    /// What the device is called.
    pub label: Option<String>,
    /// Signed prekeys, current and earlier: messages under them may be on their way.
    pub signed: Vec<ImportedPreKey>,
    /// One-time prekeys that are published.
    pub prekeys: Vec<ImportedPreKey>,
}
impl std::fmt::Debug for Imported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (signed, prekeys) = (self.signed.len(), self.prekeys.len());
        f.debug_struct("Imported").field("device", &self.device).field("signed", &signed).field("prekeys", &prekeys).finish_non_exhaustive()
    }
}

/// The public half of a Curve25519 key, for readers of other programs' stores: such stores name keys by it.
pub fn public_key(private: &[u8; 32]) -> [u8; 32] {
    *KeyPair::from_private(*private).public().as_bytes()
}

/// Why an identity is not taken over. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// There is one here.
    #[error("this account has an identity here already (device {0}); import into an empty store, or log out here first")]
    HasIdentity(u32),
    /// Not 1…2³¹−1.
    #[error("{0} is no number of a device: they go from 1 to 2147483647; the store of the other program is damaged")]
    BadDevice(u32),
    /// The private and the public identity key do not belong together.
    #[error("the private identity key is not that of the public one; the store of the other program is damaged")]
    OtherKey,
    /// One number for two keys.
    #[error("two prekeys have the number {0}; the store of the other program is damaged")]
    Duplicate(u32),
    /// Above 2³¹−1.
    #[error("{0} is no number of a prekey: they go up to 2147483647; the store of the other program is damaged")]
    BadId(u32),
    /// More than [`MAX_PREKEYS`] of one version.
    #[error("the store holds more than {MAX_PREKEYS} prekeys of one kind; it is damaged, or not what it seems to be")]
    TooMany,
}
impl Coded for ImportError {
    fn code(&self) -> &'static str {
        match self {
            ImportError::HasIdentity(_) => "omemo.import.has-identity",
            ImportError::BadDevice(_) => "omemo.import.bad-device",
            ImportError::OtherKey => "omemo.import.other-key",
            ImportError::Duplicate(_) => "omemo.import.duplicate",
            ImportError::BadId(_) => "omemo.import.bad-id",
            ImportError::TooMany => "omemo.import.too-many",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Caller
    }
}

impl Omemo {
    /// Takes over an identity that another program had, in a store that has none: before the first connection. The other program must
    /// not be used with this account any more: two programs on one identity take messages away from each other.
    pub fn import(&self, cx: &mut Context<'_>, imported: &Imported) -> Result<Result<(), ImportError>, Halt> {
        if let Some(account) = cx.records.get(records::account())? {
            return Ok(Err(ImportError::HasIdentity(account.device)));
        }
        let identity = match check(imported) {
            Ok(identity) => identity,
            Err(error) => return Ok(Err(error)),
        };
        // a fresh signed prekey: the old ones are kept as after any rotation
        let last = imported.signed.iter().map(|k| k.id).max().unwrap_or_default();
        cx.records.put(records::account(), Account::of(identity, imported.device, records::next_id(last), cx.now, cx.rng));
        for version in Version::ALL {
            let keys = pairs(&imported.prekeys, version);
            let pool = if keys.is_empty() { PreKeyPool::generate(cx.rng) } else { PreKeyPool::of(keys, cx.rng) };
            cx.records.put(records::pool(version), pool);
            cx.records.put(records::publication(version), Publication::default());
        }
        let old = Version::ALL.into_iter().flat_map(|v| pairs(&imported.signed, v).into_iter().map(move |(id, pair)| (v, id, pair)));
        let until = cx.now.after(join::ROTATION);
        cx.records.put(records::imported(), records::Imported { joining: true, signed: old.collect(), until });
        cx.network.wake_at(until);
        if let Some(label) = &imported.label {
            drop(self.set_label(cx, label)?); // one that we would not give is left out
        }
        Ok(Ok(()))
    }
}
fn check(imported: &Imported) -> Result<IdentityKeyPair, ImportError> {
    if imported.device == 0 || imported.device > MAX_ID {
        return Err(ImportError::BadDevice(imported.device));
    }
    let identity = match &imported.identity {
        ImportedKey::Seed(seed) => IdentityKeyPair::from_seed(seed),
        ImportedKey::Scalar(private) => IdentityKeyPair::from_private_as_is(private),
        ImportedKey::Legacy(private) => IdentityKeyPair::from_private(private),
    };
    if imported.fingerprint.is_some_and(|f| f.0 != identity.public().fingerprint()) {
        return Err(ImportError::OtherKey);
    }
    for keys in [&imported.signed, &imported.prekeys] {
        for version in Version::ALL {
            let ids = sorted(keys.iter().filter(|k| k.version == version).map(|k| k.id).collect());
            if ids.len() > MAX_PREKEYS {
                return Err(ImportError::TooMany);
            }
            if let Some(id) = ids.iter().find(|id| **id > MAX_ID) {
                return Err(ImportError::BadId(*id));
            }
            if let Some(id) = ids.windows(2).find_map(|two| if let [a, b] = two { (a == b).then_some(*a) } else { None }) {
                return Err(ImportError::Duplicate(id));
            }
        }
    }
    Ok(identity)
}
fn pairs(keys: &[ImportedPreKey], version: Version) -> Vec<(u32, KeyPair)> {
    let keys = keys.iter().filter(|k| k.version == version).map(|k| (k.id, KeyPair::from_private(*k.private)));
    sorted_by_key(keys.collect(), |(id, _): &(u32, KeyPair)| *id)
}
