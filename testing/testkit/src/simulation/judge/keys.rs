//! Which keys were used: message keys on the wire, prekeys in bundles and in exchanges.
use super::{Rule, Verdict};
use crate::simulation::CarriedKey;
use crate::{ClientId, Stanza};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use subrosa_engine::{MessageId, Time};

/// How long behind a connection old messages arrive, so that a prekey may open two sessions, with the time that passes before somebody looks.
const ARRIVALS: u64 = 60_000 + 5_000;

/// The prekeys of each bundle, and those that were in it once.
pub(crate) type Bundles = BTreeMap<String, (BTreeSet<u32>, BTreeSet<u32>)>;

#[derive(Default)]
pub(super) struct Keys {
    /// Ratchet key and counter, and what they were used for.
    used: HashMap<(Vec<u8>, u32), (MessageId, u16)>,
    bundles: BTreeMap<ClientId, Bundles>,
    /// The exchanges that a prekey opened sessions for, by their ephemeral keys.
    opened: BTreeMap<(ClientId, bool, u32), BTreeSet<Vec<u8>>>,
}
impl Keys {
    /// A message key is used.
    pub fn uses(&mut self, stanza: &Stanza, key: &CarriedKey) -> Verdict {
        let what = (stanza.id.clone(), stanza.part);
        match self.used.insert((key.ratchet.clone(), key.counter), what) {
            None => Ok(()),
            Some((id, part)) => {
                let (new, number) = (&stanza.id, stanza.part);
                let what = format!("the message key {} of one ratchet key went into {id}/{part} and into {new}/{number}", key.counter);
                Err(Rule::OneKeyOnce.broken(what).about(new))
            }
        }
    }
    /// A bundle is published.
    pub fn publish(&mut self, client: ClientId, node: &str, prekeys: &[u32]) -> Verdict {
        let (now, gone) = self.bundles.entry(client).or_default().entry(node.to_owned()).or_default();
        let new: BTreeSet<u32> = prekeys.iter().copied().collect();
        if let Some(again) = new.intersection(gone).next() {
            return Err(Rule::PreKeysOnce.broken(format!("prekey {again} is published again after it was spent")));
        }
        gone.extend(now.difference(&new));
        *now = new;
        Ok(())
    }
    /// A message in an exchange was read.
    pub fn opens(
        &mut self,
        client: ClientId,
        modern: bool,
        exchange: &(Option<u32>, Vec<u8>),
        online: Time,
        catching_up: bool,
        now: Time,
    ) -> Verdict {
        let (Some(prekey), ephemeral) = exchange else { return Ok(()) };
        let sessions = self.opened.entry((client, modern, *prekey)).or_default();
        let others = !sessions.is_empty();
        if sessions.insert(ephemeral.clone()) && others && !catching_up && now.0 > online.0.saturating_add(ARRIVALS) {
            return Err(Rule::PreKeysOnce.broken(format!("prekey {prekey} opened two sessions though nothing old was arriving")));
        }
        Ok(())
    }
    pub fn of(&self, client: ClientId) -> Bundles {
        self.bundles.get(&client).cloned().unwrap_or_default()
    }
    /// Whether a bundle has prekeys that none of the device's had then.
    pub fn is_newer(&self, client: ClientId, then: &Bundles) -> bool {
        let news = |(node, (now, _)): (&String, &(BTreeSet<u32>, BTreeSet<u32>))| {
            then.get(node).is_some_and(|(had, gone)| now.iter().any(|id| !had.contains(id) && !gone.contains(id)))
        };
        self.bundles.get(&client).is_some_and(|bundles| bundles.iter().any(news))
    }
    /// A store was put back: spent prekeys come again, which is what a roll-back is.
    pub fn forget(&mut self, client: ClientId) {
        self.bundles.remove(&client);
        self.opened.retain(|(of, ..), _| *of != client);
    }
}
