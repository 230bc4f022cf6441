// The stock genqlient, as it is: subscribes, and prints what comes of it.
// With LEAVE it unsubscribes after the first result.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/Khan/genqlient/graphql"
	"github.com/gorilla/websocket"
)

type dialer struct{ *websocket.Dialer }

func (d dialer) DialContext(ctx context.Context, url string, header http.Header) (graphql.WSConn, error) {
	socket, _, err := d.Dialer.DialContext(ctx, url, header)
	return graphql.WSConn(socket), err
}

func main() {
	query := "subscription { newIncidents { id title } }"
	if len(os.Args) > 2 {
		query = os.Args[2]
	}
	client := graphql.NewClientUsingWebSocket(os.Args[1], dialer{websocket.DefaultDialer})
	failures, err := client.Start(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	results := make(chan json.RawMessage)
	forward := func(_ any, message json.RawMessage) error {
		results <- message
		return nil
	}
	id, err := client.Subscribe(&graphql.Request{Query: query}, results, forward)
	if err != nil {
		log.Fatal(err)
	}
	for {
		select {
		case result, more := <-results:
			if !more {
				fmt.Println("complete")
				results = nil
				continue
			}
			fmt.Println(string(result))
			if os.Getenv("LEAVE") != "" {
				if err := client.Unsubscribe(id); err != nil {
					log.Fatal(err)
				}
			}
		case err := <-failures:
			fmt.Println("error:", err)
			fmt.Println("end")
			return
		}
	}
}
