// The commands that make keys and tokens: what they write, what they print, and what others make of it.

import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct AuthCommandTests {
    /// Checks each token with its key, as a service in another language does, and prints header and claims as one array.
    private static let check = """
        import json, sys, jwt
        for token, key, algorithm in zip(*[iter(sys.argv[1:])] * 3):
            token = open(token).read().strip()
            claims = jwt.decode(token, open(key, 'rb').read(), algorithms=[algorithm], audience='chat', issuer='login')
            print(json.dumps([jwt.get_unverified_header(token), claims]))
        """

    private static func mode(_ file: String) throws -> Int {
        try #require(FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int)
    }

    private static func text(_ file: String) throws -> String { try String(contentsOfFile: file, encoding: .utf8) }

    /// A key's text among what a command has written.
    private static func key(in output: String) throws -> (id: String, text: String) {
        let line = try #require(output.split(separator: "\n").first { $0.hasPrefix("rp_") })
        return (String(line.split(separator: "_")[1]), String(line))
    }

    @Test func keysComeAndGo() async throws {
        let folder = try TemporaryFolder("keys")
        let file = folder.file("keys.jsonl")
        let made = try await RingpostProgram.run([
            "key", "new", "--scope", "publish-users", "--scope", "read", "--name", "game:*", "--note", "the billing", "--expires-in", "30",
            "--rate", "5", "--file", file,
        ])
        #expect(made.status == 0, "\(made.output)")
        #expect(try Self.mode(file) == 0o600)
        let first = try Self.key(in: made.output)
        #expect(first.text.range(of: "^rp_[a-z0-9]{12}_[A-Za-z0-9_-]{43}$", options: .regularExpression) != nil, "\(first.text)")
        let line = try Self.text(file)
        #expect(!line.contains(first.text.suffix(43)), "the secret itself is kept nowhere")
        #expect(line.contains(#""id":"\#(first.id)""#) && line.contains(#""scopes":["publish-users","read"]"#))
        #expect(line.contains(#""names":["game:*"]"#) && line.contains(#""rate":5"#))
        // A comment, and a last line without its end, as an editor may leave it.
        try Data((line + "# by hand").utf8).write(to: URL(fileURLWithPath: file))
        let second = try Self.key(
            in: try await RingpostProgram.run(["key", "new", "--scope", "administer", "--file", file]).output)
        let list = try await RingpostProgram.run(["key", "list", "--file", file])
        #expect(list.status == 0 && !list.output.contains("sha256"), "\(list.output)")
        for text in [first.id, second.id, "game:*", "the billing", "publish-users,read", "administer"] {
            #expect(list.output.contains(text), "\(text) in \(list.output)")
        }
        let removed = try await RingpostProgram.run(["key", "remove", first.id, "--file", file])
        #expect(removed.status == 0, "\(removed.output)")
        let rest = try Self.text(file)
        #expect(rest.hasPrefix("# by hand\n") && rest.contains(second.id) && !rest.contains(first.id), "\(rest)")
        let again = try await RingpostProgram.run(["key", "remove", first.id, "--file", file])
        #expect(again.status == 1 && again.output.contains("there is no key \(first.id)"), "\(again.output)")
    }

    @Test func theHashIsOfTheSecret() async throws {
        let folder = try TemporaryFolder("keys")
        let file = folder.file("keys.jsonl")
        let key = try Self.key(in: try await RingpostProgram.run(["key", "new", "--scope", "read", "--file", file]).output)
        let sum = try ChildProcess("/bin/sh", arguments: ["-c", "printf %s '\(key.text.suffix(43))' | sha256sum"])
        #expect(try await sum.waitForExit(deadlineSeconds: 20) == 0)
        #expect(try Self.text(file).contains("sha256:\(sum.output.prefix(64))\""))
    }

    @Test func faultyLinesAreNamed() async throws {
        let folder = try TemporaryFolder("keys")
        let file = try folder.write("# one\n{\"id\":\"a\",\"hash\":\"md5:1\",\"scopes\":[\"read\"]}\n\nnonsense\n", to: "keys.jsonl")
        let list = try await RingpostProgram.run(["key", "list", "--file", file])
        #expect(list.status == 1 && list.output.contains("line 2 of") && list.output.contains("line 4 of"), "\(list.output)")
    }

    @Test func otherLanguagesTakeTheTokens() async throws {
        let folder = try TemporaryFolder("tokens")
        var arguments: [String] = []
        for (algorithm, file) in [("HS256", "a.hs256"), ("RS256", "b.pem"), ("ES256", "c.pem"), ("EdDSA", "d.pem")] {
            let path = folder.file(file)
            let made = try await RingpostProgram.run(["token", "key", "--algorithm", algorithm, "--file", path])
            #expect(made.status == 0, "\(made.output)")
            #expect(try Self.mode(path) == 0o600)
            let minted = try await RingpostProgram.run([
                "token", "new", "--key", path, "--user", "alice", "--subscribe", "room", "--subscribe", "game:*", "--presence", "room",
                "--publish", "talk", "--publish-users", "bob", "--history", "den", "--history-users", "{user}", "--issuer", "login",
                "--audience", "chat", "--id", "t1",
                "--expires-in", "60",
            ])
            #expect(minted.status == 0, "\(minted.output)")
            let token = try folder.write(minted.output, to: "\(file).jwt")
            arguments += [token, algorithm == "HS256" ? path : folder.file(file.prefix(1) + ".pub.pem"), algorithm]
        }
        let python = try ChildProcess("/usr/bin/python3", arguments: ["-c", Self.check] + arguments)
        #expect(try await python.waitForExit(deadlineSeconds: 30) == 0, "\(python.output)")
        let lines = python.output.split(separator: "\n")
        #expect(lines.count == 4, "\(python.output)")
        for (line, name) in zip(lines, ["a", "b", "c", "d"]) {
            let parts = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [[String: Any]])
            #expect(parts[0]["kid"] as? String == name, "what nodes call the key")
            #expect(parts[1]["sub"] as? String == "alice" && parts[1]["jti"] as? String == "t1")
            #expect(parts[1]["subscribe"] as? [String] == ["room", "game:*"] && parts[1]["presence"] as? [String] == ["room"])
            #expect(parts[1]["publish"] as? [String] == ["talk"] && parts[1]["publishUsers"] as? [String] == ["bob"])
            #expect(parts[1]["history"] as? [String] == ["den"] && parts[1]["historyUsers"] as? [String] == ["{user}"])
            let (made, end) = (parts[1]["iat"] as? Int ?? 0, parts[1]["exp"] as? Int ?? 0)
            #expect(end - made == 60 && abs(Double(made) - Date().timeIntervalSince1970) < 60)
        }
    }

    @Test func whatIsNoKeyIsSaid() async throws {
        let folder = try TemporaryFolder("tokens")
        let short = try folder.write("short", to: "a.hs256")
        let ended = try await RingpostProgram.run(["token", "new", "--key", short, "--user", "a"])
        #expect(ended.status == 1 && ended.output.contains("5 bytes; hs256 needs 32 at least"), "\(ended.output)")
        let there = try await RingpostProgram.run(["token", "key", "--algorithm", "HS256", "--file", short])
        #expect(there.status == 1 && there.output.contains("it is there already"), "\(there.output)")
        #expect(try Self.text(short) == "short")
        let wrong = try await RingpostProgram.run(["token", "key", "--algorithm", "ES256", "--file", folder.file("a.hs256")])
        #expect(wrong.status == 64 && wrong.output.contains("<name>.pem"), "\(wrong.output)")
    }

    @Test func secretsAreReadFromFilesAndWarnedAbout() async throws {
        let folder = try TemporaryFolder("secrets")
        let open = try folder.write("rp_a_b\n", to: "open.key")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: open)
        // Nobody answers there; what is read is read before.
        let api = ["--api", "http://127.0.0.1:1"]
        let warned = try await RingpostProgram.run(["ring", "--api-key-file", open] + api)
        #expect(warned.output.contains("warning: every user of this machine may read the API key: \(open)"), "\(warned.output)")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: open)
        let quiet = try await RingpostProgram.run(["ring"] + api, environment: ["RINGPOST_API_KEY_FILE": open])
        #expect(!quiet.output.contains("warning") && quiet.output.contains("nothing answers"), "\(quiet.output)")
        let wrong = try await RingpostProgram.run(["ring"] + api, environment: ["RINGPOST_API_KEY": "a secret of something else"])
        #expect(wrong.status == 1 && wrong.output.contains("begins with rp_"), "\(wrong.output)")
        #expect(!wrong.output.contains("something else"), "it may be a secret all the same")
        let missing = try await RingpostProgram.run(["listen", "--user", "a", "--token-file", folder.file("nothing")])
        #expect(missing.status == 1 && missing.output.contains("can't read the token in"), "\(missing.output)")
        let authority = try await RingpostProgram.run(["ring", "--ca", open] + api)
        #expect(authority.status == 1 && authority.output.contains("holds no certificate in PEM"), "\(authority.output)")
    }
}
