//! Follows the incidents of an Incident Manager: events on standard output, the log on standard
//! error, both as lines of JSON. See README.md for the environment variables.

use std::collections::HashMap;
use std::env;
use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::{engine::general_purpose::URL_SAFE_NO_PAD, Engine as _};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::{de::DeserializeOwned, Deserialize, Serialize};
use serde_json::{json, Value};
use tokio::net::TcpStream;
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::watch;
use tokio::time::{sleep, timeout, Sleep};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};
use tokio_tungstenite::{connect_async_with_config, MaybeTlsStream, WebSocketStream};
use tracing::{error, info, warn};

// --- what is followed ---------------------------------------------------------------------------

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Severity {
    P0,
    P1,
    P2,
    P3,
    P4,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    New,
    Investigating,
    Identified,
    Monitoring,
    Resolved,
    Closed,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Incident {
    id: String,
    title: String,
    severity: Severity,
    state: State,
    source: String,
    assignees: Vec<String>,
    version: u64,
    created_at: String,
    updated_at: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum UpdateType {
    Created,
    Updated,
    StateChanged,
    Resolved,
    Assigned,
    CommentAdded,
    Heartbeat,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IncidentUpdate {
    update_type: UpdateType,
    incident_id: Option<String>,
    timestamp: String,
    changed_fields: Vec<String>,
    actor: Option<String>,
    incident: Option<Incident>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IncidentStateChange {
    incident_id: String,
    old_state: State,
    new_state: State,
    changed_by: String,
    timestamp: String,
    incident: Incident,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    id: String,
    external_id: String,
    source: String,
    title: String,
    severity: Severity,
    status: String,
    incident_id: Option<String>,
    received_at: String,
}

const INCIDENT: &str = "id title severity state source assignees version createdAt updatedAt";

/// Your own code goes here. An event is given once, in the order of its stream.
fn show<T: Serialize>(stream: &str, cursor: &str, event: T) -> io::Result<()> {
    let line = json!({"stream": stream, "cursor": cursor, "data": event});
    writeln!(io::stdout(), "{line}")
}

/// A subscription, and its place: the cursor of the last event that has been handled.
struct Stream {
    name: &'static str,
    query: String,
    variables: Value,
    handle: fn(&str, &str, Value) -> Result<(), Loss>,
    cursor: Option<String>,
}

impl Stream {
    /// A stream whose events are of type T.
    fn of<T: Serialize + DeserializeOwned>(name: &'static str, query: String) -> Self {
        Stream {
            name,
            query,
            variables: json!({}),
            handle: |name, cursor, data| {
                let event: T = serde_json::from_value(data)
                    .map_err(|error| Loss::final_one(format!("an event of {name}: {error}")))?;
                show(name, cursor, event).map_err(|error| Loss::final_one(error.to_string()))
            },
            cursor: None,
        }
    }
}

fn streams() -> Vec<Stream> {
    let mut updates = Stream::of::<IncidentUpdate>(
        "incidentUpdates",
        format!(
            "subscription ($severities: [Severity!], $activeOnly: Boolean) {{
                incidentUpdates(
                    severities: $severities, activeOnly: $activeOnly, heartbeatSeconds: 15
                ) {{
                    updateType incidentId timestamp changedFields actor incident {{ {INCIDENT} }}
                }}
            }}"
        ),
    );
    updates.variables = json!({"severities": [Severity::P0, Severity::P1], "activeOnly": true});
    vec![
        Stream::of::<Incident>(
            "criticalIncidents",
            format!("subscription {{ criticalIncidents {{ {INCIDENT} }} }}"),
        ),
        updates,
        Stream::of::<Incident>(
            "newIncidents",
            format!("subscription {{ newIncidents {{ {INCIDENT} }} }}"),
        ),
        Stream::of::<IncidentStateChange>(
            "incidentStateChanges",
            format!(
                "subscription {{
                    incidentStateChanges {{
                        incidentId oldState newState changedBy timestamp incident {{ {INCIDENT} }}
                    }}
                }}"
            ),
        ),
        Stream::of::<Alert>(
            "alerts",
            "subscription {
                alerts { id externalId source title severity status incidentId receivedAt }
            }"
            .into(),
        ),
    ]
}

// --- the place in the stream --------------------------------------------------------------------

