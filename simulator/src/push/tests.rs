//! What only happens when things coincide: time, connections and acknowledgements are made to here.

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::quotas::Quotas;

const APP: &str = "app";

struct Bench {
    pushes: Pushes,
    gate: Gate,
    now: Moment,
}

impl Bench {
    /// Redelivery comes after a second, twice.
    fn new(offline: Offline) -> Bench {
        let mut pushes = Pushes::new(unbounded_channel().0);
        pushes.set_rules(PushRules { redelivery_ms: vec![1000; 2], offline, ..PushRules::default() });
        let now = Moment { instant: Instant::now(), unix: Duration::ZERO };
        Bench { pushes, gate: Gate::new(Quotas::default()), now }
    }

    fn connect(&mut self) -> (u64, UnboundedReceiver<Order>) {
        let ticket = self.pushes.register(APP, true);
        let opened = self.pushes.open(&ticket, self.now).unwrap();
        for number in self.pushes.awaited(opened.0) {
            self.pushes.attempt(number, &mut self.gate, self.now);
        }
        opened
    }

    fn push(&mut self) {
        let event = Event::new(APP, ("corp", "unified"), "chat_quit", 0);
        self.pushes.push(event, &mut self.gate, self.now);
    }

    fn a_second_passes(&mut self) {
        self.now.instant += Duration::from_secs(1);
        self.pushes.run_due(&mut self.gate, self.now);
    }

    fn acknowledge(&mut self, connection: u64, frame: &Value) {
        let ack = json!({"code": 200, "headers": {"messageId": frame["headers"]["messageId"]}, "data": "{}"});
        self.pushes.heard(connection, &ack.to_string());
    }
}

fn frame(orders: &mut UnboundedReceiver<Order>) -> Option<Value> {
    match orders.try_recv() {
        Ok(Order::Send(text)) => Some(serde_json::from_str(&text).unwrap()),
        Ok(order) => panic!("{order:?}"),
        Err(_) => None,
    }
}

#[tokio::test]
async fn what_is_acknowledged_while_its_repeat_is_held_back_does_not_come_again() {
    let mut bench = Bench::new(Offline::Retry);
    let (connection, mut orders) = bench.connect();
    bench.push();
    let pushed = frame(&mut orders).unwrap();
    bench.pushes.hold();
    bench.a_second_passes();
    assert_eq!(frame(&mut orders), None, "held back");
    bench.acknowledge(connection, &pushed);
    let Bench { pushes, gate, now } = &mut bench;
    pushes.release(false, gate, *now);
    assert_eq!(frame(&mut orders), None);
    assert_eq!((bench.pushes.counters(APP).acked, bench.pushes.events(APP)[0].state), (1, State::Acked));
}

#[tokio::test]
async fn what_is_kept_comes_with_the_next_connection_even_if_it_was_pushed_before() {
    let mut bench = Bench::new(Offline::Keep);
    let (connection, mut orders) = bench.connect();
    bench.push();
    frame(&mut orders).unwrap();
    bench.pushes.closed(connection);
    bench.push();
    bench.a_second_passes();
    bench.a_second_passes();
    let (_, mut orders) = bench.connect();
    assert!(frame(&mut orders).is_some() && frame(&mut orders).is_some() && frame(&mut orders).is_none());
    assert_eq!(bench.pushes.counters(APP).lost, 0);
}

#[tokio::test]
async fn an_event_without_a_connection_uses_up_its_attempts_unless_it_is_kept() {
    for (offline, lost_after) in [(Offline::Retry, Some(3)), (Offline::Drop, Some(0)), (Offline::Keep, None)]
    {
        let mut bench = Bench::new(offline);
        bench.push();
        let mut seconds = 0;
        while bench.pushes.counters(APP).lost == 0 && seconds < 5 {
            seconds += 1;
            // The last acknowledgement is waited for longer.
            bench.now.instant += Duration::from_secs(2);
            bench.a_second_passes();
        }
        let lost = (bench.pushes.counters(APP).lost == 1).then_some(seconds);
        assert_eq!(lost, lost_after, "{offline:?}");
    }
}
