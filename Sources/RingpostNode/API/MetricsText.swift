// `/metrics` in Prometheus' text format (version 0.0.4). There is no exporter among the packages at hand, and the
// format is lines of text; what is counted stands in ShardCounters and ShardSnapshot.
import RingpostCore
import RingpostStore

enum MetricsText {
    static func render(_ snapshot: ShardSnapshot, _ context: NodeContext) -> String {
        var page = Page()
        let counters = snapshot.counters
        writeClients(counters, to: &page)
        writeAuth(snapshot, context, to: &page)
        page.counter(
            "ringpost_messages_total", "Publishes that entered on this node, by outcome",
            [
                ([("outcome", "delivered")], counters.delivered), ([("outcome", "stored")], counters.stored),
                ([("outcome", "dropped")], counters.dropped), ([("outcome", "unknown")], counters.unknown),
                ([("outcome", "repeated")], counters.repeated),
            ]
                + zip(Problem.allCases, counters.refused).filter { $1 > 0 }.map { ([("outcome", $0.code)], $1) })
        page.counter(
            "ringpost_messages_written_total", "Messages written to sockets",
            TransportKind.allCases.map { ([("transport", $0.rawValue)], counters.written[$0.counterIndex]) })
        page.counter("ringpost_forwards_total", "Publishes forwarded to another node", [([], snapshot.forwarded)])
        page.counter("ringpost_retries_total", "Publishes that waited and were tried again", [([], snapshot.retried)])
        page.gauge("ringpost_parked", "Publishes that wait for a ring or a link", [([], snapshot.parked)])
        page.gauge("ringpost_in_flight", "Publishes forwarded and not answered yet", [([], snapshot.inFlight)])
        page.counter("ringpost_gaps_total", "Times a client was told of a gap", [([], counters.gaps)])
        page.counter("ringpost_reattached_total", "Times a socket attached again", [([], counters.reattached)])
        page.counter("ringpost_stale_deliveries_total", "Deliveries that continued no cursor", [([], counters.staleDeliveries)])
        writeChannels(snapshot, to: &page)
        page.gauge("ringpost_mailboxes", "Keys with state on this node", [([], snapshot.mailboxes)])
        page.gauge("ringpost_history_bytes", "Bytes of history in memory", [([], snapshot.historyBytes)])
        page.gauge("ringpost_attachments", "Attachments to mailboxes of this node", [([], snapshot.attachments)])
        page.gauge("ringpost_idempotency_keys", "Idempotency keys remembered", [([], snapshot.windowKeys)])
        page.counter("ringpost_mailboxes_evicted_total", "Mailboxes forgotten because the store was full", [([], snapshot.evicted)])
        page.gauge(
            "ringpost_slots", "Slots: owned, of these without a confirmed mirror, without their history yet, and copies of others'",
            [
                ([("state", "owned")], snapshot.owned), ([("state", "unmirrored")], snapshot.unmirrored),
                ([("state", "inheriting")], snapshot.inheriting), ([("state", "copy")], snapshot.copiesHeld),
            ])
        page.gauge("ringpost_uncommitted", "Messages that wait for another member to confirm them", [([], snapshot.uncommitted)])
        writeLinks(snapshot, to: &page)
        page.counter(
            "ringpost_http_errors_total", "Requests answered with an error, by status",
            counters.badRequests.sorted { $0.key < $1.key }.map { ([("status", "\($0.key)")], $0.value) })
        page.counter("ringpost_handler_errors_total", "Errors inside the node", [([], counters.handlerErrors)])
        page.counter("ringpost_socket_writes_total", "Writes, each with all that waited for a socket", [([], counters.writes)])
        page.gauge("ringpost_ring_epoch", "The ring's epoch", [([], context.view?.epoch ?? 0)])
        page.gauge("ringpost_ring_members", "Members in the ring", [([], context.view?.members.count ?? 0)])
        page.gauge("ringpost_ring_age_milliseconds", "Since ZooKeeper confirmed the ring", [([], context.ringAgeMilliseconds)])
        page.gauge(
            "ringpost_may_act", "1 while the node has the right to act", [([], context.lease.mayAct(now: Moment.now().monotonic) ? 1 : 0)])
        if let log = context.log?.counts { writeLog(written: log.written, lost: log.lost, to: &page) }
        if let store = context.store { writeStore(store, snapshot, to: &page) }
        page.counter("ringpost_alarms_total", "Things that somebody should look at", [([], context.alarms)])
        writeStanding(context.standing, to: &page)
        page.histogram(
            "ringpost_publish_to_write_seconds", "From a publish's entry into the cluster to the socket's queue", counters.latency)
        page.histogram("ringpost_link_round_trip_seconds", "Heartbeats' round trips on links", counters.roundTrip)
        return page.text
    }

