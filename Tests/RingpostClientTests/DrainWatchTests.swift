// A drain as it looks from outside, answer by answer.
import FoundationEssentials
import Testing

@testable import RingpostClient

@Suite struct DrainWatchTests {
    private static let silence = OperatorError.unreachable(["nothing answers"])

    private func nodes(_ entries: String...) throws -> NodesReport {
        let json = #"{"nodes":["# + entries.joined(separator: ",") + "]}"
        return try JSONDecoder().decode(NodesReport.self, from: Data(json.utf8))
    }

    private func node(_ id: String, boot: Int = 1, weight: Int = 0, answered: Bool = true, draining: String? = nil) -> String {
        let part = draining.map { #","draining":\#($0)"# } ?? ""
        return #"{"id":"\#(id)","boot":"\#(boot)","client":"","api":"","link":"","weight":\#(weight),"answered":\#(answered)\#(part)}"#
    }

    @Test func untilItHasLeft() throws {
        var watch = DrainWatch(node: "n2")
        let handing = #"{"phase":"handingOver","cause":"order","slots":1,"copies":20,"sockets":9,"seconds":0}"#
        #expect(
            watch.onNodes(try nodes(node("n1"), node("n2", draining: handing)))
                == .progress("handing over: 1 slot and 20 copies left", seconds: 0))
        let begun = #"{"phase":"handingOver","seconds":0}"#
        #expect(watch.onNodes(try nodes(node("n2", draining: begun))) == .progress("handing over: ? slots and ? copies left", seconds: 0))
        let moving = #"{"phase":"movingSockets","slots":0,"copies":0,"sockets":9,"seconds":3}"#
        #expect(watch.onNodes(try nodes(node("n2", draining: moving))) == .progress("moving sockets: 9 left", seconds: 3))
        // A session that was lost on the way.
        let leaving = #"{"phase":"leaving","seconds":33}"#
        #expect(watch.onNodes(try nodes(node("n2", boot: 2, draining: leaving))) == .progress("leaving the ring", seconds: 33))
        #expect(
            watch.onNodes(try nodes(node("n2", boot: 2, answered: false)))
                == .progress("n2 doesn't answer, but is still in the ring", seconds: nil))
        #expect(watch.onNodes(try nodes(node("n1"))) == .left("n2 has left the ring"))
    }

    @Test func itMayBeBackBeforeAnybodyLooks() throws {
        var watch = DrainWatch(node: "n2")
        _ = watch.onNodes(try nodes(node("n2", draining: #"{"phase":"leaving"}"#)))
        #expect(watch.onNodes(try nodes(node("n2", boot: 5, weight: 100))) == .left("n2 has left the ring, and is back as a new process"))
    }

    @Test func somebodyMayTakeItBack() throws {
        var watch = DrainWatch(node: "n2")
        _ = watch.onNodes(try nodes(node("n2", draining: #"{"phase":"movingSockets"}"#)))
        #expect(watch.onNodes(try nodes(node("n2", weight: 50))) == .failed("n2 does not drain any more: somebody has taken it back"))
    }

    @Test func theOnlyOneThatIsAskedMayBeTheOneThatLeaves() throws {
        var watch = DrainWatch(node: "n1")
        _ = watch.onNodes(try nodes(node("n1", draining: #"{"phase":"movingSockets"}"#)))
        #expect(watch.onSilence(Self.silence) == .progress("nobody answers", seconds: nil))
        #expect(watch.onSilence(Self.silence) == .progress("nobody answers", seconds: nil))
        #expect(watch.onSilence(Self.silence) == .left("n1 has gone: nobody answers at the given addresses any more"))
    }

    @Test func silenceInTheMiddleIsNoEnd() throws {
        var watch = DrainWatch(node: "n1")
        _ = watch.onSilence(Self.silence)
        _ = watch.onSilence(Self.silence)
        _ = watch.onNodes(try nodes(node("n1", draining: #"{"phase":"handingOver"}"#)))
        #expect(watch.onSilence(Self.silence) == .progress("nobody answers", seconds: nil), "counted anew")
        _ = watch.onSilence(Self.silence)
        #expect(watch.onSilence(Self.silence) == .failed("nobody answers any more, and n1 was still handing over: nothing answers"))
    }
}
