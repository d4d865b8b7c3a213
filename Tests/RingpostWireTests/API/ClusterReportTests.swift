// What reports say to people.
import RingpostWire
import Testing

@Suite struct ClusterReportTests {
    @Test func slotsThatWaitAreSaidInOneSentence() {
        #expect(NodeReport.Waiting(slots: 5, for: [], seconds: 12, secondsLeft: nil).sentence == "5 slots have waited for 12 s")
        #expect(
            NodeReport.Waiting(slots: 5, for: ["n2", "n3"], disks: ["n3"], seconds: 12, secondsLeft: 30).sentence
                == "5 slots have waited for n2, n3 for 12 s, and begin anew in 30 s; n3 has its copies on a disk: start it again")
        #expect(
            NodeReport.Waiting(slots: 5, for: ["n2", "n3"], seconds: 12, secondsLeft: 30).sentence
                == "5 slots have waited for n2, n3 for 12 s, and begin anew in 30 s")
    }
}