/// Go on where an earlier run of this program has been, if there is a file that says so.
fn read_places(streams: &mut [Stream]) -> io::Result<()> {
    let Ok(file) = env::var("CURSOR_FILE") else {
        return Ok(());
    };
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text?,
    };
    let mut found: HashMap<String, String> = serde_json::from_str(&text)?;
    for stream in streams {
        stream.cursor = found.remove(stream.name);
    }
    Ok(())
}

/// The file is replaced as a whole, so that it is never half written.
fn keep_places(streams: &[Stream]) -> Result<(), Loss> {
    let Ok(file) = env::var("CURSOR_FILE") else {
        return Ok(());
    };
    let places: HashMap<_, _> = streams
        .iter()
        .map(|stream| (stream.name, &stream.cursor))
        .collect();
    let fresh = format!("{file}.new");
    fs::write(&fresh, json!(places).to_string())
        .and_then(|()| fs::rename(&fresh, &file))
        .map_err(|error| Loss::final_one(format!("CURSOR_FILE: {error}")))
}

/// It says that all is well, and how far the server has looked; there is no event in it.
fn is_heartbeat(event: &Value) -> bool {
    event.get("updateType") == Some(&json!(UpdateType::Heartbeat))
}

// --- the token ----------------------------------------------------------------------------------

/// The token of this moment: a file is read anew each time, as whoever renews it rewrites it.
fn read_token() -> io::Result<Option<String>> {
    let text = match env::var("AUTH_TOKEN_FILE") {
        Ok(file) => fs::read_to_string(file)?,
        Err(_) => env::var("AUTH_TOKEN").unwrap_or_default(),
    };
    Ok(Some(text.trim().to_owned()).filter(|token| !token.is_empty()))
}

/// When a JWT ends, in seconds since 1970; the server is the one to check the rest.
fn expiry_of(token: &str) -> Option<f64> {
    let body = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Value>(&body)
        .ok()?
        .get("exp")?
        .as_f64()
}

/// Until a fifth of the time before the end, at most a minute; None where it is too late.
fn renew_in(expires_at: f64) -> Option<Duration> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()?
        .as_secs_f64();
    let left = expires_at - now;
    (left > 0.1).then(|| Duration::from_secs_f64(left - (left / 5.0).min(60.0)))
}

