use sbt_client::Limits;
use sbt_schemas::RequestStatus;

use crate::mock::{Mock, Step, head, token};
use crate::support::run_one;

#[test]
fn cut_is_told_from_reset() {
    for (end, status) in [
        (Step::Close, RequestStatus::StreamCut),
        (Step::Reset, RequestStatus::ConnReset),
    ] {
        let mock = Mock::always(vec![head(), token("a"), Step::PauseMs(20), end]);
        let seen = run_one(&mock.target(), &Limits::default());
        assert_eq!(seen.status, status, "{seen:?}");
        assert_eq!(seen.events.len(), 1);
    }
}
