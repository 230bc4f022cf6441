/* The connections: WebSocket subscribers (RFC 6455, graphql-transport-ws) and HTTP/1.1 senders. */
#include "loadclient.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { READ = 1 << 18 };

struct run run;
struct sockaddr_in address;
const char *ws_path, *post_path;
char *subscribe_text, *alert_text;
int epoll, timer, port, groups = 1, cursors;
unsigned *group_size, *group_issued, *group_acked;
u64 protocol_errors, live, lost_connections;
struct histogram opening;
static char input[READ];

void watch(struct conn *c, int operation) {
  struct epoll_event e = {.events = (c->stalled ? 0 : EPOLLIN) | (c->out.len || c->stage == CONNECTING ? EPOLLOUT : 0)};
  e.data.ptr = c;
  if (epoll_ctl(epoll, operation, c->fd, &e)) die("epoll_ctl: %s", strerror(errno));
}

void start(struct conn *c) {
  int one = 1;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) die("socket: %s (the limit of open files?)", strerror(errno));
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  c->stage = CONNECTING;
  c->started = now_ns();
  c->in.len = c->out.len = 0;
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
    die("connect: %s", strerror(errno));
  watch(c, EPOLL_CTL_ADD);
}

void drop(struct conn *c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
  c->stage = GONE;
}

/* Write what waits; what the kernel does not take is written when it says so. */
void flush(struct conn *c) {
  size_t done = 0;
  while (done < c->out.len) {
    ssize_t n = send(c->fd, c->out.data + done, c->out.len - done, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) break;
      done = c->out.len; /* the read side sees the end */
      break;
    }
    done += (size_t)n;
  }
  size_t before = c->out.len;
  memmove(c->out.data, c->out.data + done, before - done);
  c->out.len = before - done;
  if (c->out.len) watch(c, EPOLL_CTL_MOD);
}

/* A masked frame (RFC 6455, section 5.2). The mask is zero: this client has no secrets to hide. */
static void put_frame(struct conn *c, int opcode, const char *data, size_t len) {
  unsigned char head[14] = {(unsigned char)(0x80 | opcode)};
  size_t size = 2;
  if (len < 126) {
    head[1] = (unsigned char)(0x80 | len);
  } else if (len < 65536) {
    head[1] = 0x80 | 126;
    head[2] = (unsigned char)(len >> 8);
    head[3] = (unsigned char)len;
    size = 4;
  } else {
    die("a message of %zu bytes is too long", len);
  }
  append(&c->out, (char *)head, size + 4);
  append(&c->out, data, len);
}

static void put_text(struct conn *c, const char *text) { put_frame(c, 1, text, strlen(text)); }

static const char *find(const char *p, size_t n, const char *what) { return memmem(p, n, what, strlen(what)); }

static u64 number(const char **p, const char *end) {
  u64 value = 0;
  while (*p < end && isdigit((unsigned char)**p)) value = value * 10 + (u64)(*(*p)++ - '0');
  if (*p < end) (*p)++;
  return value;
}

static void complain(const char *what, const char *p, size_t n) {
  if (protocol_errors++ < 5) fprintf(stderr, "loadclient: %s: %.*s\n", what, (int)(n > 300 ? 300 : n), p);
}

