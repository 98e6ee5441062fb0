//! Words that others write and read: each means one thing, and each is known again.

use release::evidence::{AtMax, BadMinutes, Compared, Judgement, Points, TimeIsOver};
use release::pass::Kept;
use release::phases::COMMANDS;
use release::{Colour, Command, Reason, ReturnCause, VerdictWord};

#[test]
fn a_verdict_is_known_by_the_word_on_its_tag() {
    use VerdictWord::{Accepted, Live, Rejected, Superseded, Waiting};
    for (word, verdict, is_final) in [
        ("accepted", Accepted, false),
        ("waiting", Waiting, false),
        ("superseded", Superseded, true),
        ("rejected", Rejected, true),
        ("live", Live, true),
    ] {
        assert_eq!(VerdictWord::from_word(word), Some(verdict));
        assert_eq!((verdict.as_str(), verdict.to_string().as_str()), (word, word));
        assert_eq!(verdict.is_final(), is_final, "{word}");
    }
    assert_eq!(VerdictWord::from_word("Live"), None);
    assert_eq!(VerdictWord::from_word(""), None);
}

#[test]
fn what_takes_traffic_away_or_keeps_it_from_a_release_takes_a_reason() {
    let all = COMMANDS.into_iter().chain([Command::Status]);
    let takes_one: Vec<&str> = all.filter(|command| command.takes_a_reason()).map(Command::word).collect();
    assert_eq!(takes_one, ["pause", "abort", "rollback"]);
}

#[test]
fn values_are_told_apart_by_their_prints() {
    let [one, same, other] = ["one", "one", "other"].map(Kept::new);
    assert_eq!(one.print(), same.print());
    assert_ne!(one.print(), other.print());
    assert!(one == same && one == one.clone() && one != other);
}

const COMPARED: Compared = Compared {
    candidate: Colour::Green,
    failed: 5,
    requests: 50,
    live_failed: 0,
    live_requests: 450,
    lowest: 10,
    highest: 10,
    odds: 300,
    needed: 200,
};

#[test]
fn a_reason_that_the_counts_gave_says_what_they_say() {
    let past = BadMinutes { bad: 9, minutes: 20, week_bad: 3, week: 9_000 };
    let over = TimeIsOver { what: AtMax::Back, waited: 30, proven: Points(500), compared: COMPARED };
    let judged = Judgement::Worse(COMPARED);
    for (reason, says) in [
        (Reason::Judged { judgement: judged.clone() }, Some(judged.clone())),
        (Reason::Returns { cause: ReturnCause::Worse { compared: COMPARED } }, Some(judged)),
        (Reason::Returns { cause: ReturnCause::Past { past } }, Some(Judgement::Past(past))),
        (Reason::Returns { cause: ReturnCause::Unproven { over } }, Some(Judgement::AtMax(over))),
        (Reason::Returns { cause: ReturnCause::Aborted }, None),
        (Reason::Closed { cause: ReturnCause::Past { past } }, None),
        (Reason::Promotes, None),
    ] {
        assert_eq!(reason.says(), says.map(|judgement| judgement.to_string()), "{}", reason.word());
    }
}
