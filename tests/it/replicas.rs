//! Two replicas of the gateway that share notices and facts: what one writes or learns, the other knows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use dinggate::{
    config::Config,
    dingtalk::{App, Client, Context},
    group::{
        Answer, Changes, Group, GroupRef, Groups, Kind, Member, NewGroup, Outcome, Request, Scenario, View,
    },
    metrics::Metrics,
    operation::id::UserId,
    store::{Facts, Notice, Notices, Store, Unavailable},
};
use dinggate_simulator::{Options, Simulator};
use tokio::{sync::mpsc, time::Instant, time::timeout};

use crate::support::{install_tls, sources};

/// A store in between: what is said and known, and how often it was asked.
#[derive(Debug, Default)]
struct Hub {
    subscribers: Mutex<Vec<(usize, mpsc::Sender<Notice>)>>,
    facts: Mutex<HashMap<String, Bytes>>,
    recalls: Mutex<usize>,
    said: Mutex<usize>,
    down: Mutex<bool>,
}

impl Hub {
    fn up(&self) -> Result<(), Unavailable> {
        if *self.down.lock().unwrap() { Err(Unavailable("stopped".to_owned())) } else { Ok(()) }
    }

    async fn say(&self, from: usize, notice: Notice) {
        let others = self.subscribers.lock().unwrap().clone();
        for (_, other) in others.iter().filter(|(replica, _)| *replica != from) {
            other.send(notice.clone()).await.unwrap();
        }
        *self.said.lock().unwrap() += 1;
    }
}

/// Until so much has been said, and heard by all.
async fn heard(hub: &Hub, count: usize) {
    let all = |hub: &Hub| {
        let heard = |(_, to): &(usize, mpsc::Sender<Notice>)| to.capacity() == to.max_capacity();
        *hub.said.lock().unwrap() == count && hub.subscribers.lock().unwrap().iter().all(heard)
    };
    let quiet = async {
        while !all(hub) {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), quiet).await.expect("everything is heard");
}

#[derive(Debug)]
struct Access(Arc<Hub>, usize);

#[async_trait]
impl Notices for Access {
    async fn publish(&self, notice: Bytes) -> Result<(), Unavailable> {
        self.0.up()?;
        self.0.say(self.1, Notice::Said(notice)).await;
        Ok(())
    }

    fn subscribe(&self) -> mpsc::Receiver<Notice> {
        let (sender, receiver) = mpsc::channel(16);
        self.0.subscribers.lock().unwrap().push((self.1, sender));
        receiver
    }
}

#[async_trait]
impl Facts for Access {
    async fn recall(&self, key: &str) -> Result<Option<Bytes>, Unavailable> {
        *self.0.recalls.lock().unwrap() += 1;
        self.0.up()?;
        Ok(self.0.facts.lock().unwrap().get(key).cloned())
    }

    async fn remember(&self, key: &str, fact: Bytes, _keep: Option<Duration>) -> Result<(), Unavailable> {
        self.0.up()?;
        self.0.facts.lock().unwrap().insert(key.to_owned(), fact);
        Ok(())
    }
}

/// A replica without its ports.
struct Replica {
    groups: Groups,
    app: App,
}

impl Replica {
    fn start(simulator: &Simulator, hub: &Arc<Hub>, number: usize) -> Self {
        install_tls();
        let loaded = sources(&simulator.url()).load().unwrap();
        let Config { dingtalk, token, limits, retry, breaker, .. } = &loaded.config;
        let budgets = Store::memory().budgets;
        let client = Client::new(dingtalk, token, limits, retry, breaker, budgets, Metrics::off()).unwrap();
        let access = || Arc::new(Access(hub.clone(), number));
        let groups = Groups::new(client, loaded.config.cache, access(), access());
        Self { groups, app: loaded.apps[0].clone() }
    }

    fn request(&self) -> Request {
        Request {
            context: Context::until(Instant::now() + Duration::from_secs(10)),
            app: self.app.clone(),
            request_id: None,
            validate_only: false,
        }
    }

    async fn create(&self, kind: Kind) -> GroupRef {
        let template_id = "tpl-demo".to_owned();
        let new = NewGroup {
            title: "Old".to_owned(),
            owner: Member::User(UserId("manager4220".to_owned())),
            members: Vec::new(),
            icon: None,
            settings: dinggate::group::Settings::default(),
            kind,
            scenario: (kind == Kind::Scenario).then_some(Scenario { template_id, admins: Vec::new() }),
        };
        match self.groups.create(&self.request(), new).await.unwrap() {
            Outcome::Done(created) => created.group.group_ref,
            Outcome::Planned(_) => panic!("not a plan"),
        }
    }

    async fn rename(&self, group: &GroupRef, title: &str) {
        let changes = Changes { title: Some(title.to_owned()), ..Changes::default() };
        self.groups.update(&self.request(), group, changes).await.unwrap();
    }