static void delivered(struct conn *c, const char *mark, const char *p, size_t n, u64 now) {
  const char *end = p + n;
  u64 id = number(&mark, end), group = number(&mark, end), seq = number(&mark, end), sent = number(&mark, end);
  if (cursors) {
    const char *cursor = find(p, n, "\"cursor\"");
    u64 offset = 0;
    if (cursor != NULL) {
      cursor = memchr(cursor + 8, '"', (size_t)(end - cursor - 8));
      const char *stop = cursor ? memchr(cursor + 1, '"', (size_t)(end - cursor - 1)) : NULL;
      const char *colon = stop ? memrchr(cursor, ':', (size_t)(stop - cursor)) : NULL;
      if (colon != NULL && ++colon < stop) {
        snprintf(c->cursor, sizeof c->cursor, "%.*s", (int)(stop - cursor - 1), cursor + 1);
        offset = number(&colon, stop);
      }
    }
    if (offset <= c->last_offset) run.disordered++;
    c->last_offset = offset;
  }
  if (id != run.id || (int)group != c->group || seq >= run.capacity || c->seen == NULL) {
    run.foreign++;
    return;
  }
  if (c->seen[seq / 8] >> (seq % 8) & 1) {
    run.repeated++;
    return;
  }
  c->seen[seq / 8] |= (unsigned char)(1 << (seq % 8));
  c->got++;
  run.delivered++;
  if (!run.first) run.first = now;
  run.last = now;
  record(&run.delivery, now > sent ? now - sent : 0);
  const char *created = find(p, n, "\"createdAt\":");
  created = created ? memchr(created + 12, '"', (size_t)(end - created - 12)) : NULL;
  u64 accepted = created ? time_of(created + 1, (size_t)(end - created - 1)) : 0;
  if (accepted) record(&run.accepted, now + run.wall > accepted ? now + run.wall - accepted : 0);
}

