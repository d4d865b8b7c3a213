// Which folder of a target may use which: the table, and a check that holds the sources against it. A folder uses another one where it names a
// type that is declared there. A folder inside a folder has a row of its own.

/// One target's table.
struct FolderArrows {
    /// The folder that holds the target's sources.
    let root: String
    /// By folder, the folders that it may use. The target's own files that lie in no folder may use all.
    let table: [String: Set<String>]

    static let all = [
        FolderArrows(
            root: "Sources/RingpostNode",
            table: [
                "Configuration": [],
                "Runtime": ["Configuration"],
                "Auth": ["Configuration", "Runtime"],
                "Context": ["Configuration", "Runtime", "Auth"],
                "Publishing": ["Runtime", "Auth"],
                "Subscribing": ["Configuration", "Runtime", "Context"],
                "History": ["Runtime"],
                "Links": ["Configuration", "Runtime", "Auth", "Context", "Publishing"],
                "Shard": ["Runtime", "Auth", "Context", "Publishing", "Subscribing", "History", "Links"],
                "Membership": ["Configuration", "Runtime", "Auth", "Context", "Links", "Shard"],
                "Store": ["Configuration", "Runtime", "Context", "Shard", "Membership"],
                "HTTP": ["Configuration", "Runtime", "Context", "Publishing", "History", "Shard"],
                "Transports": ["Configuration", "Runtime", "Auth", "Subscribing", "Shard", "HTTP"],
                "Transports/EventStream": ["Configuration", "Runtime", "Subscribing", "HTTP", "Transports"],
                "Transports/Poll": ["Runtime", "Subscribing", "Shard", "HTTP"],
                "Transports/WebSocket": ["Configuration", "Runtime", "Auth", "Publishing", "Subscribing", "Shard", "HTTP", "Transports"],
                "ClientPort": [
                    "Runtime", "Auth", "Subscribing", "Shard", "HTTP", "Transports", "Transports/EventStream", "Transports/Poll",
                    "Transports/WebSocket",
                ],
                "API": ["Configuration", "Runtime", "Auth", "Context", "Publishing", "Links", "Shard", "HTTP"],
            ]),
        FolderArrows(root: "Sources/RingpostStore", table: ["Directory": [], "Slots": ["Directory"]]),
        FolderArrows(
            root: "Sources/RingpostCore",
            table: [
                "Keys": [],
                "Routing": ["Keys"],
                "Namespaces": ["Keys", "Routing"],
                "Mailbox": ["Keys", "Routing", "Namespaces"],
                "Store": ["Keys", "Routing", "Mailbox"],
                "Log": ["Keys", "Routing", "Mailbox", "Store"],
                "Presence": ["Keys", "Routing"],
                "Membership": ["Keys"],
                "Auth": ["Keys", "Routing", "Namespaces", "Membership"],
                "Links": ["Membership"],
                "Node": ["Membership", "Auth"],
                "Subscribing": ["Keys", "Routing", "Mailbox", "Presence"],
                "Slots": ["Keys", "Routing", "Mailbox", "Store", "Log", "Presence", "Membership"],
            ]),
    ]

    struct File {
        /// The folder in the target; empty for a file that lies in none.
        let folder: String
        let path: String
        let source: SwiftSource
    }

    /// A file of the target.
    func file(_ text: String, at path: String) -> File {
        let folder = path.dropFirst(root.count + 1).split(separator: "/").dropLast().joined(separator: "/")
        return File(folder: folder, path: path, source: SwiftSource(text))
    }

    // MARK: The sources

