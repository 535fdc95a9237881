package import FWBase
internal import FWHTTP
package import FWModel

/// Storage on another machine. One operation at a time: its end is told once, by `advance`.
package protocol RemoteVolume: AnyObject {
  var name: String { get }

  /// Can be read when there is something to do.
  var fd: Int32 { get }

  /// Does what can be done without waiting.
  func advance()

  /// Tells what a key stands for: a file, or a folder by itself and with what is in it. Nothing: there is nothing of that name.
  func find(_ key: VolumeKey, _ end: @escaping (Result<[VolumeFile], StepFailure>) -> Void)

  /// Writes a file's content where a descriptor stands, and tells what there was.
  func fetch(_ file: VolumeFile, into fd: Int32, _ end: @escaping (Result<VolumeFile, StepFailure>) -> Void)

  /// Makes a file of what a descriptor has from its beginning: complete, or not at all.
  func store(_ file: VolumeFile, from fd: Int32, _ end: @escaping (StepFailure?) -> Void)

  /// Makes a folder, and those above it.
  func makeFolder(_ key: VolumeKey, _ end: @escaping (StepFailure?) -> Void)

  /// Ends what has not ended, without a word.
  func drop()
}

/// A volume that libcurl speaks to, over one connection. Each type has its own addresses and requests, and so its own
/// initializer, which makes the connection.
protocol LinkedVolume: RemoteVolume {
  var link: HTTPLink { get set }
}

extension LinkedVolume {
  var fd: Int32 { link.fd }
  func advance() { link.advance() }
  func drop() { link.dropAll() }

  /// Sends the request that `make` returns. If `make` throws, its reason is the answer.
  func transfer(
    _ make: () throws(StepFailure) -> TransferRequest, _ end: @escaping (borrowing HTTPAnswer) -> Void
  ) {
    do throws(StepFailure) {
      let request = try make()
      link = try link.renewed()
      link.transfer(request.what, end: end)
      withExtendedLifetime(request) {}
    } catch {
      link.fail(error.reason, end)
    }
  }

  /// Returns the failure of this machine's file in a transfer: of the one that is sent under `key`, or of the one that
  /// receives. `nil`: the file did not fail.
  func fileFailure(_ answer: borrowing HTTPAnswer, sending key: VolumeKey?) -> StepFailure? {
    if answer.fileError == 0 { return nil }
    guard let key else {
      return StepFailure(
        volume: "data from the volume \(MessageFormat.quoted(name)) cannot be written", answer.fileError)
    }
    return StepFailure(
      volume: "the key \(key.shown), which is being sent to the volume \(MessageFormat.quoted(name)), cannot be read",
      answer.fileError)
  }
}

/// What a volume has under a key.
package struct VolumeFile {
  package enum Kind {
    case file
    /// A folder, which is listed by itself where it is the one that was asked for, or has nothing in it.
    case folder
    /// A symbolic link that can be copied only as one: where it leads to, as its text has it.
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
