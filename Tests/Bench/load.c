// A load generator that knows no protocol: subscribers send a request and look for time stamps in whatever comes back, publishers send
// messages and count answers, so every server is measured by the same code, be it over WebSocket, event streams or lines.
//
// It is C, and not a command of ringpost's, because it must cost less than any server that it measures, be the same for all of them, and
// share nothing with the one that it was written beside. clang comes with every Swift toolchain:
//
//     clang -O2 load.c -o load && ./load --subscribe 127.0.0.1:8080 --subscribe-request … (./load --help)
//
// One thread on one epoll. Nothing is allocated for a message: requests are put together from pieces into a buffer that is kept, and
// what arrives is read in large pieces and searched for '@'. Prints one line of JSON.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "measure.h"
#include "template.h"

#define READ_BYTES (256 * 1024)
#define WRITE_BYTES (256 * 1024)
#define EVENTS_MAX 256
#define ADDRESSES_MAX 16
#define PUBLISHERS_MAX 1024
// Beyond this many unanswered messages on one connection even paced ones wait.
#define UNANSWERED_MAX 16384
#define CONNECT_SECONDS_MAX 120
#define MARK_BYTES_MAX 64
#define IS_PUBLISHER (1ull << 32)

// ---- Options

static struct {
    const char *subscribe, *subscribe_request, *ready, *then, *then_ready, *publish, *publish_request, *hello, *answer, *good, *names, *pids;
    double seconds, warmup, patience;
    long sockets, warm_sockets, keys, publishers, window, rate, messages, external, size, deaf, receive_buffer, per_source, wave, settle,
        then_binary, hold, pace;
} options = {
    .subscribe = "127.0.0.1:8080", .ready = "\r\n\r\n", .then = "", .then_ready = "", .hello = "", .answer = "HTTP/1.1 ", .good = "2",
    .pids = "", .publish_request = "", .subscribe_request = "", .patience = 3, .sockets = 1000, .publishers = 1, .window = 64, .size = 128,
    .per_source = 16000, .wave = 256, .settle = 300};

static const struct {
    const char *name, *help;
    const char **text;
    long *number;
    double *seconds;
} table[] = {
    {"subscribe", "host:port[,host:port…] where sockets connect, in turn", &options.subscribe, 0, 0},
    {"subscribe-request", "what each sends; {i} is the name of its key: u0, u1, …", &options.subscribe_request, 0, 0},
    {"ready", "what shows in the answer that it listens (an empty line)", &options.ready, 0, 0},
    {"then", "a WebSocket frame's text that it sends next", &options.then, 0, 0},
    {"then-binary", "1: as a binary frame", 0, &options.then_binary, 0},
    {"then-ready", "what shows in the answer to that", &options.then_ready, 0, 0},
    {"sockets", "how many (1000)", 0, &options.sockets, 0},
    {"warm-sockets", "so many of them are there before memory is looked at first", 0, &options.warm_sockets, 0},
    {"keys", "socket i listens to key i mod this (as many as sockets)", 0, &options.keys, 0},
    {"names", "a file with the keys' names, one a line", &options.names, 0, 0},
    {"deaf", "the first so many sockets never read", 0, &options.deaf, 0},
    {"receive-buffer", "SO_RCVBUF of these", 0, &options.receive_buffer, 0},
    {"per-source", "sockets from one source address (16000)", 0, &options.per_source, 0},
    {"wave", "handshakes under way at once (256)", 0, &options.wave, 0},
    {"settle", "milliseconds before memory is looked at (300)", 0, &options.settle, 0},
    {"publish", "host:port[,…] where publishers connect (as subscribers)", &options.publish, 0, 0},
    {"publish-request", "a message; {i} its key, {body} the payload, {length} its bytes", &options.publish_request, 0, 0},
    {"hello", "what a publisher sends first", &options.hello, 0, 0},
    {"answer", "what an answer begins with (HTTP/1.1 and a space); empty: none is waited for", &options.answer, 0, 0},
    {"good", "what comes behind it if all is well (2); empty: anything", &options.good, 0, 0},
    {"publishers", "connections; each has its own keys, so that a key's messages have an order (1)", 0, &options.publishers, 0},
    {"window", "unanswered messages on each (64)", 0, &options.window, 0},
    {"rate", "messages a second in all, evenly; 0: as fast as the window lets them", 0, &options.rate, 0},
    {"pace", "microseconds between two looks at what is due; 0: each when it is due", 0, &options.pace, 0},
    {"messages", "how many, or", 0, &options.messages, 0},
    {"seconds", "for how long; with neither it only connects", 0, 0, &options.seconds},
    {"warmup", "seconds of the same before it counts", 0, 0, &options.warmup},
    {"external", "how many messages somebody else will publish, stamped @T<19 digits of CLOCK_MONOTONIC>;", 0, &options.external, 0},
    {"size", "bytes of a payload, 22 at least (128)", 0, &options.size, 0},
    {"patience", "seconds without a delivery after which what is missing is lost (3)", 0, 0, &options.patience},
    {"hold", "1: says ready, and at the end keeps the sockets until its input ends", 0, &options.hold, 0},
    {"pids", "of the server, with commas", &options.pids, 0, 0},
};
#define OPTIONS (sizeof table / sizeof table[0])

