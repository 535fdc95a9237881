internal import FWBase

/// An image in which notebooks can be run: a base image, papermill, and what pip installs for a step.
struct NotebookImage: Sendable {
  let base: String
  private let requirements: String

  /// The label that has the recipe of an image.
  static let label = "io.github.flowworker.notebook"

  init(base: String, requirements: [String]) {
    self.base = base
    self.requirements = requirements.map { $0 + "\n" }.joined()
  }

  /// The recipe has no text of the step: the requirements are in a file, and no shell sees them.
  private var dockerfile: String {
    """
    FROM \(base)
    COPY requirements.txt /.flowworker/requirements.txt
    RUN ["python3", "-m", "pip", "install", "--no-cache-dir", "papermill", "ipykernel", \
    "-r", "/.flowworker/requirements.txt"]

    """
  }

  /// The text that differs for two different images.
  var recipe: String { dockerfile + requirements }

  /// The name, which is the same for images of one recipe. The label proves that two images have the same recipe.
  var name: String {
    // The hash is FNV-1a with 128 bits.
    var hash: UInt128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d
    for byte in recipe.utf8 { hash = (hash ^ UInt128(byte)) &* 0x0000_0000_0100_0000_0000_0000_0000_013b }
    let digits = String(hash, radix: 16)
    return "flowworker-notebook:" + String(repeating: "0", count: 32 - digits.utf8.count) + digits
  }

  /// The archive that an engine builds the image from.
  var context: ByteBuffer {
    var archive = TarArchive()
    archive.add("Dockerfile", mode: 0o644, dockerfile)
    archive.add("requirements.txt", mode: 0o644, requirements)
    return archive.finish()
  }

  /// The query of "build an image".
  func query(network: String?) -> String {
    var labels = JSONWriter()
    let recipe = recipe
    labels.object { $0.member(key: NotebookImage.label, recipe) }
    let text = labels.buffer()
    let labelText = URLText.escaped(String(decoding: text.bytes, as: UTF8.self))
    let mode = network.map { "&networkmode=\(URLText.escaped($0))" } ?? ""
    return "t=\(URLText.escaped(name))&rm=1&forcerm=1&labels=\(labelText)\(mode)"
  }
}

/// A tar archive in the format that engines accept. (POSIX.1-1988, "ustar".)
struct TarArchive: ~Copyable {
  private var bytes = ByteBuffer()

  private static let block = 512

  /// - Parameters:
  ///   - name: at most 100 bytes. The name of a directory ends with a slash.
  ///   - mode: the permissions.
  mutating func add(_ name: String, mode: Int, _ content: UnsafeRawBufferPointer) {
    var head = [UInt8](repeating: 0, count: TarArchive.block)
    func put(_ text: String, at offset: Int) {
      for (index, byte) in text.utf8.enumerated() where offset + index < head.count {
        head[offset + index] = byte
      }
    }
    func octal(_ number: Int, digits: Int) -> String {
      let text = String(number, radix: 8)
      return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
    put(String(decoding: name.utf8.prefix(100), as: UTF8.self), at: 0)
    put(octal(mode, digits: 7), at: 100)
    // The owner is root and the time is zero, so that equal files make equal archives.
    put(octal(0, digits: 7), at: 108)
    put(octal(0, digits: 7), at: 116)
    put(octal(content.count, digits: 11), at: 124)
    put(octal(0, digits: 11), at: 136)
    put("        ", at: 148)
    put(name.ends(with: "/") ? "5" : "0", at: 156)
    put("ustar", at: 257)
    put("00", at: 263)
    put(octal(head.reduce(0) { $0 + Int($1) }, digits: 6) + "\0 ", at: 148)
    head.withUnsafeBytes { bytes.append($0) }
    bytes.append(content)
    pad(to: TarArchive.block)
  }

  mutating func add(_ name: String, mode: Int, _ content: String) {
    var content = content
    content.withUTF8 { add(name, mode: mode, UnsafeRawBufferPointer($0)) }
  }

  private mutating func pad(to size: Int) {
    while bytes.count % size != 0, !bytes.isExhausted { bytes.append(byte: 0) }
  }

  /// Ends the archive.
  consuming func finish() -> ByteBuffer {
    for _ in 0..<(2 * TarArchive.block) { bytes.append(byte: 0) }
    var taken = ByteBuffer()
    swap(&taken, &bytes)
    return taken
  }
}
