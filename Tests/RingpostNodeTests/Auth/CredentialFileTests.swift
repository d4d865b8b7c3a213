// Files with certificates, keys and secrets: those that are right, and for each way to be wrong a sentence that names the file. And
// that a change is noticed once, when it has come to rest.

import Foundation
import Logging
import NIOSSL
import RingpostWire
import Synchronization
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct CredentialFileTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("trust") }

    // MARK: Secrets

    private func secretFault(_ text: String) throws -> String {
        let path = try folder.write(text, to: "secret")
        do throws(NodeError) {
            _ = try LinkSecretFile.read(path)
            return ""
        } catch {
            return error.description
        }
    }

    @Test func secretFiles() throws {
        let one = String(repeating: "a", count: 32)
        let two = String(repeating: "b", count: 40)
        for text in [one, one + "\n", one + "\r\n", "\(one)\n\(two)", "\(one)\n\(two)\n"] { #expect(try secretFault(text) == "") }
        #expect(try secretFault(String(one.dropLast()) + "\n").contains("31 bytes, at least 32 are needed: openssl rand -hex 32"))
        #expect(try secretFault("\(one)\nshort\n").contains("5 bytes"))
        #expect(try secretFault("\(one)\n\n\(two)").contains("3 lines"))
        #expect(try secretFault("\n").contains("0 bytes"))
        #expect(try secretFault("").contains("is empty"))
        folder.remove()
        #expect(throws: NodeError.self) { try LinkSecretFile.read(folder.file("secret")) }
    }

    /// RFC 4231, test case 2.
    @Test func theCodeIsHMACWithSHA256() {
        let code = LinkSecretFile.code(Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
        #expect(TLSMaterial.hexadecimal(code) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    // MARK: Certificates

    private func openssl(_ arguments: String...) async throws {
        let process = try ChildProcess("openssl", arguments: arguments)
        let status = try await process.waitForExit(deadlineSeconds: 60)
        guard status == 0 else { throw NodeError("openssl \(arguments): \(process.output)") }
    }

    /// A certificate that signs itself.
    private func certificate(_ name: String, days: Int = 90) async throws -> TLSFiles {
        let files = TLSFiles(certificate: folder.file("\(name).pem"), key: folder.file("\(name).key"))
        try await openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", files.key)
        try await openssl(
            "req", "-x509", "-new", "-key", files.key, "-subj", "/CN=\(name)", "-days", "\(days)", "-out", files.certificate)
        return files
    }

    private func fault(_ files: TLSFiles) -> String {
        do throws(NodeError) {
            _ = try TLSMaterial(files, for: .clients, now: Int(Date().timeIntervalSince1970))
            return ""
        } catch {
            return error.description
        }
    }

    @Test func certificates() async throws {
        let files = try await certificate("n1")
        let now = Int(Date().timeIntervalSince1970)
        let material = try TLSMaterial(files, for: .clients, now: now)
        #expect(material.warnings == [])
        #expect(try CertificateNames(der: material.leaf.toDERBytes()).fit("n1"), "the common name, where there is no other")
        #expect(!CertificateNames(der: [1, 2, 3]).fit("n1"))
        #expect(try TLSMaterial(files, for: .clients, now: now + 85 * 86_400).warnings.first?.contains("expires in") == true)
        #expect(try TLSMaterial(files, for: .clients, now: now + 91 * 86_400).warnings.first?.contains("has expired") == true)
        #expect(try TLSMaterial(files, for: .clients, now: now - 86_400).warnings.first?.contains("not valid yet") == true)
        chmod(files.key, 0o644)
        #expect(try TLSMaterial(files, for: .clients, now: now).warnings.first?.contains("chmod 600") == true)
    }

    @Test func filesThatAreNoCertificates() async throws {
        let one = try await certificate("one")
        let two = try await certificate("two")
        #expect(fault(TLSFiles(certificate: one.certificate, key: two.key)).contains("two.key does not fit the first certificate in"))
        #expect(
            fault(TLSFiles(certificate: folder.file("none.pem"), key: one.key)).contains(
                "none.pem: there is no such file (--tls-certificate)"))
        #expect(
            fault(TLSFiles(certificate: one.certificate, key: folder.file("none.key"))).contains(
                "none.key: there is no such file (--tls-key)"))
        #expect(fault(TLSFiles(certificate: one.key, key: one.key)).contains("one.key holds no certificate in PEM"))
        #expect(fault(TLSFiles(certificate: one.certificate, key: one.certificate)).contains("one.pem holds no key in PEM"))
        #expect(fault(TLSFiles(certificate: folder.path, key: one.key)).contains("it is a directory"))
        let locked = folder.file("locked.key")
        try await openssl("ec", "-in", one.key, "-aes128", "-passout", "pass:x", "-out", locked)
        #expect(fault(TLSFiles(certificate: one.certificate, key: locked)).contains("or one with a passphrase"))
    }

    /// What is broken is said and counted, and what was there before stays.
    @Test func aBrokenFileChangesNothing() async throws {
        var configuration = NodeConfiguration(id: "n1")
        let files = try await certificate("n1")
        configuration.tls = files
        let alarms = Mutex(0)
        let trust = NodeAuth()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        try trust.load(configuration, logger: logger) { alarms.withLock { $0 += 1 } }
        let before = try #require(trust.tls)
        try folder.write("-----BEGIN CERTIFICATE-----\n", to: "n1.pem")
        trust.files.reloadNow()
        #expect(trust.tls === before)
        #expect(alarms.withLock { $0 } == 1)
        _ = try await certificate("n1")
        trust.files.reloadNow()
        #expect(trust.tls !== before)
        #expect(alarms.withLock { $0 } == 1)
    }

    /// Whoever can write into such a file decides whom the node believes. What was taken before stays when it becomes so.
    @Test func aFileThatOthersMayWriteIsNotTaken() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let files = try await certificate("n1")
        let secret = try folder.write(String(repeating: "s", count: 32), to: "secret")
        let credentials = try folder.write("ringpost:word\n", to: "zookeeper")
        for mode in [0o620, 0o602, 0o666] as [mode_t] {
            for path in [files.key, files.certificate, secret, credentials] { chmod(path, mode) }
            var configuration = NodeConfiguration(id: "n1")
            var faults: [String] = [fault(files), fault(TLSFiles(certificate: files.certificate, key: files.key))]
            chmod(files.certificate, 0o600)
            faults.append(fault(files))
            #expect(
                faults[0].contains("n1.pem: chmod go-w it (--tls-certificate)") && faults[2].contains("n1.key: chmod go-w it (--tls-key)"))
            configuration.linkSecretFile = secret
            do throws(NodeError) { try NodeAuth().load(configuration, logger: logger) {} } catch { faults.append("\(error)") }
            do throws(NodeError) { try configuration.readZooKeeperCredentials(credentials) } catch { faults.append("\(error)") }
            let keys = APIKeys(path: secret, messagesPerSecond: 1, logger: logger)
            do throws(NodeError) { try keys.load() } catch { faults.append("\(error)") }
            #expect(faults.count == 6 && faults.allSatisfy { $0.contains("is writable by others than its owner") }, "\(faults)")
        }
        chmod(secret, 0o600)
        let auth = NodeAuth()
        let alarms = Mutex(0)
        var configuration = NodeConfiguration(id: "n1")
        configuration.linkSecretFile = secret
        try auth.load(configuration, logger: logger) { alarms.withLock { $0 += 1 } }
        chmod(secret, 0o622)
        auth.files.reloadNow()
        #expect(auth.linkSecrets != nil && alarms.withLock { $0 } == 1)
    }

    // MARK: Changes

    @Test func aChangeCountsWhenItHasComeToRest() {
        // Still changing at 3; once there it counts, and only once; what is as it was before is no change.
        let looks = [(1, false), (2, false), (3, false), (3, true), (3, false), (4, false), (3, false), (3, false)]
        var settling = Settling(1)
        #expect(looks.map { settling.onLook($0.0) } == looks.map(\.1))
    }

    @Test func filesAndDirectoriesAreWatched() throws {
        let watch = FileWatch()
        let changes = Mutex<[String: Int]>([:])
        func count(_ name: String) -> @Sendable () -> Void {
            { changes.withLock { $0[name, default: 0] += 1 } }
        }
        let path = try folder.write("one", to: "file")
        let keys = folder.file("keys")
        try FileManager.default.createDirectory(atPath: keys, withIntermediateDirectories: true)
        watch.add(paths: [path, folder.file("later")], onChange: count("file"))
        watch.add(paths: [keys], onChange: count("keys"))
        func looked() -> [String: Int] {
            watch.look()
            watch.look()
            return changes.withLock { $0 }
        }
        #expect(looked() == [:])
        try folder.write("two!", to: "file")
        #expect(looked() == ["file": 1])
        try folder.write("two!", to: "file")
        #expect(looked() == ["file": 2], "the same text in a new file")
        try folder.write("x", to: "later")
        #expect(looked() == ["file": 3])
        try folder.write("x", to: "keys/a.pem")
        #expect(looked() == ["file": 3, "keys": 1])
        try folder.write("xy", to: "keys/a.pem")
        #expect(looked() == ["file": 3, "keys": 2])
        try FileManager.default.removeItem(atPath: "\(keys)/a.pem")
        #expect(looked() == ["file": 3, "keys": 3])
        watch.reloadNow()
        #expect(looked() == ["file": 4, "keys": 4])
    }
}