// --- the protocol -------------------------------------------------------------------------------

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    ConnectionInit {
        payload: Value,
    },
    ConnectionAck,
    Subscribe {
        id: String,
        payload: Value,
    },
    Next {
        id: String,
        payload: Outcome,
    },
    Error {
        payload: Vec<GraphQlError>,
    },
    Complete {
        id: String,
    },
    Ping {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Value>,
    },
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Value>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct GraphQlError {
    message: String,
    #[serde(default)]
    extensions: ErrorExtensions,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct ErrorExtensions {
    code: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    data: Option<serde_json::Map<String, Value>>,
    #[serde(default)]
    errors: Vec<GraphQlError>,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Extensions {
    cursor: Option<String>,
    gap: Option<Gap>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Gap {
    from: String,
    to: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Renewal {
    authorization: String,
    expires_at: Option<String>,
}

/// Whether `cursor` is at or before `seen`: such an event has been handled already.
fn is_repeat(cursor: &str, seen: &str) -> bool {
    let place = |text: &str| {
        let (epoch, offset) = text.split_once(':')?;
        Some((epoch.to_owned(), offset.parse::<u64>().ok()?))
    };
    match (place(cursor), place(seen)) {
        (Some((epoch, offset)), Some((seen_epoch, seen))) => epoch == seen_epoch && offset <= seen,
        _ => false,
    }
}

// --- what can go wrong --------------------------------------------------------------------------

/// Why there is no connection: `code` is a close code, an HTTP status or the code of an error.
#[derive(Debug)]
struct Loss {
    code: Value,
    reason: String,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// Another try makes sense.
    Passing,
    /// There was no token to be read.
    NoToken,
    /// The same again would end the same way.
    Final,
}

impl Loss {
    fn passing(reason: impl fmt::Display) -> Self {
        Loss {
            code: Value::Null,
            reason: reason.to_string(),
            kind: Kind::Passing,
        }
    }

    fn final_one(reason: impl fmt::Display) -> Self {
        Loss {
            code: Value::Null,
            reason: reason.to_string(),
            kind: Kind::Final,
        }
    }

    fn closed(frame: Option<CloseFrame>) -> Self {
        let Some(CloseFrame { code, reason }) = frame else {
            return Loss::passing("closed without a code");
        };
        let code = u16::from(code);
        let kind = match code {
            1002 | 1003 | 1007..=1011 | 4400 | 4401 | 4406 | 4409 | 4429 | 4500 => Kind::Final,
            _ => Kind::Passing,
        };
        Loss {
            code: code.into(),
            reason: reason.to_string(),
            kind,
        }
    }

    fn errors(errors: &[GraphQlError]) -> Self {
        let code = errors
            .first()
            .and_then(|error| error.extensions.code.clone());
        let reason = errors
            .first()
            .map_or_else(String::new, |error| error.message.clone());
        let kind = match code.as_deref() {
            Some("SERVICE_UNAVAILABLE" | "TIMEOUT" | "RATE_LIMIT_EXCEEDED") => Kind::Passing,
            _ => Kind::Final,
        };
        Loss {
            code: code.into(),
            reason,
            kind,
        }
    }
}

impl From<WebSocketError> for Loss {
    fn from(error: WebSocketError) -> Self {
        let WebSocketError::Http(response) = error else {
            return Loss::passing(error);
        };
        let status = response.status().as_u16();
        let kind = match status {
            408 | 425 | 429 | 500 | 502..=504 => Kind::Passing,
            _ => Kind::Final,
        };
        Loss {
            code: status.into(),
            reason: format!("the server answered {status}"),
            kind,
        }
    }
}

// --- the connection -----------------------------------------------------------------------------

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
const STABLE: Duration = Duration::from_secs(5);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const PING_AFTER: Duration = Duration::from_secs(15);
const PONG_WITHIN: Duration = Duration::from_secs(10);
const GOODBYE: Duration = Duration::from_millis(500);
const LARGEST: usize = 16 * 1024 * 1024;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn send(socket: &mut Socket, frame: &Frame) -> Result<(), Loss> {
    let text = serde_json::to_string(frame).map_err(Loss::final_one)?;
    Ok(socket.send(Message::text(text)).await?)
}

/// The next frame of the protocol; None for a frame of the WebSocket's own.
async fn receive(socket: &mut Socket) -> Result<Option<Frame>, Loss> {
    match socket.next().await {
        None => Err(Loss::passing("the connection broke")),
        Some(Ok(Message::Text(text))) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| Loss::final_one(format!("no message of the protocol: {error}"))),
        Some(Ok(Message::Close(frame))) => Err(Loss::closed(frame)),
        Some(Ok(_)) => Ok(None),
        Some(Err(error)) => Err(error.into()),
    }
}

/// Open a connection and wait for the server's ack.
async fn connect(url: &str, token: Option<&str>) -> Result<Socket, Loss> {
    let mut request = url.into_client_request().map_err(Loss::final_one)?;
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", protocol);
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST));
    let (mut socket, _) = connect_async_with_config(request, Some(config), true).await?;
    let payload = match token {
        Some(token) => json!({"Authorization": format!("Bearer {token}")}),
        None => json!({}),
    };
    send(&mut socket, &Frame::ConnectionInit { payload }).await?;
    loop {
        if let Some(Frame::ConnectionAck) = receive(&mut socket).await? {
            return Ok(socket);
        }
    }
}

/// What lives through reconnects.
struct Client {
    streams: Vec<Stream>,
    following: bool,
    connections: u64,
    failures: u32,
    refusals: u32,
    connected_at: Option<Instant>,
    stop: watch::Receiver<bool>,
}

impl Client {
    /// One connection, from its beginning to its end.
    async fn run(&mut self, url: &str) -> Loss {
        let token = match read_token() {
            Ok(token) => token,
            Err(error) => {
                return Loss {
                    kind: Kind::NoToken,
                    ..Loss::passing(error)
                };
            }
        };
        let mut socket = match timeout(CONNECT_WITHIN, connect(url, token.as_deref())).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(loss)) => return loss,
            Err(_) => return Loss::passing("no acknowledgement in time"),
        };
        self.connections += 1;
        self.refusals = 0;
        self.connected_at = Some(Instant::now());
        info!(number = self.connections, "connected");
        match self.follow(&mut socket, token).await {
            Ok(never) => never,
            Err(loss) => loss,
        }
    }

    /// Follow everything until the connection is lost.
    async fn follow(&mut self, socket: &mut Socket, token: Option<String>) -> Result<Loss, Loss> {
        self.begin(socket).await?;
        let renewable = env::var_os("AUTH_TOKEN_FILE").is_some();
        let mut expires_at = token.as_deref().filter(|_| renewable).and_then(expiry_of);
        let mut asked = false; // whether the server lives
        let mut quiet = Box::pin(sleep(PING_AFTER));
        let mut renewal = timer(expires_at);
        let mut offered = None;
        let mut stop = self.stop.clone();
        loop {
            let renew = async {
                match renewal.as_mut() {
                    Some(due) => due.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                frame = receive(socket) => {
                    asked = false;
                    quiet.as_mut().reset(tokio::time::Instant::now() + PING_AFTER);
                    match frame? {
                        Some(Frame::Pong { payload: Some(payload) }) if renewed(&payload) => {
                            expires_at = offered.as_deref().and_then(expiry_of);
                            renewal = timer(expires_at);
                        }
                        Some(frame) => self.received(socket, frame).await?,
                        None => {}
                    }
                }
                () = quiet.as_mut() => {
                    if asked {
                        return Err(Loss::passing("no sign of life from the server"));
                    }
                    asked = true;
                    quiet.as_mut().reset(tokio::time::Instant::now() + PONG_WITHIN);
                    socket.send(Message::Ping(Vec::new().into())).await?;
                }
                () = renew => {
                    // Asked for again later, each time after four fifths of what is left.
                    renewal = timer(expires_at);
                    offered = offer_token(socket).await?;
                }
                _ = stop.wait_for(|stop| *stop) => {
                    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                    socket.close(Some(frame)).await?;
                    return Err(Loss::final_one("stopped"));
                }
            }
        }
    }

    /// Resume every stream at its cursor. The first time the journal's head is asked for, as for a
    /// stream without a cursor nothing is missed from there on.
    async fn begin(&self, socket: &mut Socket) -> Result<(), Loss> {
        if !self.following {
            let id = "cursor".into();
            let payload = json!({"query": "{ cursor }"});
            return send(socket, &Frame::Subscribe { id, payload }).await;
        }
        for (number, stream) in self.streams.iter().enumerate() {
            let payload = json!({
                "query": stream.query,
                "variables": stream.variables,
                "extensions": {"cursor": stream.cursor},
            });
            send(
                socket,
                &Frame::Subscribe {
                    id: number.to_string(),
                    payload,
                },
            )
            .await?;
        }
        Ok(())
    }

    async fn received(&mut self, socket: &mut Socket, frame: Frame) -> Result<(), Loss> {
        match frame {
            Frame::Next { id, payload } if id == "cursor" => self.head(socket, payload).await,
            Frame::Next { id, payload } => self.next(&id, payload),
            Frame::Error { payload } => Err(Loss::errors(&payload)),
            Frame::Complete { id } if id != "cursor" => {
                Err(Loss::final_one(format!("the server completed {id}")))
            }
            Frame::Ping { payload } => {
                if let Some(gap) = payload.as_ref().and_then(|said| said.get("gap")) {
                    // Told at once, as the next event may be long in coming.
                    warn!(gap = %gap, "gap");
                }
                send(socket, &Frame::Pong { payload }).await
            }
            _ => Ok(()),
        }
    }

    async fn head(&mut self, socket: &mut Socket, outcome: Outcome) -> Result<(), Loss> {
        let data = outcome.data.unwrap_or_default();
        let Some(cursor) = data.get("cursor").and_then(Value::as_str) else {
            return Err(Loss::errors(&outcome.errors));
        };
        let resumed = self.streams.iter().any(|stream| stream.cursor.is_some());
        for stream in &mut self.streams {
            stream.cursor.get_or_insert_with(|| cursor.to_owned());
        }
        self.following = true;
        keep_places(&self.streams)?;
        info!(cursor, resumed, streams = self.streams.len(), "following");
        self.begin(socket).await
    }

    fn next(&mut self, id: &str, outcome: Outcome) -> Result<(), Loss> {
        let number = id.parse::<usize>().ok();
        let Some(stream) = number.and_then(|number| self.streams.get_mut(number)) else {
            return Ok(());
        };
        let Extensions { cursor, gap } = outcome.extensions;
        if let Some(gap) = &gap {
            // What was known must be loaded anew.
            warn!(stream = stream.name, from = gap.from, to = gap.to, "gap");
        }
        let Some(cursor) = cursor else { return Ok(()) };
        let seen = stream.cursor.as_deref().unwrap_or_default();
        if gap.is_none() && is_repeat(&cursor, seen) {
            return Ok(());
        }
        if !outcome.errors.is_empty() {
            error!(stream = stream.name, errors = ?outcome.errors, "event with errors");
        }
        match outcome.data.and_then(|mut data| data.remove(stream.name)) {
            Some(event) if !is_heartbeat(&event) => {
                (stream.handle)(stream.name, &cursor, event)?;
            }
            _ => {}
        }
        stream.cursor = Some(cursor);
        keep_places(&self.streams)
    }

    /// Note why a connection ended; how long to wait, by an exponential backoff with full jitter.
    fn lost(&mut self, loss: Loss) -> Result<Duration, Loss> {
        let lived = self.connected_at.take().map(|since| since.elapsed());
        if lived.is_some_and(|lived| lived >= STABLE) {
            self.failures = 0;
        }
        if loss.code == 4403 && lived.is_none() {
            self.refusals += 1;
        }
        if loss.kind == Kind::Final || self.refusals > 1 {
            return Err(loss);
        }
        let ceiling = LONGEST_WAIT.min(FIRST_WAIT * 2_u32.pow(self.failures.min(20)));
        let wait = ceiling.mul_f64(rand::random());
        self.failures += 1;
        let message = if loss.kind == Kind::NoToken {
            "no token"
        } else {
            "disconnected"
        };
        let (reason, retry_in) = (&loss.reason, wait.as_secs_f64());
        match loss.code.as_str() {
            Some(code) => warn!(code, reason, retry_in, "{message}"),
            None => warn!(code = loss.code.as_u64(), reason, retry_in, "{message}"),
        }
        Ok(wait)
    }

    async fn stay_connected(&mut self, url: &str) -> Loss {
        loop {
            let loss = self.run(url).await;
            match self.lost(loss) {
                Ok(wait) => sleep(wait).await,
                Err(loss) => return loss,
            }
        }
    }
}

