// `ringpost ring`: the ring as one node sees it, and whether the others see the same.
import ArgumentParser
import HashRing
import RingpostClient
import RingpostCore

struct RingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ring",
        abstract: "Show the ring: who owns how much of it, and whether all nodes agree.",
        discussion: "Example: ringpost ring --api http://10.0.0.5:8081")

    @OptionGroup var api: APIOptions

    @Flag(help: "Print the node's answer, JSON.")
    var json = false

    func run() async throws {
        let client = try api.client()
        do throws(OperatorError) {
            let body = try await client.get("/v1/ring")
            if json { return Console.json(body) }
            let report: RingReport = try OperatorClient.decode(body)
            for line in try RingView(report, hasColours: Console.outHasColours).lines() { Console.text(line + "\n") }
        } catch {
            throw Console.fail(error)
        }
    }
}

/// The ring command's page.
struct RingView {
    private let report: RingReport
    private let ring: HashRing
    private let hasColours: Bool

    init(_ report: RingReport, hasColours: Bool) throws(OperatorError) {
        self.report = report
        ring = try report.nodes.ring()
        self.hasColours = hasColours
    }

    func lines() -> [String] {
        let age = report.epochAgeMilliseconds
        let ageText = age < 10_000 ? "\(age) ms" : "\(age / 1_000) s"
        var lines = [
            Console.printable(
                "cluster \(report.cluster)  epoch \(report.epoch)  confirmed \(ageText) ago  digest \(report.digest)"
                    + "\(report.copies.map { "  copies \($0)" } ?? "")  says \(report.answeredBy)"
            )
        ]
        lines += [""] + table().lines() + [""] + RingBar(ring, hasColours: hasColours).lines()
        let warnings = self.warnings()
        return warnings.isEmpty ? lines : lines + [""] + warnings
    }

    private func table() -> TextTable {
        let hasDisks = report.nodes.contains { $0.disk != nil }
        var table = TextTable(
            [
                ("node", .left), ("clients", .left), ("api", .left), ("weight", .right), ("slots", .right), ("share", .right),
                ("of fair", .right),
            ] + (hasDisks ? [("disk", .left)] : []) + [("users", .right), ("ws/sse/poll", .right), ("epoch", .right), ("lease", .left)])
        let slots = ring.slotsOwned()
        let totalWeight = ring.members.reduce(0) { $0 + Double($1.weight) }
        for node in report.nodes {
            let owned = ring.memberIndex(of: node.id).map { slots[$0] } ?? 0
            let share = Double(owned) / Double(HashRing.slotCount)
            let fair = totalWeight > 0 ? Double(node.weight) / totalWeight : 0
            let cells =
                [
                    node.id, node.client, node.api, "\(node.weight)", "\(owned)", (share * 100).text(decimals: 2) + " %",
                    fair > 0 ? ((share / fair - 1) * 100).text(decimals: 2, plus: true) + " %" : "-",
                ] + (hasDisks ? [node.disk ?? "-"] : [])
            guard node.answered else {
                table.append(cells + ["no answer"])
                continue
            }
            let sockets = node.sockets.map { "\($0.ws)/\($0.sse)/\($0.poll)" } ?? "-"
            table.append(cells + [node.users.text, sockets, node.epoch.text, node.lease ?? "-"])
        }
        return table
    }

    private func warnings() -> [String] {
        let answers = report.nodes.filter(\.answered)
        let silent = report.nodes.filter { !$0.answered }.map(\.id)
        let otherEpoch = answers.filter { $0.epoch != nil && $0.epoch != report.epoch }.map { "\($0.id) \($0.epoch.text)" }
        let otherDigest = answers.filter { $0.digest != nil && $0.epoch == report.epoch && $0.digest != report.digest }
            .map { "\($0.id) \($0.digest ?? "-")" }
        var warnings: [String] = []
        if !silent.isEmpty { warnings.append("warning: no answer from \(silent.joined(separator: ", "))") }
        if !otherEpoch.isEmpty { warnings.append("warning: another epoch than \(report.epoch): \(otherEpoch.joined(separator: ", "))") }
        if !otherDigest.isEmpty { warnings.append("warning: the same epoch and another ring: \(otherDigest.joined(separator: ", "))") }
        if ring.digest.hexadecimal != report.digest {
            warnings.append("warning: the ring computed here has digest \(ring.digest.hexadecimal): is this program of another version?")
        }
        for node in report.nodes {
            if let waiting = node.waiting { warnings.append("warning: \(node.id): \(waiting.sentence)") }
            warnings += (node.alarms ?? []).map { "alarm: \(node.id): \($0)" }
        }
        return warnings.map(Console.printable)
    }
}

extension [NodeReport] {
    /// The ring of these members; placement needs nothing but ids and weights.
    func ring() throws(OperatorError) -> HashRing {
        guard Set(map(\.id)).count == count, count <= HashRing.membersMax else { throw .unreadable("two members have one id") }
        return HashRing(members: map { RingMember(id: $0.id, weight: $0.weight) })
    }
}

extension Optional where Wrapped: BinaryInteger {
    var text: String { map { "\($0)" } ?? "-" }
}
