// A small reader of Prometheus' text format (version 0.0.4) that forgives nothing: names, labels, one TYPE before the samples of each
// family, no sample twice, histograms whose buckets add up.

import Foundation

struct Metrics {
    /// By name and labels as written: `ringpost_sockets{transport="ws"}`.
    private(set) var samples: [String: Double] = [:]
    private(set) var types: [String: String] = [:]
    private var helps: Set<String> = []

    init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw HarnessError("the last line of the metrics has no end") }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() { try take(String(line)) }
        for (name, type) in types where type == "histogram" { try checkHistogram(name) }
    }

    subscript(_ sample: String) -> Double { samples[sample] ?? 0 }

    private mutating func take(_ line: String) throws {
        if line.hasPrefix("# ") {
            let words = line.split(separator: " ", maxSplits: 3).map(String.init)
            guard words.count == 4, try Self.isName(words[2]) else { throw HarnessError("a comment of no use: \(line)") }
            switch words[1] {
            case "HELP": guard helps.insert(words[2]).inserted else { throw HarnessError("two HELPs: \(line)") }
            case "TYPE":
                guard ["counter", "gauge", "histogram"].contains(words[3]), types[words[2]] == nil else {
                    throw HarnessError("a bad or second TYPE: \(line)")
                }
                types[words[2]] = words[3]
            default: throw HarnessError("neither HELP nor TYPE: \(line)")
            }
            return
        }
        guard let match = try #/([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^{}]*\})? (\S+)/#.wholeMatch(in: line), let value = Double(match.3) else {
            throw HarnessError("no sample: \(line)")
        }
        let labels = match.2.map(String.init) ?? ""
        let wellFormed = #/\{[a-zA-Z_][a-zA-Z0-9_]*="[^"\\]*"(,[a-zA-Z_][a-zA-Z0-9_]*="[^"\\]*")*\}/#
        guard try labels.isEmpty || wellFormed.wholeMatch(in: labels) != nil else { throw HarnessError("bad labels: \(line)") }
        guard types[Self.family(String(match.1), types)] != nil else { throw HarnessError("no TYPE before \(line)") }
        guard samples.updateValue(value, forKey: match.1 + labels) == nil else { throw HarnessError("twice: \(line)") }
    }

    /// A histogram's samples have names of their own.
    private static func family(_ name: String, _ types: [String: String]) -> String {
        for suffix in ["_bucket", "_sum", "_count"] where name.hasSuffix(suffix) {
            let stem = String(name.dropLast(suffix.count))
            if types[stem] == "histogram" { return stem }
        }
        return name
    }

    private static func isName(_ text: String) throws -> Bool { try /[a-zA-Z_:][a-zA-Z0-9_:]*/.wholeMatch(in: text) != nil }

    private func checkHistogram(_ name: String) throws {
        let prefix = "\(name)_bucket{le=\""
        let buckets = samples.filter { $0.key.hasPrefix(prefix) }.map { key, count in
            (bound: Double(key.dropFirst(prefix.count).dropLast(2).replacing("+Inf", with: "inf")) ?? .nan, count: count)
        }.sorted { $0.bound < $1.bound }
        let counts = buckets.map(\.count)
        guard buckets.last?.bound == .infinity, counts == counts.sorted(), counts.last == samples["\(name)_count"],
            samples["\(name)_sum"] != nil
        else { throw HarnessError("the histogram \(name) does not add up: \(buckets)") }
    }
}
