// What is sent, with holes: a request or message is cut into pieces once, and each one that is sent is put together by copying them.
//   {i}     the key's name     {body}  the payload: a time stamp and padding     {length}  the payload's bytes
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_MAX 16
#define NAME_BYTES 24
// "@T", 19 digits of nanoseconds, ";".
#define STAMP_BYTES 22

enum piece_kind { PIECE_TEXT, PIECE_NAME, PIECE_STAMP };

struct piece {
    enum piece_kind kind;
    const char *text;
    size_t bytes;
};

struct template {
    struct piece pieces[PIECES_MAX];
    int count;
};

struct name {
    char text[NAME_BYTES - 1];
    uint8_t bytes;
};

static inline void template_add(struct template *t, enum piece_kind kind, const char *text, size_t bytes) {
    if (kind == PIECE_TEXT && bytes == 0) return;
    if (t->count == PIECES_MAX) {
        fprintf(stderr, "a template has more than %d pieces\n", PIECES_MAX);
        exit(2);
    }
    t->pieces[t->count++] = (struct piece){kind, text, bytes};
}

// The pieces point into `text` and into what is made here, and stay until the program ends.
static inline struct template template_from(const char *text, size_t payload_bytes) {
    struct template t = {.count = 0};
    const char *start = text;
    while ((text = strchr(text, '{'))) {
        size_t before = (size_t)(text - start);
        if (!strncmp(text, "{i}", 3)) {
            template_add(&t, PIECE_TEXT, start, before);
            template_add(&t, PIECE_NAME, NULL, 0);
            text += 3;
        } else if (!strncmp(text, "{body}", 6)) {
            size_t padding = payload_bytes > STAMP_BYTES ? payload_bytes - STAMP_BYTES : 0;
            char *more = malloc(padding + 1);
            memset(more, 'x', padding);
            template_add(&t, PIECE_TEXT, start, before);
            template_add(&t, PIECE_STAMP, NULL, 0);
            template_add(&t, PIECE_TEXT, more, padding);
            text += 6;
        } else if (!strncmp(text, "{length}", 8)) {
            char *digits = malloc(24);
            int bytes = snprintf(digits, 24, "%zu", payload_bytes > STAMP_BYTES ? payload_bytes : STAMP_BYTES);
            template_add(&t, PIECE_TEXT, start, before);
            template_add(&t, PIECE_TEXT, digits, (size_t)bytes);
            text += 8;
        } else {
            text++;
            continue;
        }
        start = text;
    }
    template_add(&t, PIECE_TEXT, start, strlen(start));
    return t;
}

static inline void stamp_write(char *to, uint64_t value) {
    to[0] = '@', to[1] = 'T', to[21] = ';';
    for (int i = 20; i >= 2; i--, value /= 10) to[i] = (char)('0' + value % 10);
}

static inline uint64_t stamp_read(const char *from) {
    uint64_t value = 0;
    for (int i = 2; i < 21; i++) value = value * 10 + (uint64_t)(from[i] - '0');
    return value;
}

// The most that one rendering takes.
static inline size_t template_bytes_max(const struct template *t) {
    size_t sum = 0;
    for (int i = 0; i < t->count; i++) sum += t->pieces[i].kind == PIECE_TEXT ? t->pieces[i].bytes : NAME_BYTES;
    return sum;
}

// Returns the end of what it has written.
static inline char *template_write(const struct template *t, char *to, const struct name *name, uint64_t stamp) {
    for (int i = 0; i < t->count; i++) {
        const struct piece *p = &t->pieces[i];
        switch (p->kind) {
        case PIECE_TEXT:
            memcpy(to, p->text, p->bytes);
            to += p->bytes;
            break;
        case PIECE_NAME:
            // All of it, whose size is known; what is too much is written over.
            memcpy(to, name->text, sizeof name->text);
            to += name->bytes;
            break;
        case PIECE_STAMP:
            stamp_write(to, stamp);
            to += STAMP_BYTES;
            break;
        }
    }
    return to;
}

#endif
