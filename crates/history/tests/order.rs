//! Whatever the order in which things come, and however often: in the end the same is shown and found.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::*;
use proptest::prelude::*;
use subrosa_engine::{Address, Content, Reason};
use subrosa_history::{Body, Entry, History, HistoryError, Message};

/// Number n in the list has the id `f<n>`, the stanza-id `sf<n>`, and was sent at second n.
#[derive(Clone, Debug)]
enum Fact {
    Text,
    Reply(usize),
    Correction(usize),
    Retraction(usize),
    Reaction(usize, Vec<u8>),
    Delivered(usize),
    Displayed(usize),
    /// By the room.
    Moderation(usize),
}
#[derive(Clone, Debug)]
struct Said {
    author: usize,
    fact: Fact,
    in_clear: bool,
    /// It comes unreadable too.
    dark: bool,
    /// Its stanza-id comes by itself.
    later: bool,
}

fn facts() -> impl Strategy<Value = Vec<Said>> {
    let fact = prop_oneof![
        3 => Just(Fact::Text),
        1 => (0usize..100).prop_map(Fact::Reply),
        4 => (0usize..100).prop_map(Fact::Correction),
        2 => (0usize..100).prop_map(Fact::Retraction),
        3 => ((0usize..100), proptest::collection::vec(0u8..4, 0..3)).prop_map(|(of, emojis)| Fact::Reaction(of, emojis)),
        1 => (0usize..100).prop_map(Fact::Delivered),
        2 => (0usize..100).prop_map(Fact::Displayed),
        1 => (0usize..100).prop_map(Fact::Moderation),
    ];
    let said = (0usize..3, fact, proptest::bool::weighted(0.2), proptest::bool::weighted(0.2), any::<bool>());
    proptest::collection::vec(said.prop_map(|(author, fact, in_clear, dark, later)| Said { author, fact, in_clear, dark, later }), 1..16)
}
/// What happens to a history, one after the other.
#[derive(Clone, Debug)]
enum Step {
    Add(Entry),
    Confirm(Address, usize),
    Moderate(usize),
}
fn steps(facts: &[Said], in_room: bool) -> Vec<Step> {
    let people = [me(), bob(), carol()];
    let chat = if in_room { room() } else { bob() };
    let mut steps = Vec::new();
    for (n, said) in facts.iter().enumerate() {
        let author = &people[if in_room { said.author } else { said.author % 2 }];
        // what is earlier, now and then what is not there at all
        let name = |of: &usize| {
            let of = if n > 0 && *of < 95 { of % n } else { 1000 + n };
            common::of(&if in_room { format!("sf{of}") } else { format!("f{of}") })
        };
        let content = match &said.fact {
            Fact::Text => text(&format!("words{n}")),
            Fact::Reply(of) => Content::Reply { of: name(of), author: None, text: format!("words{n}"), quote: String::new() },
            Fact::Correction(of) => Content::Correction { of: name(of), text: format!("words{n}") },
            Fact::Retraction(of) => Content::Retraction { of: name(of) },
            Fact::Reaction(of, emojis) => Content::Reaction { of: name(of), emojis: emojis.iter().map(|e| format!("e{e}")).collect() },
            Fact::Delivered(of) => Content::Delivered { of: name(of) },
            Fact::Displayed(of) => Content::Displayed { of: name(of) },
            Fact::Moderation(of) => {
                steps.push(Step::Moderate(if n > 0 { of % n } else { n }));
                continue;
            }
        };
        let entry = Entry { in_clear: said.in_clear, ..Entry::new(&chat, author, &format!("f{n}"), content, at(n as u64)) };
        let mut entry = if in_room { entry.in_room(None) } else { entry };
        let is_row = matches!(said.fact, Fact::Text | Fact::Reply(_) | Fact::Correction(_));
        match in_room {
            true if said.later && is_row => steps.push(Step::Confirm(author.clone(), n)),
            true => entry.stanza_id = Some(format!("sf{n}")),
            false => {}
        }
        if said.dark && is_row {
            steps.push(Step::Add(Entry { body: Body::Unreadable(Reason::Untrusted), ..entry.clone() }));
        }
        steps.push(Step::Add(entry));
    }
    steps
}
fn play(steps: &[Step]) -> (Vec<Message>, Vec<Vec<String>>, Vec<String>) {
    let (_directory, mut history) = opened();
    let go = |history: &mut History, step: &Step| match step {
        Step::Add(entry) => drop(history.add(entry).unwrap()),
        Step::Confirm(author, n) => drop(history.confirm(&chat(&room()), author, &of(&format!("f{n}")), &format!("sf{n}")).unwrap()),
        Step::Moderate(n) => drop(history.moderate(&chat(&room()), &format!("sf{n}"), &carol(), "", at(50)).unwrap()),
    };
    // the echo comes after its message, sooner or later
    let echoes = steps.iter().filter(|step| matches!(step, Step::Confirm(..)));
    let all_of_it = history.transaction(|history| {
        steps.iter().chain(echoes).for_each(|step| go(history, step));
        Ok::<(), HistoryError>(())
    });
    all_of_it.unwrap();
    let mut shown: Vec<Message> = [bob(), room()].iter().flat_map(|who| all(&history, who)).collect();
    // what is unread goes by arrival
    shown.iter_mut().for_each(|message| message.unread = false);
    let forms = shown.iter().map(|m| history.forms(m.place).unwrap().into_iter().map(|(_, form)| form).collect()).collect();
    let found = found(&history, "words");
    history.check().unwrap();
    (shown, forms, found)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn any_order(facts in facts(), in_room: bool, order in proptest::collection::vec(any::<u32>(), 64), again in proptest::collection::vec(any::<prop::sample::Index>(), 6)) {
        let steps = steps(&facts, in_room);
        prop_assume!(!steps.is_empty());
        let mut shuffled: Vec<Step> = steps.clone();
        shuffled.extend(again.iter().map(|n| n.get(&steps).clone()));
        let mut keyed: Vec<_> = shuffled.into_iter().enumerate().map(|(n, step)| (order[n % order.len()], step)).collect();
        keyed.sort_by_key(|(key, _)| *key);
        let shuffled: Vec<Step> = keyed.into_iter().map(|(_, step)| step).collect();
        prop_assert_eq!(play(&steps), play(&shuffled));
    }
}
