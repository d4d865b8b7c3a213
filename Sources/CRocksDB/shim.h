// Debian's RocksDB, by its C interface; and what a store has to know of the place where its files lie, which glibc's headers keep from Swift.
#ifndef RINGPOST_CROCKSDB_SHIM_H
#define RINGPOST_CROCKSDB_SHIM_H
#include <fcntl.h>
#include <linux/stat.h>
#include <rocksdb/c.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ringpost_file_place {
    uint64_t inode;
    // 0 where the file system doesn't know when a file was made.
    uint64_t born_nanoseconds;
    uint64_t device;
};

// Returns 0, or -1 with errno.
static inline int ringpost_place_of(const char *path, struct ringpost_file_place *place) {
    struct statx found;
    if (syscall(SYS_statx, AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &found) != 0) return -1;
    place->inode = found.stx_ino;
    place->born_nanoseconds =
        found.stx_mask & STATX_BTIME ? (uint64_t)found.stx_btime.tv_sec * 1000000000u + found.stx_btime.tv_nsec : 0;
    place->device = (uint64_t)found.stx_dev_major << 32 | found.stx_dev_minor;
    return 0;
}

#endif