static void on_text(struct conn *c, const char *p, size_t n, u64 now) {
  const char *mark = find(p, n, "\"bench:");
  if (mark != NULL) {
    delivered(c, mark + 7, p, n, now);
  } else if (find(p, n, "\"connection_ack\"") && c->stage == ACKING) {
    struct buffer text = {0};
    append_text(&text, "{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":");
    fill(&text, subscribe_text, c->group, "");
    if (c->cursor[0]) { /* it was here before: into the payload, whose last byte is its brace */
      text.len--;
      append_text(&text, ",\"extensions\":{\"cursor\":\"");
      append_text(&text, c->cursor);
      append_text(&text, "\"}}");
    }
    append_text(&text, "}");
    put_frame(c, 1, text.data, text.len);
    free(text.data);
    put_text(c, "{\"type\":\"ping\"}");
    c->stage = SUBSCRIBING;
  } else if (find(p, n, "\"pong\"")) {
    if (c->stage != SUBSCRIBING) return;
    c->stage = LIVE;
    live++;
    record(&opening, now - c->started);
  } else if (find(p, n, "\"ping\"")) {
    put_text(c, "{\"type\":\"pong\"}");
  } else {
    complain("unexpected message", p, n);
  }
}

/* Take whole frames; returns how many bytes were used. */
static size_t frames(struct conn *c, const char *p, size_t n, u64 now) {
  size_t used = 0;
  while (n - used >= 2 && c->stage != GONE) {
    const unsigned char *f = (const unsigned char *)p + used;
    size_t len = f[1] & 127, head = 2;
    if (len == 126) {
      head = 4;
      if (n - used < head) break;
      len = (size_t)f[2] << 8 | f[3];
    } else if (len == 127) {
      head = 10;
      if (n - used < head) break;
      len = 0;
      for (int i = 2; i < 10; i++) len = len << 8 | f[i];
    }
    if (n - used < head + len) break;
    const char *data = (const char *)f + head;
    switch (f[0]) {
      case 0x81: on_text(c, data, len, now); break;
      case 0x89: put_frame(c, 10, data, len); break;
      case 0x8a: break;
      case 0x88: complain("closed by the server", len > 2 ? data + 2 : "", len > 2 ? len - 2 : 0); break;
      default: die("a frame that begins with 0x%02x: not a whole text, ping, pong or close", f[0]);
    }
    used += head + len;
  }
  return used;
}

/* The length of one whole HTTP response head, or 0; `*body` gets its Content-Length. */
static size_t head_of(const char *p, size_t n, size_t *body) {
  const char *end = find(p, n, "\r\n\r\n");
  if (end == NULL) return 0;
  *body = 0;
  for (const char *line = p; line < end; line++)
    if (line[0] == '\n' && !strncasecmp(line + 1, "content-length:", 15)) *body = strtoul(line + 16, NULL, 10);
  return (size_t)(end - p) + 4;
}

void answered(struct conn *c, int failed, const char *p, size_t n) {
  unsigned accepted = 0;
  const char *end = p + n, *at = p;
  while (!failed && (at = find(at, (size_t)(end - at), "\"ACCEPTED\"")) != NULL) accepted++, at += 10;
  if (accepted != c->events) {
    complain("not accepted", p, n);
    run.failed += c->events;
    for (unsigned i = 0; i < c->events; i++) run.expected -= group_size[(c->first + i) % (unsigned)groups];
  } else {
    run.acked += c->events;
    for (unsigned i = 0; i < c->events; i++) group_acked[(c->first + i) % (unsigned)groups]++;
  }
  run.last_ack = now_ns();
  record(&run.post, run.last_ack - c->started);
  run.in_flight--;
  c->events = 0;
  c->stage = IDLE;
}

static size_t consume(struct conn *c, const char *p, size_t n, u64 now) {
  size_t body, head;
  if (c->stage == UPGRADING) {
    if ((head = head_of(p, n, &body)) == 0) return 0;
    if (strncmp(p, "HTTP/1.1 101", 12) || !find(p, head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
      die("the server refused a WebSocket: %.*s", (int)(n > 200 ? 200 : n), p);
    put_text(c, "{\"type\":\"connection_init\"}");
    c->stage = ACKING;
    return head + frames(c, p + head, n - head, now);
  }
  if (!c->sender) return frames(c, p, n, now);
  if (c->stage != POSTING) return n;
  if ((head = head_of(p, n, &body)) == 0 || n < head + body) return 0;
  answered(c, strncmp(p, "HTTP/1.1 20", 11) != 0, p, head + body);
  if (find(p, head, "onnection: close")) {
    drop(c);
    start(c);
  }
  return n;
}

static void ended(struct conn *c) {
  if (c->sender) {
    if (c->stage == POSTING) answered(c, 1, "", 0);
    drop(c);
    start(c);
  } else {
    lost_connections++;
    if (c->stage == LIVE) live--;
    complain("a connection ended", "", 0);
    drop(c);
  }
}

static void readable(struct conn *c) {
  for (;;) {
    ssize_t n = recv(c->fd, input, READ, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      ended(c);
      return;
    }
    u64 now = now_ns();
    if (c->in.len) {
      append(&c->in, input, (size_t)n);
      size_t used = consume(c, c->in.data, c->in.len, now);
      c->in.len -= used < c->in.len ? used : c->in.len;
      memmove(c->in.data, c->in.data + used, c->in.len);
    } else {
      size_t used = consume(c, input, (size_t)n, now);
      if (used < (size_t)n && c->stage != GONE) append(&c->in, input + used, (size_t)n - used);
    }
    if (c->stage == GONE || c->stage == CONNECTING) return;
    if (c->out.len) flush(c);
    if (n < READ) return;
  }
}

static void writable(struct conn *c) {
  if (c->stage == CONNECTING) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) die("connect: %s", strerror(error));
    c->stage = IDLE;
    if (!c->sender) {
      char text[512];
      int len = snprintf(text, sizeof text,
                         "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n",
                         ws_path, port);
      append(&c->out, text, (size_t)len);
      c->stage = UPGRADING;
    }
  }
  flush(c);
  if (!c->out.len) watch(c, EPOLL_CTL_MOD);
}

/* One round of the loop; `timeout` in milliseconds. */
void pump(int timeout) {
  static struct epoll_event events[1024];
  int count = epoll_wait(epoll, events, 1024, timeout);
  for (int i = 0; i < count; i++) {
    struct conn *c = events[i].data.ptr;
    if (c == NULL || c->fd < 0) continue; /* the timer only ends the wait */
    if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
    if (c->fd >= 0 && events[i].events & EPOLLOUT) writable(c);
  }
}

/* One round that ends at `when` at the latest; epoll's own milliseconds are too coarse. */
void pump_until(u64 when) {
  u64 now = now_ns();
  if (when > now) {
    struct itimerspec at = {.it_value = {(time_t)(when / 1000000000u), (long)(when % 1000000000u)}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
  }
  pump(when > now ? 50 : 0);
}