    async fn get(&self, group: &GroupRef) -> Answer<Group> {
        self.groups.get(&self.request(), group, View::Basic, None).await.unwrap()
    }

    /// Reads until the title is this.
    async fn sees(&self, group: &GroupRef, title: &str) {
        let seen = async {
            while self.get(group).await.value.title.as_deref() != Some(title) {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), seen).await.expect("the notice arrives");
    }
}

async fn two() -> (Simulator, Arc<Hub>, Replica, Replica) {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let hub = Arc::new(Hub::default());
    let (a, b) = (Replica::start(&simulator, &hub, 0), Replica::start(&simulator, &hub, 1));
    (simulator, hub, a, b)
}

/// What is remembered in the background.
async fn facts(hub: &Hub, count: usize) {
    let remembered = async {
        while hub.facts.lock().unwrap().len() < count {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), remembered).await.expect("the facts arrive");
}

#[tokio::test]
async fn a_write_through_one_is_seen_through_the_other() {
    let (_simulator, hub, a, b) = two().await;
    for (kind, said) in [(Kind::Internal, 1), (Kind::Scenario, 3)] {
        let group = a.create(kind).await;
        heard(&hub, said).await;
        b.sees(&group, "Old").await;
        assert!(b.get(&group).await.from_cache);
        a.rename(&group, "New").await;
        b.sees(&group, "New").await;
    }
}

#[tokio::test]
async fn a_gap_ends_everything() {
    let (simulator, hub, a, b) = two().await;
    let group = a.create(Kind::Internal).await;
    heard(&hub, 1).await;
    b.get(&group).await;
    *hub.down.lock().unwrap() = true;
    a.rename(&group, "New").await;
    assert_eq!(b.get(&group).await.value.title.as_deref(), Some("Old"), "nobody told it");
    hub.say(0, Notice::Gap).await;
    b.sees(&group, "New").await;
    let before = simulator.total_requests();
    assert!(b.get(&group).await.from_cache);
    assert_eq!(simulator.total_requests(), before);
}

#[tokio::test]
async fn what_is_not_understood_ends_everything_too() {
    let (_simulator, hub, a, b) = two().await;
    let group = a.create(Kind::Internal).await;
    heard(&hub, 1).await;
    b.get(&group).await;
    assert!(b.get(&group).await.from_cache);
    hub.say(0, Notice::Said(Bytes::from_static(b"in another language"))).await;
    heard(&hub, 2).await;
    assert!(!b.get(&group).await.from_cache);
}

#[tokio::test]
async fn ids_that_one_has_learned_cost_the_other_nothing() {
    let (simulator, hub, a, b) = two().await;
    let group = a.create(Kind::Internal).await;
    facts(&hub, 2).await;
    let by_open_id = GroupRef { chat_id: None, ..group.clone() };
    assert_eq!(b.get(&by_open_id).await.value.group_ref, group, "DingTalk could not have told");

    let c = Replica::start(&simulator, &hub, 2);
    let by_chat_id = GroupRef { open_conversation_id: None, kind: None, ..group.clone() };
    let resolved = c.groups.resolve(&c.request(), &by_chat_id).await.unwrap();
    assert_eq!(resolved.open_conversation_id, group.open_conversation_id);
    assert_eq!(simulator.requests("group.chatid.to_open_conversation_id"), 0);
}

#[tokio::test]
async fn what_is_in_memory_is_not_asked_of_the_store() {
    let (_simulator, hub, a, b) = two().await;
    let group = a.create(Kind::Internal).await;
    facts(&hub, 2).await;
    heard(&hub, 1).await;
    let by_open_id = GroupRef { chat_id: None, ..group };
    b.get(&by_open_id).await;
    let asked = *hub.recalls.lock().unwrap();
    for _ in 0..10 {
        assert!(b.get(&by_open_id).await.from_cache);
    }
    assert_eq!(*hub.recalls.lock().unwrap(), asked);
}

#[tokio::test]
async fn a_store_that_is_away_is_no_error() {
    let (_simulator, hub, a, b) = two().await;
    *hub.down.lock().unwrap() = true;
    let group = a.create(Kind::Scenario).await;
    a.rename(&group, "New").await;
    assert_eq!(a.get(&group).await.value.title.as_deref(), Some("New"));
    let by_chat_id = GroupRef { open_conversation_id: None, ..group.clone() };
    assert_eq!(b.get(&by_chat_id).await.value.group_ref, group, "DingTalk was asked");
}

#[tokio::test]
async fn a_group_that_one_has_just_created_is_waited_for_by_the_other() {
    let (simulator, hub, a, b) = two().await;
    simulator.set_create_lag(Duration::from_millis(900));
    let group = a.create(Kind::Scenario).await;
    facts(&hub, 3).await;
    assert_eq!(b.get(&group).await.value.title.as_deref(), Some("Old"));
    assert!(simulator.requests("scene.get_brief") > 1, "it was refused at first");
}
