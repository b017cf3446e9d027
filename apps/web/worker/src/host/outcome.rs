//! What the machine lets out, and what becomes of it: rows, told when they are stored, and stanzas for the gateway.
use super::archive::unname;
use super::{Fact, Host, Leaving, Out, Way, convert, messages};
use crate::rows::{BANNERS, Row as _};
use crate::shelf::{At, Shelf};
use rand_core::CryptoRng;
use subrosa_engine::{
    ContentType, Device, Event, Fingerprint, Input, Kind, Output, OutputId, Outputs, Part, Policy, Reason, Received, Recipients, Wire,
};
use subrosa_omemo::wire::sce;
use subrosa_web_api::page::{Banner, BannerKind, Content, Lock, Protection, State, Told};
use subrosa_web_api::socket::{Body, ToGateway};
use subrosa_web_api::{Failure, MessageId};

/// Devices of a contact that are met within so many milliseconds of the first are no news.
const MET: u64 = 60_000;
/// So many banners of a kind about one person's devices: whoever has more of them is seen well enough.
const BANNERS_EACH: usize = 16;
/// Nobody vouches for what comes in clear, in our own name neither.
const OWN_IN_CLEAR: &str = "Sent in clear from another of your devices. In this chat this browser shows only what is encrypted.";
/// Content that is not for reading: XEP-0085, XEP-0184, XEP-0333.
const SILENT: [&[u8]; 3] = [b"http://jabber.org/protocol/chatstates", b"urn:xmpp:receipts", b"urn:xmpp:chat-markers:0"];

