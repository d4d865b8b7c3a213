// Plays seeds and records what they broke, with all that is needed to play them again.

import Testing

@testable import Simulation

/// Plays a schedule by name with some seeds; nothing may break.
func play(_ name: String, seeds: ClosedRange<UInt64> = 1...2, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let schedule = try #require(Schedule.named.first { $0.name == name }, "nobody knows \(name)", sourceLocation: sourceLocation)
    for seed in seeds { judge(SimulationSettings(seed: seed, schedule: schedule), sourceLocation) }
}

/// Plays one run; nothing may break.
@discardableResult
func judge(_ settings: SimulationSettings, _ sourceLocation: SourceLocation = #_sourceLocation) -> SimulationOutcome {
    let outcome = Simulation(settings).run()
    let story = (outcome.played + outcome.violations.map(\.description)).joined(separator: "\n")
    #expect(
        outcome.violations.isEmpty, "seed \(settings.seed), \(settings.nodes) nodes, schedule \(settings.schedule.name):\n\(story)",
        sourceLocation: sourceLocation)
    #expect(outcome.receipts > 0, "nobody was served", sourceLocation: sourceLocation)
    return outcome
}
