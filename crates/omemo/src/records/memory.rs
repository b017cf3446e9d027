//! What this memory knows of itself: how often it was put back, who has sessions with it, how often lost ones were set up again.
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::{Address, Record, Time};

/// How old this memory is, as far as it knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Grows each time that it turned out to be older than what was done with it. Sessions of an earlier number don't send.
    pub epoch: u32,
    /// The process that the rest is of ([`subrosa_engine::Network::process`]).
    pub process: u64,
    /// Own bundles that were compared with what the server has, by version.
    pub compared: [bool; 2],
    /// How often the server gave no answer to that.
    pub tries: u8,
    /// It turned out to be old.
    pub noticed: bool,
    /// Of the people with sessions, the share that is to be told next; `None`: all were.
    pub telling: Option<u8>,
    /// Own bundles on the server that are from before it was noticed, whatever process looks at them next, by version.
    pub explained: [bool; 2],
}
impl Record for Memory {
    fn encode(&self) -> Vec<u8> {
        let Memory { epoch, process, compared: [omemo2, legacy], tries, noticed, telling, explained } = *self;
        let mut out = Writer::versioned(1);
        out.u32(epoch).u64(process).bool(omemo2).bool(legacy).u8(tries).bool(noticed).option(telling, |out, share| {
            out.u8(share);
        });
        let [omemo2, legacy] = explained;
        out.bool(omemo2).bool(legacy);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let (epoch, process) = (input.u32()?, input.u64()?);
        let (compared, tries, noticed) = ([input.bool()?, input.bool()?], input.u8()?, input.bool()?);
        let telling = input.option(Reader::u8)?;
        let explained = [input.bool()?, input.bool()?];
        input.end().map(|()| Memory { epoch, process, compared, tries, noticed, telling, explained })
    }
}

/// People with whose devices there are or were sessions: a share of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peers(pub Vec<Address>);
impl Record for Peers {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.len(self.0.len());
        self.0.iter().for_each(|owner| {
            out.str(owner.as_str());
        });
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let owners = (0..input.len()?).map(|_| input.str().map(Address::from)).collect::<Option<_>>()?;
        input.end().map(|()| Peers(owners))
    }
}

/// How many lost sessions were set up again of late, over all devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heals {
    pub since: Time,
    pub count: u32,
}
impl Record for Heals {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.u64(self.since.0).u32(self.count);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, 1)?;
        let heals = Heals { since: Time(input.u64()?), count: input.u32()? };
        input.end().map(|()| heals)
    }
}
