// What a thread of this process has asked the allocator for. Counted by functions of the allocator's names, which a program that is
// linked with this target calls in place of the C library's.
#ifndef RINGPOST_ALLOCATION_COUNTER_H
#define RINGPOST_ALLOCATION_COUNTER_H
#include <stdbool.h>
#include <stdint.h>

struct allocation_counts {
    // Pieces of memory that were made, and given back.
    uint64_t made;
    uint64_t freed;
    // Bytes in pieces that were made and not given back, with what the allocator adds; below zero if more was given back than made.
    int64_t bytes_held;
};

// Of the calling thread, since it began.
struct allocation_counts allocation_counts(void);

// False in a build with a sanitizer, which has an allocator of its own: everything is 0 there.
bool allocations_are_counted(void);

#endif
