/* Subscribers that do not read, or are away for a while and come back with their cursors. */
#include "loadclient.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

/* What an alert is a fan-out to: those of whom something is expected. */
static void count_groups(void) {
  memset(group_size, 0, sizeof(unsigned) * (size_t)groups);
  for (int i = 0; i < subscriber_count; i++)
    if (!subscribers[i].away) group_size[subscribers[i].group]++;
}

void do_stall(const char *arguments) {
  int count;
  if (sscanf(arguments, "%d", &count) != 1) die("stall: bad arguments: %s", arguments);
  for (int i = 0; i < subscriber_count; i++) {
    struct conn *c = &subscribers[i];
    int before = c->stalled;
    c->stalled = c->away = i < count;
    if (c->stalled != before && c->fd >= 0) watch(c, EPOLL_CTL_MOD);
  }
  count_groups();
}

void do_leave(void) {
  for (int i = 0; i < subscriber_count; i++) {
    drop(&subscribers[i]);
    subscribers[i].away = 1;
  }
  live = 0;
  count_groups();
}

void do_return(const char *arguments) {
  int in_flight, opened = 0;
  double seconds;
  if (sscanf(arguments, "%d %lf", &in_flight, &seconds) != 2) die("return: bad arguments: %s", arguments);
  memset(&opening, 0, sizeof opening);
  u64 began = now_ns(), until = began + (u64)(seconds * 1e9);
  while ((int)live < subscriber_count && now_ns() < until && !lost_connections) {
    while (opened < subscriber_count && opened - (int)live < in_flight) {
      subscribers[opened].away = 0;
      start(&subscribers[opened++]);
    }
    pump(100);
  }
  count_groups();
  printf("{\"connected\":%llu,\"seconds\":%.6f,\"errors\":%llu", (unsigned long long)live, (now_ns() - began) / 1e9,
         (unsigned long long)protocol_errors);
  print_histogram("opening", &opening);
  printf("}\n");
}

static u64 owed(void) {
  u64 lost = 0;
  for (int i = 0; i < subscriber_count; i++) {
    unsigned due = group_acked[subscribers[i].group];
    if (subscribers[i].got < due) lost += due - subscribers[i].got;
  }
  return lost;
}

void do_settle(const char *arguments) {
  double seconds;
  if (sscanf(arguments, "%lf", &seconds) != 1) die("settle: bad arguments: %s", arguments);
  u64 began = now_ns(), until = began + (u64)(seconds * 1e9), had = run.delivered, lost = owed();
  while (lost && now_ns() < until) {
    pump(10);
    if (run.delivered - had < lost) continue;
    had = run.delivered;
    lost = owed();
  }
  u64 took = now_ns() - began, end = now_ns() + 100000000u;
  while (now_ns() < end) pump(10); /* what comes now came twice */
  printf("{\"seconds\":%.6f,\"lost\":%llu,\"deliveries\":%llu,\"repeated\":%llu,\"disordered\":%llu,\"foreign\":%llu,"
         "\"errors\":%llu,\"dropped\":%llu}\n",
         took / 1e9, (unsigned long long)lost, (unsigned long long)run.delivered, (unsigned long long)run.repeated,
         (unsigned long long)run.disordered, (unsigned long long)run.foreign, (unsigned long long)protocol_errors,
         (unsigned long long)lost_connections);
}
