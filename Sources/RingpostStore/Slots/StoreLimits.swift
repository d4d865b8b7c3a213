// What a store may take of memory, and how it is laid out on the disk. See docs/architecture/store.md.
import RocksStore
import RingpostCore

/// Bounds of a store, named.
public enum StoreLimits {
    /// Bytes of ticks that wait for the disk; beyond it event loops keep theirs.
    public static let queueBytesMax = 64 * 1_024 * 1_024
    /// Slots and parts of histories that wait to be read.
    public static let readsMax = 1_024
    /// Boots that an identity has; the oldest go first. A boot is written before it is registered, so more of them in a row than this would all
    /// have to fail before the one that the roster knows is forgotten.
    public static let bootsMax = 256
    /// Bytes of ticks that go into one batch; what waits beyond it goes into the next one. One tick alone may have more.
    public static let batchBytesMax = 8 * 1_024 * 1_024
    /// Changes that are in memory and in the write-ahead log only, of both tables together.
    public static let memtableBytesMax = 64 * 1_024 * 1_024
    /// The write-ahead log; all of it is read when a store is opened.
    public static let logBytesMax = 128 * 1_024 * 1_024
    /// Blocks of table files that were read, and what tells where they are.
    public static let cacheBytesMax = 32 * 1_024 * 1_024
    /// The same of heads, which are read when a store is opened. Without a bound of its own a table has RocksDB's.
    public static let headsCacheBytesMax = 4 * 1_024 * 1_024
    /// A file of messages.
    static let messageFileBytesMax = 64 * 1_024 * 1_024
    /// Files that are open.
    public static let filesMax = 512

    /// RocksDB's options of the database.
    /// - Damage in the log before its end stops the opening (`kTolerateCorruptedTailRecords`), and so does a log that the list of files names
    ///   and that is missing or shorter (`track_and_verify_wals_in_manifest`). Both need `paranoid_checks`.
    /// - RocksDB's own log says nothing after the opening: it lies in the same directory, and Debian's library is built with assertions, one of
    ///   which ends the process when that log can't be written. What has failed is in the errors that calls return.
    /// - After an error nothing is tried again by itself (`max_bgerror_resume_count`): a store that has failed is not trusted.
    static let databaseOptions = [
        "wal_recovery_mode=kTolerateCorruptedTailRecords", "track_and_verify_wals_in_manifest=true", "paranoid_checks=true",
        "recycle_log_file_num=0", "max_bgerror_resume_count=0", "use_fsync=false", "max_open_files=\(filesMax)",
        "db_write_buffer_size=\(memtableBytesMax)", "max_total_wal_size=\(logBytesMax)", "max_background_jobs=2",
        "allow_concurrent_memtable_write=false", "bytes_per_sync=1048576", "keep_log_file_num=4", "info_log_level=FATAL_LEVEL",
        "stats_dump_period_sec=0",
    ].joined(separator: ";")

    /// Messages lie in files of their own (RocksDB: blobs), which compaction doesn't write again: it moves keys. Of the oldest quarter of these
    /// files, what is still needed is written anew when half of it is not.
    static let contentsOptions = [
        "enable_blob_files=true", "min_blob_size=128", "blob_file_size=\(messageFileBytesMax)", "enable_blob_garbage_collection=true",
        "blob_garbage_collection_age_cutoff=0.25", "blob_garbage_collection_force_threshold=0.5",
        "compression=kLZ4Compression", "write_buffer_size=\(memtableBytesMax / 2)",
        tableOptions(cacheBytesMax: cacheBytesMax),
    ].joined(separator: ";")

    /// Heads are read when the store is opened only: until they are in a file, no order is needed among them.
    static let headsOptions = [
        "memtable=vector", "compression=kNoCompression", "write_buffer_size=\(memtableBytesMax / 8)",
        tableOptions(cacheBytesMax: headsCacheBytesMax),
    ].joined(separator: ";")

    private static func tableOptions(cacheBytesMax: Int) -> String {
        "block_based_table_factory={block_cache=\(cacheBytesMax);cache_index_and_filter_blocks=true;format_version=5}"
    }

    /// How the database in this folder is opened.
    package static func configuration(_ path: String, creates: Bool) -> RocksConfiguration {
        let tables = StoreTable.allCases.map { table in
            switch table {
            // RocksDB's first table has this name, whatever is in it.
            case .contents: RocksConfiguration.Table(name: "default", options: contentsOptions)
            case .heads: RocksConfiguration.Table(name: "heads", options: headsOptions)
            }
        }
        return RocksConfiguration(path: path, options: databaseOptions, tables: tables, creates: creates)
    }
}

extension StoreTable {
    var rocks: RocksTable { RocksTable(number: rawValue) }
}
