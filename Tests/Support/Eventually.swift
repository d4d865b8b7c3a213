// Waiting for something to become true, with a deadline. Tests never sleep for a length of time that "should do": they wait for what they
// need, and say what it was when it does not come.

import Foundation

/// What a test waited for in vain.
public struct DeadlineExceeded: Error, Sendable, CustomStringConvertible {
    /// What was awaited, for how long, and what is known about why it did not come.
    public let description: String

    /// An error with this sentence.
    public init(_ description: String) {
        self.description = description
    }
}

/// Returns as soon as the condition holds.
///
/// - Parameters:
///   - seconds: how long to wait at most. Be generous: only a failure takes so long.
///   - what: what is awaited, for the error.
///   - pollMilliseconds: how long to wait between two looks.
///   - condition: looked at once at least; what it throws ends the wait.
/// - Throws: `DeadlineExceeded`, which names what was awaited, or what the condition throws.
public nonisolated(nonsending) func eventually(
    within seconds: Double, _ what: String, pollMilliseconds: Int = 20, _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
        if try await condition() { return }
        guard ContinuousClock.now < deadline else { throw DeadlineExceeded("Waited \(seconds) s in vain for: \(what).") }
        try await Task.sleep(for: .milliseconds(pollMilliseconds))
    }
}
