// `ringpost weight`: a node's share of the ring, while it runs.
import ArgumentParser
import RingpostClient

struct WeightCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weight",
        abstract: "Give a node another share of the ring, or take its drain back.",
        discussion: """
            Waits until the ring shows it. With 0 the node only routes. A drain that has not come to its end is taken back by any weight
            above 0. The node forgets the weight when it ends: then the one it was started with holds again.

            EXAMPLE
              ringpost weight n2 100
            """)

    private static let lookMilliseconds = 200
    /// A change takes one read and one write in ZooKeeper; a node that is still linking with the others takes five seconds.
    private static let waitSeconds = 30

    @OptionGroup var api: APIOptions

    @Argument(help: "The node's id.")
    var node: String

    @Argument(help: "Its share relative to the others', 0 to 65535.")
    var weight: UInt16

    @Flag(help: "Return when the node has heard of it.")
    var noWait = false

    func run() async throws {
        let client = try api.client()
        do throws(OperatorError) {
            try await client.setWeight(weight, of: node)
            if noWait { return Console.line("\(node) takes weight \(weight)") }
            try await waitForRing(client)
        } catch {
            throw Console.fail(error)
        }
        Console.line("\(node) has weight \(weight)")
    }

    private func waitForRing(_ client: OperatorClient) async throws(OperatorError) {
        let deadline = ContinuousClock.now + .seconds(Self.waitSeconds)
        while true {
            let entry = try await client.nodes().nodes.first { $0.id == node }
            if let entry, entry.weight == weight, entry.draining == nil { return }
            if ContinuousClock.now >= deadline {
                let present = entry.map { "it shows \($0.weight)" } ?? "the node is not in it"
                throw .unfinished("\(node) took the weight, but the ring has not shown it for \(Self.waitSeconds) s: \(present)")
            }
            do { try await Task.sleep(for: .milliseconds(Self.lookMilliseconds)) } catch { throw .unfinished("cancelled") }
        }
    }
}