static void complain(const char *what, const char *more) {
    fprintf(stderr, "load: %s %s%s%s\n", what, more, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(3);
}

static void read_options(int count, char **words) {
    for (int i = 1; i < count; i += 2) {
        size_t k = 0;
        while (k < OPTIONS && (strncmp(words[i], "--", 2) || strcmp(words[i] + 2, table[k].name))) k++;
        if (k == OPTIONS || i + 1 == count) {
            for (k = 0; k < OPTIONS; k++) fprintf(stderr, "  --%-18s %s\n", table[k].name, table[k].help);
            exit(strcmp(words[i], "--help") ? 2 : 0);
        }
        if (table[k].text) *table[k].text = words[i + 1];
        if (table[k].number) *table[k].number = atol(words[i + 1]);
        if (table[k].seconds) *table[k].seconds = atof(words[i + 1]);
    }
    if (!options.publish) options.publish = options.subscribe;
    if (options.keys <= 0) options.keys = options.sockets > 0 ? options.sockets : 1;
    if (options.publishers > options.keys) options.publishers = options.keys;
    if (options.publishers > PUBLISHERS_MAX) options.publishers = PUBLISHERS_MAX;
}

// ---- What there is

enum state { CONNECTING, UPGRADED, LISTENING, DEAF, CLOSED };

struct subscriber {
    int fd;
    uint32_t key, received;
    uint8_t state, carried;
    char carry[MARK_BYTES_MAX];  // the end of what has come, where a mark may have begun
    uint64_t last;               // the newest stamp
};

struct publisher {
    int fd;
    uint32_t unanswered, carried;
    size_t from, to;  // what of `bytes` is still to be sent
    char carry[MARK_BYTES_MAX];
    char *bytes;
};

static struct subscriber *subscribers;
static struct publisher publishers[PUBLISHERS_MAX];
static struct name *names;
static uint32_t *sent_to, *listeners;
static struct processes server;
static struct template message;
static int poll_set;
static char *input;

// Since the beginning of a phase.
static struct {
    uint64_t began, sent, answered, refused, expected, delivered, repeated, disordered, late, bytes, first, ended;
    struct histogram latency;
} phase;
static long closed_count;

// ---- Connecting

static int addresses(const char *text, struct sockaddr_in *to) {
    int count = 0;
    while (*text && count < ADDRESSES_MAX) {
        char host[64] = "";
        int port = 0, bytes = 0;
        if (sscanf(text, "%63[^:]:%d%n", host, &port, &bytes) < 2) complain("this is no host:port:", text);
        to[count] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        if (inet_pton(AF_INET, host, &to[count++].sin_addr) != 1) complain("this is no IPv4 address:", host);
        text += bytes + (text[bytes] == ',');
    }
    return count;
}

// Blocking, because on loopback a connection stands when `connect` returns; afterwards nothing blocks (MSG_DONTWAIT).
static int connect_to(const struct sockaddr_in *address, long source) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) complain("no socket", "");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (source > 0) {
        struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001u + ((uint32_t)source << 8))};
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(fd, (struct sockaddr *)&from, sizeof from)) complain("no source address", "");
    }
    if (connect(fd, (const struct sockaddr *)address, sizeof *address)) complain("no connection", options.subscribe);
    return fd;
}

