package import FWBase
package import FWModel

/// Storage on another machine. Up to `width` operations may run at once. Each has an end of its own, which is called
/// once: by a later `advance`, or at once if nothing has to be sent. The ends come in any order.
package protocol RemoteVolume: AnyObject {
  var name: String { get }

  /// The number of operations that the volume should have in flight, at least 1. The caller begins no more.
  var width: Int { get }

  /// A descriptor that becomes readable when there is something to do.
  var fd: Int32 { get }

  /// Does all work that needs no waiting.
  func advance()

  /// Lists what a key names: a file, or a folder, first by itself and then with its content. The list is empty if the
  /// key names nothing.
  func find(_ key: VolumeKey, _ end: @escaping (Result<[VolumeFile], StepFailure>) -> Void)

  /// Writes a file's content at the current offset of a descriptor, and reports the facts of the file.
  func fetch(_ file: VolumeFile, into fd: Int32, _ end: @escaping (Result<VolumeFile, StepFailure>) -> Void)

  /// Stores the whole content of a descriptor as a file. The file is stored completely or not at all.
  func store(_ file: VolumeFile, from fd: Int32, _ end: @escaping (StepFailure?) -> Void)

  /// Creates a folder, and its parent folders.
  func makeFolder(_ key: VolumeKey, _ end: @escaping (StepFailure?) -> Void)

  /// Ends all running operations. Their ends are not reported. What they have left in the storage is removed by later
  /// calls of `advance`, as long as `isClearing`.
  func drop()

  /// Whether something is being removed that ended operations have left. The volume limits the time that this takes.
  var isClearing: Bool { get }
}

extension RemoteVolume {
  var isClearing: Bool { false }
}

/// A file, folder or link of a volume.
package struct VolumeFile {
  package enum Kind {
    case file
    /// A folder. Only the folder that was asked for, and empty folders, are listed by themselves.
    case folder
    /// A symbolic link that can only be copied as a link. The value is the text of the link.
    case link([UInt8])
  }

  package let key: VolumeKey
  package var kind = Kind.file
  package var size: Int64 = 0
  /// The permission bits.
  package var mode: UInt32 = 0o644

  static func folder(_ key: VolumeKey) -> VolumeFile { VolumeFile(key: key.folder, kind: .folder) }

  var isFolder: Bool {
    if case .folder = kind { return true }
    return false
  }
}