/// Until a token is to be renewed.
fn timer(expires_at: Option<f64>) -> Option<Pin<Box<Sleep>>> {
    expires_at
        .and_then(renew_in)
        .map(|wait| Box::pin(sleep(wait)))
}

/// Offer the server a new token before the old one ends; the connection lives on.
async fn offer_token(socket: &mut Socket) -> Result<Option<String>, Loss> {
    let token = read_token().unwrap_or_else(|error| {
        error!(reason = %error, "no token");
        None
    });
    if let Some(token) = &token {
        let payload = Some(json!({"authorization": format!("Bearer {token}")}));
        send(socket, &Frame::Ping { payload }).await?;
    }
    Ok(token)
}

/// Whether the server has taken the new token; other pongs say nothing of one.
fn renewed(payload: &Value) -> bool {
    let Ok(Renewal {
        authorization,
        expires_at,
    }) = Renewal::deserialize(payload)
    else {
        return false;
    };
    let accepted = authorization == "accepted";
    if accepted {
        info!(expires_at, "token renewed");
    } else {
        error!(expires_at, "token rejected");
    }
    accepted
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(io::stderr)
        .init();
    let _ = rustls::crypto::ring::default_provider().install_default(); // the first one counts
    let url = env::var("WS_URL").unwrap_or_else(|_| "ws://localhost:8080/graphql/ws".into());
    let (tell, stop) = watch::channel(false);
    let mut streams = streams();
    if let Err(error) = read_places(&mut streams) {
        error!(reason = format!("CURSOR_FILE: {error}"), "gave up");
        std::process::exit(1);
    }
    let mut client = Client {
        streams,
        following: false,
        connections: 0,
        failures: 0,
        refusals: 0,
        connected_at: None,
        stop,
    };
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let working = client.stay_connected(&url);
    tokio::pin!(working);
    let signal = tokio::select! {
        loss = &mut working => {
            match loss.code.as_str() {
                Some(code) => error!(code, reason = loss.reason, "gave up"),
                None => error!(code = loss.code.as_u64(), reason = loss.reason, "gave up"),
            }
            std::process::exit(1);
        }
        _ = interrupted.recv() => "SIGINT",
        _ = terminated.recv() => "SIGTERM",
    };
    // A living connection is closed with 1000; whatever else it is at need not be waited for.
    tell.send_replace(true);
    let _ = timeout(GOODBYE, working).await;
    info!(signal, "stopped");
    Ok(())
}
