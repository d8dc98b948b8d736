//! A watcher as the body of an RPC.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_stream::Stream;
use tonic::Status;

use super::{encode, status};
use crate::{
    event::{Item, Watcher},
    group::Groups,
};

/// What an RPC answers, item by item. It ends with an error, because the caller ends it or the gateway has to.
#[derive(Debug)]
pub(super) struct Watch {
    app: Arc<str>,
    watcher: Watcher,
    groups: Groups,
    deadline: Pin<Box<Sleep>>,
    /// It has told why it ends.
    over: bool,
}

impl Watch {
    pub(super) fn new(app: Arc<str>, watcher: Watcher, groups: Groups, deadline: Instant) -> Self {
        Self { app, watcher, groups, deadline: Box::pin(sleep_until(deadline)), over: false }
    }

    fn end(&mut self, status: Status) -> Option<Result<Bytes, Status>> {
        self.over = true;
        Some(Err(status))
    }
}

impl Stream for Watch {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let watch = &mut *self;
        if watch.over {
            return Poll::Ready(None);
        }
        let Poll::Ready(item) = Pin::new(&mut watch.watcher).poll_next(cx) else {
            ready!(watch.deadline.as_mut().poll(cx));
            let late = status::events::late(&watch.app, watch.watcher.cursor());
            return Poll::Ready(watch.end(late));
        };
        Poll::Ready(match item {
            Some(Item::Record(logged)) => {
                Some(Ok(logged.view(|logged| encode::item(&watch.app, &watch.groups, logged))))
            }
            Some(Item::Checkpoint(cursor)) => Some(Ok(encode::checkpoint(&watch.app, cursor))),
            Some(Item::Ended(why, cursor)) => watch.end(status::events::ended(&watch.app, &why, cursor)),
            None => None,
        })
    }
}
