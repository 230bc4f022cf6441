// Follows the incidents of an Incident Manager: events on standard output, the log on standard
// error, both as lines of JSON. See README.md for the environment variables.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// --- what is followed ----------------------------------------------------------------------------

type Incident struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Severity  string    `json:"severity"`
	State     string    `json:"state"`
	Source    string    `json:"source"`
	Assignees []string  `json:"assignees"`
	Version   int       `json:"version"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

type IncidentUpdate struct {
	UpdateType    string    `json:"updateType"`
	IncidentID    *string   `json:"incidentId"`
	Timestamp     time.Time `json:"timestamp"`
	ChangedFields []string  `json:"changedFields"`
	Actor         *string   `json:"actor"`
	Incident      *Incident `json:"incident"`
}

type IncidentStateChange struct {
	IncidentID string    `json:"incidentId"`
	OldState   string    `json:"oldState"`
	NewState   string    `json:"newState"`
	ChangedBy  string    `json:"changedBy"`
	Timestamp  time.Time `json:"timestamp"`
	Incident   Incident  `json:"incident"`
}

type Alert struct {
	ID         string    `json:"id"`
	ExternalID string    `json:"externalId"`
	Source     string    `json:"source"`
	Title      string    `json:"title"`
	Severity   string    `json:"severity"`
	Status     string    `json:"status"`
	IncidentID *string   `json:"incidentId"`
	ReceivedAt time.Time `json:"receivedAt"`
}

const incident = "id title severity state source assignees version createdAt updatedAt"

// Your own code goes here. An event is given once, in the order of its stream.
func show[T any](stream, cursor string, event T) error {
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"stream": stream, "cursor": cursor, "data": event,
	})
}

// A stream is a subscription, and its place: the cursor of the last event that has been handled.
type stream struct {
	name      string
	query     string
	variables map[string]any
	handle    func(cursor string, data json.RawMessage) error
	cursor    string
	begun     bool
}

// follow makes a stream whose events are of type T, which its root field yields.
func follow[T any](
	name, query string, variables map[string]any, handle func(stream, cursor string, event T) error,
) *stream {
	return &stream{name: name, query: query, variables: variables,
		handle: func(cursor string, data json.RawMessage) error {
			var found map[string]T
			if err := json.Unmarshal(data, &found); err != nil {
				return fmt.Errorf("an event of %s: %w", name, err)
			}
			if update, ok := any(found[name]).(IncidentUpdate); ok && update.UpdateType == "HEARTBEAT" {
				return nil // all is well, and the server has looked as far as the cursor says
			}
			return handle(name, cursor, found[name])
		},
	}
}

func streams() []*stream {
	return []*stream{
		follow("criticalIncidents",
			"subscription { criticalIncidents { "+incident+" } }", nil, show[Incident]),
		follow("incidentUpdates",
			`subscription ($severities: [Severity!], $activeOnly: Boolean) {
				incidentUpdates(
					severities: $severities, activeOnly: $activeOnly, heartbeatSeconds: 15
				) {
					updateType incidentId timestamp changedFields actor incident { `+incident+` }
				}
			}`,
			map[string]any{"severities": []string{"P0", "P1"}, "activeOnly": true},
			show[IncidentUpdate]),
		follow("newIncidents",
			"subscription { newIncidents { "+incident+" } }", nil, show[Incident]),
		follow("incidentStateChanges",
			`subscription {
				incidentStateChanges {
					incidentId oldState newState changedBy timestamp incident { `+incident+` }
				}
			}`, nil, show[IncidentStateChange]),
		follow("alerts",
			`subscription {
				alerts { id externalId source title severity status incidentId receivedAt }
			}`, nil, show[Alert]),
	}
}

// --- the place in the stream ---------------------------------------------------------------------

// readPlaces has the streams go on where an earlier run of this program has been, if there is a
// file that says so.
func readPlaces(follows []*stream) error {
	file := os.Getenv("CURSOR_FILE")
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it is the first time
	}
	var found map[string]string
	if err == nil {
		err = json.Unmarshal(text, &found)
	}
	if err != nil {
		return &errGaveUp{nil, "CURSOR_FILE: " + err.Error()}
	}
	for _, each := range follows {
		each.cursor = found[each.name]
	}
	return nil
}

// keepPlaces replaces the file as a whole, so that it is never half written.
func keepPlaces(follows []*stream) error {
	file := os.Getenv("CURSOR_FILE")
	if file == "" {
		return nil
	}
	places := make(map[string]string, len(follows))
	for _, each := range follows {
		places[each.name] = each.cursor
	}
	err := os.WriteFile(file+".new", encode(places), 0o600)
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		return &errGaveUp{nil, "CURSOR_FILE: " + err.Error()}
	}
	return nil
}

// --- the token -----------------------------------------------------------------------------------

// readToken gives the token of this moment: the file is read anew each time, as whoever renews it
// rewrites it.
func readToken() (string, error) {
	if file := os.Getenv("AUTH_TOKEN_FILE"); file != "" {
		text, err := os.ReadFile(file)
		return strings.TrimSpace(string(text)), err
	}
	return strings.TrimSpace(os.Getenv("AUTH_TOKEN")), nil
}

// expiryOf says when a JWT ends; the server is the one to check the rest.
func expiryOf(token string) (time.Time, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	var claims struct {
		Exp float64 `json:"exp"`
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(body, &claims) != nil || claims.Exp == 0 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(claims.Exp * 1000)), true
}

// renewIn is the time to wait: until a fifth of the time before the end, at most a minute.
func renewIn(left time.Duration) time.Duration {
	return left - min(time.Minute, left/5)
}

// --- the protocol --------------------------------------------------------------------------------

const subprotocol = "graphql-transport-ws"

type message struct {
	Type    string          `json:"type"`
	ID      string          `json:"id,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

