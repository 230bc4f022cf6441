//! async-graphql on axum, as its book has it: a tokio broadcast channel behind a subscription.
//!
//! One channel for each source, so that an event wakes nobody whom it does not concern.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_graphql::{Context, EmptyMutation, Enum, InputObject, Object, Schema, SimpleObject, Subscription, ID};
use async_graphql_axum::GraphQLSubscription;
use axum::{extract::State, http::StatusCode, routing::post, serve::ListenerExt, Json, Router};
use chrono::{SecondsFormat, Utc};
use futures_util::stream::{select_all, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::{channel, Sender};
use tokio_stream::wrappers::BroadcastStream;
use uuid::Uuid;

/// Events that a subscriber may be behind before it loses some.
const CAPACITY: usize = 1024;

#[derive(Enum, Deserialize, Copy, Clone, Eq, PartialEq)]
enum Severity {
    P0,
    P1,
    P2,
    P3,
    P4,
}

#[derive(Enum, Copy, Clone, Eq, PartialEq)]
enum IncidentState {
    New,
    Resolved,
}

#[derive(SimpleObject)]
struct Incident {
    id: ID,
    title: String,
    description: String,
    severity: Severity,
    state: IncidentState,
    source: String,
    created_at: String,
    cursor: String,
}

#[derive(InputObject)]
struct StreamFilterInput {
    sources: Vec<String>,
}

struct Query;

#[Object]
impl Query {
    async fn ok(&self) -> bool {
        true
    }
}

struct Registry {
    epoch: String,
    offset: u64,
    topics: HashMap<String, Sender<Arc<Incident>>>,
}

impl Registry {
    fn topic(&mut self, source: &str) -> &Sender<Arc<Incident>> {
        self.topics.entry(source.to_owned()).or_insert_with(|| channel(CAPACITY).0)
    }
}

type Shared = Arc<Mutex<Registry>>;

struct Subscriptions;

#[Subscription]
impl Subscriptions {
    async fn new_incidents(&self, ctx: &Context<'_>, filter: StreamFilterInput) -> impl Stream<Item = Arc<Incident>> {
        let mut registry = ctx.data_unchecked::<Shared>().lock().unwrap();
        let streams: Vec<_> = filter
            .sources
            .iter()
            .map(|source| BroadcastStream::new(registry.topic(source).subscribe()))
            .collect();
        select_all(streams).filter_map(|event| async move { event.ok() })
    }
}

#[derive(Deserialize)]
struct Alert {
    source: String,
    title: String,
    description: String,
    severity: Severity,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Batch { alerts: Vec<Alert> },
    One(Alert),
}

#[derive(Serialize)]
struct Ack {
    incident_id: String,
    status: &'static str,
    received_at: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Batch { acks: Vec<Ack> },
    One(Ack),
}

fn accept(registry: &mut Registry, alert: Alert) -> Ack {
    registry.offset += 1;
    let id = Uuid::now_v7().to_string();
    let created_at = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    let ack = Ack { incident_id: id.clone(), status: "ACCEPTED", received_at: created_at.clone() };
    let cursor = format!("{}:{}", registry.epoch, registry.offset);
    let incident = Incident {
        id: ID(id),
        title: alert.title,
        description: alert.description,
        severity: alert.severity,
        state: IncidentState::New,
        source: alert.source,
        created_at,
        cursor,
    };
    let topic = registry.topic(&incident.source).clone();
    // An error says that nobody is subscribed.
    let _ = topic.send(Arc::new(incident));
    ack
}

async fn alerts(State(shared): State<Shared>, Json(body): Json<Body>) -> (StatusCode, Json<Answer>) {
    let mut registry = shared.lock().unwrap();
    let answer = match body {
        Body::One(alert) => Answer::One(accept(&mut registry, alert)),
        Body::Batch { alerts } => {
            Answer::Batch { acks: alerts.into_iter().map(|alert| accept(&mut registry, alert)).collect() }
        }
    };
    (StatusCode::ACCEPTED, Json(answer))
}

#[tokio::main]
async fn main() {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).expect("usage: peer PORT");
    let epoch = Uuid::new_v4().simple().to_string();
    let shared: Shared = Arc::new(Mutex::new(Registry { epoch, offset: 0, topics: HashMap::new() }));
    let schema = Schema::build(Query, EmptyMutation, Subscriptions).data(shared.clone()).finish();
    let app = Router::new()
        .route("/v1/alerts", post(alerts))
        .route_service("/graphql/ws", GraphQLSubscription::new(schema))
        .with_state(shared);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    let listener = listener.tap_io(|socket| socket.set_nodelay(true).expect("a TCP socket"));
    println!("ready");
    axum::serve(listener, app).await.expect("served");
}
