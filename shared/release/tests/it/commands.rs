//! What is said of a command that comes twice, or where another one would be meant.

use super::limits::ledger;
use release::{Command, CommandAnswer, Ledger, Purpose, Statement, accept_command, accept_command_with};

fn says(ledger: &Ledger, command: Command) -> String {
    accept_command(ledger, command).1.says
}

#[test]
fn what_is_being_given_up_is_said_to_be_and_another_reason_takes_the_place_of_the_first() {
    let open = ledger("installing");
    let [first, second] = ["one", "two"].map(|text| Statement::new(text, None).unwrap());
    let (once, _) = accept_command_with(&open, Command::Abort, Some(&first));
    let (twice, answer) = accept_command_with(&once, Command::Abort, Some(&second));
    assert_eq!(answer.says, "release 2 is being given up already");
    assert!(answer.changed && !answer.refused);
    assert_eq!(twice.open.as_ref().unwrap().said, Some(second.clone()));
    let (thrice, answer) = accept_command(&twice, Command::Abort);
    assert!(!answer.changed, "without a reason it takes none away");
    assert_eq!(thrice.open.unwrap().said, Some(second));
}

#[test]
fn a_rollback_that_is_asked_for_already_is_said_to_be() {
    let (once, first) = accept_command(&ledger("idle-with-a-previous-release"), Command::Rollback);
    assert_eq!(first.says, "release 1 on blue takes all traffic again");
    let said = Statement::new("it is slow", None).unwrap();
    let (twice, second) = accept_command_with(&once, Command::Rollback, Some(&said));
    assert_eq!(
        second,
        CommandAnswer { changed: true, refused: false, says: "a rollback is asked for already".to_owned() }
    );
    assert_eq!(twice.rollback_said, Some(said));
}

/// CodeDeploy knows a release's success, and of a rollback nothing.
#[test]
fn a_success_that_may_have_been_called_is_spoken_of_where_there_is_one() {
    let mut promoting = ledger("promoting");
    assert!(says(&promoting, Command::Abort).contains("unless CodeDeploy has called it a success already"));
    promoting.open.as_mut().unwrap().purpose = Purpose::Rollback;
    let plain = "rollback 2 is given up; all traffic stays on or returns to the live colour";
    assert_eq!(says(&promoting, Command::Abort), plain);
}
