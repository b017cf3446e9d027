//! The smallest client: answers every OMEMO message with its own words.
//!
//!     JID=bot@example.org PASSWORD=… cargo run -p echo
//!
//! Its keys stay in `echo.db`, so it is the same device next time. `SERVER=127.0.0.1:5222` connects in clear to this machine.
use getrandom::{SysRng, rand_core::UnwrapErr};
use std::time::{SystemTime, UNIX_EPOCH};
use subrosa_engine::{Event, Headers, Input, Kind, Machine, MessageId, Output, Recipients, Time};
use subrosa_omemo::{Omemo, wire::Version};
use subrosa_store::{SqliteStore, StoreKey};
use subrosa_xmpp::{Config, Connection, Entity, Happening, Security, State};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = UnwrapErr(SysRng);
    let mut store = SqliteStore::open("echo.db", &StoreKey::load_or_create("echo.key".as_ref(), &mut rng)?)?;

    // who we are, and that we want to hear of our contacts' devices
    let entity = Entity::client("bot", "Echo", "1", "https://example.org/echo");
    let entity = Version::ALL.iter().fold(entity, |e, version| e.with_notify(version.device_list_node()));
    let mut config = Config::new(&std::env::var("JID")?, &std::env::var("PASSWORD")?, entity)?;
    if let Some((host, port)) = std::env::var("SERVER").ok().as_deref().and_then(|s| s.rsplit_once(':')) {
        (config.host, config.security) = (Some((host.into(), port.parse()?)), Security::ClearLoopback);
    }
    let me = config.account().clone();

    // the machine, with OMEMO for every chat
    let mut machine = Machine::new(me.clone());
    let omemo = machine.install(Omemo::default());
    machine.route(move |_chat| Some(omemo.id()));

    let (network, mut happenings) = Connection::start(config);
    let mut inputs = Vec::new();
    let mut mark = None;
    loop {
        // one step: what came in, stored with all that follows from it; only then anything leaves
        let mut step = machine.begin(now(), &mut rng);
        inputs.drain(..).for_each(|input| step.feed(input));
        let outputs = step.commit(&mut store)?;
        if let Some(mark) = mark.take() {
            network.handled(mark); // the server may forget it
        }
        for (id, output) in outputs {
            match output {
                Output::Event(event) => {
                    match event {
                        Event::Message { id, chat, message } if *message.from() != me => {
                            println!("{}: {}", message.from(), String::from_utf8_lossy(message.plaintext().bytes()));
                            let (id, to) = (MessageId(format!("re-{}", id.0).into()), Recipients::People(vec![message.from().clone()]));
                            inputs.push(Input::Send {
                                id,
                                chat,
                                to,
                                kind: Kind::Text,
                                plain: message.plaintext().clone(),
                                headers: Headers::default(),
                            });
                        }
                        Event::NotReceived { from, why, .. } => println!("{from} wrote and it can't be read: {}", why.reason.sentence()),
                        Event::NotSent { why, .. } => println!("not sent: {}", why.reason.sentence()),
                        _ => {}
                    }
                    inputs.push(Input::Done(id)); // until then it comes again after a crash
                }
                output => network.put(id, output),
            }
        }
        if !inputs.is_empty() {
            continue;
        }
        let wake = machine.wake_at().map_or(60_000, |at| at.0.saturating_sub(now().0));
        match tokio::time::timeout(std::time::Duration::from_millis(wake), happenings.recv()).await {
            Err(_) => inputs.push(Input::Tick),
            Ok(None) => return Ok(()),
            Ok(Some(Happening::Received { inputs: received, mark: up_to, .. })) => (inputs, mark) = (received, Some(up_to)),
            Ok(Some(Happening::Input(input))) => inputs.push(input),
            Ok(Some(Happening::Acknowledged(id) | Happening::Unsendable(id, _))) => inputs.push(Input::Done(id)),
            Ok(Some(Happening::State(State::Failed(why)))) => return Err(why.into()),
            Ok(Some(Happening::State(state))) => println!("{state:?}"),
            Ok(Some(_)) => {}
        }
    }
}

fn now() -> Time {
    Time(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64))
}
