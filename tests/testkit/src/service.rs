//! The server, as a client sees it.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use kube::client::Body;
use serde_json::Value;
use tokio::time::sleep;
use tower::Service;

use crate::discovery::discover;
use crate::log::Recorded;
use crate::read;
use crate::request::{Request, Verb};
use crate::resources::ResourceType;
use crate::rules::Fault;
use crate::server::{ApiServer, State};
use crate::status::Refusal;
use crate::store::Key;
use crate::watch::Watch;
use crate::write::write;

/// Body of an answer.
pub type AnswerBody = UnsyncBoxBody<Bytes, io::Error>;

/// What a request comes to.
enum Answer {
    Object(u16, Value),
    Watch(Box<Watch>),
}

impl Service<http::Request<Body>> for ApiServer {
    type Response = Response<AnswerBody>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let server = self.clone();
        async move { server.answer(request).await }.boxed()
    }
}

impl ApiServer {
    async fn answer(&self, request: http::Request<Body>) -> io::Result<Response<AnswerBody>> {
        let in_flight = self.shared.enter();
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.map_err(io::Error::other)?;
        let request = Request::read(&parts, &body);
        let (index, recorded) = self.record(&request);
        let hooks = self.shared.state().rules.take_hooks(&recorded);
        for hook in hooks {
            hook(self, &recorded);
        }
        let fault = self.shared.state().rules.take_fault(&recorded);
        let result = match &fault {
            Some(Fault::Status(failure)) => Err(failure.clone().into()),
            Some(Fault::ConnectionReset) => return Err(reset()),
            Some(Fault::Hang) => {
                drop(in_flight);
                return pending().await;
            }
            Some(Fault::Delay(time)) => {
                sleep(*time).await;
                self.shared.state().process(parts.uri.path(), &request)
            }
            Some(Fault::AnswerLost) | None => {
                self.shared.state().process(parts.uri.path(), &request)
            }
        };
        if matches!(fault, Some(Fault::AnswerLost)) {
            return Err(reset());
        }
        let mut response = self.respond(&request, result);
        let ahead = self.shared.state().clock_ahead;
        if let Some(ahead) = ahead {
            let date = date(Timestamp::now() + ahead)?;
            response.headers_mut().insert(DATE, date);
        }
        self.shared
            .state()
            .answered(index, response.status().as_u16());
        Ok(response)
    }

    fn record(&self, request: &Request) -> (usize, Recorded) {
        let mut state = self.shared.state();
        let kind = state
            .served(request)
            .map(|resource| resource.api.kind.clone());
        let recorded = Recorded::new(request, kind.as_deref());
        state.log.push(recorded.clone());
        (state.forgotten + state.log.len() - 1, recorded)
    }

    fn respond(&self, request: &Request, result: Result<Answer, Refusal>) -> Response<AnswerBody> {
        match result {
            Ok(Answer::Object(code, object)) => json(code, &object),
            Ok(Answer::Watch(watch)) => {
                let lines = watch.lines(self.shared.clone());
                let body = StreamBody::new(lines.map_ok(http_body::Frame::data));
                typed(
                    "application/json",
                    Response::new(BodyExt::boxed_unsync(body)),
                )
            }
            Err(Refusal::NotServed) => {
                let mut response = Response::new(whole("404 page not found\n"));
                *response.status_mut() = StatusCode::NOT_FOUND;
                typed("text/plain; charset=utf-8", response)
            }
            Err(Refusal::Status(failure)) => {
                let state = self.shared.state();
                let resource = state.served(request);
                let about = resource.map(|resource| (resource, request.object_name()));
                let mut response = json(failure.code, &failure.status(about));
                if let Some(seconds) = failure.retry_after {
                    response.headers_mut().insert(RETRY_AFTER, seconds.into());
                }
                response
            }
        }
    }
}

impl State {
    fn answered(&mut self, index: usize, code: u16) {
        let index = index.checked_sub(self.forgotten);
        if let Some(recorded) = index.and_then(|index| self.log.get_mut(index)) {
            recorded.code = Some(code);
        }
    }

    fn served(&self, request: &Request) -> Option<&ResourceType> {
        self.resources.iter().find(|resource| {
            let api = &resource.api;
            resource.served
                && api.group == request.group
                && api.version == request.version
                && api.plural == request.plural
        })
    }

    fn process(&mut self, path: &str, request: &Request) -> Result<Answer, Refusal> {
        if request.verb == Verb::Discover {
            return discover(path, request, &self.resources)
                .map(|found| Answer::Object(200, found));
        }
        let resource = self.served(request).ok_or(Refusal::NotServed)?.clone();
        let object = match request.verb {
            Verb::Get => read::get(request, &resource, &self.store)?,
            Verb::List => read::list(request, &resource, &self.store)?,
            Verb::Watch => {
                let watch = Watch::begin(request, &resource, &self.store)?;
                return Ok(Answer::Watch(Box::new(watch)));
            }
            _ => return self.write(request, &resource),
        };
        Ok(Answer::Object(200, object))
    }

    fn write(&mut self, request: &Request, resource: &ResourceType) -> Result<Answer, Refusal> {
        let key = Key::new(resource, &request.namespace, &request.name);
        let is_new = self.store.get(&key).is_none();
        let written = write(request, resource, &mut self.store, &self.rules)?;
        let code = match request.verb {
            Verb::Create => 201,
            Verb::Apply if is_new => 201,
            _ => 200,
        };
        Ok(Answer::Object(code, read::shown(request, &written)))
    }
}

fn reset() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by peer")
}

fn json(code: u16, object: &Value) -> Response<AnswerBody> {
    let mut response = Response::new(whole(object.to_string()));
    *response.status_mut() =
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    typed("application/json", response)
}

fn date(now: Timestamp) -> io::Result<HeaderValue> {
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    HeaderValue::try_from(date.map_err(io::Error::other)?).map_err(io::Error::other)
}

fn typed(media_type: &'static str, mut response: Response<AnswerBody>) -> Response<AnswerBody> {
    let value = HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, value);
    response
}

fn whole(content: impl Into<Bytes>) -> AnswerBody {
    let body = Full::new(content.into());
    body.map_err(|never: Infallible| match never {})
        .boxed_unsync()
}