static void watch(int fd, uint64_t tag) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};
    if (epoll_ctl(poll_set, EPOLL_CTL_ADD, fd, &event)) complain("epoll_ctl", "");
}

static void send_whole(int fd, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL);
        if (n < 0) complain("send", "");
        bytes += n, count -= (size_t)n;
    }
}

static void send_request(const struct subscriber *s, const struct template *request) {
    char bytes[4096];
    if (template_bytes_max(request) > sizeof bytes) complain("the request is too long", "");
    send_whole(s->fd, bytes, (size_t)(template_write(request, bytes, &names[s->key], 0) - bytes));
}

// A client's frame, masked as RFC 6455 wants it.
static void send_frame(const struct subscriber *s, const struct template *text) {
    char payload[4096], frame[4104];
    static const char mask[4] = {1, 2, 3, 4};
    if (template_bytes_max(text) > sizeof payload) complain("the frame is too long", "");
    size_t bytes = (size_t)(template_write(text, payload, &names[s->key], 0) - payload), head = 2;
    frame[0] = options.then_binary ? (char)0x82 : (char)0x81;
    frame[1] = (char)(0x80 | (bytes < 126 ? bytes : 126));
    if (bytes >= 126) frame[2] = (char)(bytes >> 8), frame[3] = (char)bytes, head = 4;
    memcpy(frame + head, mask, 4);
    for (size_t i = 0; i < bytes; i++) frame[head + 4 + i] = payload[i] ^ mask[i % 4];
    send_whole(s->fd, frame, head + 4 + bytes);
}

static void end_subscriber(struct subscriber *s) {
    close(s->fd);
    s->state = CLOSED;
    closed_count++;
}

static void keep_end(char *carry, size_t *carried, const char *data, size_t length, size_t most) {
    if (most > MARK_BYTES_MAX) most = MARK_BYTES_MAX;
    *carried = length < most ? length : most;
    memcpy(carry, data + length - *carried, *carried);
}

// One step of a handshake; whether the socket listens now. What was read before stands in front of `data`.
static int shake_hands(struct subscriber *s, char *data, size_t length, const struct template *then) {
    const char *mark = s->state == CONNECTING ? options.ready : options.then_ready;
    size_t carried;
    char *found = memmem(data, length, mark, strlen(mark));
    if (!found) {
        keep_end(s->carry, &carried, data, length, strlen(mark) - 1);
        s->carried = (uint8_t)carried;
        return 0;
    }
    found += strlen(mark);
    s->carried = 0;
    if (s->state == CONNECTING && *options.then) {
        s->state = UPGRADED;
        send_frame(s, then);
        return *options.then_ready ? shake_hands(s, found, length - (size_t)(found - data), then) : 1;
    }
    return 1;
}

static void listen_or_not(struct subscriber *s) {
    int bytes = (int)options.receive_buffer;
    s->state = LISTENING;
    if (s - subscribers >= options.deaf) {
        listeners[s->key]++;
        return;
    }
    if (bytes > 0) setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    epoll_ctl(poll_set, EPOLL_CTL_DEL, s->fd, NULL);
    s->state = DEAF;
}

// What has come, with what was left over before it in front; NULL if nothing has.
static char *receive(int fd, const char *carry, size_t carried, size_t *length) {
    ssize_t n = recv(fd, input + MARK_BYTES_MAX, READ_BYTES, MSG_DONTWAIT);
    *length = 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return input;
    if (n <= 0) return NULL;
    *length = (size_t)n + carried;
    memcpy(input + MARK_BYTES_MAX - carried, carry, carried);
    return input + MARK_BYTES_MAX - carried;
}

