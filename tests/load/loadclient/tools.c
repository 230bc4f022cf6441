/* The clock, text that grows, and durations in buckets. */
#include "loadclient.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

u64 now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

u64 wall_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

/* The ns since 1970 of "2026-01-31T12:59:59.123456Z" (RFC 3339, UTC, any fraction); 0: it is none. */
u64 time_of(const char *text, size_t len) {
  static char minute[16];
  static u64 base;
  if (len < 20 || text[10] != 'T' || text[16] != ':') return 0;
  if (memcmp(minute, text, 16)) { /* timegm is slow, and a minute long */
    struct tm utc = {0};
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d", &utc.tm_year, &utc.tm_mon, &utc.tm_mday, &utc.tm_hour, &utc.tm_min) != 5)
      return 0;
    utc.tm_year -= 1900;
    utc.tm_mon--;
    base = (u64)timegm(&utc) * 1000000000u;
    memcpy(minute, text, 16);
  }
  u64 ns = base + (u64)((text[17] - '0') * 10 + text[18] - '0') * 1000000000u, unit = 100000000u;
  if (text[19] == '.')
    for (size_t at = 20; at < len && text[at] >= '0' && text[at] <= '9'; at++, unit /= 10)
      ns += (u64)(text[at] - '0') * unit;
  return ns;
}

void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("loadclient: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

void *allocate(size_t count, size_t size) {
  void *memory = calloc(count ? count : 1, size);
  if (memory == NULL) die("out of memory");
  return memory;
}

void append(struct buffer *b, const char *data, size_t len) {
  if (b->len + len > b->cap) {
    b->cap = (b->len + len) * 2;
    b->data = realloc(b->data, b->cap);
    if (b->data == NULL) die("out of memory");
  }
  memcpy(b->data + b->len, data, len);
  b->len += len;
}

void append_text(struct buffer *b, const char *text) { append(b, text, strlen(text)); }

/* A value up to 127 has a bucket of its own; above, 128 to a power of two: 0.8 % at most. */
void record(struct histogram *h, u64 value) {
  unsigned at = (unsigned)value;
  if (value >= 128) {
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - 7;
    at = (shift + 1) * 128 + (unsigned)((value >> shift) - 128);
  }
  if (at >= BUCKETS) at = BUCKETS - 1;
  h->bucket[at]++;
  h->count++;
  if (value > h->max) h->max = value;
}

static u64 quantile(const struct histogram *h, double q) {
  u64 rank = (u64)(q * (double)h->count + 0.999999), sum = 0;
  for (unsigned at = 0; at < BUCKETS && h->count; at++) {
    sum += h->bucket[at];
    if (sum >= rank && sum)
      return at < 128 ? at : (u64)(at % 128 + 128) << (at / 128 - 1);
  }
  return h->max;
}

void print_histogram(const char *name, const struct histogram *h) {
  printf(",\"%s\":{\"count\":%llu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}", name,
         (unsigned long long)h->count, quantile(h, .5) / 1e3, quantile(h, .9) / 1e3, quantile(h, .99) / 1e3,
         quantile(h, .999) / 1e3, h->max / 1e3);
}

double cpu_seconds(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* `text` with @G@ and @T@ filled in, appended to `b`. */
void fill(struct buffer *b, const char *text, int group, const char *mark) {
  const char *at;
  while ((at = strchr(text, '@')) != NULL) {
    append(b, text, (size_t)(at - text));
    if (!strncmp(at, "@G@", 3)) {
      char number[16];
      append(b, number, (size_t)sprintf(number, "%d", group));
      text = at + 3;
    } else if (!strncmp(at, "@T@", 3)) {
      append_text(b, mark);
      text = at + 3;
    } else {
      append_text(b, "@");
      text = at + 1;
    }
  }
  append_text(b, text);
}
