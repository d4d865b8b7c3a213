// How a database is opened. Options are RocksDB's own words and in its own form ("name=value;…"), so that they can be looked up in its
// documentation, and so that this wrapper knows none of them.

/// A database's folder and options.
public struct RocksConfiguration: Sendable {
    /// One of the tables of a database (RocksDB: column family).
    public struct Table: Sendable {
        /// Its name on the disk.
        public let name: String
        /// RocksDB's options of a column family, as `name=value;…`.
        public let options: String

        /// A table.
        public init(name: String, options: String) {
            self.name = name
            self.options = options
        }
    }

    /// The folder.
    public let path: String
    /// RocksDB's options of a database, as `name=value;…`.
    public let options: String
    /// All tables, in the order in which they are numbered.
    public let tables: [Table]
    /// Makes the database if there is none. Without it a missing file is an error, and with it a new database is what comes of that.
    public let creates: Bool

    /// A database with its tables; the one that RocksDB always has, `default`, has to be among them.
    public init(path: String, options: String, tables: [Table], creates: Bool) {
        self.path = path
        self.options = options
        self.tables = tables
        self.creates = creates
    }
}

/// A table's number in ``RocksConfiguration/tables``.
public struct RocksTable: Sendable, Hashable {
    /// From 0.
    public let number: Int

    /// The table of this number.
    public init(number: Int) { self.number = number }
}