type gap struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type graphqlError struct {
	Message    string `json:"message"`
	Extensions struct {
		Code string `json:"code"`
	} `json:"extensions"`
}

type result struct {
	Data       json.RawMessage `json:"data"`
	Errors     []graphqlError  `json:"errors"`
	Extensions struct {
		Cursor    string `json:"cursor"`
		Recovered *bool  `json:"recovered"`
		Gap       *gap   `json:"gap"`
	} `json:"extensions"`
}

func encode(payload any) json.RawMessage {
	text, err := json.Marshal(payload)
	if err != nil {
		panic(err) // of maps and strings only
	}
	return text
}

// isRepeat says whether cursor is at or before seen: such an event has been handled already.
func isRepeat(cursor, seen string) bool {
	epoch, offset, _ := strings.Cut(cursor, ":")
	seenEpoch, seenOffset, _ := strings.Cut(seen, ":")
	one, err := strconv.ParseUint(offset, 10, 64)
	other, err2 := strconv.ParseUint(seenOffset, 10, 64)
	return err == nil && err2 == nil && epoch == seenEpoch && one <= other
}

// --- what can go wrong ---------------------------------------------------------------------------

// errGaveUp means that another try makes no sense. Code is a close code, an HTTP status, or the
// code of a GraphQL error.
type errGaveUp struct {
	code   any
	reason string
}

func (e *errGaveUp) Error() string { return e.reason }

var errNoToken = errors.New("no token")

// passing are the errors of a subscription after which another try makes sense.
var passing = map[string]bool{
	"SERVICE_UNAVAILABLE": true, "TIMEOUT": true, "RATE_LIMIT_EXCEEDED": true,
}

// failure says what an error of an operation means: to come back, or to give up.
func failure(found graphqlError) error {
	if code := found.Extensions.Code; !passing[code] {
		return &errGaveUp{code, found.Message}
	}
	return errors.New(found.Message)
}

var fatalCloses = map[int]bool{
	1002: true, 1003: true, 1007: true, 1008: true, 1009: true, 1010: true, 1011: true,
	4400: true, 4401: true, 4406: true, 4409: true, 4429: true, 4500: true,
}

var passingStatuses = map[int]bool{
	408: true, 425: true, 429: true, 500: true, 502: true, 503: true, 504: true,
}

// refused is an answer to the upgrade that is no 101.
type refused struct{ status int }

func (e *refused) Error() string { return fmt.Sprintf("the server answered %d", e.status) }

// codeOf finds the close code or the HTTP status, 0 where there is neither, and whether it is final.
func codeOf(err error) (code int, reason string, fatal bool) {
	var answer *refused
	var closed websocket.CloseError
	switch {
	case errors.As(err, &answer):
		return answer.status, answer.Error(), !passingStatuses[answer.status]
	case errors.As(err, &closed):
		return int(closed.Code), closed.Reason, fatalCloses[int(closed.Code)]
	}
	return 0, err.Error(), false
}

// --- the connection ------------------------------------------------------------------------------

const (
	firstWait   = 250 * time.Millisecond
	longestWait = 10 * time.Second
	stable      = 5 * time.Second
	pingEvery   = 15 * time.Second
	pongWithin  = 10 * time.Second
	largest     = 16 << 20 // the library's own limit is 32 KiB, less than a long description
)

// fixed says that the token is always the same one: then there is nothing to renew it with.
func fixed() bool { return os.Getenv("AUTH_TOKEN_FILE") == "" }

// A link is one connection, from its beginning to its end.
type link struct {
	socket  *websocket.Conn
	follows []*stream
	token   string
	renewal chan time.Time // when the token ends that the server has just taken
}

