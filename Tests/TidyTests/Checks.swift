// The rules of the house, each as a function from text to complaints, so that every one can be shown to complain about a bad sample.

enum Checks {
    // MARK: Length

    /// The ratchet. These numbers are only ever lowered.
    static let sourceLinesMax = 400
    static let testLinesMax = 500
    static let functionLinesMax = 60

    static func length(_ text: String, of path: String) -> [String] {
        let source = SwiftSource(text)
        let linesMax = path.hasPrefix("Tests/") ? self.testLinesMax : self.sourceLinesMax
        var complaints: [String] = []
        if source.lineCount > linesMax { complaints.append("\(path): \(source.lineCount) lines, at most \(linesMax)") }
        do {
            for function in try source.functions() where function.lineCount > self.functionLinesMax {
                let location = "\(path):\(function.firstLine): \(function.name)"
                complaints.append("\(location) has \(function.lineCount) lines, at most \(self.functionLinesMax)")
            }
        } catch {
            complaints.append("\(path):\(error.line): brackets that this scanner can't match, so functions go uncounted")
        }
        return complaints
    }

    // MARK: Imports

    /// Which modules a target may import: Package.swift's arrows, and of the system's modules what each layer needs.
    static let allowedImports: [String: Set<String>] = [
        "HashRing": [],
        "RingpostCore": Set(["HashRing", "DequeModule"]).union(jsonModules),
        "RingpostWire": ["HashRing", "RingpostCore", "NIOCore"],
        "CZooKeeper": [],
        "ZooKeeperClient": ["CZooKeeper", "Logging", "Synchronization", "Dispatch", "Foundation"],
        "CRocksDB": [],
        "RocksStore": ["CRocksDB", "Synchronization"],
        "RingpostStore": Set(["HashRing", "RingpostCore", "RocksStore", "CRocksDB"]).union(systemModules),
        "RingpostNode": Set([
            "HashRing", "RingpostCore", "RingpostWire", "RingpostStore", "ZooKeeperClient", "NIOCore", "NIOPosix", "Logging", "DequeModule",
            "Crypto",
            "ServiceLifecycle", "NIOSSL", "NIOTLS", "X509", "JWTKit", "AsyncHTTPClient",
        ]).union(systemModules),
        "RingpostClient": Set([
            "RingpostCore", "RingpostWire", "NIOCore", "NIOPosix", "Logging", "NIOHTTP1", "NIOWebSocket", "NIOSSL", "DequeModule",
            "AsyncHTTPClient",
        ]).union(systemModules),
        "RingpostReplay": ["HashRing", "RingpostClient"],
        "ringpost": Set([
            "HashRing", "RingpostCore", "RingpostWire", "RingpostNode", "RingpostClient", "RingpostReplay", "Logging", "ArgumentParser",
            "Configuration", "ServiceLifecycle",
            "UnixSignals", "Histogram", "SystemPackage", "Crypto", "CryptoExtras", "JWTKit",
        ]).union(systemModules),
    ]
    /// What needs no line in Package.swift. Only the shells may have all of it.
    static let systemModules: Set<String> = ["Dispatch", "Foundation", "FoundationEssentials", "Glibc", "Synchronization"]
    /// The core may have these for JSON, and for nothing else.
    static let jsonModules: Set<String> = ["Foundation", "FoundationEssentials"]

    static func imports(_ text: String, of path: String) -> [String] {
        let parts = path.split(separator: "/")
        guard parts.count > 2, let allowed = self.allowedImports[String(parts[1])] else {
            return ["\(path): its target has no row in the table of imports"]
        }
        let source = SwiftSource(text)
        var complaints: [String] = []
        for (module, line) in self.importedModules(source) {
            if !allowed.contains(module) {
                complaints.append("\(path):\(line): \(parts[1]) must not import \(module)")
            } else if parts[1] == "RingpostCore", self.jsonModules.contains(module),
                !source.lines.contains(where: { $0.contains("JSONEncoder") || $0.contains("JSONDecoder") })
            {
                complaints.append("\(path):\(line): \(parts[1]) may import \(module) for JSONEncoder and JSONDecoder only")
            }
        }
        return complaints
    }

