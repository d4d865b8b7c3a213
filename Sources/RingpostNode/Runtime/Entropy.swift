// Random numbers of one event loop, for incarnations and jitter.
import HashRing

extension SplitMix64 {
    /// Seeded by the system once, because asking the system for each number would be a system call on the way of a message.
    static func seededBySystem() -> SplitMix64 {
        var system = SystemRandomNumberGenerator()
        return SplitMix64(seed: system.next())
    }
}
