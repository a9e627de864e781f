//! Wakes the run at an instant, to some tens of microseconds: tokio's own timers round up to a
//! millisecond, which would be in every latency.

#[cfg(any(test, not(target_os = "linux")))]
mod sleeper;
#[cfg(target_os = "linux")]
mod timerfd;

#[cfg(not(target_os = "linux"))]
pub(crate) use sleeper::Pacer;
#[cfg(target_os = "linux")]
pub(crate) use timerfd::Pacer;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    macro_rules! wakes_in_order {
        ($name:ident, $pacer:ty) => {
            #[test]
            fn $name() {
                let runtime = crate::run::runtime().unwrap();
                runtime.block_on(async {
                    let mut pacer = <$pacer>::new().unwrap();
                    let start = Instant::now();
                    // one that is given up for an earlier one, one that is past, one that is to come
                    let late = start + Duration::from_secs(60);
                    let given_up =
                        tokio::time::timeout(Duration::from_millis(5), pacer.wait(Some(late)));
                    assert!(given_up.await.is_err());
                    for at in [start, Instant::now() + Duration::from_millis(20)] {
                        // it may wake for the one before, as the run looks at its clock again
                        while Instant::now() < at {
                            pacer.wait(Some(at)).await.unwrap();
                        }
                        pacer.wait(Some(at)).await.unwrap();
                    }
                });
            }
        };
    }

    #[cfg(target_os = "linux")]
    wakes_in_order!(timer_wakes_in_order, timerfd::Pacer);
    wakes_in_order!(sleeper_wakes_in_order, sleeper::Pacer);
}
