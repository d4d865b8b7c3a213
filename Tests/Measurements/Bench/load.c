// A load generator that knows no protocol: subscribers send a request and look for time stamps in whatever comes back, publishers send
// messages and count answers, so every server is measured by the same code, be it over WebSocket, event streams or lines.
//
// It is C, and not a command of ringpost's, because it must cost less than any server that it measures, be the same for all of them, and
// share nothing with the one that it was written beside. clang comes with every Swift toolchain:
//
//     clang -O2 -o load load.c connecting.c options.c && ./load --subscribe 127.0.0.1:8080 --subscribe-request … (./load --help)
//
// One thread on one epoll. Nothing is allocated for a message: requests are put together from pieces into a buffer that is kept, and
// what arrives is read in large pieces and searched for '@'. Prints one line of JSON.
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "load.h"

// Beyond this many unanswered messages on one connection even paced ones wait.
#define UNANSWERED_MAX 16384

static struct publisher publishers[PUBLISHERS_MAX];
static uint32_t *sent_to;
static struct processes server;
static struct template message;

// Since the beginning of a phase.
static struct {
    uint64_t began, sent, answered, refused, expected, delivered, repeated, disordered, late, bytes, first, ended;
    struct histogram latency;
} phase;

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

// A server that answers before it delivers is not asked for more than one that delivers first.
static inline int may_deliver(void) {
    uint64_t most = (uint64_t)(options.undelivered * (options.sockets - options.deaf) / options.keys);
    return most == 0 || phase.expected < phase.delivered + most;
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
        while (phase.sent < most && has_room(p, bytes, options.window) && may_deliver())
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
    uint64_t listening = (uint64_t)(options.sockets - options.deaf);
    if (options.external > 0) phase.expected = (uint64_t)options.external * listening / (uint64_t)options.keys;
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
    double seconds = (double)(phase.ended - began) / 1e9, server_us = (double)server_time / 1e3;
    const struct histogram *h = &phase.latency;
    printf(",\"sent\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"refused\":%" PRIu64, phase.sent, phase.answered, phase.refused);
    printf(",\"expected\":%" PRIu64 ",\"delivered\":%" PRIu64 ",\"lost\":%" PRIu64, phase.expected, phase.delivered, lost());
    printf(",\"repeated\":%" PRIu64 ",\"disordered\":%" PRIu64 ",\"late\":%" PRIu64, phase.repeated, phase.disordered, phase.late);
    printf(",\"closed\":%ld,\"seconds\":%.4f", closed_count, seconds);
    printf(",\"messages_per_second\":%.0f", per((double)phase.sent, seconds));
    printf(",\"deliveries_per_second\":%.0f", per((double)phase.delivered, seconds));
    printf(",\"server_us_per_message\":%.4f", per(server_us, (double)phase.sent));
    printf(",\"server_us_per_delivery\":%.4f", per(server_us, (double)phase.delivered));
    printf(",\"server_share\":%.3f,\"generator_share\":%.3f", per(server_us / 1e6, seconds), per((double)own_time / 1e9, seconds));
    printf(",\"bytes_per_delivery\":%.1f", per((double)phase.bytes, (double)phase.delivered));
    printf(",\"p50_us\":%.1f,\"p90_us\":%.1f", histogram_quantile(h, 0.5), histogram_quantile(h, 0.9));
    printf(",\"p99_us\":%.1f,\"p999_us\":%.1f", histogram_quantile(h, 0.99), histogram_quantile(h, 0.999));
    printf(",\"max_us\":%.1f,\"pss_end_kb\":%ld", (double)h->max / 1e3, memory_of(&server).pss);
}

static void report_connecting(double seconds, uint64_t server_time, struct memory before, struct memory after) {
    double count = (double)(options.sockets - options.warm_sockets);
    printf("{\"sockets\":%ld,\"connect_seconds\":%.4f,\"connects_per_second\":%.0f,\"connect_server_us\":%.3f", options.sockets, seconds,
        per(count, seconds), per((double)server_time / 1e3, count));
    printf(",\"pss_before_kb\":%ld,\"pss_after_kb\":%ld", before.pss, after.pss);
    printf(",\"bytes_per_socket\":%.1f", per((double)(after.pss - before.pss) * 1024, count));
    printf(",\"anonymous_bytes_per_socket\":%.1f", per((double)(after.anonymous - before.anonymous) * 1024, count));
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
    if (is_publishing) {
        message = template_from(options.publish_request, (size_t)options.size);
        if (template_bytes_max(&message) > WRITE_BYTES) complain("the message is too long", "");
        open_publishers(publishers);
    }
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
