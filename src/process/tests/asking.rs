//! One question to a program that would go on running.

use pretty_assertions::assert_eq;

use super::*;

async fn asked(script: &str, limits: Limits) -> Asked {
    let spec = Spec {
        stdin: Stdin::Open(b"one\ntwo\n".to_vec()),
        ..sh(script)
    };
    let stop = CancellationToken::new();
    let asked = ask(&spec, limits, &Clock::system(), &stop, |l| {
        l.starts_with('A')
    })
    .await;
    asked.expect("it starts")
}

#[tokio::test]
async fn the_answer_ends_the_program_whose_input_stays_open() {
    let script = "read a; read b; echo x; echo \"A $a $b\"; read c || echo 'A eof'; sleep 600";
    let answer = asked(script, limits(60_000, 1000)).await;
    assert_eq!(answer, Asked::Answer("A one two".into()));
}

#[tokio::test]
async fn a_program_that_ends_without_an_answer_says_why() {
    let ended = asked(
        "cat <&- ; echo x; echo no login >&2; exit 4",
        limits(60_000, 1000),
    )
    .await;
    assert_eq!(
        ended,
        Asked::Ended {
            exit: Exit::Code(4),
            stderr: "no login".into()
        }
    );
}

#[tokio::test]
async fn silence_and_endless_talk_are_ended() {
    for script in ["sleep 600", "while :; do echo talk; done"] {
        assert_eq!(asked(script, limits(300, 100_000)).await, Asked::TimedOut);
    }
}
