// A few of the schedules that cluster/simulate plays by the thousand, so that a plain test run finds what breaks most of them; and
// that a seed repeats a run exactly, or printing it would help nobody.

import Testing

@testable import Simulation

@Suite struct RandomScheduleTests {
    @Test(arguments: 3...7) func whatASeedDraws(nodes: Int) {
        judge(SimulationSettings(seed: UInt64(1_000 + nodes), nodes: nodes))
    }

    @Test func aSeedRepeatsARunExactly() {
        let settings = SimulationSettings(seed: 77, nodes: 3)
        let first = judge(settings)
        let second = judge(settings)
        #expect(first.fingerprint == second.fingerprint)
        #expect(first.events == second.events)
        #expect(first.played == second.played)
        #expect(judge(SimulationSettings(seed: 78, nodes: 3)).fingerprint != first.fingerprint)
    }
}
