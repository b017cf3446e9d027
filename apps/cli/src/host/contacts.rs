//! The contact list, as the server tells it: what people are called, and who may know that we are here.
use std::collections::HashMap;
use subrosa_engine::Address;
use subrosa_xmpp::{Contact, Subscription};

/// The contacts of one account. Memory only: the server tells all of them with each new stream.
#[derive(Default)]
pub struct Contacts(HashMap<Address, Contact>);

impl Contacts {
    /// All of them.
    pub fn set(&mut self, all: Vec<Contact>) {
        self.0 = all.into_iter().map(|contact| (contact.address.clone(), contact)).collect();
    }
    /// One is new, changed or gone.
    pub fn change(&mut self, contact: Contact) {
        if contact.subscription == Subscription::Remove {
            self.0.remove(&contact.address);
        } else {
            self.0.insert(contact.address.clone(), contact);
        }
    }
    /// They are one.
    pub fn has(&self, address: &Address) -> bool {
        self.0.contains_key(address)
    }
    /// They see our presence: a receipt tells them nothing that they may not know.
    pub fn see_us(&self, address: &Address) -> bool {
        self.0.get(address).is_some_and(|c| matches!(c.subscription, Subscription::From | Subscription::Both))
    }
    /// What the account calls them.
    pub fn name(&self, address: &Address) -> Option<String> {
        self.0.get(address).map(|c| c.name.clone()).filter(|name| !name.is_empty())
    }
}
