// What a node holds against strangers at this moment: TLS for its ports, the links' secret, who may publish on links. New connections take
// what is newest, each once; those that stand are left alone. A new file that is broken changes nothing but the log and the alarms.
import Glibc
import Logging
import NIOSSL
import RingpostWire
import Synchronization

final class NodeAuth: Sendable {
    private struct Held {
        var tls: TLSMaterial?
        var linkTLS: TLSMaterial?
        var secrets: LinkSecrets?
        var admission = LinkAdmission()
    }

    /// All files that may change while the node runs.
    let files = FileWatch()
    private let held = Mutex(Held())

    /// For the client and API ports; `nil` where they are plain.
    var tls: NIOSSLContext? { held.withLock { $0.tls?.accepting } }
    /// For the link port, and for dialling others'.
    var acceptingLinks: NIOSSLContext? { held.withLock { $0.linkTLS?.accepting } }
    var diallingLinks: NIOSSLContext? { held.withLock { $0.linkTLS?.dialling } }
    var linkSecrets: LinkSecrets? { held.withLock { $0.secrets } }
    var linkAdmission: LinkAdmission { held.withLock { $0.admission } }

    /// Once, before any link exists.
    func setLinkAdmission(_ admission: LinkAdmission) { held.withLock { $0.admission = admission } }
    func setLinkSecrets(_ secrets: LinkSecrets?) { held.withLock { $0.secrets = secrets } }

    /// Reads everything that the configuration names, and from now on reads it again when it changes.
    ///
    /// - Parameter onAlarm: somebody should look at the log.
    func load(_ configuration: NodeConfiguration, logger: Logger, onAlarm: @escaping @Sendable () -> Void) throws(NodeError) {
        if let files = configuration.tls {
            try hold(files, .clients, logger, onAlarm) { $0.tls = $1 }
        }
        if let files = configuration.linkTLS {
            if files.authority == nil {
                throw NodeError("links with certificates need the authority that has signed them: --link-authority FILE")
            }
            try hold(files, .links, logger, onAlarm) { $0.linkTLS = $1 }
        }
        if let path = configuration.linkSecretFile {
            try hold([path], logger, onAlarm) { [unowned self] () throws(NodeError) in
                let secrets = try LinkSecretFile.read(path)
                if let sentence = FileExposure(path: path).warning(about: path, "the link secret") { logger.warning("\(sentence)") }
                held.withLock { $0.secrets = secrets }
            }
        }
    }

    private func hold(
        _ files: TLSFiles, _ purpose: TLSPurpose, _ logger: Logger, _ onAlarm: @escaping @Sendable () -> Void,
        put: @escaping @Sendable (inout Held, TLSMaterial) -> Void
    ) throws(NodeError) {
        try hold(files.paths, logger, onAlarm) { [unowned self] () throws(NodeError) in
            let material = try TLSMaterial(files, for: purpose, now: time(nil))
            for warning in material.warnings { logger.warning("\(warning)") }
            held.withLock { put(&$0, material) }
            logger.info("certificate", metadata: ["ports": "\(purpose.ports)", "serial": "\(material.serial)"])
        }
    }

    /// - Parameter read: all or nothing; what was held before stays when it throws.
    private func hold(
        _ paths: [String], _ logger: Logger, _ onAlarm: @escaping @Sendable () -> Void,
        read: @escaping @Sendable () throws(NodeError) -> Void
    ) throws(NodeError) {
        // First watched, then read: what changes in between is a change.
        files.add(paths: paths) {
            do throws(NodeError) {
                try read()
            } catch {
                onAlarm()
                logger.error("the earlier one stays in use: \(error)")
            }
        }
        try read()
    }
}
