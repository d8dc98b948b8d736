//! What is sent again and what is not, counted at DingTalk, and what is left alone for a while.

use std::time::Duration;

use dinggate::pb::group as pb;
use dinggate_simulator::Fault;
use tonic::Code;
use tonic_types::StatusExt;

use crate::support::{Gateway, metadata, new_group, reason, user};

/// A gateway whose pauses are short.
async fn brisk() -> Gateway {
    Gateway::start_with(|sources| sources.with("retry.base", "1ms").with("cache.enabled", false)).await
}

fn read(group: &pb::Group) -> pb::GetGroupRequest {
    pb::GetGroupRequest { group: group.r#ref.clone(), ..Default::default() }
}

fn error(status: u16, code: &str) -> Fault {
    Fault::Error {
        status, code: code.to_owned(), sub_code: None, message: "文字".to_owned(), applied: false
    }
}

/// What passes.
fn passing() -> Vec<Fault> {
    vec![
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Truncate,
        Fault::Html { status: 502, applied: false },
        Fault::Empty { status: 503, applied: false },
        error(200, "-1"),
        error(500, "made.up"),
    ]
}

#[tokio::test]
async fn a_read_survives_what_passes() {
    let gateway = brisk().await;
    let group = gateway.group().await;
    for (before, fault) in (0..).zip(passing()) {
        let name = fault.kind();
        gateway.simulator.fail_next("group.get_legacy", 1, fault);
        gateway.groups.clone().get_group(read(&group)).await.expect(name);
        assert_eq!(gateway.simulator.requests("group.get_legacy"), 2 * (before + 1), "{name}");
    }
}

#[tokio::test]
async fn a_read_is_given_up_after_four_attempts() {
    for fault in passing() {
        let gateway = brisk().await;
        let group = gateway.group().await;
        gateway.simulator.fail_next("group.get_legacy", 9, fault.clone());
        let status = gateway.groups.clone().get_group(read(&group)).await.unwrap_err();
        assert!(!reason(&status).is_empty());
        assert_eq!(gateway.simulator.requests("group.get_legacy"), 4, "{}", fault.kind());
        assert_eq!(status.metadata().get("x-dinggate-upstream-calls").unwrap(), "4");
    }
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let gateway = brisk().await;
    let group = gateway.group().await;
    for (before, code) in (0..).zip(["400013", "60011", "90020"]) {
        gateway.simulator.fail_next("group.get_legacy", 1, error(200, code));
        gateway.groups.clone().get_group(read(&group)).await.unwrap_err();
        assert_eq!(gateway.simulator.requests("group.get_legacy"), before + 1, "{code}");
    }
}

#[tokio::test]
async fn a_create_that_was_throttled_is_sent_again_when_dingtalk_takes_it() {
    let gateway = brisk().await;
    gateway.simulator.fail_next("group.create", 1, Fault::Throttle);
    let begun = tokio::time::Instant::now();
    gateway.create(new_group("Throttled")).await;
    assert!(begun.elapsed() >= Duration::from_secs(1), "the pause that a throttle asks for");
    assert_eq!((gateway.simulator.requests("group.create"), gateway.simulator.groups().len()), (2, 1));
}

#[tokio::test]
async fn a_scenario_group_whose_answer_is_lost_is_asked_for_again_by_its_key() {
    let gateway = brisk().await;
    gateway.simulator.fail_next("scene.create", 2, Fault::DropAfter);
    gateway.scene().await;
    assert_eq!((gateway.simulator.requests("scene.create"), gateway.simulator.groups().len()), (3, 1));
}

#[tokio::test]
async fn the_refusal_of_a_repeat_does_not_hide_what_the_first_attempt_did() {
    let gateway = brisk().await;
    let group = gateway.scene().await;
    gateway.simulator.fail_next("scene.members.remove", 1, Fault::DropAfter);
    gateway.simulator.fail_next("scene.members.remove", 1, error(400, "userNotInGroup"));
    let members = vec![user("user001")];
    let request = pb::RemoveMembersRequest { group, members, ..Default::default() };
    let reply = gateway.members.clone().remove_members(request).await.unwrap().into_inner();
    assert_eq!(gateway.simulator.requests("scene.members.remove"), 2);
    assert!(!reply.complete);
    assert_eq!(
        reply.member_results[0].outcome(),
        pb::MemberOutcome::Unknown,
        "it is not said to have failed"
    );
}

#[tokio::test]
async fn a_deletion_that_may_have_happened_is_not_said_to_have_come_too_late() {
    let gateway = brisk().await;
    let request = pb::DeleteGroupRequest { group: gateway.scene().await, ..Default::default() };
    gateway.simulator.fail_next("scene.disband", 1, Fault::DropAfter);
    gateway.simulator.fail_next("scene.disband", 1, error(400, "group.diaband"));
    let status = gateway.groups.clone().delete_group(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unknown, "OUTCOME_UNKNOWN"));
    assert_eq!(metadata(&status, "upstream_code"), "group.diaband");
    assert_eq!(gateway.simulator.requests("scene.disband"), 2);
}

