/* A WebSocket load client: graphql-transport-ws subscribers and HTTP senders in one epoll loop.
 *
 *   loadclient PORT WS_PATH POST_PATH        (always 127.0.0.1)
 *
 * It takes commands on standard input, one a line, and answers each with one JSON line:
 *
 *   subscribe JSON      payload of every subscribe; @G@ becomes the connection's group
 *   alert JSON          one alert to POST; @G@ becomes the group, @T@ the mark "bench:..."
 *   connect COUNT INFLIGHT GROUPS CURSORS SECONDS
 *                       open COUNT WebSockets, INFLIGHT at a time, connection i in group i % GROUPS;
 *                       each is there when the pong to a ping sent after its subscribe came back.
 *                       With CURSORS, extensions.cursor of every event must grow
 *   run SENDERS BATCH REQUESTS SECONDS RATE LOCKSTEP GRACE
 *                       POST up to REQUESTS requests of BATCH alerts, begun within SECONDS, from
 *                       SENDERS keep-alive connections: at RATE requests/s (0: as fast as answers
 *                       come); with LOCKSTEP the next one when the one before has been delivered.
 *                       Then wait for what is still on its way, until nothing came for GRACE seconds
 *   stall COUNT         do not read from the first COUNT WebSockets (0: read from all again)
 *   leave               drop the WebSockets, remembering the cursor of each
 *   return INFLIGHT SECONDS
 *                       open them again, INFLIGHT at a time, each subscribing with its cursor
 *   settle SECONDS      wait until everybody has all that was acknowledged in the last run
 *   close               drop the WebSockets
 *   quit
 *
 * The mark in the title is bench:RUN:GROUP:SEQ:NS. NS is CLOCK_MONOTONIC when the request was due
 * (with RATE) or sent, so a late sender counts as latency. Every connection keeps a bitmap of the
 * SEQs of its group: lost and repeated are judged against what was acknowledged.
 */
#include "loadclient.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 1 << 16 };

struct conn *subscribers;
int subscriber_count;
static struct conn *senders;
static int sender_count;

static void do_close(void) {
  for (int i = 0; i < subscriber_count; i++) {
    drop(&subscribers[i]);
    free(subscribers[i].in.data);
    free(subscribers[i].out.data);
    free(subscribers[i].seen);
  }
  free(subscribers);
  subscribers = NULL;
  subscriber_count = 0;
  live = 0;
}

static void do_connect(const char *arguments) {
  int count, in_flight;
  double seconds;
  if (sscanf(arguments, "%d %d %d %d %lf", &count, &in_flight, &groups, &cursors, &seconds) != 5 || groups < 1)
    die("connect: bad arguments: %s", arguments);
  if (subscribe_text == NULL) die("connect: no subscribe before it");
  do_close();
  lost_connections = protocol_errors = 0;
  memset(&opening, 0, sizeof opening);
  subscribers = allocate((size_t)count, sizeof *subscribers);
  group_size = realloc(group_size, sizeof(unsigned) * (size_t)groups);
  group_issued = realloc(group_issued, sizeof(unsigned) * (size_t)groups);
  group_acked = realloc(group_acked, sizeof(unsigned) * (size_t)groups);
  memset(group_size, 0, sizeof(unsigned) * (size_t)groups);
  double cpu = cpu_seconds();
  u64 began = now_ns(), until = began + (u64)(seconds * 1e9);
  while ((int)live < count && now_ns() < until && !lost_connections) {
    while (subscriber_count < count && subscriber_count - (int)live < in_flight) {
      struct conn *c = &subscribers[subscriber_count];
      c->group = subscriber_count++ % groups;
      group_size[c->group]++;
      start(c);
    }
    pump(100);
  }
  double took = (now_ns() - began) / 1e9;
  printf("{\"connected\":%llu,\"wanted\":%d,\"seconds\":%.6f,\"errors\":%llu,\"cpu\":%.4f", (unsigned long long)live,
         count, took, (unsigned long long)protocol_errors, cpu_seconds() - cpu);
  print_histogram("opening", &opening);
  printf("}\n");
}

