//! Time is stopped in these tests, and goes on by itself when everybody waits.

use std::sync::Mutex;

use super::*;
use crate::remote::BreakerLimits;

const SECOND: Duration = Duration::from_secs(1);

fn caller(limits: CallLimits) -> Caller {
    Caller::new(limits).unwrap()
}

/// What each attempt gives, and when attempts were made, in seconds.
#[derive(Default)]
struct Script {
    made: Mutex<Vec<f64>>,
}

impl Script {
    async fn run(
        &self,
        caller: &Caller,
        mut give: impl FnMut(usize) -> std::result::Result<u32, CallError>,
    ) -> Result<u32> {
        let start = Instant::now();
        caller
            .call(Cost { tokens: 10 }, || {
                let mut made = self.made.lock().unwrap();
                made.push(start.elapsed().as_secs_f64());
                std::future::ready(give(made.len()))
            })
            .await
    }

    fn made(&self) -> Vec<f64> {
        self.made.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_succeed_later_is_tried_again_and_a_refusal_is_not() {
    let script = Script::default();
    let found = script
        .run(&caller(CallLimits::default()), |n| if n < 4 { Err(CallError::unavailable("down")) } else { Ok(9) })
        .await;
    assert_eq!((found.unwrap(), script.made().len()), (9, 4));
    let script = Script::default();
    let refuse = |_| Err(CallError::refused(Kind::Denied, "no rights"));
    let error = script.run(&caller(CallLimits::default()), refuse).await.unwrap_err();
    assert_eq!((error.kind(), script.made().len()), (Kind::Denied, 1));
}

#[tokio::test(start_paused = true)]
async fn the_last_failure_is_told_after_all_attempts_with_their_number() {
    let script = Script::default();
    let caller = caller(CallLimits { deadline: 600 * SECOND, ..CallLimits::default() });
    let error = script.run(&caller, |_| Err(CallError::throttled("slow down", None))).await.unwrap_err();
    assert_eq!((error.kind(), script.made().len()), (Kind::Throttled, 6));
    assert!(error.to_string().contains("attempts"), "{error}");
    assert_eq!(caller.calls(), Calls { calls: 1, attempts: 6, throttled: 6, concurrent: 1 });
}

#[tokio::test(start_paused = true)]
async fn waits_are_random_parts_of_a_growing_time_and_the_providers_word_is_kept() {
    let limits = CallLimits { deadline: 600 * SECOND, ..CallLimits::default() };
    let mut second = Vec::new();
    for _ in 0..200 {
        let script = Script::default();
        script.run(&caller(limits), |_| Err(CallError::unavailable("down"))).await.unwrap_err();
        let made = script.made();
        for (n, pair) in made.windows(2).enumerate() {
            let longest = 0.5 * f64::from(1 << n);
            assert!(pair[1] - pair[0] <= longest + 0.01, "{made:?}");
        }
        second.push(made[1]);
    }
    let mean = second.iter().sum::<f64>() / 200.0;
    assert!((0.2..0.3).contains(&mean), "the first waits are {mean} s on average; 0.25 is right");
    let script = Script::default();
    let give = |n| if n == 1 { Err(CallError::throttled("wait", Some(30 * SECOND))) } else { Ok(1) };
    script.run(&caller(limits), give).await.unwrap();
    assert!(script.made()[1] >= 30.0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_waited_for_that_lies_behind_the_deadline() {
    let script = Script::default();
    let start = Instant::now();
    let limits = CallLimits { deadline: 20 * SECOND, ..CallLimits::default() };
    let give = |_| Err(CallError::throttled("wait", Some(30 * SECOND)));
    let error = script.run(&caller(limits), give).await.unwrap_err();
    assert_eq!((error.kind(), start.elapsed()), (Kind::Throttled, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_given_up_and_made_again() {
    let caller = caller(CallLimits { attempt: 5 * SECOND, ..CallLimits::default() });
    let mut made = 0;
    let found = caller.call(Cost::default(), || {
        made += 1;
        let hangs = made < 3;
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(made)
        }
    });
    assert_eq!(found.await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_is_asked_a_few_times_however_many_calls_there_are() {
    let breaker = BreakerLimits { failures: 10, open_for: 10 * SECOND };
    let caller = caller(CallLimits { breaker, deadline: 60 * SECOND, ..CallLimits::default() });
    let calls = (0..1000).map(|_| {
        let caller = caller.clone();
        tokio::spawn(async move {
            caller.call(Cost::default(), || std::future::ready(Err::<(), _>(CallError::unavailable("down")))).await
        })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap_err().kind(), Kind::Unavailable);
    }
    let attempts = caller.calls().attempts;
    // Ten until it opens, a few that were under way, and one probe for every ten seconds of a minute.
    assert!((10..=24).contains(&attempts), "{attempts} attempts");
}

#[tokio::test(start_paused = true)]
async fn tokens_are_limited_as_well_as_requests() {
    for (requests, tokens, least) in [(Some(60), None, 110.0), (None, Some(6000), 110.0), (None, None, 0.0)] {
        let limits = CallLimits {
            requests_per_minute: requests,
            tokens_per_minute: tokens,
            deadline: 3600 * SECOND,
            ..CallLimits::default()
        };
        let (caller, start) = (caller(limits), Instant::now());
        let calls: Vec<_> = (0..120)
            .map(|_| {
                let caller = caller.clone();
                tokio::spawn(async move {
                    caller.call(Cost { tokens: 100 }, || std::future::ready(Ok::<_, CallError>(()))).await
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        let took = start.elapsed().as_secs_f64();
        assert!(took >= least && took <= least + 10.0, "{took} s with {requests:?}, {tokens:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_caller_ends_what_waits_and_makes_nothing_more() {
    let caller = caller(CallLimits::default());
    let waiting = {
        let caller = caller.clone();
        tokio::spawn(
            async move { caller.call(Cost::default(), std::future::pending::<std::result::Result<(), _>>).await },
        )
    };
    sleep(SECOND).await;
    caller.cancel();
    assert_eq!(waiting.await.unwrap().unwrap_err().kind(), Kind::Unavailable);
    let script = Script::default();
    script.run(&caller, |_| Ok(1)).await.unwrap_err();
    assert_eq!(script.made().len(), 0);
}

#[test]
fn a_limit_under_which_nothing_can_be_called_is_refused() {
    for limits in [
        CallLimits { max_attempts: 0, ..CallLimits::default() },
        CallLimits { tokens_per_minute: Some(0), ..CallLimits::default() },
        CallLimits { max_concurrent: 0, ..CallLimits::default() },
        CallLimits { attempt: Duration::ZERO, ..CallLimits::default() },
    ] {
        assert_eq!(Caller::new(limits).unwrap_err().kind(), Kind::Invalid);
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_who_wait_at_once_ask_a_failing_provider_hardly_more_often_than_once_each() {
    let often = |retries_per_call| async move {
        let breaker = BreakerLimits { failures: u32::MAX, ..BreakerLimits::default() };
        let limits = CallLimits { max_concurrent: 1000, retries_per_call, breaker, ..CallLimits::default() };
        let caller = caller(limits);
        let calls: Vec<_> = (0..1000)
            .map(|_| {
                let caller = caller.clone();
                tokio::spawn(async move {
                    let fail = || std::future::ready(Err::<(), _>(CallError::unavailable("down")));
                    caller.call_within(120 * SECOND, Cost::default(), fail).await.unwrap_err()
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
        caller.calls()
    };
    let Calls { calls, attempts, .. } = often(Some(0.09)).await;
    assert!(calls == 1000 && attempts > 1000 && attempts <= 1100, "{attempts} attempts of {calls} calls");
    assert!(often(None).await.attempts > 4000, "without the limit each asks again and again");
}

#[tokio::test(start_paused = true)]
async fn jobs_ask_again_however_many_wait() {
    let breaker = BreakerLimits { failures: u32::MAX, ..BreakerLimits::default() };
    let limits = CallLimits { retries_per_call: Some(0.0), breaker, deadline: 600 * SECOND, ..CallLimits::default() };
    let fail = || std::future::ready(Err::<(), _>(CallError::throttled("slow down", None)));
    let caller = caller(limits);
    for n in 1..=10 {
        caller.call(Cost::default(), fail).await.unwrap_err();
        caller.call_or_turn(Cost::default(), fail).await.unwrap_err();
        assert_eq!(caller.calls().attempts, n * 12);
    }
    // Ten were kept for those who wait.
    for _ in 0..10 {
        caller.call_within(600 * SECOND, Cost::default(), fail).await.unwrap_err();
    }
    assert_eq!(caller.calls().attempts, 120 + 20);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_slows_down_is_left_alone_comes_back_and_holds_up_nobody_else() {
    let limits = CallLimits { max_attempts: 1, max_concurrent: 4, ..CallLimits::default() };
    let (slow, sound) = (caller(limits), caller(limits));
    let ask = |caller: &Caller, time: Duration| {
        let caller = caller.clone();
        tokio::spawn(async move {
            let start = Instant::now();
            let answer = || async move {
                sleep(time).await;
                Ok(())
            };
            (caller.call_within(600 * SECOND, Cost::default(), answer).await, start.elapsed())
        })
    };
    let hurt: Vec<_> = (0..40).map(|_| ask(&slow, 60 * SECOND)).collect();
    let others: Vec<_> = (0..4).map(|_| ask(&sound, SECOND)).collect();
    for other in others {
        let (outcome, took) = other.await.unwrap();
        assert!(outcome.is_ok() && took == SECOND, "{took:?}");
    }
    let mut failed = Vec::new();
    for call in hurt {
        let (outcome, took) = call.await.unwrap();
        failed.push((outcome.unwrap_err().message().to_owned(), took));
    }
    let asked = slow.calls().attempts;
    // Three rounds of four, of which the tenth failure opens it; then nobody is asked and nobody waits for an answer.
    assert!(asked <= 12, "{asked} attempts");
    assert!(failed.iter().filter(|(message, _)| message.contains("left alone")).count() >= 28);
    assert!(failed.iter().all(|(_, took)| *took <= 90 * SECOND));
    let (left_alone, took) = ask(&slow, SECOND).await.unwrap();
    assert!(left_alone.is_err() && took == Duration::ZERO, "{took:?}");
    tokio::time::advance(10 * SECOND).await;
    for _ in 0..8 {
        let (outcome, took) = ask(&slow, SECOND).await.unwrap();
        assert!(outcome.is_ok() && took == SECOND, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_sent_says_nothing_of_the_provider() {
    let breaker = BreakerLimits { failures: 1, ..BreakerLimits::default() };
    let limits = CallLimits { max_attempts: 1, breaker, ..CallLimits::default() };
    let caller = caller(limits);
    let down = || std::future::ready(Err::<(), _>(CallError::unavailable("down")));
    caller.call(Cost::default(), down).await.unwrap_err();
    tokio::time::advance(10 * SECOND).await;
    let withheld = || std::future::ready(Err::<(), _>(CallError::withheld(Error::new(Kind::Conflict, "ask", "no"))));
    assert_eq!(caller.call(Cost::default(), withheld).await.unwrap_err().kind(), Kind::Conflict);
    // The provider was not asked, so the next call is the one that tries, and its failure leaves it alone again.
    caller.call(Cost::default(), down).await.unwrap_err();
    let (error, start) = (caller.call_within(SECOND * 60, Cost::default(), down).await.unwrap_err(), Instant::now());
    assert!(error.message().contains("left alone"), "{error}");
    // Whoever waits is told at once; a job waits for the provider to be asked again.
    assert_eq!(start.elapsed(), Duration::ZERO);
    let fine = || std::future::ready(Ok::<_, CallError>(()));
    caller.call(Cost::default(), fine).await.unwrap();
    assert!(start.elapsed() >= 10 * SECOND, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_begun_keeps_its_place_until_its_answer_is_over() {
    let caller = caller(CallLimits { max_concurrent: 1, ..CallLimits::default() });
    let fine = || std::future::ready(Ok::<_, CallError>(()));
    let ((), held) = caller.begin_within(SECOND, Cost::default(), fine).await.unwrap();
    assert!(caller.call_within(SECOND, Cost::default(), fine).await.is_err());
    drop(held);
    caller.call_within(SECOND, Cost::default(), fine).await.unwrap();
}