    static func importedModules(_ source: SwiftSource) -> [(module: String, line: Int)] {
        let kinds: Set<Substring> = ["typealias", "struct", "class", "enum", "protocol", "let", "var", "func", "actor"]
        var found: [(module: String, line: Int)] = []
        for (index, line) in source.lines.enumerated() {
            for statement in line.split(separator: ";") {
                let words = statement.split(separator: " ")
                // Before the word there may be attributes and an access level, and nothing else.
                guard let word = words.firstIndex(of: "import"),
                    words[..<word].allSatisfy({
                        $0.hasPrefix("@") || ["public", "package", "internal", "fileprivate", "private"].contains($0)
                    })
                else { continue }
                let named = words[(word + 1)...].drop { kinds.contains($0) }
                if let name = named.first { found.append((String(name.prefix { $0 != "." }), index + 1)) }
            }
        }
        return found
    }

    // MARK: Purity

    /// What would make a decision depend on more than its arguments.
    static let impureNames = [
        "ContinuousClock", "SuspendingClock", "clock_gettime", "Date()", "Date.now", "Task.sleep", ".random(", ".randomElement()",
        ".shuffle()", ".shuffled()", "SystemRandomNumberGenerator", "Mutex", "NSLock", "DispatchQueue", "Task {",
    ]

    static func purity(_ text: String, of path: String) -> [String] {
        var complaints: [String] = []
        for (index, line) in SwiftSource(text).lines.enumerated() {
            for name in self.impureNames where self.mentions(line, name) {
                complaints.append("\(path):\(index + 1): \(name) has no place in a pure target: pass time and randomness in, take no lock")
            }
        }
        return complaints
    }

    /// Whether the name stands there by itself, not as a part of a longer word.
    static func mentions(_ line: String, _ name: String) -> Bool {
        line.ranges(of: name).contains { range in
            let before = line[..<range.lowerBound].utf8.last.map(SwiftSource.isWord) ?? false
            let after = line[range.upperBound...].utf8.first.map(SwiftSource.isWord) ?? false
            let first = name.utf8.first.map(SwiftSource.isWord) ?? false
            let last = name.utf8.last.map(SwiftSource.isWord) ?? false
            return !(first && before) && !(last && after)
        }
    }

    // MARK: Scripts

    /// Scripts have no extension, or `.sh`; one without `#!` is to be sourced and must say so to shellcheck.
    static func script(_ text: String, of path: String, isExecutable: Bool) -> [String] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let first = lines.first ?? ""
        var complaints: [String] = []
        if first.hasPrefix("#!") {
            if !isExecutable { complaints.append("\(path): starts with #! but is not executable") }
        } else if first != "# shellcheck shell=bash" || !path.hasSuffix(".sh") {
            complaints.append("\(path):1: no #!; a file to be sourced ends in .sh and starts with \"# shellcheck shell=bash\"")
        }
        let second = lines.count > 1 ? lines[1] : ""
        if !second.hasPrefix("# ") || second.split(separator: " ").count < 4 || second.hasPrefix("# shellcheck ") {
            complaints.append("\(path):2: no comment that says what it is for")
        }
        return complaints
    }

    // MARK: Hygiene

    static func fileName(_ path: String) -> [String] {
        var complaints: [String] = []
        if path.split(separator: "/").contains(where: { $0.contains(".build") }) { complaints.append("\(path): a build product") }
        if path.split(separator: "/").last == "Package.resolved" { complaints.append("\(path): must not be tracked") }
        return complaints
    }

    /// Folders of a build machine; put together here, or this file would complain about itself.
    static let machineFolders = ["work", "root"].map { "/" + $0 + "/" }

    static func machinePaths(_ text: String, of path: String) -> [String] {
        var complaints: [String] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            for folder in self.machineFolders {
                let isPath = line.ranges(of: folder).contains { range in
                    // "docs" + folder is a relative path, and a host before it makes a link.
                    line[..<range.lowerBound].utf8.last.map { !SwiftSource.isWord($0) && !".-}".utf8.contains($0) } ?? true
                }
                if isPath { complaints.append("\(path):\(index + 1): \(folder) is a path of one machine") }
            }
        }
        return complaints
    }
}
