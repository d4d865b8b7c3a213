// The least that a push server can do: one thread on one epoll, the bare system calls, no allocation, no checks, no history, no order
// that anybody could rely on. It is what "ratio to the limit" is a ratio to, and no example of how to write a server.
//
//   GET  …/u17…  is answered with a fixed 101 (or, without an upgrade, with an event stream) and listens to key 17
//   POST …/u17…  is read for its Content-Length, sent to each socket of key 17 with one `send` a frame, and answered with an empty 200
//
// What is pipelined is answered with one `send` for all that has been read, as any server may.
//
// With NODES it is so many processes: a message goes from the first, which has all the sockets, to the last and the whole way back, and
// only then to its sockets and into an answer. With three that is the way of a message that came in at n1, whose user is n2's, and that n3
// mirrors. The others only pass on what they read, and what is read at once is passed on at once.
//
//     clang -O2 limit.c -o limit && ./limit 127.0.0.1 8080 [NODES]
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
// With what is written before it on its way through the others, it is no more than a rest.
#define BODY_BYTES_MAX (REST_BYTES_MAX - 64)
#define EVENTS_MAX 512
#define NODES_MAX 16

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
static char input[REST_BYTES_MAX + READ_BYTES + 1], frame[REST_BYTES_MAX + 32];
// Answers that nobody has got yet; all of them are for one socket.
static char answers[READ_BYTES];
static size_t answer_bytes;
static int answered = -1;

// A message on its way through the others: whom to answer, and what; its body comes behind it.
struct passed {
    int32_t fd;
    uint32_t key, bytes;
};
// The connection to the second process; -1 if there is none. And what goes out there when all that was ready has been read.
static int link_fd = -1;
static char outgoing[READ_BYTES];
static size_t outgoing_bytes;

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

static void send_answers(void) {
    if (answer_bytes > 0) send(answered, answers, answer_bytes, MSG_NOSIGNAL);
    answer_bytes = 0;
}

static void answer(int fd) {
    if (fd != answered || answer_bytes + sizeof done > sizeof answers) send_answers();
    answered = fd;
    memcpy(answers + answer_bytes, done, sizeof done - 1);
    answer_bytes += sizeof done - 1;
}

