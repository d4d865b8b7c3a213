// The least that a push server can do: one thread on one epoll, the bare system calls, no allocation, no checks, no history, no order
// that anybody could rely on. It is what "ratio to the limit" is a ratio to, and no example of how to write a server.
//
//   GET  …/u17…  is answered with a fixed 101 (or, without an upgrade, with an event stream) and listens to key 17
//   POST …/u17…  is read for its Content-Length, sent to each socket of key 17 with one `send` a frame, and answered with an empty 200
//
// What is pipelined is answered with one `send` for all that has been read, as any server may.
//
//     clang -O2 limit.c -o limit && ./limit 127.0.0.1 8080
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS_MAX (1 << 20)
#define KEYS_MAX (1 << 20)
#define READ_BYTES (256 * 1024)
#define REST_BYTES_MAX 65536
#define EVENTS_MAX 512

static const char upgraded[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static const char streaming[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n:\n\n";
static const char done[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

enum kind { UNKNOWN, WEBSOCKET, STREAM };

// All there is of a socket: what it speaks, and the next one of its key, plus one; 0 ends the list. Indexed by descriptor.
static uint8_t kinds[DESCRIPTORS_MAX];
static int32_t next_of[DESCRIPTORS_MAX], first_of[KEYS_MAX];
static uint32_t key_of[DESCRIPTORS_MAX];
// The beginning of a request whose rest has not come yet; few connections ever have one.
static char *rest[DESCRIPTORS_MAX];
static uint32_t rest_bytes[DESCRIPTORS_MAX];
static char input[REST_BYTES_MAX + READ_BYTES + 1], answers[READ_BYTES], frame[REST_BYTES_MAX + 32];

// The number behind the last "/u" of the request's target.
static uint32_t key_in(const char *line) {
    uint32_t key = 0;
    const char *at = strchr(line, ' ') + 1;
    for (const char *end = at; *end > ' '; end++)
        if (end[0] == '/' && end[1] == 'u') at = end + 2;
    while (*at >= '0' && *at <= '9') key = key * 10 + (uint32_t)(*at++ - '0');
    return key % KEYS_MAX;
}

static void listen_to(int fd, uint32_t key, enum kind kind) {
    kinds[fd] = (uint8_t)kind;
    key_of[fd] = key;
    next_of[fd] = first_of[key];
    first_of[key] = fd + 1;
}

static void forget(int fd) {
    if (kinds[fd] != UNKNOWN) {
        int32_t *place = &first_of[key_of[fd]];
        while (*place && *place != fd + 1) place = &next_of[*place - 1];
        if (*place) *place = next_of[fd];
    }
    kinds[fd] = UNKNOWN;
    free(rest[fd]);
    rest[fd] = NULL;
    rest_bytes[fd] = 0;
    close(fd);
}

static size_t make_frame(enum kind kind, const char *payload, size_t bytes) {
    size_t head = 0;
    if (kind == WEBSOCKET) {
        frame[head++] = (char)0x81;
        if (bytes < 126) {
            frame[head++] = (char)bytes;
        } else {
            frame[head++] = 126, frame[head++] = (char)(bytes >> 8), frame[head++] = (char)bytes;
        }
    } else {
        memcpy(frame, "data: ", head = 6);
    }
    memcpy(frame + head, payload, bytes);
    head += bytes;
    if (kind == STREAM) frame[head++] = '\n', frame[head++] = '\n';
    return head;
}

static void send_out(uint32_t key, const char *payload, size_t bytes) {
    enum kind made = UNKNOWN;
    size_t length = 0;
    for (int32_t at = first_of[key]; at; at = next_of[at - 1]) {
        int fd = at - 1;
        if (kinds[fd] != made) length = make_frame(made = kinds[fd], payload, bytes);
        // What the kernel doesn't take is lost: whoever measures with this sees it.
        send(fd, frame, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

// Serves the whole requests in `at`, and returns how many bytes they have. A byte of zero stands behind them.
static size_t serve(int fd, char *at, size_t length) {
    char *start = at, *end = at + length, *head;
    size_t answer_bytes = 0;
    while (at < end && (head = memmem(at, (size_t)(end - at), "\r\n\r\n", 4))) {
        size_t body = 0;
        head += 4;
        if (*at == 'P') {
            const char *field = memmem(at, (size_t)(head - at), "Content-Length: ", 16);
            if (field) body = strtoul(field + 16, NULL, 10);
            if ((size_t)(end - head) < body) break;
            if (body <= REST_BYTES_MAX) send_out(key_in(at), head, body);
            if (answer_bytes + sizeof done > sizeof answers) answer_bytes = (size_t)(send(fd, answers, answer_bytes, MSG_NOSIGNAL), 0);
            memcpy(answers + answer_bytes, done, sizeof done - 1);
            answer_bytes += sizeof done - 1;
        } else {
            int is_websocket = memmem(at, (size_t)(head - at), "Upgrade: websocket", 18) != NULL;
            listen_to(fd, key_in(at), is_websocket ? WEBSOCKET : STREAM);
            send(fd, is_websocket ? upgraded : streaming, is_websocket ? sizeof upgraded - 1 : sizeof streaming - 1, MSG_NOSIGNAL);
        }
        at = head + body;
    }
    if (answer_bytes > 0) send(fd, answers, answer_bytes, MSG_NOSIGNAL);
    return (size_t)(at - start);
}

static void on_bytes(int fd) {
    uint32_t kept = rest_bytes[fd];
    if (kept > 0) memcpy(input, rest[fd], kept);
    ssize_t n = recv(fd, input + kept, READ_BYTES, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) forget(fd);
        return;
    }
    if (kinds[fd] != UNKNOWN) return;
    size_t length = kept + (size_t)n;
    input[length] = 0;
    size_t used = serve(fd, input, length), left = length - used;
    if (left > REST_BYTES_MAX) {
        forget(fd);
        return;
    }
    rest_bytes[fd] = (uint32_t)left;
    if (left == 0) return;
    if (!rest[fd]) rest[fd] = malloc(REST_BYTES_MAX);
    memcpy(rest[fd], input + used, left);
}

static int listener_at(const char *host, const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) {
        perror("limit");
        exit(1);
    }
    return fd;
}

int main(int count, char **words) {
    if (count != 3) {
        fprintf(stderr, "usage: limit HOST PORT\n");
        return 2;
    }
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    int listener = listener_at(words[1], words[2]), poll_set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS_MAX];
    epoll_ctl(poll_set, EPOLL_CTL_ADD, listener, &event);
    while (1) {
        int ready = epoll_wait(poll_set, events, EVENTS_MAX, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                on_bytes(fd);
                continue;
            }
            // It inherits TCP_NODELAY from the listener.
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
                epoll_ctl(poll_set, EPOLL_CTL_ADD, fd, &event);
            }
        }
    }
}
