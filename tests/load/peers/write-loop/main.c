/* The limit of this machine: an event is one frame, and a loop of write() gives it to everybody.
 *
 *   write-loop PORT        (always 127.0.0.1)
 *
 * It speaks as much HTTP, WebSocket and graphql-transport-ws as the load client needs, with no
 * schema, no JSON and no queue: whoever asks for a subscription gets the events of the source in its
 * text, in frames as long as everybody's. The sockets of subscribers block: nothing is dropped.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { INPUT = 1 << 18, TEXT = 4096, SOURCES = 1024, FRAME = 1024 };
enum stage { HTTP, WEBSOCKET };

struct conn {
  int fd;
  enum stage stage;
  char *held; /* what is not a whole message yet */
  size_t len;
};
struct topic {
  char source[64];
  int *fds;
  size_t count, room;
};

static struct topic topics[SOURCES];
static size_t topic_count;
static unsigned long long offset;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void put(int fd, const char *data, size_t len) {
  while (len) {
    ssize_t n = write(fd, data, len);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return; /* it is gone; the reading side sees it */
    data += n;
    len -= (size_t)n;
  }
}

static size_t frame(char *out, const char *text, size_t len) {
  size_t head = len < 126 ? 2 : 4;
  out[0] = (char)0x81;
  out[1] = (char)(len < 126 ? len : 126);
  if (head == 4) out[2] = (char)(len >> 8), out[3] = (char)len;
  memcpy(out + head, text, len);
  return head + len;
}

static void say(int fd, const char *text) {
  char out[FRAME];
  put(fd, out, frame(out, text, strlen(text)));
}

static struct topic *topic_of(const char *source, size_t len) {
  for (size_t i = 0; i < topic_count; i++)
    if (strlen(topics[i].source) == len && !memcmp(topics[i].source, source, len)) return &topics[i];
  if (topic_count == SOURCES || len >= sizeof topics[0].source) die("too many sources");
  memcpy(topics[topic_count].source, source, len);
  return &topics[topic_count++];
}

static void forget(int fd) {
  for (size_t i = 0; i < topic_count; i++)
    for (size_t j = 0; j < topics[i].count; j++)
      if (topics[i].fds[j] == fd) topics[i].fds[j--] = topics[i].fds[--topics[i].count];
}

/* The string value of a field in JSON without escapes; `end` of the object. */
static const char *value(const char *p, const char *end, const char *name, size_t *len) {
  const char *at = memmem(p, (size_t)(end - p), name, strlen(name));
  at = at ? memchr(at + strlen(name), '"', (size_t)(end - at) - strlen(name)) : NULL;
  const char *stop = at ? memchr(at + 1, '"', (size_t)(end - at - 1)) : NULL;
  if (stop == NULL) return NULL;
  *len = (size_t)(stop - at - 1);
  return at + 1;
}

static void publish(const char *source, size_t source_len, const char *title, size_t title_len) {
  char text[FRAME - 8], out[FRAME];
  struct timespec now;
  struct tm utc;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &utc);
  int len = snprintf(text, sizeof text,
                     "{\"id\":\"1\",\"type\":\"next\",\"payload\":{\"data\":{\"newIncidents\":{"
                     "\"id\":\"00000000-0000-4000-8000-%012llu\",\"title\":\"%.*s\",\"severity\":\"P1\","
                     "\"state\":\"NEW\",\"source\":\"%.*s\",\"createdAt\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ\","
                     "\"cursor\":\"00000000000000000000000000000000:%llu\"}}}}",
                     offset + 1, (int)title_len, title, (int)source_len, source, utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000, offset + 1);
  offset++;
  if (len < 0 || (size_t)len >= sizeof text) die("a title is too long");
  size_t size = frame(out, text, (size_t)len);
  struct topic *topic = topic_of(source, source_len);
  for (size_t i = 0; i < topic->count; i++) put(topic->fds[i], out, size);
}

