//! Calls under the claim on a request id: what acts again when repeated is told to the store before it is sent.

use std::{sync::Arc, time::Duration};

use dinggate::{
    dingtalk::{Claimed, Context, Endpoint, Error},
    operation::{
        group::{CreateGroup, GetGroup, OwnerType},
        id::{ChatId, UserId},
    },
    store::{Claim, Outcomes, Owner, Store},
};

use super::Recorder;

const KEY: &str = "key";

fn create(members: &[UserId]) -> CreateGroup<'_> {
    CreateGroup {
        name: "Once",
        owner: "manager4220",
        owner_type: OwnerType::Emp,
        user_ids: members,
        union_ids: &[],
        icon: None,
        conversation_tag: 2,
        management_options: None,
    }
}

fn under(outcomes: &Arc<dyn Outcomes>, owner: Owner) -> Context {
    let claim = Claimed::new(outcomes.clone(), KEY.into(), owner);
    Context { claim: Some(claim), ..Recorder::context() }
}

/// What others find after a call whose maker was never heard of again.
async fn found_after<E: Endpoint>(endpoint: &E) -> Claim {
    let (recorder, outcomes) = (Recorder::start(E::SPEC.id, |_| {}).await, Store::memory().outcomes);
    let claim = async |lease| outcomes.claim(KEY, &[0; 32], lease).await.unwrap();
    let Claim::Mine(owner) = claim(Duration::from_secs(60)).await else { panic!("nobody else is there") };
    recorder.client.call(&under(&outcomes, owner), &recorder.app, endpoint).await.expect("sent");
    outcomes.renew(KEY, owner, Duration::ZERO).await.unwrap();
    claim(Duration::from_secs(60)).await
}

#[tokio::test]
async fn what_acts_again_when_repeated_is_in_doubt_once_it_is_sent() {
    assert_eq!(found_after(&create(&[UserId("manager4220".to_owned())])).await, Claim::InDoubt);
}

#[tokio::test]
async fn what_can_be_repeated_is_never_in_doubt() {
    let found = found_after(&GetGroup { chatid: &ChatId("chat1".to_owned()) }).await;
    assert!(matches!(found, Claim::Mine(_)), "{found:?}");
}

#[tokio::test]
async fn nothing_is_sent_under_a_claim_that_was_lost() {
    let (recorder, outcomes) =
        (Recorder::start(CreateGroup::SPEC.id, |_| {}).await, Store::memory().outcomes);
    let context = under(&outcomes, Owner(1));
    let members = [UserId("manager4220".to_owned())];
    let error = recorder.client.call(&context, &recorder.app, &create(&members)).await.unwrap_err();
    assert!(matches!(error, Error::ClaimLost), "{error}");
    assert_eq!(context.stats.upstream_calls(), 0);
    let seen = recorder.seen.lock().unwrap();
    assert!(seen.iter().all(|wire| wire.path.contains("oauth2")), "the token aside: {seen:?}");
}
