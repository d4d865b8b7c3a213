// Options win over the environment, the environment over the file; what makes no sense gets a sentence and a status.

import Foundation
import RingpostWire
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Configuration {
        @Test func optionsWinOverEnvironmentOverFile() async throws {
            let folder = try TemporaryFolder("configuration")
            let ports = try FreePorts.take(3)
            let file = try folder.write(
                """
                {"id": "from-file", "zone": "from-file", "weight": 7, "cluster": "from-file",
                 "client": "127.0.0.1:\(ports[0])", "api": "127.0.0.1:1", "link": "127.0.0.1:1",
                 "payloadMax": 10, "allowOrigin": ["https://app.example.com"]}
                """, to: "node.json")
            let node = try RingpostProgram.start(
                ["node", "--config", file, "--id", "from-option", "--link", "127.0.0.1:\(ports[2])"],
                environment: [
                    "RINGPOST_ID": "from-environment", "RINGPOST_ZONE": "from-environment", "RINGPOST_API": "127.0.0.1:\(ports[1])",
                    "RINGPOST_LINK": "127.0.0.1:1",
                ])
            try await eventually(within: 60, "the node is ready: \(node.output)") {
                if let status = node.exitStatus { throw HarnessError("it ended with \(status): \(node.output)") }
                do {
                    return try await RawConnection.exchange(port: ports[1], "GET", "/readyz").status == 200
                } catch is RefusedConnection { return false }
            }
            let ring = try await RawConnection.exchange(port: ports[1], "GET", "/v1/ring")
            let picture: RingReport = try ring.json()
            #expect(picture.nodes.map(\.id) == ["from-option"])
            #expect(picture.nodes.map(\.weight) == [7])
            #expect(picture.cluster == "from-file")
            #expect(picture.nodes.map(\.client) == ["127.0.0.1:\(ports[0])"])
            #expect(picture.nodes.map(\.link) == ["127.0.0.1:\(ports[2])"])
            #expect(ring.text.contains(#""zone":"from-environment""#))
            let large = try await RawConnection.exchange(
                port: ports[1], "POST", "/v1/users/a/messages", body: Array("eleven bytes".utf8))
            #expect(large.status == 413)
            let page = try await RawConnection.exchange(
                port: ports[0], "GET", "/v1/poll?user=a&wait=0", headers: ["Origin": "https://app.example.com"])
            #expect(page.headers["access-control-allow-origin"] == "https://app.example.com")
        }

        @Test(arguments: [
            (["--weight", "70000"], "weight in the option must be a whole number from 0 to 65535, not 70000"),
            (["--weight", "-1"], "weight"),
            (["--weight", "many"], "weight"),
            (["--client", "nonsense"], #"client "nonsense" is not host:port"#),
            (["--api", "127.0.0.1:99999"], "api"),
            (["--advertise-link", "nowhere"], #"advertiseLink "nowhere" is not host:port"#),
            (["--session-timeout", "5"], "sessionTimeout in the option must be a whole number from 200 to 600000, not 5"),
            (["--copies", "4"], "copies in the option must be a whole number from 1 to 3, not 4"),
            (["--loops", "0"], "loops in the option must be a whole number from 1 to 256, not 0"),
            (["--connect-rate", "0"], "connectRate in the option must be a whole number from 1 to 1000000, not 0"),
            (["--connect-burst", "none"], "connect-burst"),
            (["--history-messages", "10001"], "--history-messages 10001 is more than memory keeps of one user or channel (10000)"),
            (["--limit", "history-bytes=16777217"], "--history-bytes 16777217 is more than memory keeps"),
            (["--history-messages", "10000001"], "historyMessages in the option must be a whole number from 0 to 10000000, not 10000001"),
            (["--history-bytes", "1000"], "historyBytes in the option must be a whole number from 1024 to 17179869184, not 1000"),
            (["--data-megabytes", "100"], "data-megabytes says how much a data directory keeps, and none is given: --data DIR"),
            (["--limit", "data-megabytes=100"], "data-megabytes says how much a data directory keeps, and none is given: --data DIR"),
            (["--copies", "3"], "a node without ZooKeeper is alone"),
            (["--history-seconds", "-1"], "history-seconds"),
            (["--cluster", "a/b"], #"cluster "a/b""#),
            (["--durability", "fsync"], "none is given: --data DIR"),
            (["--data", "d", "--durability", "soon"], #"durability "soon" is neither fsync nor written"#),
            (["--data", ""], "data in the option is empty"),
            (["--id", "no spaces"], "id"),
            (["--log-level", "loud"], #"log level "loud""#),
            (["--zookeeper", "127.0.0.1:1"], "give the node an id"),
            (["--id", "n1", "--zookeeper", "127.0.0.1:1", "--client", "0.0.0.0:0"], "--advertise"),
            (["--config", "/nowhere/node.json"], "/nowhere/node.json"),
            (["--unknown"], "--unknown"),
            (["--client", "*:8080"], "write 0.0.0.0"),
            (["--client", "a b:8080"], "is no host name"),
            (["--id", "n1", "--zookeeper", "127.0.0.1:1", "--client", "[::0]:0"], "--advertise"),
            (["--id", "n1", "--zookeeper", "127.0.0.1:1", "--api", "[::ffff:0.0.0.0]:0"], "--advertise"),
            (["--id", "n1", "--zookeeper", "127.0.0.1:1", "--link", "0:0"], "--advertise"),
            (["--advertise", "0.0.0.0"], "advertise"),
            (["--advertise", "[::0]:443"], "advertise"),
            (["--advertise", "push.example.com:0"], "has the port 0"),
            (["--advertise", "http://push.example.com"], "advertise"),
            (["--advertise-link", "0.0.0.0:8082"], "advertiseLink"),
            (["--zookeeper", "[::1:2181", "--id", "a"], "is not host:port"),
            (["--zookeeper", "127.0.0.1:2181/a//b", "--id", "a"], "is no path"),
            (["--allow-origin", "app.example.com"], "has no scheme"),
            (["--allow-origin", "https://app.example.com/page"], "more than an origin"),
            (["--allow-origin", "https://*.example.com"], "has a star"),
            (["--allow-origin", "null"], "has no scheme"),
            (["--zone", ""], "zone in the option is empty"),
            (["--token-audience", ""], "tokenAudience in the option has an empty entry"),
        ])
        func whatMakesNoSenseGetsASentence(arguments: [String], sentence: String) async throws {
            let ended = try await RingpostProgram.run(["node"] + arguments)
            #expect(ended.status == 64, "\(ended.output)")
            #expect(ended.output.contains(sentence), "\(ended.output)")
        }

        @Test func badValuesInEnvironmentAndFileGetASentence() async throws {
            let environment = try await RingpostProgram.run(["node"], environment: ["RINGPOST_WEIGHT": "heavy"])
            #expect(environment.status == 64)
            #expect(
                environment.output.contains(#"weight in the environment must be a whole number from 0 to 65535, not "heavy""#),
                "\(environment.output)")
            let folder = try TemporaryFolder("configuration")
            for variable in ["RINGPOST_CLIENT_PUBLISH_USERS": "sometimes", "RINGPOST_TOKEN_ISSUER": "a,,b", "RINGPOST_LIMIT": "sockets"] {
                let ended = try await RingpostProgram.run(["node"], environment: [variable.key: variable.value])
                #expect(ended.status == 64, "\(variable): \(ended.output)")
            }
            for (text, sentence) in [
                (#"{"weight": "heavy"}"#, "heavy"), (#"{"weight": 1.5}"#, "1.5"), ("{not json", "node.json"),
                (#"{"client": "x"}"#, "client"),
                (#"{"tokenAudience": 42}"#, "tokenAudience in"), (#"{"tokenAudience": ["push", 42]}"#, "tokenAudience in"),
                (#"{"tokenAudience": null}"#, "tokenAudience in"), (#"{"tokenAudience": {}}"#, "tokenAudience in"),
                (#"{"zone": 5}"#, "zone in"), (#"{"weight": true}"#, "weight in"), (#"{"clientPublishUsers": "yes"}"#, "true or false"),
                (#"{"tokenAudiences": "push"}"#, #""tokenAudiences", which is no setting"#), (#"{"config": "x"}"#, "which is no setting"),
                (#"{"zone": "a", "zone": "b"}"#, #""zone" stands there twice"#), ("[]", "not a JSON object"),
                (#"{"limit": "payload-bytes"}"#, "payload-bytes"), (#"{"allowOrigin": "app.example.com"}"#, "has no scheme"),
                (#"{"host": [\#(Array(repeating: #""a""#, count: 4_097).joined(separator: ","))]}"#, "a list of at most 4096 texts"),
            ] {
                let file = try folder.write(text, to: "node.json")
                let ended = try await RingpostProgram.run(["node", "--config", file])
                #expect(ended.status == 64, "\(text): \(ended.output)")
                #expect(ended.output.contains(sentence), "\(text): \(ended.output)")
            }
        }

        @Test(arguments: ["client", "api", "link"]) func aTakenPortIsNamed(port: String) async throws {
            let holder = try await Shared.loner()
            let taken = ["client": holder.client, "api": holder.api, "link": holder.link][port] ?? 0
            let ports = ["--client", "127.0.0.1:0", "--api", "127.0.0.1:0", "--link", "127.0.0.1:0", "--\(port)", "127.0.0.1:\(taken)"]
            // The later of two equal options counts.
            let ended = try await RingpostProgram.run(["node"] + ports)
            #expect(ended.status == 1, "\(ended.output)")
            #expect(ended.output.contains("127.0.0.1:\(taken) is taken by another process"), "\(ended.output)")
            #expect(ended.output.contains("--\(port)"))
        }

        @Test func anotherSessionTimeOutIsTheClustersBusiness() async throws {
            let cluster = try await Shared.cluster()
            let before = try await cluster.settled()
            // Whoever founded the cluster has decided; a joiner takes that over, and says so if it can't.
            let joiner = try NodeProcess(
                "visitor", zookeeper: cluster.zookeeper.connectString, weight: 0, options: ["--session-timeout", "3000"])
            try await joiner.start()
            let ring = try #require(try await joiner.ring())
            #expect(ring.generation == before.generation)
            #expect(try ring.node("visitor").slots == 0)
            joiner.terminate()
            #expect(try await joiner.waitForExit(seconds: 30) == 0)
            let after = try await cluster.settled()
            #expect(after.epoch > before.epoch)
            #expect(after.digest == before.digest, "who has no weight changes no owner")
        }
    }
}