static void issue(struct conn *c, unsigned batch, u64 due) {
  struct buffer body = {0};
  char head[256], mark[96];
  c->first = (unsigned)run.issued;
  c->events = batch;
  if (batch > 1) append_text(&body, "{\"alerts\":[");
  for (unsigned i = 0; i < batch; i++) {
    int group = (int)(run.issued++ % (unsigned)groups);
    snprintf(mark, sizeof mark, "bench:%u:%d:%u:%llu", run.id, group, group_issued[group]++, (unsigned long long)due);
    if (i) append_text(&body, ",");
    fill(&body, alert_text, group, mark);
    run.expected += group_size[group];
  }
  if (batch > 1) append_text(&body, "]}");
  int len = snprintf(head, sizeof head,
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     post_path, port, body.len);
  append(&c->out, head, (size_t)len);
  append(&c->out, body.data, body.len);
  free(body.data);
  c->started = now_ns();
  c->stage = POSTING;
  run.in_flight++;
  flush(c);
}

static void wait_until(u64 until) {
  for (u64 now = now_ns(); now < until; now = now_ns()) pump((int)((until - now) / 1000000) + 1);
}

/* A round of LOCKSTEP is over: everything it caused has been delivered. */
static void end_round(u64 began) {
  record(&run.round, (run.last > run.last_ack ? run.last : run.last_ack) - began);
  if (run.last > run.first) record(&run.fanout, run.last - run.first);
  run.first = 0;
}

/* Late is not lost: wait as long as something comes, and `grace` seconds more; 10 times that in all. */
static void drain(double grace) {
  u64 now = now_ns(), limit = now + (u64)(grace * 10e9), patience = now + (u64)(grace * 1e9);
  for (u64 had = run.delivered + run.post.count; run.in_flight || run.delivered < run.expected; now = now_ns()) {
    if (now >= patience || now >= limit) return;
    pump(10);
    if (run.delivered + run.post.count == had) continue;
    had = run.delivered + run.post.count;
    patience = now + (u64)(grace * 1e9);
  }
}

static void report(double cpu) {
  u64 lost = 0, end = run.last > run.last_ack ? run.last : run.last_ack;
  for (int i = 0; i < subscriber_count; i++) {
    unsigned due = group_acked[subscribers[i].group];
    if (!subscribers[i].away && subscribers[i].got < due) lost += due - subscribers[i].got;
  }
  printf("{\"seconds\":%.6f,\"events\":%llu,\"acked\":%llu,\"failed\":%llu,\"deliveries\":%llu,\"lost\":%llu,"
         "\"repeated\":%llu,\"disordered\":%llu,\"foreign\":%llu,\"errors\":%llu,\"dropped\":%llu,\"cpu\":%.4f",
         end > run.started ? (end - run.started) / 1e9 : 0.0, (unsigned long long)run.issued,
         (unsigned long long)run.acked, (unsigned long long)run.failed, (unsigned long long)run.delivered,
         (unsigned long long)lost, (unsigned long long)run.repeated, (unsigned long long)run.disordered,
         (unsigned long long)run.foreign, (unsigned long long)protocol_errors, (unsigned long long)lost_connections,
         cpu);
  print_histogram("delivery", &run.delivery);
  print_histogram("accepted", &run.accepted);
  print_histogram("post", &run.post);
  print_histogram("round", &run.round);
  print_histogram("fanout", &run.fanout);
  printf("}\n");
}

