//! How much is kept.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_bounded() {
    let upstream = Upstream::with(CacheConfig { max_size: ByteSize::kib(64), ..config() });
    let request = request(9000 * SECOND);
    for number in 0..500 {
        let read = Read::Ordinary(ChatId(format!("chat{number}")));
        upstream.ask(&request, &read, None).await.unwrap();
    }
    let shelves = &upstream.cache.0.shelves;
    shelves.run_pending_tasks();
    assert!(shelves.weighted_size() <= 64 * 1024, "{}", shelves.weighted_size());
    assert!(shelves.entry_count() > 10, "{}", shelves.entry_count());
    for code in 0..100 {
        let robot = Read::Robot(OpenConversationId("cid1".to_owned()), code.to_string());
        upstream.ask(&request, &robot, None).await.unwrap();
    }
    let shelf = shelves.get(&("demo".to_owned(), "cid1".to_owned()));
    assert!(shelf.is_none_or(|shelf| shelf.len() <= SHELF));
}

#[test]
fn texts_have_weight() {
    let mut reply = Reply::default();
    let empty = reply.size();
    let people = (0..1000).map(|i| crate::group::Member::User(crate::operation::id::UserId(i.to_string())));
    reply.roster.members = people.collect();
    assert!(reply.size() > empty + 1000 * 24);
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_is_off_keeps_nothing() {
    for off in
        [CacheConfig { enabled: false, ..config() }, CacheConfig { max_size: ByteSize::b(0), ..config() }]
    {
        let upstream = Upstream::with(off);
        assert_eq!(upstream.read(None).await, (1, false));
        assert_eq!(upstream.read(None).await, (2, false));
    }
}
