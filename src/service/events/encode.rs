//! What is in the log, as messages.

use std::time::SystemTime;

use bytes::Bytes;
use prost::Message;
use prost_types::Timestamp;

use super::convert;
use crate::{
    event::{Cause, Change, Cursor, Event, Gap, Logged, Record},
    group::{Groups, Member},
    pb::group::{self as pb, group_event, watch_group_events_response::Item},
};

/// An item of a stream, in the bytes that all streams share.
pub(super) fn item(app: &str, groups: &Groups, logged: &Logged) -> Bytes {
    let item = match &logged.record {
        Record::Event(it) => Item::Event(event(app, groups, it, logged.received)),
        Record::Gap(it) => Item::Gap(gap(it)),
    };
    response(item, app, logged.cursor)
}

/// A sign of life.
pub(super) fn checkpoint(app: &str, cursor: Cursor) -> Bytes {
    let time = Some(Timestamp::from(SystemTime::now()));
    response(Item::Checkpoint(pb::Checkpoint { time }), app, cursor)
}

fn response(item: Item, app: &str, cursor: Cursor) -> Bytes {
    let resume_token = cursor.token(app);
    pb::WatchGroupEventsResponse { item: Some(item), resume_token }.encode_to_vec().into()
}

/// An event, its group with the fullest handle known here.
pub(super) fn event(app: &str, groups: &Groups, event: &Event, received: u64) -> pb::GroupEvent {
    pb::GroupEvent {
        event_id: event.id.clone(),
        app: app.to_owned(),
        group: Some(convert::group_ref_to_pb(groups.fullest(app, &event.group))),
        operator: event.operator.clone().map(convert::member_to_pb),
        event_time: (event.happened > 0).then(|| time(event.happened)),
        receive_time: Some(time(received)),
        change: Some(change(event)),
    }
}

fn change(event: &Event) -> group_event::Change {
    use group_event::Change as To;
    let members = |members: &[Member]| members.iter().cloned().map(convert::member_to_pb).collect();
    let member = |member: &Option<Member>| member.clone().map(convert::member_to_pb);
    match &event.change {
        Change::MembersAdded(people) => To::MembersAdded(pb::MembersAdded { members: members(people) }),
        Change::MembersRemoved(people) => To::MembersRemoved(pb::MembersRemoved { members: members(people) }),
        Change::MemberQuit(who) => To::MemberQuit(pb::MemberQuit { member: member(who) }),
        Change::OwnerChanged(who) => To::OwnerChanged(pb::OwnerChanged { owner: member(who) }),
        Change::TitleChanged(title) => To::TitleChanged(pb::TitleChanged { title: title.clone() }),
        Change::GroupDisbanded => To::GroupDisbanded(pb::GroupDisbanded {}),
        Change::Other(json) => {
            To::Other(pb::OtherChange { type_name: event.type_name.clone(), json: json.clone() })
        }
    }
}

pub(super) fn gap(gap: &Gap) -> pb::Gap {
    let cause = match gap.cause {
        Cause::Reconnected => pb::GapCause::Reconnected,
        Cause::OwnerChanged => pb::GapCause::OwnerChanged,
        Cause::PushQuotaExhausted => pb::GapCause::PushQuotaExhausted,
        Cause::LogLost => pb::GapCause::LogLost,
    };
    pb::Gap { start_time: Some(time(gap.from)), end_time: Some(time(gap.to)), cause: cause.into() }
}

/// The contract's times end with the year 9999.
fn time(millis: u64) -> Timestamp {
    const END: u64 = 253_402_300_800;
    let seconds = i64::try_from((millis / 1000).min(END - 1)).expect("it is small");
    let nanos = i32::try_from(millis % 1000 * 1_000_000).expect("it is small");
    Timestamp { seconds, nanos }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_contract() {
        assert_eq!(time(1_760_000_000_123), Timestamp { seconds: 1_760_000_000, nanos: 123_000_000 });
        assert_eq!(time(u64::MAX).seconds, 253_402_300_799);
    }
}
