// The ceiling of the benchmark: what the machine can do. It checks nothing, keeps nothing and knows just as much HTTP as
// the load speaks. A path is a channel: GET opens a stream of it, POST publishes the body to it, framed as Sluice frames.
//
// ceiling <port> joined|single [slice]
//   joined  all that waits for a socket goes to it in one write, <slice> sockets at a time (0: all) before it reads again
//   single  each event is written to each socket by itself
#include "shared.h"

#define MAX_CONNECTIONS 20480
#define MAX_CHANNELS 32768
#define MAX_REQUEST 131072
#define MAX_WAITING (256u << 20)

struct channel {
  char *path;
  char *frames;
  size_t length, capacity, size;
  struct connection **members;
  size_t member_count, member_capacity, next;
  unsigned long head;
  char is_dirty;
};

struct connection {
  int fd;
  struct channel *channel;  // NULL: no stream
  size_t position;          // in the frames of its channel
  char is_blocked;
  char *request;
  size_t length, capacity;
};

static const char STREAM_HEAD[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    "Connection: close\r\n\r\n: open\n\n";
static const char CREATED[] = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";

static int epoll_fd, is_joined, slice;
static struct channel *channels[MAX_CHANNELS];
static struct channel *dirty[MAX_CHANNELS];
static size_t dirty_first, dirty_count;

static struct channel *channel_of(const char *path, size_t length) {
  uint32_t hash = 2166136261u;
  for (size_t at = 0; at < length; at++) hash = (hash ^ (unsigned char)path[at]) * 16777619u;
  for (size_t slot = hash % MAX_CHANNELS;; slot = (slot + 1) % MAX_CHANNELS) {
    struct channel *channel = channels[slot];
    if (channel == NULL) {
      channel = channels[slot] = need(calloc(1, sizeof *channel));
      channel->path = need(strndup(path, length));
      return channel;
    }
    if (strlen(channel->path) == length && memcmp(channel->path, path, length) == 0) return channel;
  }
}

static void end(struct connection *connection) {
  struct channel *channel = connection->channel;
  close(connection->fd);
  for (size_t at = 0; channel != NULL && at < channel->member_count; at++)
    if (channel->members[at] == connection)
      channel->members[at] = channel->members[--channel->member_count];
  free(connection->request);
  free(connection);
}

/** Writes from a place in the frames on; a socket that takes no more is left until it does. */
static void write_from(struct connection *connection, size_t end_at) {
  struct channel *channel = connection->channel;
  if (connection->is_blocked || connection->position >= end_at) return;
  ssize_t sent = send(connection->fd, channel->frames + connection->position,
                      end_at - connection->position, MSG_NOSIGNAL);
  if (sent > 0) connection->position += (size_t)sent;
  if (connection->position < end_at) {
    connection->is_blocked = 1;
    watch(epoll_fd, EPOLL_CTL_MOD, connection->fd, EPOLLIN | EPOLLOUT, connection);
  }
}

/** Forgets the frames that everybody has. */
static void forget(struct channel *channel) {
  for (size_t at = 0; at < channel->member_count; at++)
    if (channel->members[at]->position < channel->length) return;
  for (size_t at = 0; at < channel->member_count; at++) channel->members[at]->position = 0;
  channel->length = 0;
}

static void mark_dirty(struct channel *channel) {
  if (channel->is_dirty) return;
  channel->is_dirty = 1;
  dirty[(dirty_first + dirty_count++) % MAX_CHANNELS] = channel;
}

/** One slice of writes; channels in turn. */
static void pump(void) {
  for (int budget = slice > 0 ? slice : 1 << 30; dirty_count > 0 && budget > 0;) {
    struct channel *channel = dirty[dirty_first];
    if (channel->next == 0) channel->size = channel->length;
    for (; channel->next < channel->member_count && budget > 0; channel->next++, budget--)
      write_from(channel->members[channel->next], channel->length);
    if (channel->next < channel->member_count) return;
    dirty_first = (dirty_first + 1) % MAX_CHANNELS;
    dirty_count--;
    channel->next = 0;
    channel->is_dirty = 0;
    // What came during the pass has not reached everybody.
    if (channel->size < channel->length) mark_dirty(channel);
    forget(channel);
  }
}

static void append(struct channel *channel, const char *body, size_t length) {
  if (channel->length + length + 64 > channel->capacity) {
    channel->capacity = channel->capacity == 0 ? 4096 : channel->capacity * 2;
    if (channel->capacity < length + 64) channel->capacity = length + 4096;
    if (channel->capacity > MAX_WAITING) die("too much waits");
    channel->frames = need(realloc(channel->frames, channel->capacity));
  }
  channel->length += (size_t)sprintf(channel->frames + channel->length,
                                     "id: 0123456789abcdef-%lu\ndata: ", ++channel->head);
  memcpy(channel->frames + channel->length, body, length);
  memcpy(channel->frames + channel->length + length, "\n\n", 2);
  channel->length += length + 2;
  if (is_joined) {
    mark_dirty(channel);
    return;
  }
  for (size_t at = 0; at < channel->member_count; at++)
    write_from(channel->members[at], channel->length);
  forget(channel);
}

static void subscribe(struct connection *connection, struct channel *channel) {
  if (channel->member_count == channel->member_capacity) {
    channel->member_capacity = channel->member_capacity == 0 ? 16 : channel->member_capacity * 2;
    channel->members = need(
        realloc(channel->members, channel->member_capacity * sizeof *channel->members));
  }
  channel->members[channel->member_count++] = connection;
  connection->channel = channel;
  connection->position = channel->length;
  free(connection->request);
  connection->request = NULL;
  connection->length = connection->capacity = 0;
  send(connection->fd, STREAM_HEAD, sizeof STREAM_HEAD - 1, MSG_NOSIGNAL);
}

/** Answers the request, if it is all here. */
static void answer(struct connection *connection) {
  connection->request[connection->length] = 0;
  char *head_end = strstr(connection->request, "\r\n\r\n");
  if (head_end == NULL) return;
  char *path = strchr(connection->request, ' ') + 1;
  size_t path_length = strcspn(path, " ?");
  struct channel *channel = channel_of(path, path_length);
  if (connection->request[0] == 'G') {
    subscribe(connection, channel);
    return;
  }
  char *length = strcasestr(connection->request, "\r\ncontent-length:");
  size_t body = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
  if (connection->length < (size_t)(head_end + 4 - connection->request) + body) return;
  append(channel, head_end + 4, body);
  connection->length = 0;
  send(connection->fd, CREATED, sizeof CREATED - 1, MSG_NOSIGNAL);
}

static void read_more(struct connection *connection) {
  if (connection->capacity == 0) {
    connection->capacity = connection->channel == NULL ? 8192 : 64;
    connection->request = need(malloc(connection->capacity + 1));
  }
  if (connection->length == connection->capacity) {
    connection->capacity *= 2;
    if (connection->capacity > MAX_REQUEST) die("a request is too large");
    connection->request = need(realloc(connection->request, connection->capacity + 1));
  }
  ssize_t got = recv(connection->fd, connection->request + connection->length,
                     connection->capacity - connection->length, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    end(connection);
    return;
  }
  connection->length += (size_t)got;
  if (connection->channel == NULL) answer(connection);
}

static void accept_all(int listener) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
    struct connection *connection = need(calloc(1, sizeof *connection));
    connection->fd = fd;
    set_nodelay(fd);
    watch(epoll_fd, EPOLL_CTL_ADD, fd, EPOLLIN, connection);
  }
}

int main(int count, char **arguments) {
  if (count < 3) die("ceiling <port> joined|single [slice]");
  is_joined = strcmp(arguments[2], "joined") == 0;
  slice = count > 3 ? atoi(arguments[3]) : 0;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  struct sockaddr_in address = loopback(atoi(arguments[1]));
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 16384) < 0)
    die("cannot listen: %s", strerror(errno));
  epoll_fd = epoll_create1(0);
  watch(epoll_fd, EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
  printf("listening\n");
  fflush(stdout);
  static struct epoll_event events[1024];
  for (;;) {
    int ready = epoll_wait(epoll_fd, events, 1024, dirty_count > 0 ? 0 : -1);
    for (int at = 0; at < ready; at++) {
      struct connection *connection = events[at].data.ptr;
      if (connection == NULL) {
        accept_all(listener);
        continue;
      }
      if (events[at].events & EPOLLOUT) {
        connection->is_blocked = 0;
        watch(epoll_fd, EPOLL_CTL_MOD, connection->fd, EPOLLIN, connection);
        write_from(connection, connection->channel->length);
        if (is_joined == 0) forget(connection->channel);
      }
      if (events[at].events & ~EPOLLOUT) read_more(connection);
    }
    pump();
  }
}
