// How many descriptors the process may have. The soft limit that a login or a service manager gives is 1,024 as a rule, which a node has used
// up at a few hundred clients; what it may have if it asks is the hard one.
import Glibc
import Logging

enum DescriptorLimit {
    /// Room for so many is made at the start: half a megabyte of the kernel's memory.
    static let roomMax = 65_536

    /// As many as the process may have now.
    static var now: Int { limit.map { Int(clamping: $0.rlim_cur) } ?? 1_024 }

    /// Asks for as many as it may have at all, and says which it is.
    static func raise(logger: Logger) {
        guard var limit else { return }
        let before = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        if before < limit.rlim_max, setrlimit(resource, &limit) != 0 {
            logger.warning("the limit of descriptors can't be raised", metadata: ["limit": "\(before)", "hard limit": "\(limit.rlim_max)"])
            return
        }
        logger.info("descriptors", metadata: ["limit": "\(now)", "before": "\(before)"])
    }

    /// Has the kernel make its table of this process's descriptors as large as it may become. Otherwise it is doubled again and again
    /// while connections come, and each time a process with threads waits for all processors (`expand_fdtable`, `synchronize_rcu`): an
    /// event loop stood still for 5 to 20 ms in the middle of a crowd.
    static func makeRoom() {
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard null >= 0 else { return }
        defer { close(null) }
        // The lowest free descriptor from there on, and the table reaches up to it. It stays that large when that one is closed.
        let last = fcntl(null, F_DUPFD_CLOEXEC, Int32(clamping: min(now, roomMax) - 1))
        if last >= 0 { close(last) }
    }

    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

    private static var limit: rlimit? {
        var limit = rlimit()
        return getrlimit(resource, &limit) == 0 ? limit : nil
    }
}