#[tokio::test]
async fn an_outage_is_not_answered_with_a_multiple_of_the_calls() {
    let gateway =
        Gateway::start_with(|sources| sources.with("retry.base", "1ms").with("breaker.failures", 1_000_000))
            .await;
    let group = gateway.group().await;
    gateway.simulator.fail_next("group.get_legacy", 10_000, Fault::Empty { status: 503, applied: false });
    let calls = 200;
    for _ in 0..calls {
        gateway.groups.clone().get_group(read(&group)).await.unwrap_err();
    }
    let sent = gateway.simulator.requests("group.get_legacy");
    assert!((calls..=calls + 10 + calls / 10).contains(&sent), "{sent} requests");
    assert!(sent > calls + 10, "the budget is filled by calls: {sent} requests");
}

#[tokio::test]
async fn an_operation_that_keeps_failing_is_left_alone_and_found_again_by_one_probe() {
    let gateway = Gateway::start_with(|sources| {
        let sources =
            sources.with("cache.enabled", false).with("retry.max_attempts", 1).with("breaker.failures", 3);
        sources.with("breaker.open", "300ms")
    })
    .await;
    let group = gateway.group().await;
    gateway.simulator.fail_next("group.get_legacy", 3, Fault::DropBefore);
    for _ in 0..3 {
        gateway.groups.clone().get_group(read(&group)).await.unwrap_err();
    }
    let status = gateway.groups.clone().get_group(read(&group)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "CIRCUIT_OPEN"));
    assert_eq!(metadata(&status, "operation"), "group.get_legacy");
    let wait = status.get_details_retry_info().and_then(|info| info.retry_delay).expect("RetryInfo");
    assert!(wait <= Duration::from_millis(300));
    assert_eq!(gateway.simulator.requests("group.get_legacy"), 3, "DingTalk was not asked");
    gateway.group().await;

    // The probe takes a while, and everybody else is refused as long as it does.
    gateway.simulator.fail_next("group.get_legacy", 1, Fault::Delay { ms: 500 });
    let probe = loop {
        let (mut groups, request) = (gateway.groups.clone(), read(&group));
        let call = tokio::spawn(async move { groups.get_group(request).await });
        while !call.is_finished() && gateway.simulator.requests("group.get_legacy") == 3 {
            tokio::task::yield_now().await;
        }
        if gateway.simulator.requests("group.get_legacy") == 4 {
            break call;
        }
    };
    for _ in 0..5 {
        let status = gateway.groups.clone().get_group(read(&group)).await.unwrap_err();
        assert_eq!(reason(&status), "CIRCUIT_OPEN");
    }
    assert_eq!(gateway.simulator.requests("group.get_legacy"), 4);
    probe.await.unwrap().expect("it works again");
    gateway.groups.clone().get_group(read(&group)).await.expect("for everybody");
}
