// When a test fails, the last lines of the logs of all nodes that live then are printed, once a test.

import Foundation
import Synchronization
import Testing

enum Logs {
    /// The lines of each log that are printed.
    static let linesMax = 40

    private struct Known {
        weak var node: NodeProcess?
    }

    private static let nodes = Mutex<[Known]>([])
    private static let printedFor = Mutex<Set<Test.ID>>([])

    static func add(_ node: NodeProcess) {
        nodes.withLock { nodes in
            nodes.removeAll { $0.node == nil }
            nodes.append(Known(node: node))
        }
    }

    static func printOnce() {
        if let test = Test.current, !printedFor.withLock({ $0.insert(test.id).inserted }) { return }
        var text = ""
        for node in nodes.withLock({ $0.compactMap(\.node) }) {
            let lines = node.log.split(separator: "\n")
            text += "--- log of \(node.id) (API port \(node.api)), last \(min(lines.count, linesMax)) of \(lines.count) lines\n"
            text += lines.suffix(linesMax).joined(separator: "\n") + "\n"
        }
        FileHandle.standardError.write(Data(text.utf8))
    }
}

extension Trait where Self == IssueHandlingTrait {
    /// Every issue passes unchanged; the first one of a test brings the logs with it.
    static var printingLogs: Self {
        .compactMapIssues { issue in
            Logs.printOnce()
            return issue
        }
    }
}

/// All tests with real processes, one after the other: they share two cores with Java and with nodes built without optimization.
@Suite(.serialized, .timeLimit(.minutes(3)), .printingLogs) struct ClusterTests {}