static void do_run(const char *arguments) {
  unsigned batch, id = run.id + 1;
  u64 requests, sent = 0, due = 0;
  int lockstep;
  double seconds, rate, grace;
  if (sscanf(arguments, "%d %u %lu %lf %lf %d %lf", &sender_count, &batch, &requests, &seconds, &rate, &lockstep,
             &grace) != 7 || batch < 1 || sender_count < 1)
    die("run: bad arguments: %s", arguments);
  if (alert_text == NULL || group_size == NULL) die("run: no alert or no connect before it");
  memset(&run, 0, sizeof run);
  run.id = id;
  run.wall = wall_ns() - now_ns();
  run.capacity = (unsigned)(requests * batch / (unsigned)groups) + 1;
  protocol_errors = 0;
  memset(group_issued, 0, sizeof(unsigned) * (size_t)groups);
  memset(group_acked, 0, sizeof(unsigned) * (size_t)groups);
  for (int i = 0; i < subscriber_count; i++) {
    struct conn *c = &subscribers[i];
    free(c->seen);
    c->seen = allocate(run.capacity / 8 + 1, 1);
    c->got = 0;
  }
  senders = allocate((size_t)sender_count, sizeof *senders);
  for (int i = 0; i < sender_count; i++) {
    senders[i].sender = 1;
    start(&senders[i]);
  }
  for (int ready = 0, tries = 0; ready < sender_count; tries++) {
    if (tries > 1000) die("run: the senders cannot connect");
    pump(10);
    for (ready = 0; ready < sender_count && senders[ready].stage == IDLE;) ready++;
  }
  double cpu = cpu_seconds();
  run.started = due = now_ns();
  u64 round = 0, begun = run.started, until = run.started + (u64)(seconds * 1e9);
  for (;;) {
    u64 now = now_ns();
    if (lockstep && round && !run.in_flight && run.delivered >= run.expected) {
      end_round(round);
      round = 0;
    }
    if (sent >= requests || now >= until) break;
    for (int i = 0; i < sender_count && sent < requests; i++) {
      struct conn *c = &senders[i];
      if (c->stage != IDLE || (lockstep && round)) continue;
      if (rate > 0 && (due = begun + (u64)((double)sent / rate * 1e9)) > now) break;
      if (lockstep) round = now;
      issue(c, batch, rate > 0 ? due : now_ns());
      sent++;
    }
    u64 next = rate > 0 ? begun + (u64)((double)sent / rate * 1e9) : 0;
    if (next > now_ns()) pump_until(next);
    else pump(50 * (!rate || run.in_flight == (unsigned)sender_count));
  }
  drain(grace);
  cpu = cpu_seconds() - cpu;
  if (lockstep && round && !run.in_flight && run.delivered >= run.expected) end_round(round);
  if (run.in_flight) { /* no answer in time: failed, not lost */
    for (int i = 0; i < sender_count; i++)
      if (senders[i].stage == POSTING) answered(&senders[i], 1, "", 0);
  }
  wait_until(now_ns() + 100000000u); /* what comes now came twice */
  report(cpu);
  for (int i = 0; i < sender_count; i++) {
    drop(&senders[i]);
    free(senders[i].in.data);
    free(senders[i].out.data);
  }
  free(senders);
}

static void execute(char *line) {
  char *rest = strchr(line, ' ');
  if (rest != NULL) *rest++ = 0;
  else rest = line + strlen(line);
  if (!strcmp(line, "quit")) exit(0);
  if (!strcmp(line, "connect")) do_connect(rest);
  else if (!strcmp(line, "run")) do_run(rest);
  else if (!strcmp(line, "return")) do_return(rest);
  else if (!strcmp(line, "settle")) do_settle(rest);
  else {
    if (!strcmp(line, "subscribe")) subscribe_text = strdup(rest);
    else if (!strcmp(line, "alert")) alert_text = strdup(rest);
    else if (!strcmp(line, "stall")) do_stall(rest);
    else if (!strcmp(line, "leave")) do_leave();
    else if (!strcmp(line, "close")) do_close();
    else die("unknown command: %s", line);
    printf("{}\n");
  }
  fflush(stdout);
}

int main(int argc, char **argv) {
  static char line[LINE];
  size_t len = 0;
  if (argc != 4) die("usage: loadclient PORT WS_PATH POST_PATH");
  port = atoi(argv[1]);
  ws_path = argv[2];
  post_path = argv[3];
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if ((epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) die("epoll_create1: %s", strerror(errno));
  struct epoll_event tick = {.events = EPOLLIN | EPOLLET};
  timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (timer < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &tick)) die("timer: %s", strerror(errno));
  for (;;) {
    struct pollfd ready[2] = {{.fd = 0, .events = POLLIN}, {.fd = epoll, .events = POLLIN}};
    poll(ready, 2, -1);
    if (ready[1].revents) pump(0);
    if (!ready[0].revents) continue;
    ssize_t n = read(0, line + len, LINE - 1 - len);
    if (n <= 0) return 0;
    len += (size_t)n;
    for (char *end; (end = memchr(line, '\n', len)) != NULL;) {
      *end = 0;
      execute(line);
      len -= (size_t)(end - line) + 1;
      memmove(line, end + 1, len);
    }
    if (len == LINE - 1) die("a command is too long");
  }
}
