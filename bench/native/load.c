// The load of the benchmark: holds streams open, publishes, counts events by their marks and takes their latency from
// the time that the mark carries. One process, one thread, so that it can be pinned to a core. While a command runs it
// never sleeps: a server would pay for waking it with each write, the more often the slower the server is.
//
// load <port>... reads commands from standard input, a line each, and answers each with one line of JSON.
// Streams are spread over the ports; events are published to the first.
//   streams <file>                          requests of streams, each ended by a NUL
//   publishes <file>                        requests of publishers, likewise; each mark in them is overwritten
//   open <count> <at once>                  opens the next streams; done when their heads are here
//   replay <count> <at once> <events each>  the same; done when each has got so many events
//   closed <outstanding> <ms> <deliveries>  publishes so many at a time; an event is done when it was delivered so often
//   paced <per second> <ms> <deliveries>    publishes at a rate, whatever comes back
//   count <outstanding> <requests>          publishes so many requests; each is done when it is answered
//   listen <ms>                             reads what comes by itself
//   drop <ms>                               closes all streams, and waits so long
#include "shared.h"

#define MAX_STREAMS 20000
#define MAX_PUBLISHERS 1024
#define RECENT 65536
#define BUCKETS_A_DOUBLING 64
#define BUCKETS (40 * BUCKETS_A_DOUBLING)
#define DRAIN_NS 30000000000ull
#define STALL_NS 60000000000ull

enum kind { STREAM, PUBLISHER };

struct requests {
  char *text;
  char **item;
  size_t *length;
  size_t count, next;
};

/** A connection of a stream. Until its head is here it is being opened. */
struct stream {
  enum kind kind;
  int fd;
  char is_open, head_ends, line_length;
  char line[16];
  char mark[MARK_TEXT];
  int mark_length;  // -1: outside of a mark
  long events;
};

/** A connection of a publisher; it carries one request at a time. */
struct publisher {
  enum kind kind;
  int fd;
  char is_busy, is_answered;
  long pending;  // deliveries still to come
  size_t sent, length;
  char *request;
  size_t capacity;
  char answer[65536];
  size_t answered;
};

struct counts {
  uint64_t requests, events, deliveries, all_deliveries, bytes, reads;
  long opened, refused, broken, complete, surplus, failed;
};

static int epoll_fd, ports[8], port_count;
static struct requests stream_requests, publish_requests;
static struct stream *streams;
static size_t stream_count;
static struct publisher *publishers;
static struct publisher *owner_of[RECENT];
static uint32_t next_number;
static struct counts counts;
static uint64_t histogram[BUCKETS];
static uint64_t measured_until;
static long opening, expected_each, deliveries_each;
static char buffer[262144];
static char first_failure[2048];

static struct requests read_requests(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) die("%s cannot be read", path);
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  struct requests found = {.text = need(malloc((size_t)size + 1))};
  if (fread(found.text, 1, (size_t)size, file) != (size_t)size) die("%s cannot be read", path);
  fclose(file);
  for (long at = 0; at < size; at++) found.count += found.text[at] == 0;
  found.item = need(calloc(found.count + 1, sizeof *found.item));
  found.length = need(calloc(found.count + 1, sizeof *found.length));
  char *start = found.text;
  for (size_t index = 0; index < found.count; index++) {
    found.item[index] = start;
    found.length[index] = strlen(start);
    start += found.length[index] + 1;
  }
  return found;
}

static void replace_requests(struct requests *requests, const char *path) {
  free(requests->text);
  free(requests->item);
  free(requests->length);
  *requests = read_requests(path);
}

static void fail(const char *text, size_t length) {
  counts.failed++;
  if (first_failure[0] != 0) return;
  for (size_t at = 0; at < length && at < sizeof first_failure - 1; at++)
    first_failure[at] = text[at] < ' ' || text[at] == '"' || text[at] == '\\' ? ' ' : text[at];
}

// Latencies: buckets whose width is a 64th of a power of two, of microseconds.

