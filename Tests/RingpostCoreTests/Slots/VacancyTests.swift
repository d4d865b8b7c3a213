// When slots begin anew of which nobody has a copy, while ZooKeeper is away.
import Testing

@testable import RingpostCore

@Suite struct VacancyTests {
    private func vacancy(waits milliseconds: Int64) -> Vacancy {
        var vacancy = Vacancy(slotCount: 64, rosterRetryMilliseconds: 1_000)
        vacancy.insert(3)
        vacancy.setWait(milliseconds: milliseconds)
        return vacancy
    }

    private func due(_ vacancy: Vacancy) -> Int64? {
        vacancy.due(since: 100, succession: .min, quietMilliseconds: 9_000, recoveryMilliseconds: 30_000)
    }

    /// A ring that has just been made goes on making its slots when ZooKeeper goes.
    @Test func whereNobodyIsMissingNothingIsWaitedFor() {
        var vacancy = vacancy(waits: 0)
        vacancy.setReach(false, now: 50)
        #expect(due(vacancy) == 100)
        vacancy.setReach(true, now: 7_000)
        #expect(due(vacancy) == 100)
    }

    @Test func whoMayComeBackHasItsTimeWithZooKeeper() {
        var vacancy = vacancy(waits: 40_000)
        #expect(due(vacancy) == 40_100)
        vacancy.setReach(false, now: 50)
        #expect(due(vacancy) == nil)
        vacancy.setReach(true, now: 20_000)
        #expect(due(vacancy) == 50_000)
    }
}