impl<S: Shelf, R: CryptoRng + Send> Host<S, R> {
    pub(super) async fn take(&mut self, outputs: Outputs) -> Result<(), S::Error> {
        for (id, output) in outputs {
            match output {
                Output::Event(event) => self.happened(id, event).await?,
                Output::Transmit { id: message, part, chat, to, kind, wire, made, .. } => {
                    if self.leaving.iter().any(|(output, _)| *output == id) {
                        continue;
                    }
                    let to = match &to {
                        Recipients::Device(device) => device.owner.to_string(),
                        Recipients::People(people) => people.first().unwrap_or(&chat.0).to_string(),
                        Recipients::Room => chat.0.to_string(),
                    };
                    let frame = ToGateway::Send {
                        id: message.to_string(),
                        part,
                        to,
                        chat: chat.0.to_string(),
                        kind: convert::kind_back(kind),
                        body: body(wire),
                        made: made.0,
                    };
                    // before the gateway's welcome it would overtake what waits for that
                    if matches!(self.way, Way::Gateway(_) | Way::Server) {
                        self.out.push(Out::Gateway(frame.clone()));
                    }
                    self.leaving.push((id, Leaving { id: message.to_string(), part, frame }));
                }
                Output::Request(id, request) => {
                    if let Some(what) = convert::request(request) {
                        self.asked.insert(id.0, what.clone());
                        self.out.push(Out::Gateway(ToGateway::Request { id: id.0, what }));
                    }
                }
                // an error sent back would tell strangers that somebody is there
                Output::Refuse { .. } => self.done(id),
                _ => {}
            }
        }
        Ok(())
    }
    pub(super) fn done(&mut self, id: OutputId) {
        self.facts.push(Fact::Input(Input::Done(id)));
    }
    /// An event is done with when what came of it is stored: in the step that stores it.
    async fn happened(&mut self, output: OutputId, event: Event) -> Result<(), S::Error> {
        match event {
            Event::Message { id, chat, message } => {
                if let Some((seq, stanza)) = unname(&id) {
                    let (own, chat) = (message.from().as_str() == self.me.jid, chat.0.to_string());
                    if let Some(content) = content(&message) {
                        if !own {
                            self.after.push(Out::Gateway(ToGateway::Received { from: message.from().to_string(), id: stanza.to_owned() }));
                        }
                        self.came(chat, seq, own, message.sent().0, content, protection(&message)).await?;
                    }
                }
            }
            Event::NotReceived { why, .. } if why.reason == Reason::Duplicate => {}
            Event::NotReceived { id, chat, from, device, why } => {
                if let Some((seq, _)) = unname(&id) {
                    let own = from.as_str() == self.me.jid;
                    let device = device.as_ref().map_or(0, |d| convert::number(&d.id));
                    let protection = match why.reason {
                        Reason::NotEncrypted => Protection::Clear,
                        _ => Protection::Encrypted {
                            protocol: String::new(),
                            device,
                            trust: subrosa_web_api::page::Trust::Undecided,
                            left_out: Vec::new(),
                        },
                    };
                    let why = match why.reason {
                        Reason::NotEncrypted if own => Failure::new("own-in-clear", OWN_IN_CLEAR),
                        _ => convert::refusal(&why),
                    };
                    self.came(chat.0.to_string(), seq, own, self.now.0, Content::Undecryptable(why), protection).await?;
                }
            }
            Event::Waiting { id } => {
                let why = Failure::new("send.waiting", "It waits for the keys of the recipient's devices.");
                self.change(id.as_str(), |message| message.state = State::Waiting(why)).await?;
                return Ok(()); // not owed
            }
            Event::Sent { id, kind: Kind::Text, report, .. } => {
                let clear = report.is_empty();
                let (protocol, left_out) = convert::report(&report);
                let protection = match clear {
                    true => Protection::Clear,
                    false => Protection::Encrypted { protocol, device: 0, trust: subrosa_web_api::page::Trust::Verified, left_out },
                };
                self.change(id.as_str(), |message| {
                    message.protection = protection;
                    if messages::rank(&message.state) == 0 {
                        message.state = State::Sending;
                    }
                })
                .await?;
            }
            Event::NotSent { id, why, ask: Some(question), .. } => {
                return self.asked_for_clear(output, id.to_string(), convert::refusal(&why), question).await;
            }
            Event::NotSent { id, why, report, .. } => {
                let (_, left_out) = convert::report(&report);
                self.change(id.as_str(), |message| {
                    message.state = messages::failed(convert::refusal(&why), false);
                    if !left_out.is_empty() {
                        message.protection =
                            Protection::Encrypted { protocol: String::new(), device: 0, trust: subrosa_web_api::page::Trust::Verified, left_out };
                    }
                })
                .await?;
            }
            Event::DeviceNew { device, key, trust } => self.met(output, &device, &key, trust),
            Event::KeyChanged { device, shown, .. } => self.banner(output, &device, &shown, BannerKind::KeyChanged),
            _ => {}
        }
        self.done(output);
        Ok(())
    }
    /// Clear text is what a yes would mean. The event stays owed until a person has decided, so that the question survives.
    async fn asked_for_clear(
        &mut self,
        output: OutputId,
        id: MessageId,
        why: Failure,
        question: subrosa_engine::ClearTextQuestion,
    ) -> Result<(), S::Error> {
        self.questions.insert(id.clone(), (output, question));
        self.change(&id, |message| message.state = messages::failed(why, true)).await?;
        if let Some(at) = self.allowed.iter().position(|allowed| *allowed == id) {
            self.allowed.remove(at);
            return self.allow(&id).await;
        }
        Ok(())
    }
    /// A person said yes.
    pub(super) async fn allow(&mut self, id: &str) -> Result<(), S::Error> {
        let Some((output, question)) = self.questions.remove(id) else { return Ok(()) };
        let chat = question.chat().clone();
        self.chat(chat.0.as_str()).chat.lock = Lock::ClearAllowed;
        self.keep_chat(chat.0.as_str());
        self.facts.push(Fact::Input(Input::SetPolicy(chat, Policy::Optional(question.confirmed_by_user()))));
        self.done(output);
        self.send_again(id).await
    }
    fn met(&mut self, output: OutputId, device: &Device, key: &Fingerprint, trust: subrosa_engine::Trust) {
        let trust = convert::trust(trust);
        if device.owner == *self.machine.me() {
            return self.banner(output, device, key, BannerKind::NewOwnDevice(trust));
        }
        let now = self.now.0;
        let row = self.chat(device.owner.as_str());
        if row.met == 0 {
            row.met = now;
            self.keep_chat(device.owner.as_str());
        } else if now > row.met.saturating_add(MET) || trust != subrosa_web_api::page::Trust::Trusted {
            self.banner(output, device, key, BannerKind::NewDevice(trust));
        }
    }
    pub(super) fn banner(&mut self, output: OutputId, device: &Device, key: &Fingerprint, kind: BannerKind) {
        let banner =
            Banner { id: output.0, jid: device.owner.to_string(), device: convert::number(&device.id), fingerprint: convert::hex(&key.0), kind };
        self.rows.set(BANNERS, At::Number(banner.id), Some(banner.to_row()));
        let at = self.banners.partition_point(|other| other.id < banner.id);
        self.banners.retain(|other| other.id != banner.id); // the same again
        self.banners.insert(at, banner);
        let is_alarm = |kind| kind == BannerKind::KeyChanged; // not pushed out by what is none
        let of_them: Vec<u64> =
            self.banners.iter().filter(|b| b.jid == device.owner.as_str() && is_alarm(b.kind) == is_alarm(kind)).map(|b| b.id).collect();
        let surplus = of_them.len().saturating_sub(BANNERS_EACH);
        let gone: Vec<u64> = of_them.into_iter().take(surplus).collect();
        self.dismiss(|b| gone.contains(&b.id));
        self.tell_banners();
    }
    /// Takes banners away.
    pub(super) fn dismiss(&mut self, which: impl Fn(&Banner) -> bool) {
        let gone: Vec<u64> = self.banners.iter().filter(|banner| which(banner)).map(|banner| banner.id).collect();
        self.banners.retain(|banner| !gone.contains(&banner.id));
        for id in &gone {
            self.rows.set(BANNERS, At::Number(*id), None);
        }
        if !gone.is_empty() {
            self.tell_banners();
        }
    }
    fn tell_banners(&mut self) {
        self.after.retain(|out| !matches!(out, Out::Tell(Told::Banners(_)))); // once a step is enough
        self.after.push(Out::Tell(Told::Banners(self.banners.clone())));
    }
}