// connect opens a connection and waits for the server's ack.
func connect(ctx context.Context, url string, follows []*stream) (*link, error) {
	token, err := readToken()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoToken, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	socket, response, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		Subprotocols: []string{subprotocol},
	})
	if err != nil {
		if response != nil && response.StatusCode != http.StatusSwitchingProtocols {
			return nil, &refused{response.StatusCode}
		}
		return nil, err
	}
	socket.SetReadLimit(largest)
	l := &link{socket: socket, follows: follows, token: token, renewal: make(chan time.Time, 1)}
	hello := map[string]string{}
	if token != "" {
		hello["Authorization"] = "Bearer " + token
	}
	if err := l.send(ctx, message{Type: "connection_init", Payload: encode(hello)}); err != nil {
		return nil, l.fail(err)
	}
	for {
		var answer message
		if err := wsjson.Read(ctx, socket, &answer); err != nil {
			return nil, l.fail(err)
		}
		if answer.Type == "connection_ack" {
			return l, nil
		}
	}
}

func (l *link) fail(err error) error {
	_ = l.socket.CloseNow() // what matters is why
	return err
}

func (l *link) send(ctx context.Context, m message) error {
	return wsjson.Write(ctx, l.socket, m)
}

// run follows everything until the connection is lost; it always returns why.
func (l *link) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var tasks sync.WaitGroup
	start := func(task func(context.Context) error) {
		tasks.Add(1)
		go func() {
			defer tasks.Done()
			if err := task(ctx); err != nil {
				cancel(err)
			}
		}()
	}
	start(l.keepAlive)
	if !fixed() {
		start(l.keepTokenGood)
	}
	err := l.read(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause // a task has failed before the reader noticed
	}
	cancel(err)
	tasks.Wait()
	return err
}

// keepAlive asks the server now and then whether it is there.
func (l *link) keepAlive(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pingEvery):
		}
		limited, cancel := context.WithTimeout(ctx, pongWithin)
		err := l.socket.Ping(limited)
		cancel()
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("no sign of life from the server: %w", err)
		}
	}
}

// keepTokenGood offers the server a new token before the old one ends; the connection lives on.
func (l *link) keepTokenGood(ctx context.Context) error {
	expiresAt, known := expiryOf(l.token)
	for known && time.Until(expiresAt) > 100*time.Millisecond {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(renewIn(time.Until(expiresAt))):
		}
		token, err := readToken()
		if err != nil {
			slog.Error("no token", "reason", err.Error())
			continue
		}
		payload := encode(map[string]string{"authorization": "Bearer " + token})
		if err := l.send(ctx, message{Type: "ping", Payload: payload}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case expiresAt = <-l.renewal:
		}
	}
	return nil
}

func (l *link) read(ctx context.Context) error {
	if err := l.begin(ctx); err != nil {
		return err
	}
	for {
		var m message
		if err := wsjson.Read(ctx, l.socket, &m); err != nil {
			return err
		}
		if err := l.received(ctx, m); err != nil {
			return err
		}
	}
}

