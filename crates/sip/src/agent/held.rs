//! Who waits for an answer, and what was accepted of late: a message that comes again gets the answer that it got, and is shown once.
//!
//! Over a stream the transport remembers no request that it answered (RFC 3261 §17.2.2), and a sender whose stream broke before the
//! answer sends again on the next one; one that was killed does so when it runs again.
use crate::message::{Answer, AnswerHandle, SipMessage};
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use subrosa_engine::{Address, MessageId, Status};

/// So many accepted messages are remembered.
const REMEMBERED: usize = 4096;
/// Another message of this Call-ID waits for its answer (RFC 3261 §21.4.27).
const PENDING: u16 = 491;

#[derive(Default)]
pub(super) struct Held {
    waiting: HashMap<(Address, MessageId), Waiting>,
    accepted: HashSet<u64>,
    /// The same, the oldest first.
    order: VecDeque<u64>,
    prints: RandomState,
}
struct Waiting {
    print: u64,
    answers: Vec<AnswerHandle>,
}
impl Held {
    /// Keeps the answer until it is known. `false`: it is no new message, and what can be answered was.
    pub fn keep(&mut self, message: &SipMessage, cseq: u32, answer: AnswerHandle) -> bool {
        let SipMessage { id, from, content_type, body, .. } = message;
        let print = self.prints.hash_one((from, id, cseq, &content_type.0, body));
        if self.accepted.contains(&print) {
            answer.answer(Answer::Accept);
            return false;
        }
        match self.waiting.get_mut(&(from.clone(), id.clone())) {
            Some(waiting) if waiting.print == print => waiting.answers.push(answer),
            Some(_) => answer.answer(Status::new(PENDING).into()),
            None => {
                self.waiting.insert((from.clone(), id.clone()), Waiting { print, answers: vec![answer] });
                return true;
            }
        }
        false
    }
    /// To all who wait for it.
    pub fn answer(&mut self, from: Address, id: MessageId, answer: Answer) {
        let Some(Waiting { print, answers }) = self.waiting.remove(&(from, id)) else { return };
        if answer == Answer::Accept && self.accepted.insert(print) {
            self.order.push_back(print);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.accepted.remove(&oldest);
        }
        for handle in answers {
            handle.answer(answer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::{Arc, Mutex};
    use subrosa_engine::ContentType;

    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<(u32, u16)>>>);
    impl Heard {
        fn handle(&self, number: u32) -> AnswerHandle {
            let heard = self.clone();
            AnswerHandle::new(move |answer| heard.0.lock().unwrap().push((number, answer.code())))
        }
        fn take(&self) -> Vec<(u32, u16)> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }
    fn message(id: &str, body: &str) -> SipMessage {
        SipMessage::new(id.into(), "sip:a@x".into(), "sip:b@x".into(), ContentType::TEXT, body)
    }
    fn answer(held: &mut Held, id: &str, answer: Answer) {
        held.answer("sip:a@x".into(), id.into(), answer);
    }

    #[test]
    fn the_same_again_gets_the_same_answer() {
        let (mut held, heard) = (Held::default(), Heard::default());
        assert!(held.keep(&message("1", "x"), 1, heard.handle(1)));
        assert!(!held.keep(&message("1", "x"), 1, heard.handle(2)));
        assert_eq!(heard.take(), []);
        answer(&mut held, "1", Answer::Accept);
        assert_eq!(heard.take(), [(1, 200), (2, 200)]);
        assert!(!held.keep(&message("1", "x"), 1, heard.handle(3)));
        assert_eq!(heard.take(), [(3, 200)]);
    }
    #[test]
    fn another_of_the_same_name_is_not_taken_for_it() {
        let (mut held, heard) = (Held::default(), Heard::default());
        assert!(held.keep(&message("1", "x"), 1, heard.handle(1)));
        assert!(!held.keep(&message("1", "y"), 2, heard.handle(2)));
        assert_eq!(heard.take(), [(2, 491)]);
        answer(&mut held, "1", Answer::Accept);
        assert_eq!(heard.take(), [(1, 200)]);
        // the same words again, as the next in a row (RFC 3428 §8)
        assert!(held.keep(&message("1", "x"), 2, heard.handle(3)));
        answer(&mut held, "1", Status::new(488).into());
        assert_eq!(heard.take(), [(3, 488)]);
        // what was refused may be tried again
        assert!(held.keep(&message("1", "x"), 2, heard.handle(4)));
    }
    #[test]
    fn it_forgets_the_oldest() {
        let (mut held, heard) = (Held::default(), Heard::default());
        for n in 0..=REMEMBERED {
            assert!(held.keep(&message(&n.to_string(), "x"), 1, heard.handle(0)));
            answer(&mut held, &n.to_string(), Answer::Accept);
        }
        assert_eq!((held.accepted.len(), held.order.len(), held.waiting.len()), (REMEMBERED, REMEMBERED, 0));
        assert!(held.keep(&message("0", "x"), 1, heard.handle(0)));
        assert!(!held.keep(&message("1", "x"), 1, heard.handle(0)));
    }
}