    private static func writeStanding(_ standing: NodeContext.Standing, to page: inout Page) {
        page.gauge(
            "ringpost_alarm", "1 while something is wrong that somebody should look at, by kind",
            StandingAlarm.Kind.allCases.map { kind in ([("kind", kind.rawValue)], standing.alarms.contains { $0.kind == kind } ? 1 : 0) })
        page.gauge("ringpost_slots_waiting", "Slots of this node that nobody serves", [([], standing.slotsWait?.slots ?? 0)])
    }

    private static func writeChannels(_ snapshot: ShardSnapshot, to page: inout Page) {
        page.gauge("ringpost_channels", "Channels that sockets of this node listen to", [([], snapshot.channels)])
        page.gauge("ringpost_channel_listeners", "Sockets' subscriptions to channels", [([], snapshot.channelListeners)])
        page.counter(
            "ringpost_channel_dropped_total",
            "Messages that came faster than an event loop serves their channel; sockets ask for them again",
            [([], snapshot.counters.fanDropped)])
        page.counter(
            "ringpost_channel_refused_total", "Subscriptions refused because a channel, a socket or an event loop has as many as it may",
            [([], snapshot.counters.channelsRefused)])
    }

    private static func writeAuth(_ snapshot: ShardSnapshot, _ context: NodeContext, to page: inout Page) {
        let counters = snapshot.counters
        page.counter(
            "ringpost_limited_total", "What was too much, by limit",
            zip(Limit.allCases, counters.limited).map { ([("limit", $0.rawValue)], $1) })
        page.counter(
            "ringpost_namespace_refused_total", "What the rules of namespaces have refused, by rule",
            zip(NamespaceRefusal.allCases, counters.namespaceRefused).map { ([("reason", $0.rawValue)], $1) })
        page.counter(
            "ringpost_distrusted_total", "Tokens and API keys that were not good, by what was wrong",
            zip(AuthError.allCases, counters.distrusted).map { ([("reason", $0.rawValue)], $1) })
        page.gauge(
            "ringpost_zookeeper_open", "1 while others reach this node and its ZooKeeper asks nobody for a password",
            [([], context.configuration.isZooKeeperOpen ? 1 : 0)])
        page.gauge("ringpost_connections", "Open connections on the client and API ports", [([], context.quotas.connectionCount)])
        page.gauge("ringpost_users", "Users with sockets on this node", [([], context.quotas.counts.users)])
        page.gauge("ringpost_source_addresses", "Source addresses with sockets on this node", [([], context.quotas.counts.addresses)])
        page.gauge(
            "ringpost_sessions", "Subscriptions of this node's sockets and polls that ask their owner", [([], snapshot.subscriptions)])
        page.gauge("ringpost_socket_queue_bytes", "Bytes that wait for clients' sockets", [([], snapshot.socketBytes)])
        page.gauge("ringpost_resident_bytes", "Resident memory of this process", [([], context.quotas.residentBytes)])
        page.gauge("ringpost_tokens_remembered", "Tokens that are known to be good", [([], snapshot.grants)])
        page.gauge("ringpost_token_keys", "Keys that tokens are checked with", [([], context.tokens?.keyCount ?? 0)])
        page.counter(
            "ringpost_token_key_fetches_failed_total", "Fetches of tokens' keys that failed", [([], context.tokens?.failedFetches ?? 0)])
        if let audit = context.audit { writeAudit(audit.counts, to: &page) }
    }

    private static func writeAudit(_ counts: LineCounts, to page: inout Page) {
        page.counter(
            "ringpost_audit_lines_total", "Lines of the audit log: written, lost to a full or slow disk, and refusals that were left out",
            [([("result", "written")], counts.written), ([("result", "lost")], counts.lost), ([("result", "omitted")], counts.omitted)])
    }

    private static func writeLinks(_ snapshot: ShardSnapshot, to page: inout Page) {
        let counters = snapshot.counters
        page.gauge(
            "ringpost_links", "Links to other members", [([("state", "up")], snapshot.linksUp), ([("state", "down")], snapshot.linksDown)])
        page.gauge("ringpost_link_queue_bytes", "Bytes that wait for links", [([], snapshot.linkBytes)])
        page.counter("ringpost_link_reconnects_total", "Links that broke", [([], counters.linkReconnects)])
        page.counter("ringpost_tls_failures_total", "TLS connections that failed, on all ports", [([], counters.tlsFailures)])
        page.counter("ringpost_bad_links_total", "Strangers, garbage and silence on the link port", [([], counters.badLinks)])
    }

