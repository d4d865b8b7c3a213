// The load generator's options: what each is called, what it means, and what it is if it isn't given.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

struct options options = {
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
    {"undelivered", "messages that have not reached all their sockets, in all; 0: any number", 0, &options.undelivered, 0},
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

void complain(const char *what, const char *more) {
    fprintf(stderr, "load: %s %s%s%s\n", what, more, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(3);
}

void read_options(int count, char **words) {
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

