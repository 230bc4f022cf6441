// The stock hasura/go-graphql-client, as it is: subscribes, and prints what comes of it.
// With LEAVE it unsubscribes after the first result.
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/hasura/go-graphql-client"
)

func main() {
	query := "subscription { newIncidents { id title } }"
	if len(os.Args) > 2 {
		query = os.Args[2]
	}
	client := graphql.NewSubscriptionClient(os.Args[1]).
		WithProtocol(graphql.GraphQLWS).
		WithExitWhenNoSubscription(false).
		OnSubscriptionComplete(func(graphql.Subscription) { fmt.Println("complete") })
	var id string
	id, err := client.Exec(query, nil, func(message []byte, err error) error {
		if err != nil {
			fmt.Println("error:", err)
			return nil
		}
		fmt.Println(string(message))
		if os.Getenv("LEAVE") != "" {
			return client.Unsubscribe(id)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("end", client.Run())
}
