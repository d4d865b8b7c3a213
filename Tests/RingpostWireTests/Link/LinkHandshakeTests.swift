// Link handshakes as transcripts: who says what next, and every way in which somebody tries to get in without the secret or under another
// one's name. The code here is no HMAC, only something that depends on all of its input; that of nodes has its own vectors.

import RingpostCore
import Testing

@testable import RingpostWire

@Suite struct LinkHandshakeTests {
    private static func code(_ secret: [UInt8], _ message: [UInt8]) -> [UInt8] {
        var state: UInt64 = 0xCBF2_9CE4_8422_2325
        return (0..<LinkProof.byteCount).map { round in
            for byte in secret + [0] + message + [UInt8(round)] { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
            return UInt8(truncatingIfNeeded: state >> 32)
        }
    }

    private static func secrets(_ texts: String...) -> LinkSecrets { LinkSecrets(texts.map { Array($0.utf8) }, code: code) }

    private static let ours = secrets("ours")
    private static let nonce = LinkNonce((1, 2, 3, 4))

    private static func hello(
        _ role: LinkHello.Role = .node, from: String = "n2", boot: UInt64 = 2, to: String = "n1", toBoot: UInt64 = 1, line: UInt16 = 0,
        dial: UInt64 = 1, nonce: LinkNonce = LinkNonce((5, 6, 7, 8)), version: UInt16 = LinkProtocol.version
    ) -> LinkHello {
        LinkHello(
            version: version, role: role, cluster: "ours", generation: 9, from: from, boot: boot, to: to, toBoot: toBoot, line: line,
            dial: dial, nonce: nonce)
    }

    /// A sentence, or "" for none.
    private static func fault(_ body: () throws(LinkError) -> Void) -> String {
        do throws(LinkError) {
            try body()
            return ""
        } catch {
            return error.description
        }
    }

    // MARK: In order

    @Test func withoutASecretAHelloIsAnswered() throws {
        for role in [LinkHello.Role.node, .producer, .probe] {
            var acceptor = LinkAcceptor(secrets: nil, peer: .unknown)
            let greeting = try acceptor.onHello(Self.hello(role), nonce: Self.nonce)
            #expect(greeting == .greet(Self.hello(role)))
            #expect(!acceptor.isChallenging)
        }
        var dialler = LinkDialler(Self.hello(), secrets: nil)
        try dialler.onWelcome()
    }

    @Test(arguments: [LinkHello.Role.node, .probe]) func bothSidesProveTheSecret(role: LinkHello.Role) throws {
        let hello = Self.hello(role)
        var acceptor = LinkAcceptor(secrets: Self.ours, peer: .unknown)
        var dialler = LinkDialler(hello, secrets: Self.ours)
        let proof = Self.ours.proof(.accepting, hello, Self.nonce)
        let challenge = try acceptor.onHello(dialler.hello, nonce: Self.nonce)
        #expect(challenge == .challenge(Self.nonce, proof))
        #expect(acceptor.isChallenging)
        let answer = try dialler.onChallenge(Self.nonce, proof)
        let greeting = try acceptor.onProof(answer)
        #expect(greeting == .greet(hello))
        #expect(!acceptor.isChallenging)
        try dialler.onWelcome()
    }

    /// Their keys are looked at where publishes are.
    @Test func producersProveNothing() throws {
        var acceptor = LinkAcceptor(secrets: Self.ours, peer: .nameless)
        let greeting = try acceptor.onHello(Self.hello(.producer), nonce: Self.nonce)
        #expect(greeting == .greet(Self.hello(.producer)))
    }

    @Test func anotherVersionIsNotAskedForProofs() throws {
        var acceptor = LinkAcceptor(secrets: Self.ours, peer: .nameless)
        let greeting = try acceptor.onHello(Self.hello(version: 1), nonce: Self.nonce)
        #expect(greeting == .greet(Self.hello(version: 1)))
    }

    // MARK: Out of order

    @Test func wordsOutOfTurn() throws {
        var acceptor = LinkAcceptor(secrets: Self.ours, peer: .unknown)
        let proof = Self.ours.proof(.dialling, Self.hello(), Self.nonce)
        let unasked = Self.fault { () throws(LinkError) in _ = try acceptor.onProof(proof) }
        #expect(unasked.contains("nobody asked for"))
        _ = try acceptor.onHello(Self.hello(), nonce: Self.nonce)
        let second = Self.fault { () throws(LinkError) in _ = try acceptor.onHello(Self.hello(), nonce: Self.nonce) }
        #expect(second == "a second hello")
        _ = try acceptor.onProof(proof)
        let again = Self.fault { () throws(LinkError) in _ = try acceptor.onProof(proof) }
        #expect(again.contains("nobody asked for"))
        var dialler = LinkDialler(Self.hello(), secrets: nil)
        try dialler.onWelcome()
        let late = Self.fault { () throws(LinkError) in try dialler.onWelcome() }
        #expect(late == "a welcome out of turn")
    }

    // MARK: Without the secret

    @Test func whoDoesNotKnowItIsRefused() throws {
        let theirs = Self.secrets("theirs")
        var acceptor = LinkAcceptor(secrets: Self.ours, peer: .unknown)
        _ = try acceptor.onHello(Self.hello(), nonce: Self.nonce)
        guard case .refuse(_, let sentence) = try acceptor.onProof(theirs.proof(.dialling, Self.hello(), Self.nonce)) else {
            Issue.record("let in without the secret")
            return
        }
        #expect(sentence.contains("--link-secret-file"))
        var dialler = LinkDialler(Self.hello(), secrets: theirs)
        let challenge = Self.ours.proof(.accepting, Self.hello(), Self.nonce)
        let unknown = Self.fault { () throws(LinkError) in _ = try dialler.onChallenge(Self.nonce, challenge) }
        #expect(unknown.contains("does not know"))
        let after = Self.fault { () throws(LinkError) in try dialler.onWelcome() }
        #expect(after == "a welcome out of turn", "no welcome after that")
    }

    @Test func whoHasOneInsistsOnIt() {
        var strict = LinkDialler(Self.hello(), secrets: Self.ours)
        let unproven = Self.fault { () throws(LinkError) in try strict.onWelcome() }
        #expect(unproven.contains("without a proof"))
        var open = LinkDialler(Self.hello(), secrets: nil)
        let challenge = Self.ours.proof(.accepting, Self.hello(), Self.nonce)
        let unequipped = Self.fault { () throws(LinkError) in _ = try open.onChallenge(Self.nonce, challenge) }
        #expect(unequipped.contains("this node has none"))
    }

    /// The challenge's own proof, sent back, proves nothing; nor does one side's word pass as the other's.
    @Test func proofsCanNotBeReflected() throws {
        var acceptor = LinkAcceptor(secrets: Self.ours, peer: .unknown)
        guard case .challenge(let nonce, let proof) = try acceptor.onHello(Self.hello(), nonce: Self.nonce) else {
            Issue.record("no challenge")
            return
        }
        guard case .refuse = try acceptor.onProof(proof) else {
            Issue.record("let in with its own proof")
            return
        }
        var dialler = LinkDialler(Self.hello(), secrets: Self.ours)
        let reflected = Self.ours.proof(.dialling, Self.hello(), nonce)
        let reflectedBack = Self.fault { () throws(LinkError) in _ = try dialler.onChallenge(nonce, reflected) }
        #expect(reflectedBack.contains("does not know"))
    }

    /// A proof is about one hello and one nonce: heard elsewhere, or with anything in it changed, it is worth nothing.
    @Test(arguments: [
        hello(.probe), hello(from: "n3"), hello(boot: 3), hello(to: "n4"), hello(toBoot: 2), hello(line: 1), hello(dial: 2),
        hello(nonce: LinkNonce((5, 6, 7, 9))), hello(from: "n2n", to: "1"),
    ])
    func proofsCanNotBeUsedAgain(changed: LinkHello) throws {
        let heard = Self.ours.proof(.dialling, Self.hello(), Self.nonce)
        var acceptor = LinkAcceptor(secrets: Self.ours, peer: .unknown)
        _ = try acceptor.onHello(changed, nonce: Self.nonce)
        guard case .refuse = try acceptor.onProof(heard) else {
            Issue.record("let in as \(changed)")
            return
        }
        var later = LinkAcceptor(secrets: Self.ours, peer: .unknown)
        _ = try later.onHello(Self.hello(), nonce: LinkNonce((1, 2, 3, 5)))
        guard case .refuse = try later.onProof(heard) else {
            Issue.record("let in with an old proof")
            return
        }
    }

    @Test func aSecretIsReplacedWithoutABreak() throws {
        let steps = [Self.secrets("old"), Self.secrets("old", "new"), Self.secrets("new", "old"), Self.secrets("new")]
        func link(_ one: LinkSecrets, _ other: LinkSecrets) throws -> Bool {
            var acceptor = LinkAcceptor(secrets: one, peer: .unknown)
            var dialler = LinkDialler(Self.hello(), secrets: other)
            guard case .challenge(let nonce, let proof) = try acceptor.onHello(dialler.hello, nonce: Self.nonce),
                let answer = try? dialler.onChallenge(nonce, proof), case .greet = try acceptor.onProof(answer)
            else { return false }
            return true
        }
        for (one, other) in zip(steps, steps.dropFirst()) {
            #expect(try link(one, other))
            #expect(try link(other, one))
        }
        #expect(try !link(steps[0], steps[3]))
        #expect(try !link(steps[0], steps[2]), "a step left out")
    }

    // MARK: Names

    @Test func certificatesSayWhoseTheyAre() throws {
        func action(_ role: LinkHello.Role, _ peer: LinkPeer, secrets: LinkSecrets? = nil) throws -> String {
            var acceptor = LinkAcceptor(secrets: secrets, peer: peer)
            switch try acceptor.onHello(Self.hello(role), nonce: Self.nonce) {
            case .greet: return "greet"
            case .challenge: return "challenge"
            case .refuse(_, let sentence): return sentence
            }
        }
        let right = LinkPeer.named(CertificateNames(dnsNames: ["localhost", "n2"]))
        let wrong = LinkPeer.named(CertificateNames(dnsNames: ["n3"]))
        #expect(try action(.node, right) == "greet")
        #expect(try action(.node, right, secrets: Self.ours) == "challenge", "both are asked for where both are set")
        #expect(try action(.node, wrong) == #"the certificate belongs to "n3", not to "n2""#)
        #expect(try action(.probe, wrong).contains("n3"))
        #expect(try action(.node, .nameless).contains("--link-certificate"))
        #expect(try action(.producer, .nameless) == "greet")
        #expect(try action(.node, wrong, secrets: Self.ours).contains("n3"))
    }

    @Test func namesAreComparedAsTheyAreWritten() {
        #expect(CertificateNames(dnsNames: ["a", "n1"]).fit("n1"))
        #expect(!CertificateNames(dnsNames: ["N1", "n1.", "*", "n"]).fit("n1"))
        #expect(CertificateNames(dnsNames: [], commonName: "n1").fit("n1"))
        #expect(!CertificateNames(dnsNames: [], commonName: "n1", hasAlternatives: true).fit("n1"), "an address is an alternative")
        #expect(!CertificateNames(dnsNames: ["n2"], commonName: "n1").fit("n1"))
        #expect(!CertificateNames(dnsNames: []).fit(""))
    }
}