    private static func writeStore(_ store: SlotStore, _ snapshot: ShardSnapshot, to page: inout Page) {
        let counts = store.counts
        page.gauge(
            "ringpost_history_older_bytes", "Bytes of history that only the data directory has, about", [([], snapshot.olderBytes)])
        let reads = snapshot.olderReads
        page.counter(
            "ringpost_history_reads_total",
            "Requests for history that only the data directory has: answered, of these with a gap because something "
                + "could not be read, and told to ask again",
            [([("result", "read")], reads.reads), ([("result", "damaged")], reads.damagedReads), ([("result", "refused")], reads.refused)])
        page.gauge("ringpost_store_file_bytes", "Bytes of the data directory's files, without its log", [([], counts.fileBytes)])
        page.counter("ringpost_store_bytes_total", "Bytes of changes that are in the data directory", [([], counts.bytes)])
        page.counter("ringpost_store_ticks_total", "Ticks of event loops that are there", [([], counts.ticks)])
        page.counter("ringpost_store_batches_total", "Writes, each of all ticks that waited", [([], counts.batches)])
        page.counter("ringpost_store_batch_seconds_total", "How long they took altogether", [([], Double(counts.microseconds) / 1_000_000)])
        page.gauge("ringpost_store_last_batch_seconds", "How long the last one took", [([], Double(counts.lastMicroseconds) / 1_000_000)])
        page.gauge("ringpost_store_queue_bytes", "Bytes of ticks that wait for the disk", [([], store.bytesQueued)])
        page.gauge("ringpost_store_failed", "1 when a write has failed: the node ends", [([], store.firstFailure == nil ? 0 : 1)])
        page.counter("ringpost_store_reads_total", "Slots and parts of histories that were read", [([], counts.reads)])
        page.counter("ringpost_store_damaged_reads_total", "Of these, those that met damage", [([], counts.damagedReads)])
    }

    private static func writeLog(written: UInt64, lost: UInt64, to page: inout Page) {
        page.counter(
            "ringpost_log_lines_total", "Lines of the log: written, and lost because its reader did not keep up",
            [([("result", "written")], written), ([("result", "lost")], lost)])
    }

    private static func writeClients(_ counters: ShardCounters, to page: inout Page) {
        page.gauge(
            "ringpost_sockets", "Client sockets that are open",
            TransportKind.allCases.map { ([("transport", $0.rawValue)], counters.sockets[$0.counterIndex]) })
        page.counter(
            "ringpost_sockets_opened_total", "Client sockets opened",
            TransportKind.allCases.map { ([("transport", $0.rawValue)], counters.opened[$0.counterIndex]) })
        page.counter(
            "ringpost_sockets_closed_total", "Client sockets that the node closed, by reason",
            zip(CloseReason.allCases, counters.closed).map { ([("reason", $0.code)], $1) })
        page.counter(
            "ringpost_admissions_total", "Clients that wanted in, by what became of them",
            Admission.allCases.map { ([("decision", $0.rawValue)], counters.admissions[$0.counterIndex]) })
    }

    private struct Page {
        var text = ""

        mutating func gauge(_ name: String, _ help: String, _ samples: [([(String, String)], some Numeric)]) {
            write(name, "gauge", help, samples)
        }

        mutating func counter(_ name: String, _ help: String, _ samples: [([(String, String)], some Numeric)]) {
            write(name, "counter", help, samples)
        }

        private mutating func write(_ name: String, _ type: String, _ help: String, _ samples: [([(String, String)], some Numeric)]) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
            for (labels, value) in samples {
                let inside = labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
                text += inside.isEmpty ? "\(name) \(value)\n" : "\(name){\(inside)} \(value)\n"
            }
        }

        mutating func histogram(_ name: String, _ help: String, _ buckets: LatencyBuckets) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
            var sum: UInt64 = 0
            for (bound, count) in zip(LatencyBuckets.bounds, buckets.counts) {
                sum += count
                text += "\(name)_bucket{le=\"\(Double(bound) / 1_000_000)\"} \(sum)\n"
            }
            let all = buckets.counts.reduce(0, +)
            text += "\(name)_bucket{le=\"+Inf\"} \(all)\n"
            text += "\(name)_sum \(Double(buckets.sumMicroseconds) / 1_000_000)\n\(name)_count \(all)\n"
        }
    }
}
