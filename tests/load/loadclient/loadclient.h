/* What the parts of the load client share. */
#ifndef LOADCLIENT_H
#define LOADCLIENT_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
/* main.c: all subscribers, and how many were opened. */
extern struct conn *subscribers;
extern int subscriber_count;

/* absent.c: those that do not read, or are away for a while. */
void do_stall(const char *arguments);
void do_leave(void);
void do_return(const char *arguments);
void do_settle(const char *arguments);

#endif
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t u64;

/* tools.c: the clock, text, durations. */
enum { BUCKETS = 60 * 128 };
struct buffer { char *data; size_t len, cap; };
struct histogram { u64 count, max, bucket[BUCKETS]; };

u64 now_ns(void);
u64 wall_ns(void);
u64 time_of(const char *text, size_t len);
double cpu_seconds(void);
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void *allocate(size_t count, size_t size);
void append(struct buffer *b, const char *data, size_t len);
void append_text(struct buffer *b, const char *text);
void fill(struct buffer *b, const char *text, int group, const char *mark);
void record(struct histogram *h, u64 value);
void print_histogram(const char *name, const struct histogram *h);

/* peers.c: the connections; what they get is counted in `run`. */
enum stage { CONNECTING, UPGRADING, ACKING, SUBSCRIBING, LIVE, IDLE, POSTING, GONE };
struct conn {
  int fd, group, sender;
  int stalled;            /* not read from */
  int away;               /* it left, or is stalled: nothing is expected of it for now */
  enum stage stage;
  struct buffer in, out;
  u64 started, last_offset;
  unsigned got;           /* events of this run, each counted once */
  unsigned char *seen;    /* bitmap of this run's SEQs */
  unsigned first, events; /* a sender's request: its first event and how many */
  char cursor[64];        /* of the last event */
};
struct run {
  unsigned id, capacity;    /* capacity: SEQs that a bitmap holds */
  u64 issued, acked, failed; /* events */
  u64 expected, delivered;  /* deliveries */
  u64 repeated, disordered, foreign;
  u64 first, last, last_ack, started;
  unsigned in_flight;       /* requests */
  u64 wall; /* CLOCK_REALTIME less CLOCK_MONOTONIC */
  struct histogram delivery, accepted, post, round, fanout;
};

extern struct run run;
extern struct sockaddr_in address;
extern const char *ws_path, *post_path;
extern char *subscribe_text, *alert_text;
extern int epoll, timer, port, groups, cursors;
extern unsigned *group_size, *group_issued, *group_acked; /* connections; events of this run */
extern u64 protocol_errors, live, lost_connections;
extern struct histogram opening;

void watch(struct conn *c, int operation);
void start(struct conn *c);
void drop(struct conn *c);
void flush(struct conn *c);
void answered(struct conn *c, int failed, const char *p, size_t n);
void pump(int timeout);
void pump_until(u64 when);

/* main.c: all subscribers, and how many were opened. */
extern struct conn *subscribers;
extern int subscriber_count;

/* absent.c: those that do not read, or are away for a while. */
void do_stall(const char *arguments);
void do_leave(void);
void do_return(const char *arguments);
void do_settle(const char *arguments);

#endif