// Connects sockets from `first` to before `end`, at most a wave of handshakes at once.
static void connect_all(long first, long end) {
    struct sockaddr_in to[ADDRESSES_MAX];
    struct epoll_event events[EVENTS_MAX];
    int count = addresses(options.subscribe, to);
    struct template request = template_from(options.subscribe_request, 0), then = template_from(options.then, 0);
    uint64_t deadline = now_nanoseconds() + CONNECT_SECONDS_MAX * NANOSECONDS;
    for (long opened = first, ready = first; ready < end;) {
        for (; opened < end && opened - ready < options.wave; opened++) {
            struct subscriber *s = &subscribers[opened];
            *s = (struct subscriber){.fd = connect_to(&to[opened % count], opened / options.per_source), .key = (uint32_t)(opened % options.keys)};
            watch(s->fd, (uint64_t)opened);
            send_request(s, &request);
        }
        int ready_events = epoll_wait(poll_set, events, EVENTS_MAX, 1000);
        for (int i = 0; i < ready_events; i++) {
            struct subscriber *s = &subscribers[events[i].data.u64];
            size_t length;
            char *data = receive(s->fd, s->carry, s->carried, &length);
            if (!data && s->state < LISTENING) complain("a connection was closed before it was ready: socket", names[s->key].text);
            if (!data) {
                end_subscriber(s);
            } else if (length > 0 && s->state < LISTENING && shake_hands(s, data, length, &then)) {
                listen_or_not(s);
                ready++;
            }
        }
        errno = 0;
        if (now_nanoseconds() > deadline) complain("not all were ready in time; the last", options.ready);
    }
}

// ---- Receiving

static inline void take_stamp(struct subscriber *s, uint64_t stamp, uint64_t now) {
    if (stamp < phase.began) {
        phase.late++;
    } else if (stamp > s->last) {
        s->last = stamp;
        s->received++;
        phase.delivered++;
        if (phase.first == 0 || stamp < phase.first) phase.first = stamp;
        histogram_add(&phase.latency, now - stamp);
    } else if (stamp == s->last) {
        phase.repeated++;
    } else {
        phase.disordered++;
    }
}

static void on_bytes(struct subscriber *s) {
    size_t length;
    char *data = receive(s->fd, s->carry, s->carried, &length), *at = data;
    if (!data) {
        end_subscriber(s);
        return;
    }
    char *end = data + length;
    uint64_t now = now_nanoseconds();
    size_t padding = options.size > STAMP_BYTES ? (size_t)options.size - STAMP_BYTES : 0;
    phase.bytes += length - (length ? s->carried : 0);
    if (length) s->carried = 0;
    while (at < end && (at = memchr(at, '@', (size_t)(end - at)))) {
        if (end - at < STAMP_BYTES) {
            s->carried = (uint8_t)(end - at);
            memcpy(s->carry, at, s->carried);
            return;
        }
        if (at[1] != 'T' || at[STAMP_BYTES - 1] != ';') {
            at++;
            continue;
        }
        take_stamp(s, stamp_read(at), now);
        // The padding has no '@', wherever it ends.
        at += STAMP_BYTES + padding;
    }
}

static void on_answers(struct publisher *p) {
    size_t length, mark = strlen(options.answer), good = strlen(options.good), carried;
    char *data = receive(p->fd, p->carry, p->carried, &length), *at = data, *found;
    if (!data) complain("a publisher's connection was closed", "");
    if (length == 0 || mark == 0) return;
    char *end = data + length;
    while ((found = memmem(at, (size_t)(end - at), options.answer, mark)) && found + mark + good <= end) {
        phase.answered++;
        phase.refused += memcmp(found + mark, options.good, good) != 0;
        p->unanswered -= p->unanswered > 0;
        at = found + mark + good;
    }
    keep_end(p->carry, &carried, at, (size_t)(end - at), mark + good - 1);
    p->carried = (uint32_t)carried;
}

// ---- Publishing

static uint64_t random_state = 42;