// Between processes nothing may be lost: one that can't send waits, and one that nobody listens to any more has nothing to do.
static void send_all(int fd, const char *bytes, size_t length) {
    if (send(fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length) exit(1);
}

static void send_outgoing(void) {
    if (outgoing_bytes > 0) send_all(link_fd, outgoing, outgoing_bytes);
    outgoing_bytes = 0;
}

// Sends a message to its sockets and answers it, or lets the others see it first.
static void take(int fd, uint32_t key, const char *body, size_t bytes) {
    if (link_fd < 0) {
        send_out(key, body, bytes);
        answer(fd);
        return;
    }
    struct passed head = {fd, key, (uint32_t)bytes};
    if (outgoing_bytes + sizeof head + bytes > sizeof outgoing) send_outgoing();
    memcpy(outgoing + outgoing_bytes, &head, sizeof head);
    memcpy(outgoing + outgoing_bytes + sizeof head, body, bytes);
    outgoing_bytes += sizeof head + bytes;
}

// Does what is left to do for the whole messages in `at`, which all the others have seen, and returns how many bytes they have.
static size_t take_back(const char *at, size_t length) {
    const char *start = at, *end = at + length;
    struct passed head;
    while ((size_t)(end - at) >= sizeof head) {
        memcpy(&head, at, sizeof head);
        if ((size_t)(end - at) < sizeof head + head.bytes) break;
        send_out(head.key, at + sizeof head, head.bytes);
        answer(head.fd);
        at += sizeof head + head.bytes;
    }
    send_answers();
    return (size_t)(at - start);
}

// Serves the whole requests in `at`, and returns how many bytes they have. A byte of zero stands behind them.
static size_t serve(int fd, char *at, size_t length) {
    char *start = at, *end = at + length, *head;
    while (at < end && (head = memmem(at, (size_t)(end - at), "\r\n\r\n", 4))) {
        size_t body = 0;
        head += 4;
        if (*at == 'P') {
            const char *field = memmem(at, (size_t)(head - at), "Content-Length: ", 16);
            if (field) body = strtoul(field + 16, NULL, 10);
            if ((size_t)(end - head) < body) break;
            if (body <= BODY_BYTES_MAX)
                take(fd, key_in(at), head, body);
            else
                answer(fd);
        } else {
            int is_websocket = memmem(at, (size_t)(head - at), "Upgrade: websocket", 18) != NULL;
            listen_to(fd, key_in(at), is_websocket ? WEBSOCKET : STREAM);
            send(fd, is_websocket ? upgraded : streaming, is_websocket ? sizeof upgraded - 1 : sizeof streaming - 1, MSG_NOSIGNAL);
        }
        at = head + body;
    }
    send_answers();
    return (size_t)(at - start);
}

static void on_bytes(int fd) {
    uint32_t kept = rest_bytes[fd];
    if (kept > 0) memcpy(input, rest[fd], kept);
    ssize_t n = recv(fd, input + kept, READ_BYTES, 0);
    if (n <= 0) {
        if (fd == link_fd) exit(1);
        if (n == 0 || errno != EAGAIN) forget(fd);
        return;
    }
    if (kinds[fd] != UNKNOWN) return;
    size_t length = kept + (size_t)n;
    input[length] = 0;
    size_t used = fd == link_fd ? take_back(input, length) : serve(fd, input, length), left = length - used;
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

static void watch(int poll_set, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poll_set, EPOLL_CTL_ADD, fd, &event);
}

// Two ends of one connection by TCP, as nodes have it: a pair of local sockets would be cheaper than any link.
static void connect_ends(const char *host, int ends[2]) {
    int one = 1, listener = listener_at(host, "0");
    struct sockaddr_in address;
    socklen_t bytes = sizeof address;
    getsockname(listener, (struct sockaddr *)&address, &bytes);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(ends[0], (struct sockaddr *)&address, bytes)) {
        perror("limit");
        exit(1);
    }
    while ((ends[1] = accept(listener, NULL, NULL)) < 0 && errno == EAGAIN) usleep(1000);
    close(listener);
}

// All that a process does which only passes on: what comes from one end goes to the other. The last has one end, and sends it back.
static void relay(int one_end, int other_end) {
    int poll_set = epoll_create1(0);
    struct epoll_event events[2];
    watch(poll_set, one_end);
    if (other_end != one_end) watch(poll_set, other_end);
    while (1) {
        int ready = epoll_wait(poll_set, events, 2, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            ssize_t n = recv(fd, input, READ_BYTES, 0);
            if (n <= 0) exit(0);
            send_all(fd == one_end ? other_end : one_end, input, (size_t)n);
        }
    }
}

// A process that passes on to `next`, or back if that is -1; returns the connection to it. It has no other, so that each ends when the one
// before it has ended.
static int process_before(int next, const char *host) {
    int ends[2];
    connect_ends(host, ends);
    pid_t child = fork();
    if (child < 0) {
        perror("limit");
        exit(1);
    }
    if (child == 0) {
        close(ends[0]);
        relay(ends[1], next < 0 ? ends[1] : next);
    }
    close(ends[1]);
    if (next >= 0) close(next);
    return ends[0];
}

int main(int count, char **words) {
    int nodes = count == 4 ? atoi(words[3]) : 1;
    if (count < 3 || count > 4 || nodes < 1 || nodes > NODES_MAX) {
        fprintf(stderr, "usage: limit HOST PORT [NODES]\n");
        return 2;
    }
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    for (int i = 1; i < nodes; i++) link_fd = process_before(link_fd, words[1]);
    // Behind that, so that whoever may connect finds all of them.
    int listener = listener_at(words[1], words[2]), poll_set = epoll_create1(0);
    struct epoll_event events[EVENTS_MAX];
    watch(poll_set, listener);
    if (link_fd >= 0) watch(poll_set, link_fd);
    while (1) {
        int ready = epoll_wait(poll_set, events, EVENTS_MAX, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                on_bytes(fd);
                continue;
            }
            // It inherits TCP_NODELAY from the listener.
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) watch(poll_set, fd);
        }
        send_outgoing();
    }
}
