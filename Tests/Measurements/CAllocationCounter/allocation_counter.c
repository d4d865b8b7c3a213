// Each function counts and then does what glibc's does, which is also there under another name. Its memory is its own: a function that is
// missing here (say pvalloc) goes uncounted, and nothing else.
#include "allocation_counter.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

static _Thread_local struct allocation_counts counts;

struct allocation_counts allocation_counts(void) { return counts; }

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)

bool allocations_are_counted(void) { return false; }

#else

bool allocations_are_counted(void) { return true; }

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

// The allocator keeps a piece's length before it.
static int64_t size_of(void *piece) { return (int64_t)(malloc_usable_size(piece) + sizeof(size_t)); }

static void *made(void *piece) {
    if (piece != NULL) {
        counts.made++;
        counts.bytes_held += size_of(piece);
    }
    return piece;
}

static void freed(void *piece) {
    if (piece == NULL) return;
    counts.freed++;
    counts.bytes_held -= size_of(piece);
}

void *malloc(size_t size) { return made(__libc_malloc(size)); }

void *calloc(size_t count, size_t size) { return made(__libc_calloc(count, size)); }

void *realloc(void *piece, size_t size) {
    int64_t before = piece == NULL ? 0 : size_of(piece);
    void *now = __libc_realloc(piece, size);
    if (now == NULL && size > 0) return NULL;
    if (piece != NULL) {
        counts.freed++;
        counts.bytes_held -= before;
    }
    return made(now);
}

void free(void *piece) {
    freed(piece);
    __libc_free(piece);
}

void *memalign(size_t alignment, size_t size) { return made(__libc_memalign(alignment, size)); }

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **piece, size_t alignment, size_t size) {
    void *fresh = memalign(alignment, size);
    if (fresh == NULL) return ENOMEM;
    *piece = fresh;
    return 0;
}

#endif
