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
