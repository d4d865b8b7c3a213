// How many descriptors the process may have. The soft limit that a login or a service manager gives is 1,024 as a rule, which a node has used
// up at a few hundred clients; what it may have if it asks is the hard one.
import Glibc
import Logging

enum DescriptorLimit {
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

    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

    private static var limit: rlimit? {
        var limit = rlimit()
        return getrlimit(resource, &limit) == 0 ? limit : nil
    }
}
