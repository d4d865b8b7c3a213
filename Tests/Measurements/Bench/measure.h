// What the load generator measures with: a clock, a histogram of latencies, and what the system says of other processes.
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NANOSECONDS 1000000000ull

// The same clock in every process of a machine, so that whoever reads a stamp needn't be who wrote it.
static inline uint64_t now_nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NANOSECONDS + (uint64_t)t.tv_nsec;
}

// ---- Latencies. Buckets of equal ratio, as HdrHistogram has them: 64 to each power of two, so a value is known to within 1.6 %.

#define HISTOGRAM_STEPS 64
#define HISTOGRAM_BUCKETS (59 * HISTOGRAM_STEPS)

struct histogram {
    uint64_t count, max;
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

static inline void histogram_add(struct histogram *h, uint64_t nanoseconds) {
    int place = (int)nanoseconds;
    if (nanoseconds >= HISTOGRAM_STEPS) {
        int shift = 57 - __builtin_clzll(nanoseconds);
        place = (shift + 1) * HISTOGRAM_STEPS + (int)((nanoseconds >> shift) & (HISTOGRAM_STEPS - 1));
    }
    h->buckets[place]++;
    h->count++;
    if (nanoseconds > h->max) h->max = nanoseconds;
}

// In microseconds, the middle of its bucket; 0 if there is nothing.
static inline double histogram_quantile(const struct histogram *h, double share) {
    uint64_t wanted = (uint64_t)(share * (double)h->count), seen = 0;
    for (int place = 0; place < HISTOGRAM_BUCKETS; place++) {
        seen += h->buckets[place];
        if (seen <= wanted) continue;
        if (place < HISTOGRAM_STEPS) return place / 1e3;
        int shift = place / HISTOGRAM_STEPS - 1;
        uint64_t low = (uint64_t)(HISTOGRAM_STEPS + place % HISTOGRAM_STEPS) << shift;
        return ((double)low + (double)(1ull << shift) / 2) / 1e3;
    }
    return (double)h->max / 1e3;
}

// ---- Processes: of a server that has several, all together.

#define PROCESSES_MAX 64

struct processes {
    pid_t ids[PROCESSES_MAX];
    int count;
};

// "17,23": what is no number ends it.
static inline struct processes processes_from(const char *text) {
    struct processes all = {.count = 0};
    while (text && *text && all.count < PROCESSES_MAX) {
        char *end;
        long id = strtol(text, &end, 10);
        if (end == text) break;
        all.ids[all.count++] = (pid_t)id;
        text = *end ? end + 1 : end;
    }
    return all;
}

// Processor time so far, in nanoseconds: user's and system's. The process's own clock counts finer than the hundredths of /proc/PID/stat.
static inline uint64_t processor_time(const struct processes *all) {
    uint64_t sum = 0;
    for (int i = 0; i < all->count; i++) {
        clockid_t clock;
        struct timespec t;
        if (clock_getcpuclockid(all->ids[i], &clock) == 0 && clock_gettime(clock, &t) == 0)
            sum += (uint64_t)t.tv_sec * NANOSECONDS + (uint64_t)t.tv_nsec;
    }
    return sum;
}

static inline uint64_t own_processor_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NANOSECONDS + (uint64_t)t.tv_nsec;
}

// Memory in kB: a share of what is shared with other processes (Pss), and what is nobody else's and no file's (Anonymous).
struct memory {
    long pss, anonymous;
};

static inline struct memory memory_of(const struct processes *all) {
    struct memory sum = {0, 0};
    for (int i = 0; i < all->count; i++) {
        char path[64], line[256];
        long value;
        snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)all->ids[i]);
        FILE *file = fopen(path, "r");
        if (!file) continue;
        while (fgets(line, sizeof line, file)) {
            if (sscanf(line, "Pss: %ld", &value) == 1) sum.pss += value;
            if (sscanf(line, "Anonymous: %ld", &value) == 1) sum.anonymous += value;
        }
        fclose(file);
    }
    return sum;
}

// Whether it runs; one that waits for its parent doesn't.
static inline int is_running(pid_t id) {
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)id);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    int found = fscanf(file, "%*d (%*[^)]) %c", &state);
    fclose(file);
    return found == 1 && state != 'Z' && state != 'X';
}

#endif
