use super::*;

const ROOM: &str = "room@x";
fn people(names: &[&str]) -> Input {
    Input::Room(ChatId(ROOM.into()), Some(names.iter().map(|n| Address::from(*n)).collect()))
}
fn say_there(id: &str) -> Input {
    let (chat, plain) = (ChatId(ROOM.into()), Plaintext::text("hi"));
    Input::Send { id: id.into(), chat, to: Recipients::Room, kind: Kind::Text, plain, headers: Headers::default() }
}

#[test]
fn a_room_that_is_not_known_gets_nothing() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    assert_eq!(settle(&mut machine, &mut store, vec![say_there("1")], &[7]), ["not-sent 1 not-in-room"]);
    settle(&mut machine, &mut store, vec![people(&["bob@x"]), Input::Room(ChatId(ROOM.into()), None)], &[7]);
    assert_eq!(settle(&mut machine, &mut store, vec![say_there("2")], &[7]), ["not-sent 2 not-in-room"]);
}

#[test]
fn those_who_are_in_it_when_it_is_encrypted_get_the_message() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let outputs = step(&mut machine, &mut store, vec![people(&["bob@x"]), say_there("1")]);
    let asked = outputs.iter().find_map(|(_, o)| if let Output::Request(id, _) = o { Some(*id) } else { None }).unwrap();
    assert_eq!(words(outputs), ["waiting 1", "fetch list bob@x"]);
    // carol came while it waited, bob left
    let all = settle(&mut machine, &mut store, vec![people(&["carol@x", "carol@x"]), Input::Answer(asked, ids(&[7]))], &[9]);
    assert_eq!(all, ["new carol@x/9 trusted", "transmit 1/0 9:1,hi", "sent 1 1"]);
    // over a restart
    let (mut again, _) = super::machine();
    let all = settle(&mut again, &mut store, vec![say_there("2")], &[9]);
    assert!(all.ends_with(&["transmit 2/0 9:2,hi".to_owned(), "sent 2 1".to_owned()]), "{all:?}");
}

#[test]
fn what_a_person_chose_for_a_room_stays_while_people_come_and_go() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let chat = ChatId(ROOM.into());
    step(&mut machine, &mut store, vec![people(&["bob@x"]), Input::LeaveOut(chat.clone(), true), people(&["carol@x", "bob@x"])]).len();
    let mut rng = Counting(1);
    let room = machine.begin(Time(0), &mut rng).room(&chat).unwrap().unwrap();
    assert_eq!(room, Room { members: vec!["bob@x".into(), "carol@x".into()], leave_out: true });
}
/// Nobody is in it, this account neither: a message would be for nobody.
#[test]
fn an_empty_room_gets_nothing() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    assert_eq!(settle(&mut machine, &mut store, vec![people(&[]), say_there("1")], &[7]), ["not-sent 1 not-in-room"]);
}
/// What was stored of a room is damaged: nothing leaves, everything that comes is told, and the next list of members mends it.
#[test]
fn a_damaged_room_loses_no_message() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    settle(&mut machine, &mut store, vec![people(&["bob@x"])], &[7]);
    let key = store.keys_for_tests().find(|key| key.kind() == "room").unwrap().clone();
    store.commit(&Batch::for_tests(vec![(key, Some(vec![9, 9]))])).unwrap();
    let (mut again, _) = super::machine();
    let told = settle(&mut again, &mut store, vec![say_there("1"), receive("2", ROOM, Kind::Text, "refuse 403")], &[7]);
    assert!(told.contains(&"not-sent 1 not-in-room".to_owned()) && told.iter().any(|word| word.starts_with("not-received 2")), "{told:?}");
    let all = settle(&mut again, &mut store, vec![Input::LeaveOut(ChatId(ROOM.into()), true), people(&["bob@x"]), say_there("3")], &[7]);
    assert!(all.contains(&"sent 3 1".to_owned()), "{all:?}");
}
/// Who was put out while we were away gets no key: what is said waits until it is told who is in the room now.
#[test]
fn members_of_an_earlier_stream_get_nothing() {
    let ((mut machine, _), mut store) = (machine(), MemoryStore::default());
    let online = || Input::Online { resumed: false };
    let (bob, both) = (|| people(&["bob@x"]), || people(&["bob@x", "mallory@x"]));
    let mut feed = |machine: &mut Machine, inputs: Vec<Input>| {
        let all = settle(machine, &mut store, inputs, &[7]);
        all.into_iter().filter(|word| ["waiting", "sent", "not-sent"].contains(&word.split(' ').next().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(feed(&mut machine, vec![online(), both(), say_there("1")]), ["waiting 1", "sent 1 2"]);
    assert_eq!(feed(&mut machine, vec![online(), say_there("2"), say_there("3")]), ["waiting 2", "waiting 3"]);
    assert_eq!(feed(&mut machine, vec![bob(), say_there("4")]), ["sent 2 1", "sent 3 1", "sent 4 1"]);
    // that nothing has changed is to be told too; what waits is in order, over a restart
    assert_eq!(feed(&mut machine, vec![online(), say_there("5")]), ["waiting 5"]);
    let (mut machine, _) = super::machine();
    assert_eq!(feed(&mut machine, vec![online(), say_there("6")]).pop().unwrap(), "waiting 6");
    assert_eq!(feed(&mut machine, vec![bob()]), ["sent 5 1", "sent 6 1"]);
    assert_eq!(feed(&mut machine, vec![Input::Online { resumed: true }, say_there("7")]), ["sent 7 1"], "no new stream");
    // out of it, and the stream goes on: the same, over a restart too; what was chosen for the room stays
    let unknown = || Input::RoomUnknown(ChatId(ROOM.into()));
    let chosen = Input::LeaveOut(ChatId(ROOM.into()), true);
    assert_eq!(feed(&mut machine, vec![both(), chosen, unknown(), say_there("a"), unknown()]), ["waiting a"]);
    let (mut machine, _) = super::machine();
    assert_eq!(feed(&mut machine, vec![say_there("b"), Input::Online { resumed: true }]).pop().unwrap(), "waiting b");
    assert_eq!(feed(&mut machine, vec![bob()]), ["sent a 1", "sent b 1"]);
    let mut rng = Counting(1);
    assert!(machine.begin(Time(0), &mut rng).room(&ChatId(ROOM.into())).unwrap().unwrap().leave_out);
    // it is ours no more
    let gone = Input::Room(ChatId(ROOM.into()), None);
    assert_eq!(feed(&mut machine, vec![online(), say_there("8"), gone]), ["waiting 8", "not-sent 8 not-in-room"]);
}