    /// Names of types that other folders use without the table's leave, and rows that the sources don't need.
    func complaints(_ files: [File]) -> [String] {
        var folders: [Substring: Set<String>] = [:]
        for file in files {
            for name in Self.declaredTypes(file.source) { folders[name, default: []].insert(file.folder) }
        }
        var complaints: [String] = []
        var used: [String: Set<String>] = [:]
        for file in files {
            guard let allowed = table[file.folder] else { continue }
            // What a file declares for itself is not another folder's of the same name.
            var named = Set(Self.ownTypes(file.source))
            for (lineIndex, line) in file.source.lines.enumerated() {
                for word in Self.words(line) {
                    // A name that two folders declare says nothing, except where this is one of them.
                    guard let declaring = folders[word], !declaring.contains(file.folder), named.insert(word).inserted else { continue }
                    used[file.folder, default: []].formUnion(declaring)
                    if !declaring.isDisjoint(with: allowed) { continue }
                    let folder = declaring.sorted().map { $0.isEmpty ? "the top" : $0 }.joined(separator: ", ")
                    complaints.append("\(file.path):\(lineIndex + 1): \(file.folder) must not use \(word) of \(folder)")
                }
            }
        }
        for (folder, allowed) in table.sorted(by: { $0.key < $1.key }) {
            let unused = allowed.subtracting(used[folder] ?? [])
            complaints += unused.sorted().map { "\(root): \(folder) may use \($0) but doesn't: take it out of the table" }
        }
        let present = Set(files.map(\.folder))
        complaints += present.filter { !$0.isEmpty && table[$0] == nil }.sorted().map {
            "\(root): the table has no row for the folder \($0)"
        }
        complaints += table.keys.filter { !present.contains($0) }.sorted().map { "\(root): there is no folder \($0)" }
        return complaints
    }

    /// Types that a file declares for others: at the left margin, and not private.
    static func declaredTypes(_ source: SwiftSource) -> [Substring] {
        source.lines.filter { $0.utf8.first != UInt8(ascii: " ") }.compactMap { line in
            guard let (name, modifiers) = declaration(line), !modifiers.contains("private"), !modifiers.contains("fileprivate") else {
                return nil
            }
            return name
        }
    }

    /// All types that a file declares, nested and private ones and parameters of types too.
    static func ownTypes(_ source: SwiftSource) -> [Substring] {
        source.lines.flatMap { line -> [Substring] in
            guard let (name, _) = declaration(line) else { return [] }
            let parameters = line.split(separator: "<", maxSplits: 1).dropFirst().first?.prefix { $0 != ">" } ?? ""
            return [name] + parameters.split(separator: ",").compactMap { words(String($0)).first }
        }
    }

    private static let kinds: Set<Substring> = ["class", "struct", "enum", "protocol", "actor", "typealias"]

    /// The type that a line declares.
    private static func declaration(_ line: String) -> (name: Substring, modifiers: ArraySlice<Substring>)? {
        let parts = line.split(separator: " ")
        guard let kind = parts.firstIndex(where: { kinds.contains($0) }), kind + 1 < parts.count,
            parts[..<kind].allSatisfy({ $0.utf8.allSatisfy(SwiftSource.isWord) || $0.hasPrefix("@") }),
            let name = words(String(parts[kind + 1])).first
        else { return nil }
        return (name, parts[..<kind])
    }

    /// Names in a line, but for those behind a dot: they are members, or types inside a type.
    private static func words(_ line: String) -> [Substring] {
        line.split { !($0.isLetter || $0.isNumber || $0 == "_") }
            .filter { $0.startIndex == line.startIndex || line[line.index(before: $0.startIndex)] != "." }
    }

    // MARK: The table

    /// Folders that use each other in a circle; `nil` when the table has none.
    var cycle: [String]? {
        var finished: Set<String> = []
        for folder in table.keys.sorted() {
            if let found = cycle(from: folder, path: [], &finished) { return found }
        }
        return nil
    }

    private func cycle(from folder: String, path: [String], _ finished: inout Set<String>) -> [String]? {
        if let start = path.firstIndex(of: folder) { return Array(path[start...]) + [folder] }
        if finished.contains(folder) { return nil }
        for next in (table[folder] ?? []).sorted() {
            if let found = cycle(from: next, path: path + [folder], &finished) { return found }
        }
        finished.insert(folder)
        return nil
    }
}
