//! Which service answers a request.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fmt,
    future::ready,
    sync::Arc,
    task::{Context, Poll},
};

use ::http::{Request, Response};
use tonic::{Status, body::Body, codegen::BoxFuture, server::NamedService};
use tower::Service;

type Answer = BoxFuture<Response<Body>, Infallible>;

/// The services by name. Tonic's own router is one for HTTP: it reads patterns out of paths, and wraps each answer
/// several times. A gRPC path is a name and a method.
#[derive(Clone, Default)]
pub(super) struct Services(Arc<BTreeMap<&'static str, Box<dyn Serve>>>);

/// A service whose clones are at hand.
trait Serve: Send + Sync {
    fn serve(&self, request: Request<Body>) -> Answer;
}

impl<S> Serve for S
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answer>,
    S: Clone + Send + Sync,
{
    /// What tonic generates is always ready.
    fn serve(&self, request: Request<Body>) -> Answer {
        self.clone().call(request)
    }
}

impl Services {
    /// And this one.
    pub(super) fn with<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answer>,
        S: NamedService + Clone + Send + Sync + 'static,
    {
        let services = Arc::get_mut(&mut self.0).expect("services are put together before they are shared");
        services.insert(S::NAME, Box::new(service));
        self
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Service<Request<Body>> for Services {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        let path = request.uri().path();
        let name = path.strip_prefix('/').and_then(|path| path.split_once('/')).map(|(name, _)| name);
        match name.and_then(|name| self.0.get(name)) {
            Some(service) => service.serve(request),
            None => Box::pin(ready(Ok(Status::unimplemented("").into_http()))),
        }
    }
}
