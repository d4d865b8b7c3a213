// How the load generator's connections come about: subscribers in waves of handshakes, publishers before the first message.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "load.h"

#define ADDRESSES_MAX 16
#define CONNECT_SECONDS_MAX 120

struct subscriber *subscribers;
struct name *names;
uint32_t *listeners;
int poll_set;
char *input;
long closed_count;

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

void end_subscriber(struct subscriber *s) {
    close(s->fd);
    s->state = CLOSED;
    closed_count++;
}

void keep_end(char *carry, size_t *carried, const char *data, size_t length, size_t most) {
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

char *receive(int fd, const char *carry, size_t carried, size_t *length) {
    ssize_t n = recv(fd, input + MARK_BYTES_MAX, READ_BYTES, MSG_DONTWAIT);
    *length = 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return input;
    if (n <= 0) return NULL;
    *length = (size_t)n + carried;
    memcpy(input + MARK_BYTES_MAX - carried, carry, carried);
    return input + MARK_BYTES_MAX - carried;
}

void connect_all(long first, long end) {
    struct sockaddr_in to[ADDRESSES_MAX];
    struct epoll_event events[EVENTS_MAX];
    int count = addresses(options.subscribe, to);
    struct template request = template_from(options.subscribe_request, 0), then = template_from(options.then, 0);
    uint64_t deadline = now_nanoseconds() + CONNECT_SECONDS_MAX * NANOSECONDS;
    for (long opened = first, ready = first; ready < end;) {
        for (; opened < end && opened - ready < options.wave; opened++) {
            struct subscriber *s = &subscribers[opened];
            *s = (struct subscriber){.key = (uint32_t)(opened % options.keys)};
            s->fd = connect_to(&to[opened % count], opened / options.per_source);
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

void open_publishers(struct publisher *publishers) {
    struct sockaddr_in to[ADDRESSES_MAX];
    int count = addresses(options.publish, to);
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
