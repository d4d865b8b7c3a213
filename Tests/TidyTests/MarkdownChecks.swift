// The rules for documents, each as a function from text to complaints: links lead somewhere, examples are JSON, the README stays short.
import Foundation
import TestSupport

enum MarkdownChecks {
    // MARK: Size

    static let readmeLinesMax = 150
    static let readmeColumnsMax = 120

    static func size(_ text: String, of path: String) -> [String] {
        let lines = Markdown.lines(text)
        var complaints: [String] = []
        if lines.count > self.readmeLinesMax { complaints.append("\(path): \(lines.count) lines, at most \(self.readmeLinesMax)") }
        for (index, line) in lines.enumerated() where line.count > self.readmeColumnsMax {
            complaints.append("\(path):\(index + 1): \(line.count) columns, at most \(self.readmeColumnsMax)")
        }
        return complaints
    }

    // MARK: Links

    /// - Parameters:
    ///   - files: paths of all files of the repository.
    ///   - anchors: of each document, by its path.
    static func links(_ text: String, of path: String, files: Set<String>, anchors: [String: Set<String>]) -> [String] {
        Markdown(text).links.compactMap { link in
            let complaint = { (what: String) in "\(path):\(link.line): (\(link.target)) \(what)" }
            if link.target.isEmpty { return complaint("leads nowhere") }
            if ["https:", "http:", "mailto:"].contains(where: { link.target.hasPrefix($0) }) { return nil }
            let parts = link.target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let target = parts[0].isEmpty ? path : self.resolve(parts[0], from: path) else {
                return complaint("leads out of the repository")
            }
            let isFolder = files.contains { $0.hasPrefix(target.hasSuffix("/") ? target : target + "/") }
            guard files.contains(target) || isFolder else { return complaint("names no file: there is no \(target)") }
            guard parts.count > 1 else { return nil }
            return anchors[target]?.contains(parts[1]) == true ? nil : complaint("names no heading of \(target)")
        }
    }

    /// A relative path as one from the repository's root; `nil` if it leads out of it.
    static func resolve(_ target: String, from path: String) -> String? {
        if target.hasPrefix("/") { return nil }
        var parts = path.split(separator: "/").dropLast().map(String.init)
        for part in target.split(separator: "/") where part != "." {
            if part != ".." {
                parts.append(String(part))
            } else if parts.popLast() == nil {
                return nil
            }
        }
        return parts.joined(separator: "/")
    }

    // MARK: Examples

    /// Each line of a block of JSON is one object: what a client or a node says at a time.
    static func examples(_ text: String, of path: String) -> [String] {
        var complaints: [String] = []
        for block in Markdown(text).blocks where block.language == "json" {
            if block.lines.isEmpty { complaints.append("\(path):\(block.firstLine): an example without a line") }
            for (index, line) in block.lines.enumerated() where !self.isObject(line) {
                complaints.append("\(path):\(block.firstLine + index): no JSON object on one line: \(line)")
            }
        }
        return complaints
    }

    private static func isObject(_ line: String) -> Bool {
        (try? JSONSerialization.jsonObject(with: Data(line.utf8))) is [String: Any]
    }
}
