// Debian's multi-threaded ZooKeeper C client. THREADED must be defined before the header, or the synchronous calls
// and the completion thread's declarations are missing.
#ifndef RINGPOST_CZOOKEEPER_SHIM_H
#define RINGPOST_CZOOKEEPER_SHIM_H
#ifndef THREADED
#define THREADED
#endif
#include <zookeeper/zookeeper.h>

// The lists are extern structs that Swift 6 sees as mutable global state; a function is not.
static inline const struct ACL_vector *ringpost_open_acl(void) { return &ZOO_OPEN_ACL_UNSAFE; }
static inline const struct ACL_vector *ringpost_creator_acl(void) { return &ZOO_CREATOR_ALL_ACL; }

#endif