fn body(wire: Wire) -> Body {
    match wire {
        Wire::Encrypted(Part { body, .. }) => Body::Encrypted(body),
        Wire::Clear { plain, .. } => Body::Clear(String::from_utf8_lossy(plain.bytes()).into_owned()),
    }
}
/// What is to be shown. `None`: nothing.
fn content(message: &Received) -> Option<Content> {
    let plain = message.plaintext();
    let unsupported = || Content::Undecryptable(convert::refusal(&Reason::Unsupported.into()));
    if plain.content_type == ContentType::TEXT {
        return Some(std::str::from_utf8(plain.bytes()).map_or_else(|_| unsupported(), |text| Content::Text(text.to_owned())));
    }
    match sce::body(plain.bytes()) {
        Ok(Some(text)) => Some(Content::Text(text.to_string())),
        // receipts, markers, typing notices
        _ if message.kind() != Kind::Text || SILENT.iter().any(|ns| contains(plain.bytes(), ns)) => None,
        _ => Some(unsupported()),
    }
}
fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|part| part == needle)
}
fn protection(message: &Received) -> Protection {
    match message.sender() {
        _ if message.in_clear() => Protection::Clear,
        None => Protection::None,
        Some(sender) => Protection::Encrypted {
            protocol: sender.protocol.to_string(),
            device: convert::number(&sender.device.id),
            trust: convert::trust(sender.trust),
            left_out: Vec::new(),
        },
    }
}