// xorshift64*, Vigna 2016; the same sequence in every run.
static inline uint32_t random_below(uint32_t bound) {
    random_state ^= random_state >> 12, random_state ^= random_state << 25, random_state ^= random_state >> 27;
    return (uint32_t)(((random_state * 2685821657736338717ull >> 32) * bound) >> 32);
}

static void flush_publisher(struct publisher *p) {
    while (p->from < p->to) {
        ssize_t n = send(p->fd, p->bytes + p->from, p->to - p->from, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR) complain("a publisher's connection broke", "");
        if (n < 0) return;
        p->from += (size_t)n;
    }
    p->from = p->to = 0;
}

// Stamps grow with each message, so that no two are taken for one and a socket can tell whether it is in order.
static inline void write_message(struct publisher *p, uint32_t key) {
    static uint64_t last;
    uint64_t stamp = now_nanoseconds();
    if (stamp <= last) stamp = last + 1;
    last = stamp;
    p->to = (size_t)(template_write(&message, p->bytes + p->to, &names[key], stamp) - p->bytes);
    p->unanswered += *options.answer != 0;
    sent_to[key]++;
    phase.sent++;
    phase.expected += listeners[key];
}

static inline int has_room(const struct publisher *p, size_t bytes, long window) {
    return p->unanswered < window && p->to + bytes <= WRITE_BYTES;
}

// As many as there is room for, until `most` have been sent in this phase.
static void publish_by_window(uint64_t most) {
    size_t bytes = template_bytes_max(&message);
    for (long i = 0; i < options.publishers; i++) {
        struct publisher *p = &publishers[i];
        // Key k is publisher k mod P's.
        uint32_t own = (uint32_t)((options.keys - i + options.publishers - 1) / options.publishers);
        if (p->from < p->to) flush_publisher(p);
        if (p->from < p->to) continue;
        while (phase.sent < most && has_room(p, bytes, options.window))
            write_message(p, random_below(own) * (uint32_t)options.publishers + (uint32_t)i);
        flush_publisher(p);
    }
}

// Those that are due; returns when the next one is.
static uint64_t publish_by_time(uint64_t most) {
    size_t bytes = template_bytes_max(&message);
    uint64_t now = now_nanoseconds(), step = (uint64_t)options.pace * 1000, due = 0;
    while (phase.sent < most && (due = phase.began + phase.sent * NANOSECONDS / (uint64_t)options.rate) <= now) {
        uint32_t key = random_below((uint32_t)options.keys);
        struct publisher *p = &publishers[key % options.publishers];
        if (!has_room(p, bytes, UNANSWERED_MAX)) return now + NANOSECONDS / 1000;
        write_message(p, key);
        flush_publisher(p);
    }
    if (step > 0) due = (due - phase.began + step - 1) / step * step + phase.began;
    return due;
}

static void open_publishers(void) {
    struct sockaddr_in to[ADDRESSES_MAX];
    int count = addresses(options.publish, to);
    message = template_from(options.publish_request, (size_t)options.size);
    if (template_bytes_max(&message) > WRITE_BYTES) complain("the message is too long", "");
    for (long i = 0; i < options.publishers; i++) {
        struct publisher *p = &publishers[i];
        p->fd = connect_to(&to[i % count], 0);
        p->bytes = malloc(WRITE_BYTES + NAME_BYTES);
        send_whole(p->fd, options.hello, strlen(options.hello));
        watch(p->fd, IS_PUBLISHER | (uint64_t)i);
    }
    // Whatever is said to a hello is no answer to a message.
    usleep(50000);
    for (long i = 0; i < options.publishers; i++) recv(publishers[i].fd, input, READ_BYTES, MSG_DONTWAIT);
}

// ---- A phase: from the first message to the last delivery

static void serve_events(uint64_t wait) {
    struct epoll_event events[EVENTS_MAX];
    struct timespec timeout = {(time_t)(wait / NANOSECONDS), (long)(wait % NANOSECONDS)};
    int count = epoll_pwait2(poll_set, events, EVENTS_MAX, &timeout, NULL);
    for (int i = 0; i < count; i++) {
        uint64_t tag = events[i].data.u64;
        if (tag & IS_PUBLISHER) {
            on_answers(&publishers[tag & ~IS_PUBLISHER]);
        } else {
            on_bytes(&subscribers[tag]);
        }
    }
}