static int bucket_of(uint64_t us) {
  if (us < BUCKETS_A_DOUBLING) return (int)us;
  int power = 63 - __builtin_clzll(us);
  int bucket = (power - 5) * BUCKETS_A_DOUBLING + (int)((us >> (power - 6)) & 63);
  return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static double us_of(int bucket) {
  if (bucket < BUCKETS_A_DOUBLING) return bucket;
  int power = bucket / BUCKETS_A_DOUBLING + 5;
  return (double)((uint64_t)(64 + bucket % BUCKETS_A_DOUBLING) << (power - 6));
}

static double percentile(double share) {
  uint64_t total = 0, passed = 0;
  for (int at = 0; at < BUCKETS; at++) total += histogram[at];
  for (int at = 0; at < BUCKETS; at++) {
    passed += histogram[at];
    if (passed > 0 && (double)passed >= share * (double)total) return us_of(at) / 1000;
  }
  return 0;
}

// Publishers

static const char HEX[] = "0123456789abcdef";

static void write_hex(char *text, int digits, uint64_t value) {
  for (int at = digits - 1; at >= 0; at--, value >>= 4) text[at] = HEX[value & 15];
}

static uint64_t read_hex(const char *text, int digits) {
  uint64_t value = 0;
  for (int at = 0; at < digits; at++) {
    char digit = text[at];
    value = value << 4 | (uint64_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
  }
  return value;
}

static void connect_publisher(struct publisher *publisher) {
  struct sockaddr_in address = loopback(ports[0]);
  publisher->kind = PUBLISHER;
  publisher->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (publisher->fd < 0 || connect(publisher->fd, (struct sockaddr *)&address, sizeof address) < 0)
    die("a publisher cannot connect: %s", strerror(errno));
  fcntl(publisher->fd, F_SETFL, O_NONBLOCK);
  set_nodelay(publisher->fd);
  watch(epoll_fd, EPOLL_CTL_ADD, publisher->fd, EPOLLIN, publisher);
}

static void send_more(struct publisher *publisher) {
  while (publisher->sent < publisher->length) {
    ssize_t sent = send(publisher->fd, publisher->request + publisher->sent,
                        publisher->length - publisher->sent, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) die("a publisher cannot send: %s", strerror(errno));
    if (sent < 0) break;
    publisher->sent += (size_t)sent;
  }
  uint32_t events = publisher->sent < publisher->length ? EPOLLIN | EPOLLOUT : EPOLLIN;
  if (publisher->sent < publisher->length || publisher->length > 32768)
    watch(epoll_fd, EPOLL_CTL_MOD, publisher->fd, events, publisher);
}

/** Sends the next request, its marks overwritten. `at`: the time that its events carry. */
static void publish(struct publisher *publisher, uint64_t at) {
  struct requests *requests = &publish_requests;
  size_t index = requests->next++ % requests->count;
  size_t length = requests->length[index];
  if (publisher->fd == 0) connect_publisher(publisher);
  if (length > publisher->capacity) {
    publisher->request = need(realloc(publisher->request, length));
    publisher->capacity = length;
  }
  memcpy(publisher->request, requests->item[index], length);
  publisher->pending = 0;
  char *end = publisher->request + length;
  for (char *mark = publisher->request; (mark = memchr(mark, MARK, (size_t)(end - mark))) != NULL;
       mark += 1 + MARK_TEXT) {
    uint32_t number = next_number++;
    owner_of[number % RECENT] = publisher;
    write_hex(mark + 1, MARK_NUMBER, number);
    write_hex(mark + 1 + MARK_NUMBER, MARK_TIME, at);
    publisher->pending += deliveries_each;
    counts.events++;
  }
  publisher->is_busy = 1;
  publisher->is_answered = 0;
  publisher->answered = 0;
  publisher->sent = 0;
  publisher->length = length;
  counts.requests++;
  send_more(publisher);
}

static void finish_if_done(struct publisher *publisher) {
  if (publisher->is_busy && publisher->is_answered && publisher->pending <= 0) publisher->is_busy = 0;
}

/** Whether the answer is all there: its body has a length, or ends with an empty chunk. */
static int is_whole(struct publisher *publisher) {
  publisher->answer[publisher->answered] = 0;
  char *head_end = strstr(publisher->answer, "\r\n\r\n");
  if (head_end == NULL) return 0;
  char *length = strcasestr(publisher->answer, "\r\ncontent-length:");
  size_t body = publisher->answered - (size_t)(head_end + 4 - publisher->answer);
  if (length != NULL && length < head_end) return body >= strtoul(length + 17, NULL, 10);
  return body >= 5 && memcmp(publisher->answer + publisher->answered - 5, "0\r\n\r\n", 5) == 0;
}

static void read_answer(struct publisher *publisher) {
  size_t room = sizeof publisher->answer - 1 - publisher->answered;
  ssize_t got = recv(publisher->fd, publisher->answer + publisher->answered, room, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0 && publisher->is_busy) die("a publisher's connection ended");
  // A server lets go of what is idle. The next publish connects anew.
  if (got <= 0) {
    close(publisher->fd);
    publisher->fd = 0;
    return;
  }
  publisher->answered += (size_t)got;
  if (!is_whole(publisher)) return;
  if (publisher->answer[9] != '2') {
    fail(publisher->answer, publisher->answered);
    publisher->pending = 0;
  }
  publisher->is_answered = 1;
  finish_if_done(publisher);
}

// Streams

static void begin_stream(void) {
  if (stream_count == MAX_STREAMS) die("more streams than there are descriptors");
  struct requests *requests = &stream_requests;
  size_t index = requests->next++ % requests->count;
  struct sockaddr_in address = loopback(ports[stream_count % (size_t)port_count]);
  struct stream *stream = &streams[stream_count++];
  *stream = (struct stream){.kind = STREAM, .mark_length = -1};
  stream->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (stream->fd < 0) die("no descriptor is left: %s", strerror(errno));
  if (connect(stream->fd, (struct sockaddr *)&address, sizeof address) < 0)
    die("a stream cannot connect: %s", strerror(errno));
  fcntl(stream->fd, F_SETFL, O_NONBLOCK);
  // Requests are far smaller than a new socket's buffer.
  if (send(stream->fd, requests->item[index], requests->length[index], MSG_NOSIGNAL) < 0)
    die("a stream cannot ask: %s", strerror(errno));
  watch(epoll_fd, EPOLL_CTL_ADD, stream->fd, EPOLLIN, stream);
  opening++;
}

static void lose(struct stream *stream) {
  if (stream->is_open) counts.broken++;
  else opening--;
  close(stream->fd);
  stream->fd = -1;
}

static void deliver(struct stream *stream, const char *mark, uint64_t now) {
  uint32_t number = (uint32_t)read_hex(mark, MARK_NUMBER);
  stream->events++;
  if (stream->events == expected_each) counts.complete++;
  if (expected_each > 0) {
    counts.deliveries++;
    return;
  }
  struct publisher *publisher = owner_of[number % RECENT];
  if (publisher == NULL) return;
  if (publisher->pending-- <= 0) counts.surplus++;
  finish_if_done(publisher);
  counts.all_deliveries++;
  if (now > measured_until) return;
  counts.deliveries++;
  uint64_t published = read_hex(mark + MARK_NUMBER, MARK_TIME);
  histogram[bucket_of(now > published ? (now - published) / 1000 : 0)]++;
}

/** Goes on with a mark that was cut by the end of what was read before, and gives what is left. */
static size_t end_mark(struct stream *stream, const char *bytes, size_t length, uint64_t now) {
  size_t missing = (size_t)(MARK_TEXT - stream->mark_length);
  size_t taken = length < missing ? length : missing;
  memcpy(stream->mark + stream->mark_length, bytes, taken);
  stream->mark_length += (int)taken;
  if (stream->mark_length == MARK_TEXT) {
    stream->mark_length = -1;
    deliver(stream, stream->mark, now);
  }
  return taken;
}

static void find_marks(struct stream *stream, const char *bytes, size_t length, uint64_t now) {
  const char *end = bytes + length;
  if (stream->mark_length >= 0) bytes += end_mark(stream, bytes, length, now);
  while ((bytes = memchr(bytes, MARK, (size_t)(end - bytes))) != NULL) {
    bytes++;
    if (end - bytes >= MARK_TEXT) {
      deliver(stream, bytes, now);
      bytes += MARK_TEXT;
    } else {
      stream->mark_length = 0;
      bytes += end_mark(stream, bytes, (size_t)(end - bytes), now);
    }
  }
}

/** Reads a part of the head, and says how long it was. */
static size_t read_head(struct stream *stream, const char *bytes, size_t length) {
  static const char END[] = "\r\n\r\n";
  for (size_t at = 0; at < length; at++) {
    if (stream->line_length < 12) stream->line[(int)stream->line_length++] = bytes[at];
    if (bytes[at] == END[(int)stream->head_ends]) stream->head_ends++;
    else stream->head_ends = bytes[at] == '\r';
    if (stream->head_ends < 4) continue;
    opening--;
    stream->is_open = 1;
    if (memcmp(stream->line + 9, "200", 3) == 0) {
      counts.opened++;
    } else {
      counts.refused++;
      fail(bytes, length);
    }
    return at + 1;
  }
  return length;
}

static void read_stream(struct stream *stream) {
  ssize_t got = recv(stream->fd, buffer, sizeof buffer, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    lose(stream);
    return;
  }
  size_t head = stream->is_open ? 0 : read_head(stream, buffer, (size_t)got);
  counts.bytes += (uint64_t)got;
  counts.reads++;
  find_marks(stream, buffer + head, (size_t)got - head, now_ns());
}

// Commands

/** Deals with what has happened, or happens within so many milliseconds. */
static void turn(int wait_ms) {
  struct epoll_event events[1024];
  int count = epoll_wait(epoll_fd, events, 1024, wait_ms);
  for (int at = 0; at < count; at++) {
    enum kind *kind = events[at].data.ptr;
    if (*kind == STREAM) {
      read_stream((struct stream *)kind);
      continue;
    }
    struct publisher *publisher = (struct publisher *)kind;
    if (events[at].events & EPOLLOUT) send_more(publisher);
    if (events[at].events & ~EPOLLOUT) read_answer(publisher);
  }
}

static void begin(void) {
  memset(&counts, 0, sizeof counts);
  memset(histogram, 0, sizeof histogram);
  first_failure[0] = 0;
  measured_until = UINT64_MAX;
  expected_each = 0;
  deliveries_each = 0;
}

static void tell(uint64_t started, uint64_t ended) {
  double seconds = (double)(ended - started) / 1e9;
  printf("{\"seconds\":%.6f,\"requests\":%llu,\"events\":%llu,\"deliveries\":%llu,\"allDeliveries\":%llu,\"bytes\":%llu,\"reads\":%llu,"
         "\"opened\":%ld,\"refused\":%ld,\"broken\":%ld,\"surplus\":%ld,\"failed\":%ld,"
         "\"p50Ms\":%.3f,\"p90Ms\":%.3f,\"p99Ms\":%.3f,\"maxMs\":%.3f,\"failure\":\"%s\"}\n",
         seconds, (unsigned long long)counts.requests, (unsigned long long)counts.events,
         (unsigned long long)counts.deliveries,
         (unsigned long long)counts.all_deliveries, (unsigned long long)counts.bytes,
         (unsigned long long)counts.reads, counts.opened,
         counts.refused, counts.broken, counts.surplus, counts.failed, percentile(0.5),
         percentile(0.9), percentile(0.99), percentile(1), first_failure);
  fflush(stdout);
}

static void open_streams(long count, long at_once, long events_each) {
  begin();
  expected_each = events_each;
  uint64_t started = now_ns(), moved = started;
  uint64_t before = UINT64_MAX;
  for (long begun = 0;;) {
    // A replay is under way until its last event.
    long done = events_each > 0 ? counts.complete + counts.refused + counts.broken : begun - opening;
    if (begun == count && opening == 0 && done >= count) break;
    for (; begun < count && begun - done < at_once; begun++) begin_stream();
    // Heartbeats are no progress.
    uint64_t now = now_ns(), progress = counts.deliveries + (uint64_t)counts.opened;
    if (progress != before) {
      before = progress;
      moved = now;
    } else if (now - moved > STALL_NS) {
      fail("nothing came any more", 21);
      break;
    }
    turn(0);
  }
  tell(started, now_ns());
}

static int are_busy(void) {
  for (int at = 0; at < MAX_PUBLISHERS; at++)
    if (publishers[at].is_busy) return 1;
  return 0;
}

/** Waits for what is under way. */
static void finish(void) {
  uint64_t deadline = now_ns() + DRAIN_NS;
  while (are_busy() && now_ns() < deadline) turn(0);
  for (int at = 0; at < MAX_PUBLISHERS; at++) {
    if (!publishers[at].is_busy) continue;
    fail("an event was not delivered to everybody", 39);
    publishers[at].is_busy = 0;
    if (!publishers[at].is_answered) die("a publish was not answered");
  }
  memset(owner_of, 0, sizeof owner_of);
}

static void publish_closed(long outstanding, long ms, long deliveries, long requests) {
  begin();
  deliveries_each = deliveries;
  uint64_t started = now_ns();
  measured_until = ms > 0 ? started + (uint64_t)ms * 1000000u : UINT64_MAX;
  uint64_t ended;
  while ((ended = now_ns()) < measured_until) {
    for (long at = 0; at < outstanding; at++) {
      if (requests > 0 && (long)counts.requests == requests) break;
      if (!publishers[at].is_busy) publish(&publishers[at], now_ns());
    }
    if (requests > 0 && (long)counts.requests == requests && !are_busy()) break;
    turn(0);
  }
  struct counts within = counts;
  finish();
  within.all_deliveries = counts.all_deliveries;
  within.reads = counts.reads;
  within.surplus = counts.surplus;
  within.failed = counts.failed;
  within.broken = counts.broken;
  counts = within;
  tell(started, ended);
}

static void publish_paced(double per_second, long ms, long deliveries) {
  begin();
  deliveries_each = deliveries;
  uint64_t started = now_ns(), ended = started + (uint64_t)ms * 1000000u;
  double step = 1e9 / per_second;
  uint64_t due = 0;
  int at = 0;
  for (uint64_t now; (now = now_ns()) < ended;) {
    // An event carries the time at which it was due: what waits behind a slow answer is late, and counts as that.
    for (uint64_t time; (time = started + (uint64_t)((double)due * step)) <= now && time < ended;) {
      int tried = 0;
      while (publishers[at].is_busy && tried++ < MAX_PUBLISHERS) at = (at + 1) % MAX_PUBLISHERS;
      if (publishers[at].is_busy) break;
      publish(&publishers[at], time);
      at = (at + 1) % 64;
      due++;
    }
    turn(0);
  }
  finish();
  tell(started, ended);
}

static void listen_to_streams(long ms) {
  begin();
  uint64_t started = now_ns();
  while (now_ns() < started + (uint64_t)ms * 1000000u) turn(0);
  tell(started, now_ns());
}

static void drop_streams(long ms) {
  begin();
  uint64_t started = now_ns();
  for (size_t at = 0; at < stream_count; at++)
    if (streams[at].fd >= 0) close(streams[at].fd);
  stream_count = 0;
  opening = 0;
  while (now_ns() < started + (uint64_t)ms * 1000000u) turn(10);
  tell(started, now_ns());
}

static void obey(char *line) {
  char name[16] = "", path[1024] = "";
  double first = 0;
  long second = 0, third = 0;
  sscanf(line, "%15s", name);
  sscanf(line, "%*s %1023s", path);
  sscanf(line, "%*s %lf %ld %ld", &first, &second, &third);
  if (strcmp(name, "streams") == 0) {
    replace_requests(&stream_requests, path);
    printf("{\"count\":%zu}\n", stream_requests.count);
  } else if (strcmp(name, "publishes") == 0) {
    replace_requests(&publish_requests, path);
    printf("{\"count\":%zu}\n", publish_requests.count);
  } else if (strcmp(name, "open") == 0) {
    open_streams((long)first, second, 0);
  } else if (strcmp(name, "replay") == 0) {
    open_streams((long)first, second, third);
  } else if (strcmp(name, "closed") == 0) {
    publish_closed((long)first, second, third, 0);
  } else if (strcmp(name, "paced") == 0) {
    publish_paced(first, second, third);
  } else if (strcmp(name, "count") == 0) {
    publish_closed((long)first, 0, 0, second);
  } else if (strcmp(name, "listen") == 0) {
    listen_to_streams((long)first);
  } else if (strcmp(name, "drop") == 0) {
    drop_streams((long)first);
  } else {
    die("unknown command: %s", line);
  }
  fflush(stdout);
}

int main(int count, char **arguments) {
  if (count < 2 || count > 9) die("load <port>...");
  for (int at = 1; at < count; at++) ports[port_count++] = atoi(arguments[at]);
  epoll_fd = epoll_create1(0);
  streams = need(calloc(MAX_STREAMS, sizeof *streams));
  publishers = need(calloc(MAX_PUBLISHERS, sizeof *publishers));
  // Commands come one at a time: while there is none, streams are read all the same.
  int input = fileno(stdin);
  char line[2048];
  size_t length = 0;
  fcntl(input, F_SETFL, O_NONBLOCK);
  for (;;) {
    char *end = memchr(line, '\n', length);
    if (end != NULL) {
      *end = 0;
      obey(line);
      length -= (size_t)(end + 1 - line);
      memmove(line, end + 1, length);
      continue;
    }
    ssize_t got = read(input, line + length, sizeof line - 1 - length);
    if (got == 0) return 0;
    if (got < 0 && errno != EAGAIN) die("no commands: %s", strerror(errno));
    if (got > 0) length += (size_t)got;
    else turn(5);
  }
}
