// gqlgen, as its documentation has it: a channel for each subscription.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"
)

// Events that a subscriber may be behind before the sender of alerts waits for it.
const capacity = 64

type registry struct {
	mutex  sync.Mutex
	epoch  string
	offset uint64
	// Those who listen, by source: an event costs nothing to those whom it does not concern.
	topics map[string]map[chan *Incident]context.Context
}

func (r *registry) listen(ctx context.Context, sources []string) <-chan *Incident {
	events := make(chan *Incident, capacity)
	r.mutex.Lock()
	for _, source := range sources {
		if r.topics[source] == nil {
			r.topics[source] = map[chan *Incident]context.Context{}
		}
		r.topics[source][events] = ctx
	}
	r.mutex.Unlock()
	context.AfterFunc(ctx, func() {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		for _, source := range sources {
			delete(r.topics[source], events)
		}
		close(events)
	})
	return events
}

type alert struct {
	Source      string   `json:"source"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Severity    Severity `json:"severity"`
}

type ack struct {
	IncidentID string `json:"incident_id"`
	Status     string `json:"status"`
	ReceivedAt string `json:"received_at"`
}

func (r *registry) accept(one alert) ack {
	r.offset++
	incident := &Incident{
		ID:          uuid.NewString(),
		Title:       one.Title,
		Description: one.Description,
		Severity:    one.Severity,
		State:       IncidentStateNew,
		Source:      one.Source,
		CreatedAt:   time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
		Cursor:      fmt.Sprintf("%s:%d", r.epoch, r.offset),
	}
	for events, ctx := range r.topics[one.Source] {
		select {
		case events <- incident:
		case <-ctx.Done():
		}
	}
	return ack{incident.ID, "ACCEPTED", incident.CreatedAt}
}

func (r *registry) post(w http.ResponseWriter, request *http.Request) {
	var body struct {
		alert
		Alerts []alert `json:"alerts"`
	}
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var answer any
	r.mutex.Lock()
	if body.Alerts == nil {
		answer = r.accept(body.alert)
	} else {
		acks := make([]ack, 0, len(body.Alerts))
		for _, one := range body.Alerts {
			acks = append(acks, r.accept(one))
		}
		answer = map[string]any{"acks": acks}
	}
	r.mutex.Unlock()
	text, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	w.WriteHeader(http.StatusAccepted)
	w.Write(text)
}

type resolver struct{ registry *registry }

func (r *resolver) Query() QueryResolver               { return r }
func (r *resolver) Subscription() SubscriptionResolver { return r }

func (r *resolver) Ok(context.Context) (bool, error) { return true, nil }

func (r *resolver) NewIncidents(ctx context.Context, filter StreamFilterInput) (<-chan *Incident, error) {
	return r.registry.listen(ctx, filter.Sources), nil
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: peer PORT")
	}
	epoch := make([]byte, 16)
	rand.Read(epoch)
	shared := &registry{epoch: hex.EncodeToString(epoch), topics: map[string]map[chan *Incident]context.Context{}}
	graphql := handler.New(NewExecutableSchema(Config{Resolvers: &resolver{shared}}))
	graphql.AddTransport(transport.Websocket{KeepAlivePingInterval: 10 * time.Second})
	graphql.SetQueryCache(lru.New[*ast.QueryDocument](1000))
	routes := http.NewServeMux()
	routes.Handle("/graphql/ws", graphql)
	routes.HandleFunc("POST /v1/alerts", shared.post)
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	log.Fatal(http.Serve(listener, routes))
}
