//! Tickets and the connections opened with them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rand::seq::IteratorRandom;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use uuid::Uuid;

use super::rules::Sharing;

/// What a connection is told to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Send this text.
    Send(String),
    /// Send this last text, and close when nothing has come for a while.
    Leave { text: String, close: Duration },
    /// Close without a word.
    Cut,
    /// Keep the connection open and send nothing more.
    Silence(Silence),
}

/// How silent a half-open connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// Not a byte comes any more.
    Dead,
    /// WebSocket pings are answered, and nothing else comes: as was seen of DingTalk.
    OnlyPongs,
}

#[derive(Debug, Default)]
pub(crate) struct Connections {
    tickets: HashMap<String, Ticket>,
    open: BTreeMap<u64, Connection>,
    opened: u64,
}

#[derive(Debug)]
struct Ticket {
    app_key: String,
    wants_events: bool,
    good_until: Instant,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) app_key: String,
    /// `connectionId` in the headers of frames.
    pub(crate) name: String,
    wants_events: bool,
    /// It was told that it is closed soon.
    leaving: bool,
    orders: UnboundedSender<Order>,
}

impl Connections {
    /// A ticket for one connection.
    pub(crate) fn issue(&mut self, app_key: &str, wants_events: bool, lifetime: Duration) -> String {
        let now = Instant::now();
        self.tickets.retain(|_, ticket| now < ticket.good_until);
        let name = Uuid::new_v4().to_string();
        let ticket = Ticket { app_key: app_key.to_owned(), wants_events, good_until: now + lifetime };
        self.tickets.insert(name.clone(), ticket);
        name
    }

    /// No ticket handed out so far is good any more.
    pub(crate) fn expire_tickets(&mut self) {
        self.tickets.clear();
    }

    /// Opens a connection: its number and its orders. `None` if the ticket is not good, or not any more.
    pub(crate) fn open(&mut self, ticket: &str) -> Option<(u64, UnboundedReceiver<Order>)> {
        let ticket = self.tickets.remove(ticket).filter(|ticket| Instant::now() < ticket.good_until)?;
        self.opened += 1;
        let (orders, receiver) = unbounded_channel();
        let connection = Connection {
            app_key: ticket.app_key,
            name: Uuid::new_v4().simple().to_string(),
            wants_events: ticket.wants_events,
            leaving: false,
            orders,
        };
        self.open.insert(self.opened, connection);
        Some((self.opened, receiver))
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Connection> {
        self.open.get(&number)
    }

    /// Cuts all connections, and no ticket is good any more.
    pub(crate) fn cut_all(&mut self) {
        self.tickets.clear();
        self.open.clear();
    }

    /// It is closed.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Connection> {
        self.open.remove(&number)
    }

    /// The open connections of an app.
    pub(crate) fn of<'a>(&'a self, app_key: &'a str) -> impl Iterator<Item = (u64, &'a Connection)> {
        let all = self.open.iter().map(|(number, connection)| (*number, connection));
        all.filter(move |(_, connection)| connection.app_key == app_key)
    }

    /// The one to push an event to.
    pub(crate) fn choose(&self, app_key: &str, sharing: Sharing) -> Option<&Connection> {
        let mut ready = self.open.values().filter(|connection| {
            connection.app_key == app_key && connection.wants_events && !connection.leaving
        });
        match sharing {
            Sharing::Shared => ready.choose(&mut rand::rng()),
            Sharing::NewestWins => ready.next_back(),
        }
    }

    /// Sends a last text to a connection that was not told to leave yet.
    pub(crate) fn leave(&mut self, number: u64, text: String, close: Duration) {
        if let Some(connection) = self.open.get_mut(&number).filter(|connection| !connection.leaving) {
            connection.leaving = true;
            connection.order(Order::Leave { text, close });
        }
    }
}

impl Connection {
    pub(crate) fn order(&self, order: Order) {
        // A connection that ends just now is removed in a moment.
        let _ = self.orders.send(order);
    }
}