/* Each alert of a body, in order; then the answer. */
static void alerts(int fd, const char *p, const char *end) {
  static char answer[INPUT], out[INPUT + 256];
  size_t len = 0, count = 0, source_len, title_len;
  for (const char *source; (source = value(p, end, "\"source\":", &source_len)) != NULL; count++) {
    const char *title = value(source, end, "\"title\":", &title_len);
    if (title == NULL || len + 64 > sizeof answer) die("not an alert");
    publish(source, source_len, title, title_len);
    len += (size_t)sprintf(answer + len, "%s{\"status\":\"ACCEPTED\"}", count ? "," : "");
    p = title + title_len + 1;
  }
  int head = sprintf(out, "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n[",
                     len + 2);
  memcpy(out + head, answer, len);
  out[(size_t)head + len] = ']';
  put(fd, out, (size_t)head + len + 1);
}

static size_t request(struct conn *c, char *p, size_t n) {
  char *end = memmem(p, n, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  size_t head = (size_t)(end - p) + 4;
  if (!memcmp(p, "GET ", 4)) { /* the answer to the key of RFC 6455, section 1.3, which the client sends */
    const char *upgrade =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n";
    put(c->fd, upgrade, strlen(upgrade));
    c->stage = WEBSOCKET;
    return head;
  }
  const char *length = memmem(p, head, "Content-Length:", 15);
  size_t body = length ? strtoul(length + 15, NULL, 10) : 0;
  if (n < head + body) return 0;
  alerts(c->fd, p + head, p + head + body);
  return head + body;
}

static void message(struct conn *c, const char *p, size_t n) {
  size_t len;
  if (memmem(p, n, "\"connection_init\"", 17)) {
    say(c->fd, "{\"type\":\"connection_ack\"}");
  } else if (memmem(p, n, "\"ping\"", 6)) {
    say(c->fd, "{\"type\":\"pong\"}");
  } else if (memmem(p, n, "\"subscribe\"", 11)) {
    const char *source = value(p, p + n, "sources: [\\", &len);
    if (source == NULL || len == 0) die("no source");
    struct topic *topic = topic_of(source, len - 1); /* the backslash before its closing quote */
    if (topic->count == topic->room) {
      topic->room = topic->room * 2 + 16;
      topic->fds = realloc(topic->fds, topic->room * sizeof(int));
      if (topic->fds == NULL) die("realloc");
    }
    topic->fds[topic->count++] = c->fd;
  }
}

/* One masked frame of a client; the mask of the load client is zero. */
static size_t client_frame(struct conn *c, const char *p, size_t n) {
  if (n < 2) return 0;
  size_t len = (unsigned char)p[1] & 127, head = 6;
  if (len == 126) {
    if (n < 4) return 0;
    len = (size_t)(unsigned char)p[2] << 8 | (unsigned char)p[3];
    head = 8;
  }
  if (n < head + len) return 0;
  message(c, p + head, len);
  return head + len;
}

/* Whether it is still there. */
static int readable(struct conn *c) {
  static char input[INPUT];
  memcpy(input, c->held ? c->held : "", c->len);
  ssize_t got = recv(c->fd, input + c->len, INPUT - c->len, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 1;
  if (got <= 0) return 0;
  size_t n = c->len + (size_t)got, at = 0, used;
  do {
    used = c->stage == HTTP ? request(c, input + at, n - at) : client_frame(c, input + at, n - at);
    at += used;
  } while (used && at < n);
  free(c->held);
  c->held = NULL;
  c->len = n - at;
  if (c->len && (c->held = malloc(c->len)) == NULL) die("malloc");
  if (c->len) memcpy(c->held, input + at, c->len);
  return c->len < INPUT;
}

int main(int argc, char **argv) {
  int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (argc != 2) return 2;
  address.sin_port = htons((uint16_t)atoi(argv[1]));
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) die("listen");
  struct epoll_event event = {.events = EPOLLIN}, events[256];
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event)) die("epoll_ctl");
  puts("ready");
  fflush(stdout);
  for (;;) {
    int count = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < count; i++) {
      struct conn *c = events[i].data.ptr;
      if (c == NULL) {
        if ((c = calloc(1, sizeof *c)) == NULL) die("calloc");
        if ((c->fd = accept(listener, NULL, NULL)) < 0) die("accept");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        event.data.ptr = c;
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event)) die("epoll_ctl");
      } else if (!readable(c)) {
        forget(c->fd);
        close(c->fd);
        free(c->held);
        free(c);
      }
    }
  }
}
