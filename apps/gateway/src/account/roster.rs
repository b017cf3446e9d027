//! The contact list as the server has it, with those who ask to be on it.
use super::ReplyTo;
use super::handful::Handful;
use crate::db::lists;
use std::collections::HashMap;
use subrosa_engine::Address;
use subrosa_web_api::Failure;
use subrosa_web_api::socket::{Contact, ContactChange, Event, FromGateway, Standing};
use subrosa_xmpp::Subscription;

/// People that may ask at once: anybody can.
const ASKING: u64 = 100;
/// Contacts that are gone and not forgotten, so that every browser hears of it.
const GONE: u64 = 1000;

fn standing(contact: &subrosa_xmpp::Contact) -> Standing {
    match contact.subscription {
        Subscription::Both => Standing::Mutual,
        Subscription::Remove => Standing::Gone,
        Subscription::None | Subscription::From if contact.asking => Standing::Asked,
        Subscription::None | Subscription::From | Subscription::To => Standing::Listed,
    }
}
fn of_server(contact: &subrosa_xmpp::Contact) -> Contact {
    Contact { jid: contact.address.as_str().to_owned(), name: contact.name.clone(), standing: standing(contact) }
}

impl Handful<'_> {
    /// Whether it is one of the list.
    pub(super) async fn is_listed(&mut self, jid: &str) -> sqlx::Result<bool> {
        let account = self.account;
        let contact = lists::contact(self.tx().await?, account, jid).await?;
        Ok(contact.is_some_and(|contact| matches!(contact.standing, Standing::Mutual | Standing::Asked | Standing::Listed)))
    }
    /// The whole list.
    pub(super) async fn contacts(&mut self, list: &[subrosa_xmpp::Contact]) -> sqlx::Result<()> {
        let account = self.account;
        let known = lists::contacts(self.tx().await?, account).await?;
        let mut known: HashMap<String, Contact> = known.into_iter().map(|contact| (contact.jid.clone(), contact)).collect();
        let most = usize::try_from(self.app.config.limits.contacts).unwrap_or(usize::MAX);
        for contact in list.iter().take(most).map(of_server) {
            if known.remove(&contact.jid).as_ref() != Some(&contact) {
                self.set(contact).await?;
            }
        }
        for (_, contact) in known.into_iter().filter(|(_, contact)| !matches!(contact.standing, Standing::Asks | Standing::Gone)) {
            self.set(Contact { standing: Standing::Gone, ..contact }).await?;
        }
        lists::prune_gone(self.tx().await?, account, GONE).await
    }
    /// One of the list changed.
    pub(super) async fn contact(&mut self, contact: &subrosa_xmpp::Contact) -> sqlx::Result<()> {
        let account = self.account;
        let contact = of_server(contact);
        let known = lists::contact(self.tx().await?, account, &contact.jid).await?;
        if known.as_ref() == Some(&contact) || (known.is_none() && contact.standing == Standing::Gone) {
            return Ok(());
        }
        if known.is_none() && lists::count_contacts(self.tx().await?, account).await?.0 >= self.app.config.limits.contacts {
            return Ok(());
        }
        self.set(contact).await
    }
    /// Somebody asks to be on the list. Who is on it was asked first, or is wanted: yes.
    pub(super) async fn asked_by(&mut self, who: &Address) -> sqlx::Result<()> {
        let account = self.account;
        if self.is_listed(who.as_str()).await? {
            self.effects.changes.push((None, subrosa_xmpp::ContactChange::Accept(who.clone())));
            return Ok(());
        }
        let known = lists::contact(self.tx().await?, account, who.as_str()).await?;
        if known.is_some_and(|contact| contact.standing == Standing::Asks) {
            return Ok(());
        }
        let (all, asking) = lists::count_contacts(self.tx().await?, account).await?;
        if asking >= ASKING || all >= self.app.config.limits.contacts {
            return Ok(());
        }
        self.set(Contact { jid: who.as_str().to_owned(), name: String::new(), standing: Standing::Asks }).await
    }
    /// A browser changes the list.
    pub(super) async fn change(&mut self, to: &ReplyTo, change: &ContactChange) -> sqlx::Result<()> {
        let account = self.account;
        let (ContactChange::Add { jid, .. } | ContactChange::Accept(jid) | ContactChange::Decline(jid) | ContactChange::Remove(jid)) = change;
        let address = Address::from(jid.as_str());
        let known = lists::contact(self.tx().await?, account, jid).await?;
        let asks = known.as_ref().is_some_and(|contact| contact.standing == Standing::Asks);
        use subrosa_xmpp::ContactChange as Change;
        let change = match change {
            ContactChange::Add { .. } if jid == self.me => {
                let why = Failure::new("contact.self", "This is the account itself; it can't be its own contact.");
                self.effects.replies.push((to.clone(), FromGateway::Failed(why)));
                return Ok(());
            }
            // who asks and is added gets a yes with it
            ContactChange::Add { name, .. } => {
                if asks {
                    self.effects.changes.push((None, Change::Accept(address.clone())));
                }
                Change::Add { address, name: name.clone() }
            }
            ContactChange::Accept(_) => Change::Accept(address),
            ContactChange::Decline(_) => {
                if let Some(contact) = known.filter(|_| asks) {
                    self.set(Contact { standing: Standing::Gone, ..contact }).await?; // the server says nothing about it
                }
                Change::Decline(address)
            }
            ContactChange::Remove(_) => Change::Remove(address),
        };
        self.effects.changes.push((Some(to.clone()), change));
        Ok(())
    }
    async fn set(&mut self, contact: Contact) -> sqlx::Result<()> {
        let (account, seq) = (self.account, self.next());
        lists::set_contact(self.tx().await?, account, &contact, seq).await?;
        self.event(Event::Contact(contact), None);
        Ok(())
    }
}