// begin resumes every stream at its cursor. The first time the journal's head is asked for, as for a
// stream without a cursor nothing is missed from there on.
func (l *link) begin(ctx context.Context) error {
	if !l.follows[0].begun {
		query := encode(map[string]string{"query": "{ cursor }"})
		return l.send(ctx, message{Type: "subscribe", ID: "cursor", Payload: query})
	}
	for number, each := range l.follows {
		payload := map[string]any{
			"query":      each.query,
			"extensions": map[string]string{"cursor": each.cursor},
		}
		if each.variables != nil {
			payload["variables"] = each.variables
		}
		m := message{Type: "subscribe", ID: strconv.Itoa(number), Payload: encode(payload)}
		if err := l.send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) received(ctx context.Context, m message) error {
	switch m.Type {
	case "next":
		return l.next(ctx, m)
	case "error":
		var found []graphqlError
		if err := json.Unmarshal(m.Payload, &found); err != nil || len(found) == 0 {
			return &errGaveUp{nil, "an error of another form: " + string(m.Payload)}
		}
		return failure(found[0])
	case "complete":
		if m.ID != "cursor" {
			return &errGaveUp{nil, "the server completed " + m.ID}
		}
	case "ping":
		var told struct {
			Gap *gap `json:"gap"`
		}
		if json.Unmarshal(m.Payload, &told) == nil && told.Gap != nil {
			// Told at once, as the next event may be long in coming.
			slog.Warn("gap", "from", told.Gap.From, "to", told.Gap.To)
		}
		return l.send(ctx, message{Type: "pong", Payload: m.Payload})
	case "pong":
		l.renewed(m)
	}
	return nil
}

func (l *link) renewed(m message) {
	var answer struct {
		Authorization string    `json:"authorization"`
		ExpiresAt     time.Time `json:"expiresAt"`
	}
	if json.Unmarshal(m.Payload, &answer) != nil || answer.Authorization == "" {
		return
	}
	if answer.Authorization == "accepted" {
		slog.Info("token renewed", "expires_at", answer.ExpiresAt)
	} else {
		slog.Error("token rejected", "expires_at", answer.ExpiresAt)
	}
	select {
	case l.renewal <- answer.ExpiresAt:
	default: // nobody has asked
	}
}

func (l *link) next(ctx context.Context, m message) error {
	var got result
	if err := json.Unmarshal(m.Payload, &got); err != nil {
		return &errGaveUp{nil, "a result of another form: " + err.Error()}
	}
	if m.ID == "cursor" {
		return l.head(ctx, got)
	}
	number, err := strconv.Atoi(m.ID)
	if err != nil || number >= len(l.follows) {
		return nil
	}
	each, said := l.follows[number], got.Extensions
	if said.Gap != nil { // what was known must be loaded anew
		slog.Warn("gap", "stream", each.name, "from", said.Gap.From, "to", said.Gap.To)
	}
	if said.Cursor == "" || (said.Gap == nil && isRepeat(said.Cursor, each.cursor)) {
		return nil
	}
	if len(got.Errors) > 0 {
		slog.Error("event with errors", "stream", each.name, "errors", got.Errors)
	}
	if len(got.Data) > 0 && string(got.Data) != "null" {
		if err := each.handle(said.Cursor, got.Data); err != nil {
			return &errGaveUp{nil, err.Error()}
		}
	}
	each.cursor = said.Cursor
	return keepPlaces(l.follows)
}

func (l *link) head(ctx context.Context, got result) error {
	var data struct {
		Cursor string `json:"cursor"`
	}
	if len(got.Errors) > 0 {
		return failure(got.Errors[0])
	}
	if err := json.Unmarshal(got.Data, &data); err != nil || data.Cursor == "" {
		return errors.New("the server gave no cursor")
	}
	names, resumed := make([]string, len(l.follows)), false
	for number, each := range l.follows {
		if each.cursor == "" {
			each.cursor = data.Cursor
		} else {
			resumed = true
		}
		each.begun, names[number] = true, each.name
	}
	if err := keepPlaces(l.follows); err != nil {
		return err
	}
	slog.Info("following", "cursor", data.Cursor, "resumed", resumed, "streams", names)
	return l.begin(ctx)
}

// stayConnected connects again and again; it returns nil when ctx is done.
func stayConnected(ctx context.Context, url string) error {
	follows := streams()
	if err := readPlaces(follows); err != nil {
		return err
	}
	failures, refusals, connections := 0, 0, 0
	for {
		var since time.Time
		l, err := connect(ctx, url, follows)
		if err == nil {
			connections++
			refusals, since = 0, time.Now()
			slog.Info("connected", "number", connections)
			// Not by ctx itself, as that would break the connection off.
			goodbye := context.AfterFunc(ctx, func() {
				// On a dead network nobody answers it.
				late := time.AfterFunc(time.Second, func() { _ = l.socket.CloseNow() })
				defer late.Stop()
				_ = l.socket.Close(websocket.StatusNormalClosure, "")
			})
			err = l.run(context.WithoutCancel(ctx))
			goodbye()
			_ = l.socket.CloseNow() // it is lost anyway
		}
		if ctx.Err() != nil {
			return nil
		}
		var gaveUp *errGaveUp
		if errors.As(err, &gaveUp) {
			return gaveUp
		}
		code, reason, fatal := codeOf(err)
		if code == 4403 && since.IsZero() {
			refusals++
		}
		if fatal || refusals > 1 {
			return &errGaveUp{code, reason}
		}
		if !since.IsZero() && time.Since(since) >= stable {
			failures = 0
		}
		// Exponential, with full jitter: so that not all clients of a server come back at once.
		ceiling := min(longestWait, firstWait<<min(failures, 20))
		wait := time.Duration(rand.Int64N(int64(ceiling)))
		failures++
		text := "disconnected"
		if errors.Is(err, errNoToken) {
			text = "no token"
		}
		slog.Warn(text, "code", code, "reason", reason, "retry_in", wait.Seconds())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	url := os.Getenv("WS_URL")
	if url == "" {
		url = "ws://localhost:8080/graphql/ws"
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := stayConnected(ctx, url); err != nil {
		code := any(nil)
		var gaveUp *errGaveUp
		if errors.As(err, &gaveUp) {
			code = gaveUp.code
		}
		slog.Error("gave up", "code", code, "reason", err.Error())
		os.Exit(1)
	}
	slog.Info("stopped")
}