static void begin_phase(void) {
    memset(&phase, 0, sizeof phase);
    memset(sent_to, 0, sizeof *sent_to * (size_t)options.keys);
    for (long i = 0; i < options.sockets; i++) subscribers[i].received = 0;
    phase.began = now_nanoseconds();
}

// Publishes `most` messages, or for that many seconds if `most` is 0, and waits for what is missing as long as something comes.
static void run_phase(uint64_t most, double seconds) {
    begin_phase();
    uint64_t stop = phase.began + (uint64_t)(seconds * 1e9), seen = 0, progress = phase.began;
    if (options.external > 0) phase.expected = (uint64_t)options.external * (uint64_t)(options.sockets - options.deaf) / (uint64_t)options.keys;
    while (1) {
        uint64_t now = now_nanoseconds(), next = now + NANOSECONDS / 100;
        int is_publishing = options.external == 0 && (most > 0 ? phase.sent < most : now < stop);
        if (is_publishing && options.rate > 0) next = publish_by_time(most > 0 ? most : UINT64_MAX);
        if (is_publishing && options.rate == 0) publish_by_window(most > 0 ? most : UINT64_MAX);
        for (long i = 0; !is_publishing && i < options.publishers; i++) flush_publisher(&publishers[i]);
        now = now_nanoseconds();
        serve_events(next > now ? next - now : 0);
        uint64_t done = phase.delivered + phase.answered;
        if (is_publishing || done != seen) {
            progress = now_nanoseconds();
            seen = done;
        }
        int is_answered = *options.answer == 0 || phase.answered >= phase.sent;
        if (!is_publishing && phase.delivered >= phase.expected && is_answered) break;
        if ((double)(now_nanoseconds() - progress) > options.patience * 1e9) break;
    }
    phase.ended = progress;
}

// What was not delivered, socket by socket: one that has too many doesn't make up for one that lacks some.
static uint64_t lost(void) {
    uint64_t sum = 0;
    if (options.external > 0) return phase.expected > phase.delivered ? phase.expected - phase.delivered : 0;
    for (long i = options.deaf; i < options.sockets; i++) {
        uint32_t wanted = sent_to[subscribers[i].key];
        if (subscribers[i].received < wanted) sum += wanted - subscribers[i].received;
    }
    return sum;
}

// ---- What comes of it

static double per(double sum, double count) { return count > 0 ? sum / count : 0; }

static void report_phase(uint64_t server_time, uint64_t own_time) {
    uint64_t began = options.external > 0 && phase.first > 0 ? phase.first : phase.began;
    double seconds = (double)(phase.ended - began) / 1e9;
    const struct histogram *h = &phase.latency;
    printf(",\"sent\":%llu,\"answered\":%llu,\"refused\":%llu", (unsigned long long)phase.sent, (unsigned long long)phase.answered,
        (unsigned long long)phase.refused);
    printf(",\"expected\":%llu,\"delivered\":%llu,\"lost\":%llu,\"repeated\":%llu,\"disordered\":%llu,\"late\":%llu,\"closed\":%ld",
        (unsigned long long)phase.expected, (unsigned long long)phase.delivered, (unsigned long long)lost(), (unsigned long long)phase.repeated,
        (unsigned long long)phase.disordered, (unsigned long long)phase.late, closed_count);
    printf(",\"seconds\":%.4f,\"messages_per_second\":%.0f,\"deliveries_per_second\":%.0f", seconds, per((double)phase.sent, seconds),
        per((double)phase.delivered, seconds));
    printf(",\"server_seconds\":%.4f,\"server_us_per_delivery\":%.4f,\"server_us_per_message\":%.4f,\"generator_share\":%.3f",
        (double)server_time / 1e9, per((double)server_time / 1e3, (double)phase.delivered), per((double)server_time / 1e3, (double)phase.sent),
        per((double)own_time / 1e9, seconds));
    printf(",\"server_share\":%.3f,\"bytes_per_delivery\":%.1f", per((double)server_time / 1e9, seconds),
        per((double)phase.bytes, (double)phase.delivered));
    printf(",\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f", histogram_quantile(h, 0.5),
        histogram_quantile(h, 0.9), histogram_quantile(h, 0.99), histogram_quantile(h, 0.999), (double)h->max / 1e3);
    printf(",\"pss_end_kb\":%ld", memory_of(&server).pss);
}

