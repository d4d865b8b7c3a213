// `ringpost plan`: what a change of the ring would move, before anybody makes it. Computed here; no node is changed.
import ArgumentParser
import HashRing
import RingpostClient
import RingpostCore

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what adding and removing nodes would move.",
        discussion: "Example: ringpost plan --add n4 --add n5:200 --remove n2")

    @OptionGroup var api: APIOptions

    @Option(help: ArgumentHelp("A node to add, with its weight (default 100); repeatable.", valueName: "id[:weight]"))
    var add: [String] = []

    @Option(help: ArgumentHelp("A node to remove; repeatable.", valueName: "id"))
    var remove: [String] = []

    func validate() throws {
        if add.isEmpty, remove.isEmpty { throw ValidationError("nothing to plan: give --add or --remove") }
        do throws(RingPlanError) { _ = try RingPlan.added(add) } catch { throw ValidationError(error.description) }
    }

    func run() async throws {
        let client = try api.client()
        do {
            let members = try await client.nodes().nodes.ring().members
            for line in try RingPlan(members: members, add: add, remove: remove).lines() { Console.line(line) }
        } catch let error as RingPlanError {
            Console.note("ringpost: \(error)")
            throw ExitCode.validationFailure
        } catch {
            throw Console.fail(error)
        }
    }
}

/// Why a plan makes no sense.
struct RingPlanError: Error, Equatable, CustomStringConvertible {
    let description: String
}

/// A change of the ring that nobody has made.
struct RingPlan {
    static let weightDefault: UInt16 = 100

    let old: HashRing
    let new: HashRing
    let change: RingChange

    init(members: [RingMember], add: [String], remove: [String]) throws(RingPlanError) {
        let added = try Self.added(add)
        for id in remove where !members.contains(where: { $0.id == id }) {
            throw RingPlanError(description: "there is no node \(id); there are \(members.map(\.id).sorted().joined(separator: ", "))")
        }
        if Set(remove).count < remove.count { throw RingPlanError(description: "a node can be removed only once") }
        let staying = members.filter { !remove.contains($0.id) }
        let together = staying + added
        for member in added where together.count(where: { $0.id == member.id }) > 1 {
            throw RingPlanError(description: "node \(member.id) would be there twice")
        }
        guard together.contains(where: { $0.weight > 0 }) else {
            throw RingPlanError(description: "nobody with weight would be left: all messages would be refused")
        }
        old = HashRing(members: members)
        new = HashRing(members: together)
        change = RingChange(from: old, to: new)
    }

    /// Reads `id[:weight]`.
    static func added(_ texts: [String]) throws(RingPlanError) -> [RingMember] {
        var members: [RingMember] = []
        for text in texts {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2, let weight = parts.count == 2 ? UInt16(parts[1]) : weightDefault else {
                throw RingPlanError(description: "\"\(text)\" is no id[:weight]; a weight is 0 to 65535")
            }
            do throws(NodeIDError) { try NodeID.check(String(parts[0])) } catch { throw RingPlanError(description: error.message) }
            members.append(RingMember(id: String(parts[0]), weight: weight))
        }
        return members
    }

    /// The least that any placement would have to move for the new weights: what members gain over their fair share before.
    var minimumShare: Double {
        let oldTotal = old.members.reduce(0) { $0 + Double($1.weight) }
        let newTotal = new.members.reduce(0) { $0 + Double($1.weight) }
        return new.members.reduce(0) { sum, member in
            let before = old.memberIndex(of: member.id).map { oldTotal > 0 ? Double(old.members[$0].weight) / oldTotal : 0 } ?? 0
            return sum + max(0, Double(member.weight) / newTotal - before)
        }
    }

    func lines() -> [String] {
        let beyondMirror = change.slotsMovedBeyondMirror
        var lines = [
            "moves \(percent(change.slotsMoved)) of all keys (\(change.slotsMoved) of \(HashRing.slotCount) slots)",
            "the minimum for this change is \((minimumShare * 100).text(decimals: 2)) %",
            beyondMirror == 0
                ? "every new owner is the mirror already: no history has to travel first"
                : "\(percent(beyondMirror)) of all keys go to a node that is not their mirror: their history travels",
        ]
        var moves = TextTable([("from", .left), ("to", .left), ("slots", .right), ("share", .right)])
        for move in change.moves {
            moves.append([move.from ?? "nobody", move.to ?? "nobody", "\(move.slots)", percent(move.slots)])
        }
        if !change.moves.isEmpty { lines += [""] + moves.lines() }
        return lines + [""] + shares().lines()
    }

    private func shares() -> TextTable {
        var table = TextTable([("node", .left), ("weight", .right), ("share now", .right), ("share then", .right)])
        let before = old.slotsOwned()
        let after = new.slotsOwned()
        for id in Set((old.members + new.members).map(\.id)).sorted() {
            let now = old.memberIndex(of: id).map { percent(before[$0]) } ?? "-"
            let then = new.memberIndex(of: id).map { percent(after[$0]) } ?? "-"
            let weight = (new.memberIndex(of: id).map { new.members[$0].weight } ?? old.memberIndex(of: id).map { old.members[$0].weight })
                .text
            table.append([id, weight, now, then])
        }
        return table
    }

    private func percent(_ slots: Int) -> String { (Double(slots) * 100 / Double(HashRing.slotCount)).text(decimals: 2) + " %" }
}
