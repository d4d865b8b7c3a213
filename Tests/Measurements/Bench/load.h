// What the files of the load generator share: its options, and what there is of each connection.
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>
#include <stdint.h>

#include "measure.h"
#include "template.h"

#define READ_BYTES (256 * 1024)
#define WRITE_BYTES (256 * 1024)
#define EVENTS_MAX 256
#define PUBLISHERS_MAX 1024
#define MARK_BYTES_MAX 64
#define IS_PUBLISHER (1ull << 32)

// What each means stands in options.c.
struct options {
    const char *subscribe, *subscribe_request, *ready, *then, *then_ready;
    const char *publish, *publish_request, *hello, *answer, *good, *names, *pids;
    double seconds, warmup, patience;
    long sockets, warm_sockets, keys, publishers, window, rate, messages, external, size, deaf, receive_buffer, per_source, wave, settle,
        then_binary, hold, pace, undelivered;
};
extern struct options options;

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

// ---- options.c

void read_options(int count, char **words);
// Says what is wrong, with the system's word for it if it has one, and ends the program.
void complain(const char *what, const char *more);

// ---- connecting.c

extern struct subscriber *subscribers;
extern struct name *names;
// By key: how many sockets listen that read.
extern uint32_t *listeners;
extern int poll_set;
// What was read last; there is room before it for what was left over.
extern char *input;
extern long closed_count;

// Connects sockets from `first` to before `end`, at most a wave of handshakes at once.
void connect_all(long first, long end);
void open_publishers(struct publisher *publishers);
void end_subscriber(struct subscriber *s);
// What has come, with what was left over before it in front; NULL if the connection has ended.
char *receive(int fd, const char *carry, size_t carried, size_t *length);
void keep_end(char *carry, size_t *carried, const char *data, size_t length, size_t most);

#endif
