/// Storage on another machine. One operation at a time: its end is told once, by `advance`.
protocol RemoteVolume: AnyObject {
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