static void report_connecting(double seconds, uint64_t server_time, struct memory before, struct memory after) {
    double count = (double)(options.sockets - options.warm_sockets);
    printf("{\"sockets\":%ld,\"connect_seconds\":%.4f,\"connects_per_second\":%.0f,\"connect_server_us\":%.3f", options.sockets, seconds,
        per(count, seconds), per((double)server_time / 1e3, count));
    printf(",\"pss_before_kb\":%ld,\"pss_after_kb\":%ld,\"bytes_per_socket\":%.1f,\"anonymous_bytes_per_socket\":%.1f", before.pss, after.pss,
        per((double)(after.pss - before.pss) * 1024, count), per((double)(after.anonymous - before.anonymous) * 1024, count));
}

static void read_names(void) {
    names = calloc((size_t)options.keys, sizeof *names);
    FILE *file = options.names ? fopen(options.names, "r") : NULL;
    if (options.names && !file) complain("no file", options.names);
    for (long i = 0; i < options.keys; i++) {
        char line[128];
        if (!file) snprintf(line, sizeof line, "u%ld", i);
        if (file && !fgets(line, sizeof line, file)) complain("too few names in", options.names);
        line[strcspn(line, "\r\n")] = 0;
        if (strlen(line) >= sizeof names[i].text) complain("a name is too long:", line);
        names[i].bytes = (uint8_t)strlen(line);
        memcpy(names[i].text, line, strlen(line) + 1);
    }
    if (file) fclose(file);
}

static void prepare(int count, char **words) {
    read_options(count, words);
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    // Waits end when they should, not 50 µs later.
    prctl(PR_SET_TIMERSLACK, 1);
    read_names();
    server = processes_from(options.pids);
    poll_set = epoll_create1(EPOLL_CLOEXEC);
    subscribers = calloc((size_t)options.sockets + 1, sizeof *subscribers);
    sent_to = calloc((size_t)options.keys, sizeof *sent_to);
    listeners = calloc((size_t)options.keys, sizeof *listeners);
    input = malloc(MARK_BYTES_MAX + READ_BYTES);
}

int main(int count, char **words) {
    prepare(count, words);
    connect_all(0, options.warm_sockets);
    if (options.warm_sockets > 0) usleep((useconds_t)options.settle * 1000);
    struct memory before = memory_of(&server);
    uint64_t server_began = processor_time(&server), began = now_nanoseconds();
    connect_all(options.warm_sockets, options.sockets);
    double seconds = (double)(now_nanoseconds() - began) / 1e9;
    uint64_t server_time = processor_time(&server) - server_began;
    usleep((useconds_t)options.settle * 1000);
    report_connecting(seconds, server_time, before, memory_of(&server));

    int is_publishing = options.messages > 0 || options.seconds > 0;
    if (is_publishing) open_publishers();
    if (is_publishing && options.warmup > 0) run_phase(0, options.warmup);
    if (options.external > 0 || options.hold) fprintf(stderr, "ready\n");
    server_began = processor_time(&server);
    uint64_t own_began = own_processor_time();
    if (is_publishing || options.external > 0) {
        if (!is_publishing) options.publishers = 0;
        run_phase((uint64_t)options.messages, options.seconds);
        report_phase(processor_time(&server) - server_began, own_processor_time() - own_began);
    }
    printf("}\n");
    fflush(stdout);
    while (options.hold && read(0, input, READ_BYTES) > 0) continue;
    return phase.delivered < phase.expected;
}
