//! The stock `graphql-ws-client`, as it is: subscribes, and prints what comes of it.
//! With LEAVE it unsubscribes after the first result.

use futures_util::StreamExt as _;
use graphql_ws_client::{graphql::GraphqlOperation, Client};
use serde::Serialize;
use serde_json::Value;
use tokio_tungstenite::tungstenite::{client::IntoClientRequest as _, http::HeaderValue};

#[derive(Serialize)]
struct Operation {
    query: String,
}

impl GraphqlOperation for Operation {
    type Response = Value;
    type Error = serde_json::Error;

    fn decode(&self, data: Value) -> Result<Value, serde_json::Error> {
        Ok(data)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("a URL");
    let query = arguments
        .next()
        .unwrap_or("subscription { newIncidents { id title } }".into());
    let mut request = url.into_client_request()?;
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", protocol);
    let (socket, _) = tokio_tungstenite::connect_async(request).await?;
    let (client, connection) = Client::build(socket).await?;
    let connection = tokio::spawn(async move { connection.await });
    let mut stream = client.subscribe(Operation { query }).await?;
    while let Some(result) = stream.next().await {
        match result {
            Ok(event) => println!("{event}"),
            Err(error) => println!("error: {error}"),
        }
        if std::env::var_os("LEAVE").is_some() {
            break;
        }
    }
    stream.stop();
    println!("complete");
    connection.await?;
    println!("end");
    Ok(())
}
